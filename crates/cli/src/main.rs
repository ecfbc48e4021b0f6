//! The `countersign` command: one file per subcommand.

mod certificates;
mod evaluate;

use anyhow::Result;
use clap::Parser;

/// Biometric step-up verification: development cluster, keys, offline receipt checks, packs, evaluation.
#[derive(Debug, Parser)]
#[command(name = "countersign", version)]
enum Command {
    /// Measure error rates on pictures of your own.
    #[command(subcommand)]
    Evaluate(evaluate::Evaluate),
}

fn main() -> Result<()> {
    match Command::parse() {
        Command::Evaluate(evaluate) => evaluate::run(&evaluate),
    }
}
