//! `countersign log prove`: an inclusion proof made from the tiles that a log serves.

use super::{say_refused, source::Source};
use crate::{fetch::Fetching, outcome::Outcome, trust::Ledger, whole_file};
use anyhow::{Context as _, anyhow};
use receipt::{Checkpoint, Leaf, LogFault, LogProof, Refused, TILE_WIDTH, Tile, TrustedKeys, prove_inclusion};
use serde_json::json;
use std::{fs, path::PathBuf};

/// Make a proof from the tiles that a log serves, or renew one.
#[derive(Debug, clap::Args)]
pub(crate) struct Prove {
    /// The log: its address, such as `https://verify.example.com/v1/log`, or a directory with the same paths.
    log: String,
    /// What is to be proven: a leaf with its salt as JSON `{leaf, salt}`, or a `.tlog-proof` file to renew.
    #[arg(long, value_name = "FILE")]
    leaf: PathBuf,
    /// Place of the leaf in the log. Without it, and without one in the file, the log's entries are searched.
    #[arg(long, value_name = "N")]
    index: Option<u64>,
    /// Where the proof goes; standard output otherwise.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    ledger: Ledger,
    #[command(flatten)]
    fetching: Fetching,
    /// Print the verdict as JSON; needs --out.
    #[arg(long, requires = "out")]
    json: bool,
}

impl Prove {
    /// Makes the proof, checks it as its reader will, and writes it.
    pub(crate) fn run(self) -> anyhow::Result<Outcome> {
        let given = fs::read(&self.leaf).with_context(|| format!("{} does not read", self.leaf.display()))?;
        let source = Source::open(&self.log, &self.fetching)?;
        let note = source.checkpoint()?;
        let keys = match self.ledger.keys()? {
            Ok(keys) => keys,
            Err(refused) => return Ok(say_refused(refused, self.json)),
        };
        let proof = wanted(&given, self.index).and_then(|wanted| make(wanted, &source, (&note, &keys)));
        let proof = match (proof, source.failure()) {
            (Ok(proof), _) => proof,
            // Nothing can be said of a log whose tiles could not be read.
            (Err(_), Some(failure)) => return Err(failure),
            (Err(refused), None) => return Ok(say_refused(refused, self.json)),
        };
        let text = proof.to_text().map_err(|refused| anyhow!(refused))?;
        match &self.out {
            Some(path) => whole_file::replace(path, text.as_bytes())?,
            None => print!("{text}"),
        }
        if self.json {
            println!("{}", json!({ "verdict": "ok", "index": proof.index }));
        }
        Ok(Outcome::Done)
    }
}

/// The leaf, and its place where it is known.
fn wanted(given: &[u8], index: Option<u64>) -> Result<(Leaf, Option<u64>), Refused> {
    match Leaf::from_json(given) {
        Ok(leaf) => Ok((leaf, index)),
        Err(refused) => {
            let proof = LogProof::read(&String::from_utf8_lossy(given)).map_err(|_| refused)?;
            Ok((proof.leaf, index.or(Some(proof.index))))
        }
    }
}

fn make(
    (leaf, index): (Leaf, Option<u64>),
    source: &Source,
    (note, keys): (&str, &TrustedKeys),
) -> Result<LogProof, Refused> {
    let checkpoint = Checkpoint::verify(note, keys)?;
    let index = match index {
        Some(index) => index,
        None => search(&leaf.entry(), checkpoint.head().size, source)?,
    };
    let hashes = prove_inclusion(&checkpoint, index, &|tile| source.tile(tile))?;
    let proof = LogProof { leaf, index, hashes, checkpoint: note.to_owned() };
    proof.verify(keys)?;
    Ok(proof)
}

/// Looks for an entry, newest first: what is asked for was mostly written lately.
fn search(entry: &[u8; 32], size: u64, source: &Source) -> Result<u64, LogFault> {
    let width = u64::from(TILE_WIDTH);
    for index in (0..size.div_ceil(width)).rev() {
        let count = u16::try_from((size - index * width).min(width)).map_err(|_| LogFault::Size)?;
        let tile = Tile { level: None, index, width: count };
        let bundle = source.tile(tile).or_else(|| source.tile(tile.full())).ok_or(LogFault::Tile)?;
        let entries = bundle.get(..tile.bytes()).ok_or(LogFault::Tile)?.chunks_exact(tile.bytes() / usize::from(count));
        if let Some(at) = entries.into_iter().position(|framed| framed.ends_with(entry)) {
            return Ok(index * width + at as u64);
        }
    }
    Err(LogFault::Inclusion)
}
