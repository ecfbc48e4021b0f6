//! `countersign-gateway`: serves. What an operator does is `countersign tenant | key | job | …`.

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use gateway::Config;
use service::{Clock, config, drain, heap, telemetry};
use std::path::{Path, PathBuf};

/// The exposed process of Countersign.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    /// What to do.
    #[command(subcommand)]
    command: Command,
}

/// What to do.
#[derive(Subcommand)]
enum Command {
    /// Serve gRPC and JSON until SIGTERM, then drain.
    Serve {
        /// Settings, as documented in deploy/config/gateway.toml.
        #[arg(long)]
        config: PathBuf,
    },
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
<<<<<<< HEAD
    let Command::Serve { config } = Arguments::parse().command;
    serve(&config).await
}

async fn serve(path: &Path) -> anyhow::Result<()> {
    heap::reexec_wiped().context("starting again with a heap that is wiped")?;
    let config: Config = config::load(path)?;
    telemetry::init(&config.telemetry)?;
    let running = gateway::start(config, Clock::system(), drain::signal()).await?;
    let drained = running.join.await?;
    anyhow::ensure!(drained.cut == 0, "{} connections were cut at the drain deadline", drained.cut);
    Ok(())
=======
    match commands::Arguments::parse().command {
        commands::Command::Serve { config } => commands::serve(&config).await,
        commands::Command::Tenant { command } => commands::tenant(command).await,
        commands::Command::Key { command } => commands::key(command).await,
        commands::Command::Job { command } => commands::jobs::job(command).await,
        commands::Command::Delete(delete) => delete.run().await,
        commands::Command::Hold { command } => commands::holds::hold(command).await,
        commands::Command::Retention { command } => commands::deletion::retention(command).await,
        commands::Command::Store { command } => commands::store::store(command).await,
    }
>>>>>>> main
}
