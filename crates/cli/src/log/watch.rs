//! `countersign log watch`: an independent monitor that remembers what the log signed.
//!
//! Must never know: the database, the gateway. Invariant: the state file holds the last checkpoint that was found to continue
//! all before it, and is never overwritten by one that does not; both sides of an alarm are kept as evidence.

use super::{say, say_refused, source::Source};
use crate::{fetch::Fetching, outcome::Outcome, trust::Ledger, whole_file};
use anyhow::{Context as _, anyhow};
use receipt::{Checkpoint, Continues, LogFault, Refused, TreeHead, TrustedKeys, continues};
use serde_json::json;
use std::{fs, io::ErrorKind, path::PathBuf, thread, time::Duration};

/// Keep the last checkpoint and check that each new one continues it.
#[derive(Debug, clap::Args)]
pub(crate) struct Watch {
    /// The log: its address, such as `https://verify.example.com/v1/log`, or a directory with the same paths.
    log: String,
    /// File that keeps the last checkpoint; the first one seen is taken on trust.
    #[arg(long, value_name = "FILE")]
    state: PathBuf,
    #[command(flatten)]
    ledger: Ledger,
    /// Between two looks, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    every: u64,
    /// Look once and end.
    #[arg(long)]
    once: bool,
    #[command(flatten)]
    fetching: Fetching,
    /// Print one JSON object for each look.
    #[arg(long)]
    json: bool,
}

impl Watch {
    /// Looks until there is an alarm, or once.
    pub(crate) fn run(self) -> anyhow::Result<Outcome> {
        let source = Source::open(&self.log, &self.fetching)?;
        let keys = match self.ledger.keys()? {
            Ok(keys) => keys,
            Err(refused) => return Ok(say_refused(refused, self.json)),
        };
        let mut seen = self.load(&keys)?;
        loop {
            let looked = self.look(&source, &keys, &mut seen);
            match looked {
                Ok(Outcome::Alarm) => return Ok(Outcome::Alarm),
                looked if self.once => return looked,
                Ok(_) => {}
                Err(error) => self.say_unreachable(&error),
            }
            thread::sleep(Duration::from_secs(self.every));
        }
    }

    /// The checkpoint of the state file; `None` where there is no file. A file that is not good is never overwritten.
    fn load(&self, keys: &TrustedKeys) -> anyhow::Result<Option<Checkpoint>> {
        let note = match fs::read_to_string(&self.state) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            read => read.with_context(|| format!("{} does not read", self.state.display()))?,
        };
        let checkpoint = Checkpoint::verify(&note, keys);
        let wrong =
            |refused: Refused| anyhow!("{} is no checkpoint of this log ({})", self.state.display(), refused.reason());
        checkpoint.map(Some).map_err(wrong)
    }

    fn look(&self, source: &Source, keys: &TrustedKeys, seen: &mut Option<Checkpoint>) -> anyhow::Result<Outcome> {
        let note = source.checkpoint()?;
        let verdict = Checkpoint::verify(&note, keys).and_then(|new| {
            let old = seen.as_ref().map_or(TreeHead::EMPTY, Checkpoint::head);
            let step = continues(&old, &new, &|tile| source.tile(tile))?;
            Ok((new, step))
        });
        let failure = source.failure();
        match (verdict, failure) {
            (Ok((new, step)), _) => {
                self.say_step(seen.is_none(), &new, step);
                if seen.as_ref() != Some(&new) {
                    whole_file::replace(&self.state, new.note().as_bytes())?;
                }
                *seen = Some(new);
                Ok(Outcome::Done)
            }
            (Err(Refused::Log(LogFault::Tile)), Some(failure)) => Err(failure),
            (Err(refused), _) => {
                let outcome = say_refused(refused, self.json);
                if outcome == Outcome::Alarm {
                    self.keep_evidence(seen.as_ref(), &note, refused)?;
                }
                Ok(outcome)
            }
        }
    }

    /// Two signed checkpoints that contradict each other prove it to anybody.
    fn keep_evidence(&self, seen: Option<&Checkpoint>, note: &str, refused: Refused) -> anyhow::Result<()> {
        let mut path = self.state.clone().into_os_string();
        path.push(".evidence");
        let path = PathBuf::from(path);
        let told = json!({ "reason": refused.reason(), "before": seen.map(Checkpoint::note), "now": note });
        whole_file::replace(&path, format!("{told:#}\n").as_bytes())?;
        eprintln!("both checkpoints are kept in {}", path.display());
        Ok(())
    }

    fn say_step(&self, first: bool, new: &Checkpoint, step: Continues) {
        let head = new.head();
        let (word, grown) = match step {
            _ if first => ("first", head.size),
            Continues::Same => ("same", 0),
            Continues::Grown { by } => ("grown", by),
        };
        let told = json!({ "verdict": "ok", "step": word, "size": head.size, "grown": grown, "root": receipt::base64url(&head.root) });
        say(&told, &format!("{word:<6} {} leaves, {grown} new", head.size), self.json);
    }

    fn say_unreachable(&self, error: &anyhow::Error) {
        if self.json {
            println!("{}", json!({ "verdict": "unreachable", "reason": format!("{error:#}") }));
        } else {
            eprintln!("unreachable: {error:#}");
        }
    }
}
