//! The deletion journal: which references are gone, in a file that lies outside of the database and its backups, so that a
//! restored backup does not bring them back.
//!
//! Owns the file's form: one JSON object a line, each with a hash over itself and the hash before it. Must never know: users.
//! Invariants: an entry is durable before its proof leaves; a line is a whole one or, at the end after a crash, cut away; an
//! entry that was edited, moved or taken out is noticed by the hashes, a tail that was cut by what the database has seen.

#[cfg(test)]
mod tests;

use biometrics::{ReferenceId, TenantId};
use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};
use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};
use store::{Erased, JournalHead, failpoint};

const DOMAIN: &[u8] = b"countersign/deletion-journal/v1\0";
/// Longest line; an entry has about 300 bytes.
const MAX_LINE: u64 = 4096;

/// Why the journal is of no use.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file does not open, read or take an entry.
    #[error("the deletion journal {} cannot be used", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// An entry does not follow from the one before: the file was edited, or is none.
    #[error("the deletion journal {} is broken at entry {entry}", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// The first entry that does not follow.
        entry: u64,
    },
    /// It ends before what the database has seen of it, or is another one.
    #[error("the deletion journal {} is not the one, or lacks entries, that this database has seen", path.display())]
    Lacking {
        /// The file.
        path: PathBuf,
    },
}

/// One deletion, as the journal holds it: nothing of a person, and nothing that names one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) head: JournalHead,
    pub(crate) tenant: TenantId,
    pub(crate) reference: ReferenceId,
}

/// A line of the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    n: u64,
    tenant: TenantId,
    reference: ReferenceId,
    commitment: Bytes32,
    deleted_at_ms: i64,
    hash: Bytes32,
}

/// 32 bytes, 64 hexadecimal digits on the line.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct Bytes32([u8; 32]);

impl TryFrom<String> for Bytes32 {
    type Error = hex::FromHexError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map(|()| Self(bytes))
    }
}

impl From<Bytes32> for String {
    fn from(bytes: Bytes32) -> Self {
        hex::encode(bytes.0)
    }
}

/// Where the file was left: what stands behind it was written by another process.
#[derive(Debug, Clone, Copy)]
struct Known {
    bytes: u64,
    head: JournalHead,
}

/// See the module. Clones share one file. Calls wait for the disk: not for async threads.
#[derive(Debug, Clone)]
pub(crate) struct Journal(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    known: Mutex<Known>,
}

const BEGINNING: JournalHead = JournalHead { position: 0, hash: [0; 32] };

impl Line {
    fn of(erased: &Erased, before: JournalHead) -> Self {
        let mut line = Self {
            n: before.position + 1,
            tenant: erased.tenant,
            reference: erased.reference_id,
            commitment: Bytes32(erased.commitment),
            deleted_at_ms: erased.deleted_at_ms,
            hash: Bytes32([0; 32]),
        };
        line.hash = Bytes32(line.digest(&before.hash));
        line
    }

    /// Over fields of fixed widths, so that no two entries read the same.
    fn digest(&self, before: &[u8; 32]) -> [u8; 32] {
        let mut context = Context::new(&SHA256);
        context.update(DOMAIN);
        context.update(before);
        context.update(&self.n.to_be_bytes());
        context.update(self.tenant.uuid().as_bytes());
        context.update(self.reference.uuid().as_bytes());
        context.update(&self.commitment.0);
        context.update(&self.deleted_at_ms.to_be_bytes());
        let mut hash = [0; 32];
        hash.copy_from_slice(context.finish().as_ref());
        hash
    }

    const fn head(&self) -> JournalHead {
        JournalHead { position: self.n, hash: self.hash.0 }
    }
}

impl Journal {
    /// Opens the file, makes it where absent, cuts away a line that was never whole, and walks all of it.
    ///
    /// # Errors
    /// `File`, `Broken`.
    pub(crate) fn open(path: &Path) -> Result<Self, JournalError> {
        let journal =
            Self(Arc::new(Shared { path: path.to_owned(), known: Mutex::new(Known { bytes: 0, head: BEGINNING }) }));
        journal.locked(|file, known| journal.catch_up(file, known, &mut |_| ()))?;
        Ok(journal)
    }

