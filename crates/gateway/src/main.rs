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
}
