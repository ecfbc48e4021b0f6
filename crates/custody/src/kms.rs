//! The one door to keys, whatever provider keeps them: names checked, places bound, uses counted, outages rested.
//!
//! Must never know: SQL, what is wrapped. Invariants: tenant and KEK version are part of the associated data whoever wraps, so
//! that nothing opens under another tenant's or version's name; what is wrapped names its kind of provider in its first byte.

mod batch;

pub use batch::{Batch, Place};

use crate::{
    CustodyError, KekRef, KekVersion, KeyUse, KmsConfig, Outage, SigningVersion, breaker::Breaker, file::FileProvider,
    pkcs11::Pkcs11Provider, provider::Provider, vault::VaultProvider, wear::Wear,
};
use service::Clock;
use std::{fmt, path::Path, sync::Arc};
use zeroize::Zeroizing;

/// See the module. Clones share one provider. Calls block for at most the provider's deadline: not for async threads.
#[derive(Clone)]
pub struct Kms(Arc<House>);

struct House {
    provider: Box<dyn Provider>,
    breaker: Breaker,
    wear: Wear,
    clock: Clock,
}

/// A KEK version that reading back showed destroyed: what a certificate of its destruction rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KekDestroyed {
    /// The tenant.
    pub tenant: String,
    /// The version, which will never be used again.
    pub version: u32,
    /// The kind of provider that held it.
    pub provider: &'static str,
    /// When it was made, in seconds since 1970, where the provider still knows.
    pub made_at_s: Option<i64>,
    /// When it was destroyed, in seconds since 1970.
    pub destroyed_at_s: i64,
    /// How often it may have wrapped, where that is counted.
    pub uses: Option<u64>,
    /// When reading back showed it gone, in seconds since 1970.
    pub confirmed_at_s: i64,
}

impl Kms {
    /// Opens the configured provider. Files must be there; a token or service may be out, which its calls then say.
    ///
    /// # Errors
    /// What an operator has to put right: `Missing`, `Permissions`, `Malformed`, `Setting`, `Unavailable`.
    pub fn open(config: &KmsConfig, clock: Clock) -> Result<Self, CustodyError> {
        let provider: Box<dyn Provider> = match config {
            KmsConfig::File { directory } => Box::new(FileProvider::open(directory)?),
            KmsConfig::Pkcs11(pkcs11) => Box::new(Pkcs11Provider::open(pkcs11)?),
            KmsConfig::Vault(vault) => Box::new(VaultProvider::open(vault, clock.clone())?),
        };
        let breaker = Breaker::new(provider.name(), clock.clone());
        Ok(Self(Arc::new(House { provider, breaker, wear: Wear::default(), clock })))
    }

    /// Makes room for tenants' KEKs in an existing key directory of the file provider.
    ///
    /// # Errors
    /// `Exists`, `Unavailable`.
    pub fn make_room_for_keks(directory: &Path) -> Result<(), CustodyError> {
        FileProvider::make_room_for_keks(directory)
    }

