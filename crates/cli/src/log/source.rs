//! Where a log is read: an address, or a directory with the same paths.
//!
//! Must never know: what is read. Invariant: nothing is read past the size that its kind can have; a failure to read is kept
//! apart from a document that is not there.

use crate::fetch::{Fetcher, Fetching};
use anyhow::{Context as _, ensure};
use receipt::{MAX_NOTE_BYTES, Tile};
use std::{cell::RefCell, fs::File, io::Read as _, path::PathBuf};

/// A log to read.
pub(super) struct Source {
    place: Place,
    /// Why the last tile could not be read.
    failed: RefCell<Option<anyhow::Error>>,
}

enum Place {
    Address(Fetcher, String),
    Directory(PathBuf),
}

impl Source {
    /// The log at an `http(s)` address, else in a directory.
    pub(super) fn open(name: &str, fetching: &Fetching) -> anyhow::Result<Self> {
        let place = if name.starts_with("http://") || name.starts_with("https://") {
            Place::Address(fetching.fetcher()?, name.trim_end_matches('/').to_owned())
        } else {
            let path = PathBuf::from(name);
            ensure!(path.is_dir(), "{name} is no directory and no address");
            Place::Directory(path)
        };
        Ok(Self { place, failed: RefCell::new(None) })
    }

    /// The newest checkpoint, unchecked.
    pub(super) fn checkpoint(&self) -> anyhow::Result<String> {
        let note = self.read("checkpoint", MAX_NOTE_BYTES)?.context("there is no checkpoint")?;
        String::from_utf8(note).context("the checkpoint is no text")
    }

    /// A tile, unchecked. Where it could not be read, [`Source::failure`] says why.
    pub(super) fn tile(&self, tile: Tile) -> Option<Vec<u8>> {
        let whole = tile.full().bytes();
        self.read(&tile.path(), whole).unwrap_or_else(|error| {
            *self.failed.borrow_mut() = Some(error);
            None
        })
    }

    /// Why tiles could not be read, if that was so since the last time: then no verdict can be built on their absence.
    pub(super) fn failure(&self) -> Option<anyhow::Error> {
        self.failed.take()
    }

    fn read(&self, path: &str, limit: usize) -> anyhow::Result<Option<Vec<u8>>> {
        match &self.place {
            Place::Address(fetcher, prefix) => fetcher.get(&format!("{prefix}/{path}"), limit),
            Place::Directory(folder) => read_file(&folder.join(path), limit),
        }
    }
}

fn read_file(path: &PathBuf, limit: usize) -> anyhow::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        opened => opened.with_context(|| format!("{} does not open", path.display()))?,
    };
    let mut bytes = Vec::new();
    file.take(limit as u64 + 1).read_to_end(&mut bytes).with_context(|| format!("{} does not read", path.display()))?;
    ensure!(bytes.len() <= limit, "{} has more than {limit} bytes", path.display());
    Ok(Some(bytes))
}
