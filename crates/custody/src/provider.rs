//! The seam between custody's rules and the places where keys live: files, a PKCS#11 token, Vault transit.
//!
//! Must never know: SQL, what a key protects. Invariants of every implementation: a version's number is never used again; key
//! material of a token or service never leaves it; a call ends within the provider's deadline.

use crate::CustodyError;
use std::{fmt, path::PathBuf, str::FromStr};
use zeroize::Zeroizing;

/// One version of one tenant's KEK. Tenant: 1 to 64 characters of `[A-Za-z0-9_-]`; versions count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KekRef<'a> {
    /// The tenant.
    pub tenant: &'a str,
    /// The version.
    pub version: u32,
}

/// What is known of a KEK version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KekVersion {
    /// Counts from 1.
    pub version: u32,
    /// When it was made, in seconds since 1970, where the provider still knows.
    pub made_at_s: Option<i64>,
    /// How often it may have wrapped, never less than it did; `None` where each wrap has a derived key of its own.
    pub uses: Option<u64>,
    /// When it was destroyed, in seconds since 1970; `None` while it lives.
    pub destroyed_at_s: Option<i64>,
}

/// What a signing key signs. Keys of different uses never mix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyUse {
    /// Receipts of production tenants.
    Receipt,
    /// Receipts of test tenants.
    TestReceipt,
    /// What the gateway sees happen in the database.
    Ledger,
    /// Key sets.
    Root,
}

impl KeyUse {
    /// Every use.
    pub const ALL: [Self; 4] = [Self::Receipt, Self::TestReceipt, Self::Ledger, Self::Root];

    /// Its name in files, labels and key names.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Receipt => "receipt",
            Self::TestReceipt => "test-receipt",
            Self::Ledger => "ledger",
            Self::Root => "root",
        }
    }
}

impl fmt::Display for KeyUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for KeyUse {
    type Err = UnknownUse;

    fn from_str(name: &str) -> Result<Self, UnknownUse> {
        Self::ALL.into_iter().find(|used| used.name() == name).ok_or(UnknownUse)
    }
}

/// A word that names no [`KeyUse`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("keys sign receipt, test-receipt, ledger or root")]
pub struct UnknownUse;

/// One version of a signing key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SigningVersion {
    /// Counts from 1.
    pub version: u32,
    /// The Ed25519 public key (RFC 8032), kept after the version is retired.
    pub public: [u8; 32],
    /// When it was made, in seconds since 1970.
    pub made_at_s: i64,
    /// It signs no more.
    pub retired: bool,
}

/// See the module. Names of tenants were checked; `aad` binds tenant and version already.
pub(crate) trait Provider: Send + Sync {
    /// What operators call it.
    fn name(&self) -> &'static str;
    /// First byte of what it wraps.
    fn format(&self) -> u8;
    /// Whether wraps under one KEK version count against a limit.
    fn counts_uses(&self) -> bool;

    /// Makes the tenant's next KEK version.
    fn make_kek(&self, tenant: &str, now_s: i64) -> Result<u32, CustodyError>;
    /// The tenant's versions, oldest first; none for an unknown tenant.
    fn keks(&self, tenant: &str) -> Result<Vec<KekVersion>, CustodyError>;
    /// AES-256-GCM under a KEK version. Gives what follows the format byte.
    fn wrap(&self, kek: KekRef<'_>, plaintext: &[u8], aad: &[u8]) -> Result<Vec<u8>, CustodyError>;
    /// Opens what [`Provider::wrap`] gave.
    fn unwrap(&self, kek: KekRef<'_>, wrapped: &[u8], aad: &[u8]) -> Result<Zeroizing<Vec<u8>>, CustodyError>;
    /// The key itself, for a batch of wraps, where this provider keeps keys in the clear: AES-256-GCM as [`Provider::wrap`] does it.
    fn held(&self, _kek: KekRef<'_>) -> Result<Option<Zeroizing<[u8; 32]>>, CustodyError> {
        Ok(None)
    }
    /// Counts `uses` more wraps of a version, durably, before they happen; gives the sum.
    fn lease_uses(&self, kek: KekRef<'_>, uses: u64) -> Result<u64, CustodyError>;
    /// Destroys a version and returns once reading back shows it gone. Again is fine.
    fn destroy_kek(&self, kek: KekRef<'_>, now_s: i64) -> Result<(), CustodyError>;

    /// The file that holds the first version of a signing key, where keys are files.
    fn signing_file(&self, _used: KeyUse) -> Option<PathBuf> {
        None
    }
    /// Makes the next version of a signing key.
    fn make_signing_key(&self, used: KeyUse, now_s: i64) -> Result<SigningVersion, CustodyError>;
    /// Its versions that are not destroyed, oldest first.
    fn signing_keys(&self, used: KeyUse) -> Result<Vec<SigningVersion>, CustodyError>;
    /// Ed25519 (RFC 8032, pure).
    fn sign(&self, used: KeyUse, version: u32, message: &[u8]) -> Result<[u8; 64], CustodyError>;
    /// Ends signing by every version up to this one; their public keys stay.
    fn retire_signing_keys(&self, used: KeyUse, up_to: u32) -> Result<(), CustodyError>;
    /// Destroys every version up to this one, public keys included.
    fn destroy_signing_keys(&self, used: KeyUse, up_to: u32) -> Result<(), CustodyError>;
}
