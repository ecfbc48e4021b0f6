//! The file provider: KEKs below `DIR/keks`, signing keys beside it.
//!
//! Must never know: SQL. Invariant: a directory that others may enter, or a file that they may read, is refused.

pub(crate) mod files;
mod kek_file;
mod keks;
mod pem_key;
mod secret_file;
mod signing;
pub(crate) mod wrapping;

pub use pem_key::PemKey;
pub use secret_file::SecretFile;

use crate::{CustodyError, KekRef, KekVersion, KeyUse, SigningVersion, provider::Provider};
use keks::FileKeks;
use signing::FileSigning;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Keys in a directory of mode 0700. Several processes may share it.
#[derive(Debug)]
pub(crate) struct FileProvider {
    keks: Option<FileKeks>,
    keks_at: PathBuf,
    signing: FileSigning,
}

impl FileProvider {
    /// Opens a key directory. It may hold KEKs, signing keys or both.
    pub(crate) fn open(dir: &Path) -> Result<Self, CustodyError> {
        files::check_dir(dir)?;
        let keks_at = dir.join("keks");
        let keks = if files::exists(&keks_at)? { Some(FileKeks::open(&keks_at)?) } else { None };
        Ok(Self { keks, keks_at, signing: FileSigning::at(dir.to_owned()) })
    }

    /// Makes room for KEKs in an existing key directory.
    pub(crate) fn make_room_for_keks(dir: &Path) -> Result<(), CustodyError> {
        FileKeks::create(&dir.join("keks"))
    }

    fn keks(&self) -> Result<&FileKeks, CustodyError> {
        self.keks.as_ref().ok_or_else(|| CustodyError::Missing { path: self.keks_at.clone() })
    }
}

impl Provider for FileProvider {
    fn name(&self) -> &'static str {
        "file"
    }

    fn format(&self) -> u8 {
        1
    }

    fn signing_file(&self, used: KeyUse) -> Option<PathBuf> {
        Some(self.signing.path(used, 1, "pem"))
    }

    fn counts_uses(&self) -> bool {
        true
    }

    fn make_kek(&self, tenant: &str, now_s: i64) -> Result<u32, CustodyError> {
        self.keks()?.make(tenant, now_s)
    }

    fn keks(&self, tenant: &str) -> Result<Vec<KekVersion>, CustodyError> {
        self.keks()?.list(tenant)
    }

    fn wrap(&self, kek: KekRef<'_>, plaintext: &[u8], aad: &[u8]) -> Result<Vec<u8>, CustodyError> {
        wrapping::wrap(&*self.keks()?.key(kek)?, plaintext, aad)
    }

    fn unwrap(&self, kek: KekRef<'_>, wrapped: &[u8], aad: &[u8]) -> Result<Zeroizing<Vec<u8>>, CustodyError> {
        wrapping::unwrap(&*self.keks()?.key(kek)?, wrapped, aad)
    }

    fn held(&self, kek: KekRef<'_>) -> Result<Option<Zeroizing<[u8; 32]>>, CustodyError> {
        self.keks()?.key(kek).map(Some)
    }

    fn lease_uses(&self, kek: KekRef<'_>, uses: u64) -> Result<u64, CustodyError> {
        self.keks()?.lease_uses(kek, uses)
    }

    fn destroy_kek(&self, kek: KekRef<'_>, now_s: i64) -> Result<(), CustodyError> {
        self.keks()?.destroy(kek, now_s)
    }

    fn make_signing_key(&self, used: KeyUse, now_s: i64) -> Result<SigningVersion, CustodyError> {
        self.signing.make(used, now_s)
    }

    fn signing_keys(&self, used: KeyUse) -> Result<Vec<SigningVersion>, CustodyError> {
        self.signing.list(used)
    }

    fn sign(&self, used: KeyUse, version: u32, message: &[u8]) -> Result<[u8; 64], CustodyError> {
        self.signing.sign(used, version, message)
    }

    fn retire_signing_keys(&self, used: KeyUse, up_to: u32) -> Result<(), CustodyError> {
        self.signing.retire(used, up_to)
    }

    fn destroy_signing_keys(&self, used: KeyUse, up_to: u32) -> Result<(), CustodyError> {
        self.signing.destroy(used, up_to)
    }
}
