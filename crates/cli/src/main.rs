//! The `countersign` command: keys, tenants and their data, a development cluster, receipts checked offline, the log, packs,
//! evaluations.
//!
//! Exit status: 0 done, 1 refused (the thing was looked at and is not good), 2 the question could not be asked (usage, a file
//! that does not read, a process that does not start), 3 alarm (a log contradicted what it signed before). Results go to standard output, everything else to standard error.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the command speaks to a terminal")]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise"))]

mod certificates;
mod completions;
mod dev;
mod evaluate;
mod fetch;
mod keys;
mod log;
mod operator;
mod outcome;
mod pack;
mod receipt;
mod restore;
#[cfg(test)]
mod small_server;
mod table;
mod trust;
mod whole_file;

use clap::{Parser, Subcommand};
use outcome::Outcome;
use std::process::ExitCode;

/// Biometric step-up verification at the moment of a high-risk action.
#[derive(Parser)]
#[command(name = "countersign", version, after_help = EXIT_STATUS)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXIT_STATUS: &str =
    "Exit status: 0 done, 1 refused, 2 usage or a file that does not read, 3 alarm of `log watch`.";

#[derive(Subcommand)]
enum Command {
    /// Make keys, signed key sets and certificates.
    #[command(subcommand)]
    Keys(keys::Keys),
    #[command(flatten)]
    Operator(operator::Operator),
    Backup(restore::Backup),
    RestoreCheck(restore::RestoreCheck),
    #[command(subcommand)]
    Reference(restore::Reference),
    /// Run a gateway and a worker in one process, with a test tenant, for development.
    Dev(dev::Dev),
    /// Check or show receipts and deletion proofs, offline.
    #[command(subcommand)]
    Receipt(receipt::Receipt),
    /// Check proofs of the transparency log, make them, and watch the log.
    #[command(subcommand)]
    Log(log::Log),
    /// Check or describe a model pack.
    #[command(subcommand)]
    Pack(pack::Pack),
    /// Measure error rates (ISO/IEC 19795-1).
    #[command(subcommand)]
    Evaluate(evaluate::Evaluate),
    /// Print a shell's completions.
    Completions(completions::Completions),
}

impl Command {
    fn run(self) -> anyhow::Result<Outcome> {
        match self {
            Self::Keys(keys) => keys.run(),
            Self::Operator(operator) => operator.run(),
            Self::Backup(backup) => backup.run(),
            Self::RestoreCheck(check) => check.run(),
            Self::Reference(reference) => reference.run(),
            Self::Dev(dev) => dev.run(),
            Self::Receipt(receipt) => receipt.run(),
            Self::Log(log) => log.run(),
            Self::Pack(pack) => pack.run(),
            Self::Evaluate(evaluate) => evaluate::run(&evaluate).map(|()| Outcome::Done),
            Self::Completions(completions) => completions.run(),
        }
    }
}

fn main() -> ExitCode {
    match Arguments::parse().command.run() {
        Ok(outcome) => outcome.into(),
        Err(error) => {
            eprintln!("countersign: {error:#}");
            ExitCode::from(2)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