    /// Adds the deletions and makes them durable; answers where the journal ends then.
    ///
    /// # Errors
    /// `File`, `Broken`, `Lacking`: nothing was promised.
    pub(crate) fn append(&self, deletions: &[Erased]) -> Result<JournalHead, JournalError> {
        self.locked(|file, known| {
            self.catch_up(file, known, &mut |_| ())?;
            let (mut text, mut head) = (Vec::new(), known.head);
            for erased in deletions {
                let line = Line::of(erased, head);
                head = line.head();
                serde_json::to_writer(&mut text, &line).map_err(|error| self.failed(error.into()))?;
                text.push(b'\n');
            }
            let written = file.write_all(&text).and_then(|()| file.sync_all());
            if let Err(error) = written {
                // What is not whole must not stand before the next entry.
                let _cut_later_at_the_latest = file.set_len(known.bytes);
                return Err(self.failed(error));
            }
            failpoint("journal.written");
            *known = Known { bytes: known.bytes + text.len() as u64, head };
            Ok(head)
        })
    }

    /// Every entry after the one that the database has seen last, and the head of all.
    ///
    /// # Errors
    /// `File`, `Broken`; `Lacking` where the seen one is not in it.
    pub(crate) fn after(&self, seen: Option<JournalHead>) -> Result<(Vec<Entry>, JournalHead), JournalError> {
        let (mut later, mut met) = (Vec::new(), seen.is_none());
        let mut known = Known { bytes: 0, head: BEGINNING };
        let head = self.locked(|file, _| {
            self.catch_up(file, &mut known, &mut |line| {
                if seen.is_none_or(|seen| line.n > seen.position) {
                    later.push(Entry { head: line.head(), tenant: line.tenant, reference: line.reference });
                }
                met |= seen == Some(line.head());
            })?;
            Ok(known.head)
        })?;
        if met { Ok((later, head)) } else { Err(JournalError::Lacking { path: self.0.path.clone() }) }
    }

    /// Whoever holds the file's lock writes; other processes and threads wait for it.
    fn locked<T>(
        &self,
        work: impl FnOnce(&mut File, &mut Known) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        let mut known = self.0.known.lock().unwrap_or_else(PoisonError::into_inner);
        let path = &self.0.path;
        let made = !path.exists();
        let mut options = OpenOptions::new();
        let opened = options.read(true).append(true).create(true).mode(0o600).open(path);
        let mut file = opened.and_then(|file| file.lock().map(|()| file)).map_err(|error| self.failed(error))?;
        if made {
            self.name_is_durable().map_err(|error| self.failed(error))?;
        }
        work(&mut file, &mut known)
    }

    fn name_is_durable(&self) -> io::Result<()> {
        let folder = self.0.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()
    }

    /// Walks what stands behind the known end, line by line, and cuts away a last one that was never whole.
    fn catch_up(&self, file: &mut File, known: &mut Known, see: &mut dyn FnMut(&Line)) -> Result<(), JournalError> {
        let bytes = file.metadata().map_err(|error| self.failed(error))?.len();
        if bytes < known.bytes {
            return Err(JournalError::Lacking { path: self.0.path.clone() });
        }
        file.seek(SeekFrom::Start(known.bytes)).map_err(|error| self.failed(error))?;
        let mut reader = BufReader::new(&*file);
        let mut text = Vec::new();
        loop {
            text.clear();
            let read = (&mut reader).take(MAX_LINE).read_until(b'\n', &mut text);
            let read = read.map_err(|error| self.failed(error))? as u64;
            if read == 0 {
                break;
            }
            if text.last() != Some(&b'\n') && read < MAX_LINE {
                tracing::warn!(path = %self.0.path.display(), "an entry of the deletion journal was never whole: cut away");
                drop(reader);
                return file.set_len(known.bytes).and_then(|()| file.sync_all()).map_err(|error| self.failed(error));
            }
            let broken = || JournalError::Broken { path: self.0.path.clone(), entry: known.head.position + 1 };
            let line: Line = serde_json::from_slice(&text).map_err(|_| broken())?;
            if line.n != known.head.position + 1 || line.hash.0 != line.digest(&known.head.hash) {
                return Err(broken());
            }
            see(&line);
            *known = Known { bytes: known.bytes + read, head: line.head() };
        }
        Ok(())
    }

    fn failed(&self, source: io::Error) -> JournalError {
        JournalError::File { path: self.0.path.clone(), source }
    }
}
