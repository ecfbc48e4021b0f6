//! `store`: the database itself as an operator sees it: its schema brought up to date, a deployment moved to another engine.

use super::say;
use anyhow::bail;
use clap::Subcommand;
use comfy_table::{Table, presets::UTF8_HORIZONTAL_ONLY};
use gateway::Config;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use service::config;
use std::path::{Path, PathBuf};
use store::{Copied, CopyProgress, Place, Store, StoreConfig};

/// What to do with the database.
#[derive(Subcommand)]
pub(crate) enum StoreCommand {
    /// Bring the schema up to date and check it, as the settings allow.
    Migrate {
        /// Settings of the gateway.
        #[arg(long)]
        config: PathBuf,
    },
    /// Copy a stopped SQLite deployment into an empty Postgres database: everything or, whatever happens, nothing.
    Copy {
        /// The SQLite file.
        #[arg(long)]
        from: PathBuf,
        /// Settings of the gateway that will serve the Postgres database.
        #[arg(long)]
        config: PathBuf,
        /// The counts as one JSON object, without a progress bar.
        #[arg(long)]
        json: bool,
    },
}

/// Migrates or copies.
pub(crate) async fn store(command: StoreCommand) -> anyhow::Result<()> {
    match command {
        StoreCommand::Migrate { config } => {
            let config: Config = config::load(config)?;
            Store::open(StoreConfig::from(&config.store)).await?.close().await;
            say("the schema is this program's")
        }
        StoreCommand::Copy { from, config, json } => copy(&from, &config, json).await,
    }
}

async fn copy(from: &Path, config: &Path, json: bool) -> anyhow::Result<()> {
    let settings: Config = config::load(config)?;
    let Place::Postgres(to) = StoreConfig::from(&settings.store).place else {
        bail!("{}: [store] names no Postgres server", config.display())
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
    show(&copied?, json)
}

fn show(copied: &Copied, json: bool) -> anyhow::Result<()> {
    if json {
        let tables: serde_json::Map<_, _> =
            copied.tables.iter().map(|(table, rows)| ((*table).to_owned(), json!(rows))).collect();
        return say(&json!({ "rows": tables, "audit_chains": copied.chains }).to_string());
    }
    let mut table = Table::new();
    table.load_preset(UTF8_HORIZONTAL_ONLY).set_header(["table", "rows"]);
    for (name, rows) in &copied.tables {
        table.add_row([(*name).to_owned(), rows.to_string()]);
    }
    say(&table.to_string())?;
    say(&format!("every count agrees and {} audit chains hold", copied.chains))
}
