//! `job` and `key rotate`: long-running work as an operator sees it. Tables by default, `--json` for machines.

use super::say;
use anyhow::ensure;
use biometrics::{JobId, TenantId};
use clap::Subcommand;
use comfy_table::{Table, presets::UTF8_HORIZONTAL_ONLY};
use gateway::{Config, desk::Desk};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use service::config;
use std::{
    path::{Path, PathBuf},
    time::Duration,
};
use store::{Job, JobState};

/// Between two looks at a job that is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// What to do with jobs.
#[derive(Subcommand)]
pub(crate) enum JobCommand {
    /// List jobs, newest first.
    List {
        /// Settings of the gateway.
        #[arg(long)]
        config: PathBuf,
        /// One tenant's alone.
        #[arg(long)]
        tenant: Option<TenantId>,
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Show one job.
    Show {
        /// Settings of the gateway.
        #[arg(long)]
        config: PathBuf,
        /// The job.
        job: JobId,
        /// As one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Stay until a job has ended; fails where it did not reach its end.
    Wait {
        /// Settings of the gateway.
        #[arg(long)]
        config: PathBuf,
        /// The job.
        job: JobId,
        /// The job as one JSON object, without a progress bar.
        #[arg(long)]
        json: bool,
    },
    /// Deletion proofs of what a job erased: one JWS a line, the same whenever they are asked for.
    Proofs {
        /// Settings of the gateway.
        #[arg(long)]
        config: PathBuf,
        /// The job.
        job: JobId,
    },
    /// End a job; what it did stays done.
    Cancel {
        /// Settings of the gateway.
        #[arg(long)]
        config: PathBuf,
        /// The job.
        job: JobId,
    },
}

/// Asks for a rotation.
pub(crate) async fn rotate(path: &Path, tenant: TenantId, stay: bool) -> anyhow::Result<()> {
    let desk = desk(path).await?;
    let job = desk.rotate(tenant).await?;
    queued(desk, job, stay).await
}

/// Lists, shows, waits for or ends jobs.
pub(crate) async fn job(command: JobCommand) -> anyhow::Result<()> {
    match command {
        JobCommand::List { config, tenant, json } => {
            let desk = desk(&config).await?;
            let jobs = desk.jobs(tenant).await?;
            desk.close().await;
            show(&jobs, json)
        }
        JobCommand::Show { config, job, json } => {
            let desk = desk(&config).await?;
            let job = desk.job(job).await?;
            desk.close().await;
            show(&[job], json)
        }
        JobCommand::Wait { config, job, json } => {
            let desk = desk(&config).await?;
            let job = wait(&desk, job, json).await?;
            desk.close().await;
            ended_well(&job, json)
        }
        JobCommand::Proofs { config, job } => super::deletion::proofs(&config, job).await,
        JobCommand::Cancel { config, job } => {
            let desk = desk(&config).await?;
            let cancelled = desk.cancel(job).await?;
            desk.close().await;
            ensure!(cancelled, "the job had ended before");
            say("cancelled")
        }
    }
}

/// Prints the job that was asked for; stays until it has ended where that was asked for too.
pub(super) async fn queued(desk: Desk, job: JobId, stay: bool) -> anyhow::Result<()> {
    say(&job.to_string())?;
    if !stay {
        desk.close().await;
        return Ok(());
    }
    let job = wait(&desk, job, false).await?;
    desk.close().await;
    ended_well(&job, false)
}

pub(super) async fn desk(path: &Path) -> anyhow::Result<Desk> {
    let config: Config = config::load(path)?;
    Ok(Desk::open(&config).await?)
}

async fn wait(desk: &Desk, id: JobId, quiet: bool) -> anyhow::Result<Job> {
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

fn ended_well(job: &Job, json: bool) -> anyhow::Result<()> {
    show(std::slice::from_ref(job), json)?;
    let why = job.error.as_deref().unwrap_or("an operator ended it");
    ensure!(job.state == JobState::Done, "{} is {}: {why}", job.id, job.state.word());
    Ok(())
}

fn show(jobs: &[Job], json: bool) -> anyhow::Result<()> {
    if json {
        return jobs.iter().try_for_each(|job| say(&as_json(job).to_string()));
    }
    let mut table = Table::new();
    table
        .load_preset(UTF8_HORIZONTAL_ONLY)
        .set_header(["job", "tenant", "kind", "state", "step", "done", "total", "error"]);
    for job in jobs {
        table.add_row([
            job.id.to_string(),
            job.tenant.to_string(),
            job.kind.word().to_owned(),
            job.state.word().to_owned(),
            job.step.word().to_owned(),
            job.done.to_string(),
            job.total.to_string(),
            job.error.clone().unwrap_or_default(),
        ]);
    }
    say(&table.to_string())
}

/// All of a job but where it would resume, which may name a user.
fn as_json(job: &Job) -> Value {
    json!({
        "job": job.id.to_string(), "tenant": job.tenant.to_string(), "kind": job.kind.word(), "state": job.state.word(),
        "step": job.step.word(), "done": job.done, "total": job.total, "kek_to": job.kek_to, "cause": job.cause,
        "error": job.error, "requested_by": job.requested_by, "created_at_ms": job.created_at_ms,
        "started_at_ms": job.started_at_ms, "finished_at_ms": job.finished_at_ms,
    })
}
