//! `countersign log verify`: a proof held against the ledger's keys, without a network.

use super::{say, say_refused};
use crate::{outcome::Outcome, receipt::Token, trust::Ledger};
use anyhow::Context as _;
use receipt::{LogProof, Logged, Refused};
use serde_json::json;
use std::{fs, path::PathBuf};

/// Check a proof that the log holds a leaf, offline.
#[derive(Debug, clap::Args)]
pub(crate) struct Verify {
    /// The proof, a `.tlog-proof` file.
    proof: PathBuf,
    #[command(flatten)]
    ledger: Ledger,
    /// The receipt that the leaf must be about. The receipt itself is checked by `receipt evidence`.
    #[arg(long, value_name = "TOKEN")]
    receipt: Option<Token>,
    /// Print the verdict, and the leaf, as JSON.
    #[arg(long)]
    json: bool,
}

impl Verify {
    /// Checks and prints.
    pub(crate) fn run(self) -> anyhow::Result<Outcome> {
        let text =
            fs::read_to_string(&self.proof).with_context(|| format!("{} does not read", self.proof.display()))?;
        let token = self.receipt.as_ref().map(Token::read).transpose()?;
        let keys = match self.ledger.keys()? {
            Ok(keys) => keys,
            Err(refused) => return Ok(say_refused(refused, self.json)),
        };
        match LogProof::read(&text).and_then(|proof| proof.verify(&keys)).and_then(|logged| about(logged, token)) {
            Ok(logged) => say_logged(&logged, self.json).map(|()| Outcome::Done),
            Err(refused) => Ok(say_refused(refused, self.json)),
        }
    }
}

fn about(logged: Logged, token: Option<String>) -> Result<Logged, Refused> {
    token.map_or(Ok(()), |token| logged.check_receipt(&token))?;
    Ok(logged)
}

fn say_logged(logged: &Logged, as_json: bool) -> anyhow::Result<()> {
    let size = logged.checkpoint().head().size;
    let leaf = serde_json::to_value(logged.event())?;
    let words = format!("leaf       {leaf}\nindex      {} of {size}\n", logged.index());
    let told = json!({ "verdict": "ok", "leaf": leaf, "index": logged.index(), "size": size });
    say(&told, words.trim_end(), as_json);
    Ok(())
}
