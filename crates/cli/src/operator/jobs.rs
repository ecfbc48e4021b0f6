//! `job`: long-running work as an operator sees it.

use super::{
    Deployment,
    deletion::{self, Of},
    say, show,
};
use crate::outcome::Outcome;
use anyhow::ensure;
use biometrics::{JobId, TenantId};
use gateway::desk::Desk;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use std::time::Duration;
use store::JobState;

/// Between two looks at a job that is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(250);
const COLUMNS: [&str; 8] = ["job", "tenant", "kind", "state", "step", "done", "total", "error"];

/// Whether the command stays.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Wait {
    /// Stay until it is done.
    #[arg(long)]
    wait: bool,
}

/// What to do with jobs.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Job {
    /// List jobs, newest first.
    List {
        #[command(flatten)]
        at: Deployment,
        /// One tenant's alone.
        #[arg(long)]
        tenant: Option<TenantId>,
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Show one job.
    Show {
        #[command(flatten)]
        at: Deployment,
        /// The job.
        job: JobId,
        /// As one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Stay until a job has ended; refused where it did not reach its end.
    Wait {
        #[command(flatten)]
        at: Deployment,
        /// The job.
        job: JobId,
        /// The job as one JSON object, without a progress bar.
        #[arg(long)]
        json: bool,
    },
    /// Deletion proofs of what a job erased: one JWS a line, the same whenever they are asked for.
    Proofs {
        #[command(flatten)]
        at: Deployment,
        /// The job.
        job: JobId,
    },
    /// End a job; what it did stays done.
    Cancel {
        #[command(flatten)]
        at: Deployment,
        /// The job.
        job: JobId,
    },
}

impl Job {
    pub(super) async fn run(self) -> anyhow::Result<Outcome> {
        match self {
            Self::List { at, tenant, json } => {
                let desk = at.desk().await?;
                let jobs = desk.jobs(tenant).await?;
                desk.close().await;
                let rows: Vec<_> = jobs.iter().map(row).collect();
                show(&rows, &COLUMNS, json)?;
            }
            Self::Show { at, job, json } => {
                let desk = at.desk().await?;
                let job = desk.job(job).await?;
                desk.close().await;
                show(&[row(&job)], &COLUMNS, json)?;
            }
            Self::Wait { at, job, json } => {
                let desk = at.desk().await?;
                let job = wait(&desk, job, json).await?;
                desk.close().await;
                return ended(&job, json);
            }
            Self::Proofs { at, job } => deletion::proofs(&at, Of::Job(job)).await?,
            Self::Cancel { at, job } => {
                let desk = at.desk().await?;
                let cancelled = desk.cancel(job).await?;
                desk.close().await;
                ensure!(cancelled, "the job had ended before");
                say("cancelled")?;
            }
        }
        Ok(Outcome::Done)
    }
}

/// Prints the job that was asked for; stays until it has ended where that was asked for too.
pub(super) async fn queued(desk: Desk, job: JobId, wait_for: Wait) -> anyhow::Result<Outcome> {
    say(job)?;
    if !wait_for.wait {
        desk.close().await;
        return Ok(Outcome::Done);
    }
    let job = wait(&desk, job, false).await?;
    desk.close().await;
    ended(&job, false)
}

async fn wait(desk: &Desk, id: JobId, quiet: bool) -> anyhow::Result<store::Job> {
    let style = ProgressStyle::with_template("{msg:10} [{wide_bar}] {pos}/{len} {per_sec}")?;
    let bar = if quiet { ProgressBar::hidden() } else { ProgressBar::new(0).with_style(style) };
    loop {
        let job = desk.job(id).await?;
        bar.set_length(job.total.max(job.done));
        bar.set_position(job.done);
        bar.set_message(job.step.word());
        if !job.state.is_open() {
            bar.finish_and_clear();
            return Ok(job);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Shows how it ended; whatever is not its end is a refusal.
fn ended(job: &store::Job, json: bool) -> anyhow::Result<Outcome> {
    show(&[row(job)], &COLUMNS, json)?;
    Ok(if job.state == JobState::Done { Outcome::Done } else { Outcome::Refused })
}

/// All of a job but where it would resume, which may name a user.
fn row(job: &store::Job) -> Value {
    json!({
        "job": job.id.to_string(), "tenant": job.tenant.to_string(), "kind": job.kind.word(), "state": job.state.word(),
        "step": job.step.word(), "done": job.done, "total": job.total, "kek_to": job.kek_to, "cause": job.cause,
        "error": job.error, "requested_by": job.requested_by, "created_at_ms": job.created_at_ms,
        "started_at_ms": job.started_at_ms, "finished_at_ms": job.finished_at_ms,
    })
}
