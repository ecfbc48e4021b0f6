//! The PKCS#11 provider: KEKs and signing keys are made on a token and never leave it (CKA_SENSITIVE, not CKA_EXTRACTABLE).
//!
//! Owns the mapping from operations to objects on one token. Must never know: key bytes. Invariants: calls into the module happen
//! on the pool's own threads alone and every caller is answered within the deadline; what a token that is not there seems not
//! to hold is an outage, never an absent key.

mod fault;
mod keks;
mod module;
mod objects;
mod pin;
mod pool;
mod signing;
mod token;

use crate::{CustodyError, KekRef, KekVersion, KeyUse, Pkcs11Config, SigningVersion, provider::Provider};
use pool::Pool;
use token::Token;
use zeroize::Zeroizing;

/// See the module.
pub(crate) struct Pkcs11Provider {
    pool: Pool,
}

impl Pkcs11Provider {
    /// Loads the module and starts the session threads. The token may be out.
    pub(crate) fn open(config: &Pkcs11Config) -> Result<Self, CustodyError> {
        let token = Token::open(config)?;
        Ok(Self { pool: Pool::start(token, config.sessions.clamp(1, 64), config.timeout())? })
    }
}

impl Provider for Pkcs11Provider {
    fn name(&self) -> &'static str {
        "pkcs11"
    }

    fn format(&self) -> u8 {
        2
    }

    fn counts_uses(&self) -> bool {
        true
    }

    fn make_kek(&self, tenant: &str, now_s: i64) -> Result<u32, CustodyError> {
        let tenant = tenant.to_owned();
        self.pool.call(move |open| keks::make(open, &tenant, now_s))
    }

    fn keks(&self, tenant: &str) -> Result<Vec<KekVersion>, CustodyError> {
        let tenant = tenant.to_owned();
        self.pool.call(move |open| keks::list(open, &tenant))
    }

    fn wrap(&self, kek: KekRef<'_>, plaintext: &[u8], aad: &[u8]) -> Result<Vec<u8>, CustodyError> {
        let (kek, aad) = (keks::Name::of(kek), aad.to_vec());
        let plaintext = Zeroizing::new(plaintext.to_vec());
        self.pool.call(move |open| keks::wrap(open, &kek, &plaintext, &aad))
    }

    fn unwrap(&self, kek: KekRef<'_>, wrapped: &[u8], aad: &[u8]) -> Result<Zeroizing<Vec<u8>>, CustodyError> {
        let (kek, wrapped, aad) = (keks::Name::of(kek), wrapped.to_vec(), aad.to_vec());
        self.pool.call(move |open| keks::unwrap(open, &kek, &wrapped, &aad))
    }

    fn lease_uses(&self, kek: KekRef<'_>, uses: u64) -> Result<u64, CustodyError> {
        let kek = keks::Name::of(kek);
        self.pool.call(move |open| keks::lease_uses(open, &kek, uses))
    }

    fn destroy_kek(&self, kek: KekRef<'_>, now_s: i64) -> Result<(), CustodyError> {
        let kek = keks::Name::of(kek);
        self.pool.call(move |open| keks::destroy(open, &kek, now_s))
    }

    fn make_signing_key(&self, used: KeyUse, now_s: i64) -> Result<SigningVersion, CustodyError> {
        self.pool.call(move |open| signing::make(open, used, now_s))
    }

    fn signing_keys(&self, used: KeyUse) -> Result<Vec<SigningVersion>, CustodyError> {
        self.pool.call(move |open| signing::list(open, used))
    }

    fn sign(&self, used: KeyUse, version: u32, message: &[u8]) -> Result<[u8; 64], CustodyError> {
        let message = message.to_vec();
        self.pool.call(move |open| signing::sign(open, (used, version), &message))
    }

    fn retire_signing_keys(&self, used: KeyUse, up_to: u32) -> Result<(), CustodyError> {
        self.pool.call(move |open| signing::retire(open, used, up_to))
    }

    fn destroy_signing_keys(&self, used: KeyUse, up_to: u32) -> Result<(), CustodyError> {
        self.pool.call(move |open| signing::destroy(open, used, up_to))
    }
}
