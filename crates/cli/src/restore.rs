//! `backup`, `restore-check` and `reference`: a copy of the database beside running gateways, what has to be done before one is
//! served again, and what is done to references, or told of them, without their users.
//!
//! Must never know: how rows are copied, erased or laid out anew. Invariant: beside every copy lies a manifest that says what it
//! holds, and it is written last: a copy without one is not whole.

use crate::{
    operator::{Deployment, show},
    outcome::Outcome,
    whole_file,
};
use anyhow::Context as _;
use biometrics::TenantId;
use gateway::desk::Desk;
use ring::digest::{Context, SHA256};
use serde_json::{Map, Value, json};
use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};
use store::ReferenceCount;

/// Copy the SQLite database beside running gateways. Deletions wait for its end.
#[derive(Debug, clap::Args)]
pub(crate) struct Backup {
    #[command(flatten)]
    at: Deployment,
    /// The copy, a new file; `FILE.json` beside it says what it holds.
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    /// Print the manifest as one JSON object.
    #[arg(long)]
    json: bool,
}

/// Erase again what came back with a restored database, by the deletion journal; while no gateway serves it.
#[derive(Debug, clap::Args)]
pub(crate) struct RestoreCheck {
    #[command(flatten)]
    at: Deployment,
    /// Print the report as one JSON object.
    #[arg(long)]
    json: bool,
}

/// Work on a tenant's references as they lie there.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Reference {
    /// Make a new transform key and lay every reference of the tenant out anew with it, under a new epoch and commitment, without
    /// its users and while serving. Prints the job.
    Renew {
        #[command(flatten)]
        at: Deployment,
        /// Whose references.
        tenant: TenantId,
    },
    /// Count references by tenant and feature space: while the recogniser changes, how many users are still to come. Reads all of
    /// them.
    Count {
        #[command(flatten)]
        at: Deployment,
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
}

/// Does one thing at the desk and closes it.
fn with<T>(at: &Deployment, work: impl AsyncFnOnce(&Desk) -> Result<T, gateway::GatewayError>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Runtime::new().context("async runtime")?;
    runtime.block_on(async {
        let desk = at.desk().await?;
        let done = work(&desk).await;
        desk.close().await;
        Ok(done?)
    })
}

impl Backup {
    /// Copies, then writes the manifest.
    pub(crate) fn run(self) -> anyhow::Result<Outcome> {
        let (copied, seen) = with(&self.at, async |desk| desk.back_up(&self.to).await)?;
        let tables: Map<String, Value> =
            copied.tables.iter().map(|(name, rows)| (name.clone(), (*rows).into())).collect();
        let rows: u64 = copied.tables.iter().map(|(_, rows)| rows).sum();
        let manifest = json!({
            "program": env!("CARGO_PKG_VERSION"),
            "at_ms": copied.at_ms,
            "bytes": self.to.metadata()?.len(),
            "sha256": sha256(&self.to).with_context(|| format!("{} does not read", self.to.display()))?,
            "tables": tables,
            "left_out": copied.left_out,
            "journal_position": seen.map_or(0, |head| head.position),
        });
        let mut beside = self.to.as_os_str().to_owned();
        beside.push(".json");
        whole_file::replace(Path::new(&beside), &serde_json::to_vec_pretty(&manifest)?)?;
        let said = || format!("{rows} rows of {} tables in {}", copied.tables.len(), self.to.display());
        say(&if self.json { manifest.to_string() } else { said() })
    }
}

impl RestoreCheck {
    /// Replays the journal and reports.
    pub(crate) fn run(self) -> anyhow::Result<Outcome> {
        let replayed = with(&self.at, async |desk| desk.replay().await)?;
        if self.json {
            let erased: Vec<Value> = replayed
                .erased
                .iter()
                .map(|one| json!({ "tenant": one.tenant.to_string(), "reference": one.reference_id.to_string() }))
                .collect();
            let report = json!({
                "entries": replayed.entries, "unseen": replayed.unseen, "known": replayed.known, "absent": replayed.absent,
                "erased": erased,
            });
            return say(&report.to_string());
        }
        say(&format!(
            "{} of {} entries were new to this database: {} references erased again, {} erased before, {} not in it",
            replayed.unseen,
            replayed.entries,
            replayed.erased.len(),
            replayed.known,
            replayed.absent
        ))
    }
}

impl Reference {
    /// Asks for the job, or counts.
    pub(crate) fn run(self) -> anyhow::Result<Outcome> {
        match self {
            Self::Renew { at, tenant } => say(&with(&at, async |desk| desk.renew(tenant).await)?.to_string()),
            Self::Count { at, json } => {
                let counts = with(&at, async |desk| desk.reference_counts().await)?;
                let row = |one: &ReferenceCount| {
                    json!({
                        "tenant": one.tenant.to_string(), "feature_space": one.feature_space, "references": one.references,
                        "successors": one.successors,
                    })
                };
                let rows: Vec<Value> = counts.iter().map(row).collect();
                show(&rows, &["tenant", "feature_space", "references", "successors"], json)?;
                Ok(Outcome::Done)
            }
        }
    }
}

fn say(line: &str) -> anyhow::Result<Outcome> {
    writeln!(io::stdout(), "{line}")?;
    Ok(Outcome::Done)
}

fn sha256(path: &Path) -> io::Result<String> {
    let (mut file, mut context, mut part) = (File::open(path)?, Context::new(&SHA256), vec![0; 1 << 20]);
    loop {
        match file.read(&mut part)? {
            0 => return Ok(context.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()),
            read => context.update(&part[..read]),
        }
    }
}
