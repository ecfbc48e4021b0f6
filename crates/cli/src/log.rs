//! `countersign log verify|prove|watch`: the transparency log seen from outside; what operators do about it is `operator::log`.
//!
//! Must never know: private keys, the database. Invariant: whatever is printed as good was led to a root that the ledger
//! signed; a log that contradicts itself ends the command with a status of its own.

mod prove;
mod source;
#[cfg(test)]
mod tests;
mod verify;
mod watch;

use crate::{operator::Ledger, outcome::Outcome};
use receipt::Refused;
use serde_json::{Value, json};

/// Check proofs of the transparency log, make them, and watch the log.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Log {
    /// Check a proof that the log holds a leaf, offline.
    Verify(verify::Verify),
    /// Make a proof from the tiles that a log serves, or renew one.
    Prove(prove::Prove),
    /// Keep the last checkpoint and check that each new one continues it. Exit status 3 is an alarm: the log signed a
    /// smaller tree than before, or two trees of which neither continues the other.
    Watch(watch::Watch),
    #[command(flatten)]
    Ledger(Ledger),
}

impl Log {
    /// Does what was asked.
    pub(crate) fn run(self) -> anyhow::Result<Outcome> {
        match self {
            Self::Verify(verify) => verify.run(),
            Self::Prove(prove) => prove.run(),
            Self::Watch(watch) => watch.run(),
            Self::Ledger(ledger) => ledger.run_to_end(),
        }
    }
}

/// Says that something was refused, or that it is an alarm.
fn say_refused(refused: Refused, as_json: bool) -> Outcome {
    let alarm = matches!(refused, Refused::Log(fault) if fault.is_alarm());
    let verdict = if alarm { "alarm" } else { "refused" };
    if as_json {
        println!("{}", json!({ "verdict": verdict, "reason": refused.reason() }));
    } else {
        eprintln!("{verdict}: {}", refused.reason());
    }
    if alarm { Outcome::Alarm } else { Outcome::Refused }
}

/// Says something good: as JSON, or in words.
fn say(value: &Value, words: &str, as_json: bool) {
    if as_json {
        println!("{value}");
    } else {
        println!("{words}");
    }
}
