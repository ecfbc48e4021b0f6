//! `countersign-worker`: one sealed room as a process.

use anyhow::Context as _;
use clap::Parser;
use service::{Clock, config, drain, heap, telemetry};
use std::path::PathBuf;
use worker::memory;

/// The sealed room: opens references, compares, decides, signs. Called by gateways alone.
#[derive(Parser)]
#[command(name = "countersign-worker", version)]
enum Command {
    /// Serves gateways over mutual TLS until SIGTERM, then drains.
    Serve {
        /// Settings; deploy/config/worker.toml documents every field.
        #[arg(long, env = "COUNTERSIGN_WORKER_CONFIG", value_name = "FILE")]
        config: PathBuf,
    },
}

fn main() -> anyhow::Result<()> {
    let Command::Serve { config } = Command::parse();
    heap::reexec_wiped().context("starting again with a heap that is wiped")?;
    let memory = memory::harden().context("memory settings")?;
    let config: worker::Config = config::load(&config)?;
    telemetry::init(&config.telemetry)?;
    tracing::info!(?memory, "memory settings");
    let runtime = tokio::runtime::Runtime::new().context("async runtime")?;
    runtime.block_on(async { worker::run(config, Clock::system(), drain::signal()).await })?;
    Ok(())
}
