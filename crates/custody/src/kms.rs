//! The file provider of tenants' KEKs: `DIR/<tenant>/<version>.kek`, and `<version>.destroyed` for those that are gone.
//!
//! Must never know: SQL, what is wrapped. Invariant: versions count up from 1 and are never used again; the marker of a
//! destroyed version is durable before its key is touched, so a crash in between still ends with the key gone.
//! Keys are read anew on each use: one destroyed by another process is gone at once for all.

use crate::{CustodyError, files, kek_file, wrapping};
use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

const LOCK: &str = ".lock";

/// One version of one tenant's KEK. Tenant: 1 to 64 characters of `[A-Za-z0-9_-]`; versions count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KekRef<'a> {
    /// The tenant.
    pub tenant: &'a str,
    /// The version.
    pub version: u32,
}

/// KEKs in a directory of mode 0700. Several processes may share it.
#[derive(Debug, Clone)]
pub struct FileKms {
    dir: PathBuf,
}

impl FileKms {
    /// Makes the directory, which must not exist.
    ///
    /// # Errors
    /// `Exists`, `Unavailable`.
    pub fn create(dir: impl AsRef<Path>) -> Result<Self, CustodyError> {
        let dir = dir.as_ref();
        files::create_dir(dir)?;
        files::create(&dir.join(LOCK), b"")?;
        Self::open(dir)
    }

