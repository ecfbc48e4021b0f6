//! Tenants' KEKs in files: `DIR/<tenant>/<version>.kek`, `.uses` beside it, and `.destroyed` for those that are gone.
//!
//! Must never know: SQL, what is wrapped. Invariant: versions count up from 1 and are never used again; the marker of a
//! destroyed version is durable before its key is touched, so a crash in between still ends with the key gone.
//! Keys are read anew on each use, or once for a batch: one destroyed by another process is gone at once for all.

use super::{files, kek_file};
use crate::{CustodyError, KekRef, KekVersion, epitaph::Epitaph};
use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

const LOCK: &str = ".lock";

/// KEKs in a directory of mode 0700. Several processes may share it.
#[derive(Debug, Clone)]
pub(crate) struct FileKeks {
    dir: PathBuf,
}

impl FileKeks {
    /// Makes the directory, which must not exist.
    pub(crate) fn create(dir: &Path) -> Result<(), CustodyError> {
        files::create_dir(dir)?;
        files::create(&dir.join(LOCK), b"")
    }

    /// Opens a directory that [`FileKeks::create`] made, and finishes destructions that a crash cut short.
    ///
    /// # Errors
    /// `Permissions` where others may enter it, `Malformed` for another directory, `Unavailable`.
    pub(crate) fn open(dir: &Path) -> Result<Self, CustodyError> {
        files::check_dir(dir)?;
        let lock = dir.join(LOCK);
        if files::read(&lock, 0)?.is_none() {
            return Err(CustodyError::Malformed { path: lock });
        }
        let keks = Self { dir: dir.to_owned() };
        keks.finish_destructions()?;
        Ok(keks)
    }

    fn finish_destructions(&self) -> Result<(), CustodyError> {
        for tenant in names(&self.dir)?.into_iter().filter(|name| !name.starts_with('.')) {
            let dir = self.dir.join(tenant);
            let entries = entries(&dir)?;
            if entries.iter().any(|(v, e)| *e == Entry::Destroyed && entries.contains(&(*v, Entry::Key))) {
                let _lock = self.lock()?;
                sweep(&dir)?;
            }
        }
        Ok(())
    }

    /// Makes the tenant's next KEK version and returns its number.
    pub(crate) fn make(&self, tenant: &str, now_s: i64) -> Result<u32, CustodyError> {
        let dir = self.dir.join(tenant);
        let _lock = self.lock()?;
        match files::create_dir(&dir) {
            Err(CustodyError::Exists { .. }) => files::check_dir(&dir)?,
            other => other?,
        }
        sweep(&dir)?;
        let last = entries(&dir)?.into_iter().map(|(version, _)| version).max().unwrap_or(0);
        let name = KekRef { tenant, version: last + 1 };
        let key = files::random::<32>()?;
        let path = path(&dir, name.version, Entry::Key);
        files::create(&path, &kek_file::encode(name, &key))?;
        files::stamp(&path, now_s)?;
        Ok(name.version)
    }

    /// The tenant's versions, oldest first.
    pub(crate) fn list(&self, tenant: &str) -> Result<Vec<KekVersion>, CustodyError> {
        let dir = self.dir.join(tenant);
        let mut versions: Vec<u32> = match files::check_dir(&dir) {
            Err(CustodyError::Unavailable { source, .. }) if source.kind() == io::ErrorKind::NotFound => vec![],
            other => other.and_then(|()| entries(&dir))?.into_iter().map(|(version, _)| version).collect(),
        };
        versions.sort_unstable();
        versions.dedup();
        versions.into_iter().map(|version| describe(&dir, version)).collect()
    }

    /// The key itself, for one use or one batch.
    pub(crate) fn key(&self, kek: KekRef<'_>) -> Result<Zeroizing<[u8; 32]>, CustodyError> {
        let dir = self.dir.join(kek.tenant);
        let key = path(&dir, kek.version, Entry::Key);
        // The marker first: from the moment it stands, a key that a crash left beside it is of no use.
        if files::exists(&path(&dir, kek.version, Entry::Destroyed))? {
            return Err(CustodyError::Destroyed);
        }
        let content = files::read(&key, kek_file::LEN)?.ok_or(CustodyError::NoSuchKey)?;
        kek_file::decode(kek, &content).ok_or(CustodyError::Malformed { path: key })
    }

