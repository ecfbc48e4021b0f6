//! The Vault provider: HashiCorp Vault or OpenBao, transit secrets engine, over its HTTP API.
//!
//! Owns which transit keys stand for ours. A KEK version is a transit key of its own, `<prefix>-kek-<tenant>-<version>`, so that each
//! can be destroyed alone; a signing key is one transit key, `<prefix>-<use>`, with its versions. Must never know: key bytes, which
//! never leave the server. Invariants: every answer is awaited for the deadline and no longer; what the server refuses is told apart
//! from what does not authenticate by asking it, never by its words.

mod client;
mod keks;
mod login;
mod signing;
mod transit;

use crate::{CustodyError, KekRef, KekVersion, KeyUse, SigningVersion, VaultConfig, provider::Provider};
use service::Clock;
use transit::Transit;
use zeroize::Zeroizing;

/// See the module.
pub(crate) struct VaultProvider {
    transit: Transit,
}

impl VaultProvider {
    /// Reads the files that the settings name. The server may be out.
    pub(crate) fn open(config: &VaultConfig, clock: Clock) -> Result<Self, CustodyError> {
        Ok(Self { transit: Transit::open(config, clock)? })
    }
}

impl Provider for VaultProvider {
    fn name(&self) -> &'static str {
        "vault"
    }

    fn format(&self) -> u8 {
        3
    }

    fn counts_uses(&self) -> bool {
        // Each wrap is under a key of its own, derived by the server from the KEK and the wrap's place.
        false
    }

    fn make_kek(&self, tenant: &str, _now_s: i64) -> Result<u32, CustodyError> {
        keks::make(&self.transit, tenant)
    }

    fn keks(&self, tenant: &str) -> Result<Vec<KekVersion>, CustodyError> {
        keks::list(&self.transit, tenant)
    }

    fn wrap(&self, kek: KekRef<'_>, plaintext: &[u8], aad: &[u8]) -> Result<Vec<u8>, CustodyError> {
        keks::wrap(&self.transit, kek, plaintext, aad)
    }

    fn unwrap(&self, kek: KekRef<'_>, wrapped: &[u8], aad: &[u8]) -> Result<Zeroizing<Vec<u8>>, CustodyError> {
        keks::unwrap(&self.transit, kek, wrapped, aad)
    }

    fn lease_uses(&self, _kek: KekRef<'_>, _uses: u64) -> Result<u64, CustodyError> {
        Ok(0)
    }

    fn destroy_kek(&self, kek: KekRef<'_>, _now_s: i64) -> Result<(), CustodyError> {
        keks::destroy(&self.transit, kek)
    }

    fn make_signing_key(&self, used: KeyUse, _now_s: i64) -> Result<SigningVersion, CustodyError> {
        signing::make(&self.transit, used)
    }

    fn signing_keys(&self, used: KeyUse) -> Result<Vec<SigningVersion>, CustodyError> {
        signing::list(&self.transit, used)
    }

    fn sign(&self, used: KeyUse, version: u32, message: &[u8]) -> Result<[u8; 64], CustodyError> {
        signing::sign(&self.transit, (used, version), message)
    }

    fn retire_signing_keys(&self, used: KeyUse, up_to: u32) -> Result<(), CustodyError> {
        signing::retire(&self.transit, used, up_to)
    }

    fn destroy_signing_keys(&self, used: KeyUse, up_to: u32) -> Result<(), CustodyError> {
        signing::destroy(&self.transit, used, up_to)
    }
}
