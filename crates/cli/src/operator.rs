//! `countersign tenant | policy | key | job | delete | hold | retention | audit`: what an operator does on the database's own machine, beside
//! running gateways.
//!
//! Owns the words of these commands and what they print. Must never know: how anything is done; that is the gateway's library.
//! Invariant: what destroys asks first, and without a terminal it is refused unless `--yes` says that it is meant.

mod audit;
mod confirm;
mod database;
mod deletion;
mod events;
mod holds;
mod jobs;
mod keys;
mod log;
mod policies;

mod tenants;

pub(crate) use log::Ledger;

use crate::outcome::Outcome;
use anyhow::Context as _;
use gateway::{Config, desk::Desk, tenants::Register};
use service::{Clock, config};
use std::{
    io::{self, Write as _},
    path::PathBuf,
};

/// What an operator does.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Operator {
    /// Make, list, suspend, resume or end tenants.
    #[command(subcommand)]
    Tenant(tenants::Tenant),
    /// Show or change what a tenant's verifications require.
    #[command(subcommand)]
    Policy(policies::Policies),
    /// Ask, export or check a tenant's audit.
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Make, revoke or list API keys; rotate a tenant's KEK.
    #[command(subcommand)]
    Key(keys::Key),
    /// See how far long-running work is.
    #[command(subcommand)]
    Job(jobs::Job),
    /// Destroy many references of a tenant, with one proof for each reference. Prints the job.
    Delete(deletion::Delete),
    /// Keep users' data from being erased for a legal matter.
    #[command(subcommand)]
    Hold(holds::Hold),
    /// See which notifications were delivered; have dead ones sent again.
    #[command(subcommand)]
    Event(events::Event),
    /// Bring the database's schema up to date; move a deployment to Postgres.
    #[command(subcommand)]
    Store(database::Database),
    /// Destroy references that outlived the window of the tenant's policy. Gateways do so by themselves, every ten minutes.
    #[command(subcommand)]
    Retention(deletion::Retention),
}

impl Operator {
    /// Does what was asked for.
    pub(crate) fn run(self) -> anyhow::Result<Outcome> {
        waited(async {
            match self {
                Self::Tenant(tenant) => tenant.run().await,
                Self::Policy(policies) => policies.run().await,
                Self::Audit(audit) => audit.run().await,
                Self::Key(key) => key.run().await,
                Self::Job(job) => job.run().await,
                Self::Delete(delete) => delete.run().await,
                Self::Hold(hold) => hold.run().await,
                Self::Event(event) => event.run().await,
                Self::Store(database) => database.run().await,
                Self::Retention(retention) => retention.run().await,
            }
        })
    }
}

impl Ledger {
    /// Does what was asked for.
    pub(crate) fn run_to_end(self) -> anyhow::Result<Outcome> {
        waited(self.run())
    }
}

fn waited(work: impl Future<Output = anyhow::Result<Outcome>>) -> anyhow::Result<Outcome> {
    tokio::runtime::Runtime::new().context("async runtime")?.block_on(work)
}

/// Names the settings where no `--config` does.
pub(crate) const CONFIG: &str = "COUNTERSIGN_GATEWAY_CONFIG";

/// The deployment that is meant.
#[derive(Debug, clap::Args)]
pub(crate) struct Deployment {
    /// Settings of the gateway.
    #[arg(long, env = CONFIG, value_name = "FILE")]
    config: PathBuf,
}

impl Deployment {
    fn config(&self) -> anyhow::Result<Config> {
        Ok(config::load(&self.config)?)
    }

    pub(crate) async fn desk(&self) -> anyhow::Result<Desk> {
        Ok(Desk::open(&self.config()?).await?)
    }

    async fn register(&self) -> anyhow::Result<Register> {
        Ok(Register::open(&self.config()?, Clock::system()).await?)
    }
}

/// One line of result. Unlike `println!` it does not panic where the reader is gone.
fn say(line: impl std::fmt::Display) -> anyhow::Result<()> {
    Ok(writeln!(io::stdout(), "{line}")?)
}

/// One JSON object a line, or a table of the columns.
pub(crate) fn show(rows: &[serde_json::Value], columns: &[&str], json: bool) -> anyhow::Result<()> {
    if json { rows.iter().try_for_each(say) } else { say(crate::table::of(rows, columns)) }
}