    /// The kind of provider: `file`, `pkcs11` or `vault`.
    #[must_use]
    pub fn provider(&self) -> &'static str {
        self.0.provider.name()
    }

    /// Whether the provider gives KEKs now.
    ///
    /// # Errors
    /// Why it does not.
    pub fn probe_keks(&self) -> Result<(), CustodyError> {
        self.keks("probe").map(drop)
    }

    /// Makes the tenant's next KEK version and returns its number.
    ///
    /// # Errors
    /// `TenantName`, `Permissions`, `Randomness`, `Unavailable`, `Outage`.
    pub fn make_kek(&self, tenant: &str) -> Result<u32, CustodyError> {
        check(tenant)?;
        self.call(|provider, now_s| provider.make_kek(tenant, now_s))
    }

    /// The tenant's versions, destroyed ones included, oldest first; none for an unknown tenant.
    ///
    /// # Errors
    /// `TenantName`, `Permissions`, `Unavailable`, `Outage`.
    pub fn keks(&self, tenant: &str) -> Result<Vec<KekVersion>, CustodyError> {
        check(tenant)?;
        self.call(|provider, _| provider.keks(tenant))
    }

    /// The tenant's newest version that is not destroyed.
    ///
    /// # Errors
    /// `NoSuchKey` for a tenant without any, `Destroyed` where all are, else as [`Kms::keks`].
    pub fn current_kek(&self, tenant: &str) -> Result<u32, CustodyError> {
        let versions = self.keks(tenant)?;
        let live = versions.iter().rfind(|kek| kek.destroyed_at_s.is_none()).map(|kek| kek.version);
        live.ok_or(if versions.is_empty() { CustodyError::NoSuchKey } else { CustodyError::Destroyed })
    }

    /// Wraps a key or another short secret; it opens only under the same KEK and associated data.
    ///
    /// # Errors
    /// `NoSuchKey`, `Destroyed`, `WornOut`, `Malformed`, `Permissions`, `Randomness`, `Unavailable`, `Outage`.
    pub fn wrap(&self, kek: KekRef<'_>, plaintext: &[u8], aad: &[u8]) -> Result<Vec<u8>, CustodyError> {
        self.wrap_by(kek, aad, |provider, aad| provider.wrap(kek, plaintext, aad))
    }

    /// Counts a use, then wraps by the means given.
    fn wrap_by(
        &self,
        kek: KekRef<'_>,
        aad: &[u8],
        wrap: impl FnOnce(&dyn Provider, &[u8]) -> Result<Vec<u8>, CustodyError>,
    ) -> Result<Vec<u8>, CustodyError> {
        check(kek.tenant)?;
        self.call(|provider, _| {
            if provider.counts_uses() {
                self.0.wear.take(kek, |uses| provider.lease_uses(kek, uses))?;
            }
            let mut wrapped = wrap(provider, &bind(kek, aad))?;
            wrapped.insert(0, provider.format());
            Ok(wrapped)
        })
    }

    /// Opens what [`Kms::wrap`] wrapped.
    ///
    /// # Errors
    /// `NotAuthentic`, `WrappedElsewhere`, else as [`Kms::wrap`].
    pub fn unwrap(&self, kek: KekRef<'_>, wrapped: &[u8], aad: &[u8]) -> Result<Zeroizing<Vec<u8>>, CustodyError> {
        self.unwrap_by(kek, (wrapped, aad), |provider, wrapped, aad| provider.unwrap(kek, wrapped, aad))
    }

    /// Looks at who wrapped, then opens by the means given.
    fn unwrap_by(
        &self,
        kek: KekRef<'_>,
        (wrapped, aad): (&[u8], &[u8]),
        unwrap: impl FnOnce(&dyn Provider, &[u8], &[u8]) -> Result<Zeroizing<Vec<u8>>, CustodyError>,
    ) -> Result<Zeroizing<Vec<u8>>, CustodyError> {
        check(kek.tenant)?;
        let (format, wrapped) = wrapped.split_first().ok_or(CustodyError::NotAuthentic)?;
        if *format != self.0.provider.format() {
            let known = (1..=LAST_FORMAT).contains(format);
            return Err(if known { CustodyError::WrappedElsewhere } else { CustodyError::NotAuthentic });
        }
        self.call(|provider, _| unwrap(provider, wrapped, &bind(kek, aad)))
    }

    /// Begins a batch of keys of one tenant that are to be wrapped anew.
    #[must_use]
    pub fn batch<'k>(&'k self, tenant: &'k str) -> Batch<'k> {
        Batch::new(self, tenant)
    }

    /// Destroys a KEK version for good and reads back that it is gone. Again is fine, and says when it was.
    ///
    /// # Errors
    /// `NoSuchKey` for one that never existed, `TenantName`, `Permissions`, `Unavailable`, `Outage`.
    pub fn destroy_kek(&self, kek: KekRef<'_>) -> Result<KekDestroyed, CustodyError> {
        check(kek.tenant)?;
        self.call(|provider, now_s| {
            provider.destroy_kek(kek, now_s)?;
            let seen = provider.keks(kek.tenant)?.into_iter().find(|seen| seen.version == kek.version);
            let seen = seen.ok_or(CustodyError::NoSuchKey)?;
            Ok(KekDestroyed {
                tenant: kek.tenant.to_owned(),
                version: kek.version,
                provider: provider.name(),
                made_at_s: seen.made_at_s,
                destroyed_at_s: seen.destroyed_at_s.ok_or(Outage::Failed)?,
                uses: seen.uses,
                confirmed_at_s: now_s,
            })
        })
    }

    /// Makes the next version of a signing key; it is to be published before it signs.
    ///
    /// # Errors
    /// `Permissions`, `Randomness`, `Unavailable`, `Outage`.
    pub fn make_signing_key(&self, used: KeyUse) -> Result<SigningVersion, CustodyError> {
        self.call(|provider, now_s| provider.make_signing_key(used, now_s))
    }

    /// The versions of a signing key that are not destroyed, oldest first.
    ///
    /// # Errors
    /// `Permissions`, `Malformed`, `Unavailable`, `Outage`.
    pub fn signing_keys(&self, used: KeyUse) -> Result<Vec<SigningVersion>, CustodyError> {
        self.call(|provider, _| provider.signing_keys(used))
    }

    /// Ends signing by every version up to this one, for good; public keys stay, so that old signatures verify.
    ///
    /// # Errors
    /// `StillNeeded` where no later version could sign, else as [`Kms::signing_keys`].
    pub fn retire_signing_keys(&self, used: KeyUse, up_to: u32) -> Result<(), CustodyError> {
        self.superseded(used, up_to)?;
        self.call(|provider, _| provider.retire_signing_keys(used, up_to))
    }

    /// Destroys every version up to this one, public keys included: nothing that they signed verifies once key sets are published
    /// anew.
    ///
    /// # Errors
    /// As [`Kms::retire_signing_keys`].
    pub fn destroy_signing_keys(&self, used: KeyUse, up_to: u32) -> Result<(), CustodyError> {
        self.superseded(used, up_to)?;
        self.call(|provider, _| provider.destroy_signing_keys(used, up_to))
    }

    pub(crate) fn sign(&self, used: KeyUse, version: u32, message: &[u8]) -> Result<[u8; 64], CustodyError> {
        self.call(|provider, _| provider.sign(used, version, message))
    }

    /// Why there is none, with the place where it would be.
    pub(crate) fn no_signing_key(&self, used: KeyUse) -> CustodyError {
        match self.0.provider.signing_file(used) {
            Some(path) => CustodyError::Missing { path },
            None => CustodyError::NoSigningKey { used, provider: self.provider() },
        }
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    fn superseded(&self, used: KeyUse, up_to: u32) -> Result<(), CustodyError> {
        let later = self.signing_keys(used)?.iter().any(|key| key.version > up_to && !key.retired);
        if later { Ok(()) } else { Err(CustodyError::StillNeeded) }
    }

    fn call<T>(&self, work: impl FnOnce(&dyn Provider, i64) -> Result<T, CustodyError>) -> Result<T, CustodyError> {
        let now_s = self.0.clock.now_ms().div_euclid(1000);
        self.0.breaker.guard(|| work(&*self.0.provider, now_s))
    }
}

impl fmt::Debug for Kms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kms({})", self.provider())
    }
}

/// The last first byte that a provider writes.
const LAST_FORMAT: u8 = 3;

fn check(tenant: &str) -> Result<(), CustodyError> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    let sound = (1..=64).contains(&tenant.len()) && tenant.bytes().all(allowed);
    if sound { Ok(()) } else { Err(CustodyError::TenantName) }
}

/// Every part behind its length, eight bytes big endian.
fn bind(name: KekRef<'_>, aad: &[u8]) -> Vec<u8> {
    let parts: [&[u8]; 4] = [b"countersign/kek/v1", name.tenant.as_bytes(), &name.version.to_be_bytes(), aad];
    parts.iter().fold(Vec::new(), |mut bound, part| {
        bound.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bound.extend_from_slice(part);
        bound
    })
}

#[cfg(test)]
mod tests;