    /// Opens a directory that [`FileKms::create`] made, and finishes destructions that a crash cut short.
    ///
    /// # Errors
    /// `Permissions` where others may enter it, `Malformed` for another directory, `Unavailable`.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self, CustodyError> {
        let dir = dir.as_ref();
        files::check_dir(dir)?;
        let lock = dir.join(LOCK);
        if files::read(&lock, 0)?.is_none() {
            return Err(CustodyError::Malformed { path: lock });
        }
        let kms = Self { dir: dir.to_owned() };
        kms.finish_destructions()?;
        Ok(kms)
    }

    fn finish_destructions(&self) -> Result<(), CustodyError> {
        for tenant in names(&self.dir)?.into_iter().filter(|name| !name.starts_with('.')) {
            let dir = self.dir.join(tenant);
            let entries = versions(&dir)?;
            if entries.iter().any(|(v, e)| *e == Entry::Destroyed && entries.contains(&(*v, Entry::Key))) {
                let _lock = self.lock()?;
                sweep(&dir)?;
            }
        }
        Ok(())
    }

    /// Makes the tenant's next KEK version and returns its number.
    ///
    /// # Errors
    /// `TenantName`, `Permissions`, `Randomness`, `Unavailable`.
    pub fn make_kek(&self, tenant: &str) -> Result<u32, CustodyError> {
        let dir = self.tenant_dir(tenant)?;
        let _lock = self.lock()?;
        match files::create_dir(&dir) {
            Err(CustodyError::Exists { .. }) => files::check_dir(&dir)?,
            other => other?,
        }
        sweep(&dir)?;
        let last = versions(&dir)?.into_iter().map(|(version, _)| version).max().unwrap_or(0);
        let name = KekRef { tenant, version: last + 1 };
        let key = files::random::<32>()?;
        files::create(&key_path(&dir, name.version), &kek_file::encode(name, &key))?;
        Ok(name.version)
    }

    /// The tenant's newest version that is not destroyed.
    ///
    /// # Errors
    /// `NoSuchKey` for a tenant without any, `Destroyed` where all are, `TenantName`, `Permissions`, `Unavailable`.
    pub fn current_kek(&self, tenant: &str) -> Result<u32, CustodyError> {
        let dir = self.tenant_dir(tenant)?;
        let versions = match files::check_dir(&dir) {
            Err(CustodyError::Unavailable { source, .. }) if source.kind() == io::ErrorKind::NotFound => vec![],
            other => other.and_then(|()| versions(&dir))?,
        };
        let destroyed = |v: u32| versions.contains(&(v, Entry::Destroyed));
        let live = versions.iter().filter(|(v, entry)| *entry == Entry::Key && !destroyed(*v)).map(|(v, _)| *v).max();
        live.ok_or(if versions.is_empty() { CustodyError::NoSuchKey } else { CustodyError::Destroyed })
    }

    /// Wraps a key or another short secret; it opens only under the same KEK and associated data.
    ///
    /// # Errors
    /// `NoSuchKey`, `Destroyed`, `Malformed`, `Permissions`, `Randomness`, `Unavailable`.
    pub fn wrap(&self, kek: KekRef<'_>, plaintext: &[u8], aad: &[u8]) -> Result<Vec<u8>, CustodyError> {
        wrapping::wrap(&*self.key(kek)?, kek, plaintext, aad)
    }

    /// Opens what [`FileKms::wrap`] wrapped.
    ///
    /// # Errors
    /// `NotAuthentic`, else as [`FileKms::wrap`].
    pub fn unwrap(&self, kek: KekRef<'_>, wrapped: &[u8], aad: &[u8]) -> Result<Zeroizing<Vec<u8>>, CustodyError> {
        wrapping::unwrap(&*self.key(kek)?, kek, wrapped, aad)
    }

    /// Destroys a KEK version for good: marks it, overwrites the key and removes it. Again is fine.
    ///
    /// # Errors
    /// `NoSuchKey` for one that never existed, `TenantName`, `Permissions`, `Unavailable`.
    pub fn destroy_kek(&self, kek: KekRef<'_>) -> Result<(), CustodyError> {
        let dir = self.tenant_dir(kek.tenant)?;
        let _lock = self.lock()?;
        let (key, marker) = (key_path(&dir, kek.version), marker_path(&dir, kek.version));
        if !files::exists(&marker)? {
            if !files::exists(&key)? {
                return Err(CustodyError::NoSuchKey);
            }
            files::create(&marker, b"")?;
        }
        files::destroy(&key)
    }

    fn key(&self, kek: KekRef<'_>) -> Result<Zeroizing<[u8; 32]>, CustodyError> {
        let dir = self.tenant_dir(kek.tenant)?;
        let path = key_path(&dir, kek.version);
        // The marker first: from the moment it stands, a key that a crash left beside it is of no use.
        if files::exists(&marker_path(&dir, kek.version))? {
            return Err(CustodyError::Destroyed);
        }
        let content = files::read(&path, kek_file::LEN)?.ok_or(CustodyError::NoSuchKey)?;
        kek_file::decode(kek, &content).ok_or(CustodyError::Malformed { path })
    }

    fn tenant_dir(&self, tenant: &str) -> Result<PathBuf, CustodyError> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
        if tenant.is_empty() || tenant.len() > 64 || !tenant.bytes().all(allowed) {
            return Err(CustodyError::TenantName);
        }
        Ok(self.dir.join(tenant))
    }

    /// Held while keys are made or destroyed; released on drop, and by the system when the process dies.
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
    Destroyed,
}

fn key_path(dir: &Path, version: u32) -> PathBuf {
    dir.join(format!("{version}.kek"))
}

fn marker_path(dir: &Path, version: u32) -> PathBuf {
    dir.join(format!("{version}.destroyed"))
}

fn names(dir: &Path) -> Result<Vec<String>, CustodyError> {
    let entries = fs::read_dir(dir).map_err(files::at(dir))?;
    let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    names.collect::<io::Result<_>>().map_err(files::at(dir))
}

fn versions(dir: &Path) -> Result<Vec<(u32, Entry)>, CustodyError> {
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

/// Finishes what a crash left undone: temporary files and keys whose marker stands. The caller holds the lock.
fn sweep(dir: &Path) -> Result<(), CustodyError> {
    for name in names(dir)?.into_iter().filter(|name| name.starts_with(files::TEMPORARY)) {
        files::discard(&dir.join(name))?;
    }
    for (version, _) in versions(dir)?.into_iter().filter(|(_, entry)| *entry == Entry::Destroyed) {
        files::destroy(&key_path(dir, version))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
