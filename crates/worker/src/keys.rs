//! The keys that the worker holds between calls: the door to tenant KEKs and the two receipt signing keys.
//!
//! Must never know: the ledger or root key, SQL. Invariant: a failure of the key service is told apart from an envelope
//! that does not authenticate; only the latter is DATA_LOSS.

use crate::config;
use custody::{CustodyError, FileKms, Signer};
use ring::rand::{SecureRandom as _, SystemRandom};
use wire::Reason;
use zeroize::Zeroizing;

/// One receipt issuer and its signing key.
pub(crate) struct Issuer {
    /// `iss`.
    pub(crate) name: String,
    /// `kid`: the key's thumbprint.
    pub(crate) kid: String,
    signer: Signer,
}

impl Issuer {
    fn open(name: &str, path: &std::path::Path) -> Result<Self, CustodyError> {
        let signer = Signer::open(path)?;
        Ok(Self { name: name.to_owned(), kid: receipt::thumbprint(&signer.public()), signer })
    }

    /// Signs a JWS signing input.
    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.signer.sign(message)
    }
}

/// See the module.
pub(crate) struct Keys {
    /// Tenant KEKs.
    pub(crate) kms: FileKms,
    production: Issuer,
    test: Issuer,
    /// The one source of randomness.
    pub(crate) random: SystemRandom,
}

impl Keys {
    /// Opens the directory that `countersign keys init` made.
    pub(crate) fn open(keys: &config::Keys, issuers: &config::Issuers) -> Result<Self, CustodyError> {
        let directory = &keys.directory;
        Ok(Self {
            kms: FileKms::open(directory.join("keks"))?,
            production: Issuer::open(&issuers.production, &directory.join("receipt.pem"))?,
            test: Issuer::open(&issuers.test, &directory.join("test-receipt.pem"))?,
            random: SystemRandom::new(),
        })
    }

    /// The issuer of a tenant's receipts.
    pub(crate) const fn issuer(&self, test: bool) -> &Issuer {
        if test { &self.test } else { &self.production }
    }

    /// 32 fresh random bytes.
    pub(crate) fn make_secret(&self) -> Result<Zeroizing<[u8; 32]>, Reason> {
        let mut secret = Zeroizing::new([0; 32]);
        self.random.fill(&mut *secret).map_err(|_| Reason::Internal)?;
        Ok(secret)
    }

    /// A fresh version 4 UUID (RFC 9562 §5.4).
    pub(crate) fn make_uuid(&self) -> Result<uuid::Uuid, Reason> {
        let mut bytes = [0; 16];
        self.random.fill(&mut bytes).map_err(|_| Reason::Internal)?;
        Ok(uuid::Builder::from_random_bytes(bytes).into_uuid())
    }
}

/// What a failure of the key service means for the call.
pub(crate) fn custody_reason(error: CustodyError) -> Reason {
    tracing::error!(error = %error, "key service");
    match error {
        CustodyError::NotAuthentic | CustodyError::NoSuchKey | CustodyError::Destroyed => Reason::DataLoss,
        _ => Reason::UnavailableKms,
    }
}
