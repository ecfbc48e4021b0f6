//! Signing keys in files: `DIR/<use>.pem` is version 1, `DIR/<use>-<n>.pem` version n; `.pub` in place of those that are retired.
//!
//! Must never know: what is signed. Invariant: from the moment a version's `.pub` stands it signs no more, even if a crash left
//! its secret beside it; the secret is overwritten before its name goes.

use super::{files, pem_key::PemKey};
use crate::{CustodyError, KeyUse, SigningVersion};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Public key and when it was made.
const PUBLIC_LEN: usize = 32 + 8;

/// Signing keys in a directory of mode 0700.
#[derive(Debug, Clone)]
pub(crate) struct FileSigning {
    dir: PathBuf,
}

impl FileSigning {
    pub(crate) const fn at(dir: PathBuf) -> Self {
        Self { dir }
    }

    pub(crate) fn make(&self, used: KeyUse, now_s: i64) -> Result<SigningVersion, CustodyError> {
        loop {
            let version = self.list(used)?.last().map_or(0, |last| last.version) + 1;
            let path = self.path(used, version, "pem");
            match PemKey::create(&path) {
                // Another process was faster: the next number is free.
                Err(CustodyError::Exists { .. }) => {}
                Err(error) => return Err(error),
                Ok(key) => {
                    files::stamp(&path, now_s)?;
                    return Ok(SigningVersion { version, public: key.public(), made_at_s: now_s, retired: false });
                }
            }
        }
    }

    pub(crate) fn list(&self, used: KeyUse) -> Result<Vec<SigningVersion>, CustodyError> {
        let mut versions = Vec::new();
        for entry in fs::read_dir(&self.dir).map_err(files::at(&self.dir))? {
            let path = entry.map_err(files::at(&self.dir))?.path();
            versions.extend(version_of(&path, used));
        }
        versions.sort_unstable();
        versions.dedup();
        versions.into_iter().map(|version| self.describe(used, version)).collect()
    }

    pub(crate) fn sign(&self, used: KeyUse, version: u32, message: &[u8]) -> Result<[u8; 64], CustodyError> {
        if files::exists(&self.path(used, version, "pub"))? {
            return Err(CustodyError::Destroyed);
        }
        Ok(PemKey::open(self.path(used, version, "pem"))?.sign(message))
    }

    pub(crate) fn retire(&self, used: KeyUse, up_to: u32) -> Result<(), CustodyError> {
        for SigningVersion { version, public, made_at_s, .. } in self.upto(used, up_to)? {
            let kept = self.path(used, version, "pub");
            if !files::exists(&kept)? {
                files::create(&kept, &[&public[..], &made_at_s.to_be_bytes()].concat())?;
            }
            files::destroy(&self.path(used, version, "pem"))?;
        }
        Ok(())
    }

    pub(crate) fn destroy(&self, used: KeyUse, up_to: u32) -> Result<(), CustodyError> {
        for SigningVersion { version, .. } in self.upto(used, up_to)? {
            files::destroy(&self.path(used, version, "pem"))?;
            files::destroy(&self.path(used, version, "pub"))?;
        }
        Ok(())
    }

    fn upto(&self, used: KeyUse, up_to: u32) -> Result<impl Iterator<Item = SigningVersion>, CustodyError> {
        Ok(self.list(used)?.into_iter().filter(move |key| key.version <= up_to))
    }

    fn describe(&self, used: KeyUse, version: u32) -> Result<SigningVersion, CustodyError> {
        let (kept, secret) = (self.path(used, version, "pub"), self.path(used, version, "pem"));
        let Some(written) = files::read(&kept, PUBLIC_LEN)? else {
            let public = PemKey::open(&secret)?.public();
            return Ok(SigningVersion { version, public, made_at_s: files::written_at_s(&secret)?, retired: false });
        };
        let parts = written.split_first_chunk::<32>().and_then(|(public, made)| Some((*public, *made.as_array()?)));
        let (public, made) = parts.ok_or(CustodyError::Malformed { path: kept })?;
        Ok(SigningVersion { version, public, made_at_s: i64::from_be_bytes(made), retired: true })
    }

    pub(crate) fn path(&self, used: KeyUse, version: u32, kind: &str) -> PathBuf {
        self.dir.join(match version {
            1 => format!("{used}.{kind}"),
            n => format!("{used}-{n}.{kind}"),
        })
    }
}

fn version_of(path: &Path, used: KeyUse) -> Option<u32> {
    let kind = path.extension()?;
    let number = path.file_stem()?.to_str()?.strip_prefix(used.name())?;
    match number.strip_prefix('-') {
        _ if kind != "pem" && kind != "pub" => None,
        None => number.is_empty().then_some(1),
        Some(number) => number.parse().ok().filter(|version| *version > 1),
    }
}
