//! `countersign receipt verify-termination`: the certificate of a tenant that ended, held against the proofs that were exported.
//!
//! Must never know: private keys, the database. Invariant: it is good only where certificate and proofs are authentic and the one
//! is over exactly the others; everything else is named.

use super::{Token, Trust, check::say_refused};
use crate::outcome::Outcome;
use anyhow::Context as _;
use receipt::{Disagreement, ExportedProofs};
use std::{
    fs::File,
    io::{BufRead as _, BufReader},
    path::PathBuf,
};

/// Check the certificate of a tenant that ended, and that it is over exactly the proofs that were exported.
#[derive(Debug, clap::Args)]
pub(crate) struct VerifyTermination {
    #[command(flatten)]
    token: Token,
    #[command(flatten)]
    trust: Trust,
    /// The tenant's id.
    #[arg(long, value_name = "TENANT")]
    aud: String,
    /// What `tenant proofs` or `job proofs` printed, one proof a line; repeatable, the files are read one after another.
    #[arg(long, value_name = "FILE", required = true)]
    proofs: Vec<PathBuf>,
}

impl VerifyTermination {
    /// Checks, and prints the certificate's claims as JSON or everything that is wrong.
    pub(crate) fn run(self) -> anyhow::Result<Outcome> {
        let certificate = self.token.read()?;
        let keys = match self.trust.keys()? {
            Ok(keys) => keys,
            Err(refused) => return Ok(say_refused(refused)),
        };
        let (mut exported, mut lines) = (ExportedProofs::new(&keys, &self.aud), Vec::new());
        for (file, path) in self.proofs.iter().enumerate() {
            let unread = || format!("{} does not read", path.display());
            let text = BufReader::new(File::open(path).with_context(unread)?);
            for (number, line) in text.lines().enumerate() {
                let line = line.with_context(unread)?;
                if !line.trim().is_empty() {
                    exported.add(line.trim());
                    lines.push((file, number + 1));
                }
            }
        }
        let (claims, wrong) = match exported.check(&certificate) {
            Ok(checked) => checked,
            Err(refused) => return Ok(say_refused(refused)),
        };
        let place = |at: u64| {
            let (file, line) = usize::try_from(at).ok().and_then(|at| lines.get(at.checked_sub(1)?))?;
            Some(format!("{}:{line}", self.proofs.get(*file)?.display()))
        };
        for one in &wrong {
            eprintln!("refused: {}", said(*one, |at| place(at).unwrap_or_default()));
        }
        if !wrong.is_empty() {
            return Ok(Outcome::Refused);
        }
        println!("{}", serde_json::to_string_pretty(&claims)?);
        Ok(Outcome::Done)
    }
}

/// The code, and which proofs it is about.
fn said(wrong: Disagreement, place: impl Fn(u64) -> String) -> String {
    let code = wrong.reason();
    match wrong {
        Disagreement::Refused { at, .. } | Disagreement::Later { at } => format!("{code} {}", place(at)),
        Disagreement::Doubled { at, first } => format!("{code} {} repeats {}", place(at), place(first)),
        Disagreement::Missing(number) | Disagreement::Additional(number) => format!("{code} {number}"),
        Disagreement::Others => code.to_owned(),
    }
}

#[cfg(test)]
mod tests;
