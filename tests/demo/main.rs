//! The demonstration: a cluster of real processes, real faces, accepted and refused receipts, checked offline.
//!
//! Owns the story; every claim it makes on screen is a check that can fail.

#![expect(clippy::print_stdout, reason = "the demonstration speaks to a terminal")]

mod checks;
mod floor;
mod holds;
mod ledger;
mod offline;
mod rotation;
mod story;
mod traces;

use anyhow::Result;
use checks::Checks;
use clap::Parser;
use support::{cluster::Cluster, cluster::Options, places};

/// Runs the demonstration on a model pack under `target/packs`.
#[derive(Debug, Parser)]
struct Arguments {
    /// Name of the pack.
    #[arg(long, default_value = "base")]
    pack: String,
    /// Leave the cluster running until Ctrl-C.
    #[arg(long)]
    keep: bool,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    println!("demo: starting a gateway and a worker with the {} pack", arguments.pack);
    let cluster = Cluster::start(Options::new(places::pack(&arguments.pack)?))?;
    println!(
        "demo: first a test tenant with pictures at hand: its policy goes without gates 3 (PRESENTATION_ATTACK) and 4\n\
         demo: (CHALLENGE_RESPONSE), which only a test issuer may; no production verifier accepts its receipts."
    );
    let mut checks = Checks::default();
    let mut told = story::tell(&cluster, &mut checks).await?;
    println!(
        "demo: now a production tenant: light and motion, all five gates. Its captures are simulated from the portraits."
    );
    told.frames.extend(floor::tell(&cluster, &mut checks).await?);
    println!("demo: now many users are deleted, and one of them is under a legal hold.");
    holds::tell(&cluster, &mut checks).await?;
    println!("demo: now a key is replaced while a tenant's users verify.");
    rotation::tell(&cluster, &mut checks).await?;
    println!("demo: now revocation, and the log that anybody may follow.");
    told.frames.extend(ledger::tell(&cluster, &mut checks).await?);
    println!("demo: what an outsider checks without the cluster, and what is left behind.");
    offline::check(&cluster, &told, &mut checks)?;
    traces::check(&cluster, &told, &mut checks)?;
    if arguments.keep {
        println!(
            "demo: the cluster stays up until Ctrl-C.\n  url      {}\n  ca       {}\n  API key  {}\n  tenant   {}",
            cluster.url(),
            cluster.ca().display(),
            told.tenant.api_key,
            told.tenant.id
        );
        tokio::signal::ctrl_c().await?;
    }
    checks.close()
}
