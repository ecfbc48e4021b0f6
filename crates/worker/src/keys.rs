//! The keys that the worker holds between calls: the door to tenant KEKs and the two receipt signing keys.
//!
//! Must never know: the ledger or root key, SQL. Invariant: a failure of the key service is told apart from an envelope
//! that does not authenticate; only the latter is DATA_LOSS.

use crate::Config;
use custody::{CustodyError, KeyUse, Kms, Signer};
use receipt::{EncodeError, Typ};
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::Serialize;
use service::Clock;
use std::error::Error;
use wire::Reason;
use zeroize::Zeroizing;

/// One receipt issuer and its signing key.
pub(crate) struct Issuer {
    /// `iss`.
    pub(crate) name: String,
    signer: Signer,
}

impl Issuer {
    /// A token of this issuer, signed by the version of its key that signs now.
    ///
    /// # Errors
    /// `INTERNAL` where the claims do not fit a token, `UNAVAILABLE_KMS`.
    pub(crate) fn encode(&self, typ: Typ, claims: &impl Serialize) -> Result<String, Reason> {
        let key = self.signer.key().map_err(signing_reason)?;
        let kid = receipt::thumbprint(&key.public);
        receipt::encode(typ, &kid, claims, |message| self.signer.sign(&key, message)).map_err(|error| match error {
            EncodeError::Claims => Reason::Internal,
            EncodeError::Sign(error) => signing_reason(error),
        })
    }

    /// `kid` of the key that signed last; empty before the first.
    pub(crate) fn kid(&self) -> String {
        self.signer.last_seen().map(|key| receipt::thumbprint(&key.public)).unwrap_or_default()
    }
}

/// See the module.
pub(crate) struct Keys {
    /// Tenant KEKs.
    pub(crate) kms: Kms,
    production: Issuer,
    test: Issuer,
    /// The one source of randomness.
    pub(crate) random: SystemRandom,
}

impl Keys {
    /// Opens the configured provider; [`Keys::probe`] says whether it gives keys.
    pub(crate) fn open(config: &Config, clock: Clock) -> Result<Self, CustodyError> {
        let kms = Kms::open(&config.kms, clock)?;
        let issuer = |name: &str, used| Issuer { name: name.to_owned(), signer: Signer::new(kms.clone(), used) };
        Ok(Self {
            production: issuer(&config.issuers.production, KeyUse::Receipt),
            test: issuer(&config.issuers.test, KeyUse::TestReceipt),
            kms,
            random: SystemRandom::new(),
        })
    }

    /// Asks for every kind of key that this process needs.
    ///
    /// # Errors
    /// Of the first that is not given.
    pub(crate) fn probe(&self) -> Result<(), CustodyError> {
        self.kms.probe_keks()?;
        self.production.signer.key()?;
        self.test.signer.key()?;
        Ok(())
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

/// What a failure of a KEK means for the call.
pub(crate) fn custody_reason(error: CustodyError) -> Reason {
    tracing::error!(error = chain(&error), "KEK");
    match error {
        CustodyError::NotAuthentic
        | CustodyError::NoSuchKey
        | CustodyError::Destroyed
        | CustodyError::WrappedElsewhere => Reason::DataLoss,
        _ => Reason::UnavailableKms,
    }
}

fn signing_reason(error: CustodyError) -> Reason {
    tracing::error!(error = chain(&error), "signing key");
    Reason::UnavailableKms
}

/// An error and what caused it, in one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