    /// Adds to the version's count of uses; the sum is durable when this returns.
    pub(crate) fn lease_uses(&self, kek: KekRef<'_>, uses: u64) -> Result<u64, CustodyError> {
        let dir = self.dir.join(kek.tenant);
        let _lock = self.lock()?;
        self.key(kek)?;
        let sum = uses_of(&dir, kek.version)?.saturating_add(uses);
        files::replace(&path(&dir, kek.version, Entry::Uses), &sum.to_be_bytes())?;
        Ok(sum)
    }

    /// Destroys a KEK version for good: marks it, overwrites the key and removes it. Again is fine.
    pub(crate) fn destroy(&self, kek: KekRef<'_>, now_s: i64) -> Result<(), CustodyError> {
        let dir = self.dir.join(kek.tenant);
        let _lock = self.lock()?;
        let (key, marker) = (path(&dir, kek.version, Entry::Key), path(&dir, kek.version, Entry::Destroyed));
        if !files::exists(&marker)? {
            if !files::exists(&key)? {
                return Err(CustodyError::NoSuchKey);
            }
            let uses = uses_of(&dir, kek.version)?;
            let epitaph = Epitaph { made_at_s: files::written_at_s(&key)?, destroyed_at_s: now_s, uses };
            files::create(&marker, &epitaph.encode())?;
        }
        sweep(&dir)?;
        if files::exists(&key)? { Err(CustodyError::Exists { path: key }) } else { Ok(()) }
    }

    /// Held while keys are made, counted or destroyed; released on drop, and by the system when the process dies.
    fn lock(&self) -> Result<File, CustodyError> {
        let path = self.dir.join(LOCK);
        let file = File::open(&path).map_err(files::at(&path))?;
        file.lock().map_err(files::at(&path))?;
        Ok(file)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Entry {
    Key,
    Uses,
    Destroyed,
}

fn path(dir: &Path, version: u32, entry: Entry) -> PathBuf {
    let kind = match entry {
        Entry::Key => "kek",
        Entry::Uses => "uses",
        Entry::Destroyed => "destroyed",
    };
    dir.join(format!("{version}.{kind}"))
}

fn names(dir: &Path) -> Result<Vec<String>, CustodyError> {
    let entries = fs::read_dir(dir).map_err(files::at(dir))?;
    let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    names.collect::<io::Result<_>>().map_err(files::at(dir))
}

fn entries(dir: &Path) -> Result<Vec<(u32, Entry)>, CustodyError> {
    let parse = |name: String| {
        let (version, kind) = name.split_once('.')?;
        let entry = match kind {
            "kek" => Entry::Key,
            "destroyed" => Entry::Destroyed,
            _ => return None,
        };
        Some((version.parse().ok()?, entry))
    };
    Ok(names(dir)?.into_iter().filter_map(parse).collect())
}

fn describe(dir: &Path, version: u32) -> Result<KekVersion, CustodyError> {
    let marker = path(dir, version, Entry::Destroyed);
    let Some(written) = files::read(&marker, Epitaph::LEN)? else {
        let made_at_s = Some(files::written_at_s(&path(dir, version, Entry::Key))?);
        return Ok(KekVersion { version, made_at_s, uses: Some(uses_of(dir, version)?), destroyed_at_s: None });
    };
    Ok(match Epitaph::decode(&written) {
        Some(Epitaph { made_at_s, destroyed_at_s, uses }) => {
            KekVersion { version, made_at_s: Some(made_at_s), uses: Some(uses), destroyed_at_s: Some(destroyed_at_s) }
        }
        // Markers of earlier releases are empty.
        None => {
            KekVersion { version, made_at_s: None, uses: None, destroyed_at_s: Some(files::written_at_s(&marker)?) }
        }
    })
}

fn uses_of(dir: &Path, version: u32) -> Result<u64, CustodyError> {
    let path = path(dir, version, Entry::Uses);
    match files::read(&path, 8)? {
        None => Ok(0),
        Some(sum) => sum.as_array().map(|sum| u64::from_be_bytes(*sum)).ok_or(CustodyError::Malformed { path }),
    }
}

/// Finishes what a crash left undone: temporary files and keys whose marker stands. The caller holds the lock.
fn sweep(dir: &Path) -> Result<(), CustodyError> {
    for name in names(dir)?.into_iter().filter(|name| name.starts_with(files::TEMPORARY)) {
        files::discard(&dir.join(name))?;
    }
    for (version, _) in entries(dir)?.into_iter().filter(|(_, entry)| *entry == Entry::Destroyed) {
        files::destroy(&path(dir, version, Entry::Key))?;
        files::destroy(&path(dir, version, Entry::Uses))?;
    }
    Ok(())
}
