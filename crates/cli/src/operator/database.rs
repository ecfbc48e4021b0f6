//! `store`: the database itself as an operator sees it: its schema brought up to date, a deployment moved to another engine.

use super::{Deployment, say, show};
use crate::outcome::Outcome;
use anyhow::bail;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use std::path::{Path, PathBuf};
use store::{Copied, CopyProgress, Place, Store, StoreConfig};

/// What to do with the database.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Database {
    /// Bring the schema up to date and check it, as the settings allow.
    Migrate {
        #[command(flatten)]
        at: Deployment,
    },
    /// Copy a stopped SQLite deployment into an empty Postgres database: everything or, whatever happens, nothing.
    Copy {
        /// The SQLite file.
        #[arg(long)]
        from: PathBuf,
        /// Settings that name the Postgres database are those of the gateway that will serve it.
        #[command(flatten)]
        at: Deployment,
        /// The counts as one JSON object, without a progress bar.
        #[arg(long)]
        json: bool,
    },
}

impl Database {
    pub(super) async fn run(self) -> anyhow::Result<Outcome> {
        match self {
            Self::Migrate { at } => {
                Store::open(StoreConfig::from(&at.config()?.store)).await?.close().await;
                say("the schema is this program's")?;
            }
            Self::Copy { from, at, json } => copy(&from, &at, json).await?,
        }
        Ok(Outcome::Done)
    }
}

async fn copy(from: &Path, at: &Deployment, json: bool) -> anyhow::Result<()> {
    let Place::Postgres(to) = StoreConfig::from(&at.config()?.store).place else {
        bail!("{}: [store] names no Postgres server", at.config.display())
    };
    let style = ProgressStyle::with_template("{msg:17} [{wide_bar}] {pos}/{len} {per_sec}")?;
    let bar = if json { ProgressBar::hidden() } else { ProgressBar::new(0).with_style(style) };
    let copied = store::copy(from, &to, |CopyProgress { table, done, total }| {
        bar.set_length(total);
        bar.set_position(done);
        bar.set_message(table);
    })
    .await;
    bar.finish_and_clear();
    told(&copied?, json)
}

fn told(copied: &Copied, as_json: bool) -> anyhow::Result<()> {
    if as_json {
        let tables: serde_json::Map<_, _> =
            copied.tables.iter().map(|(table, rows)| ((*table).to_owned(), json!(rows))).collect();
        return say(json!({ "rows": tables, "audit_chains": copied.chains }));
    }
    let rows: Vec<_> = copied.tables.iter().map(|(table, rows)| json!({ "table": table, "rows": rows })).collect();
    show(&rows, &["table", "rows"], false)?;
    say(format!("every count agrees and {} audit chains hold", copied.chains))
}
