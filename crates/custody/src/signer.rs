//! One signing key and its versions: which one signs now, which are to be published.
//!
//! A version is published from the moment it is made, and signs once every cached copy of the key sets can know it. So a
//! rotation needs no second step on any machine, and one after a compromise is a rotation whose old versions are retired at once.
//! Must never know: what is signed. Invariant: a signature that does not verify under the version's public key is not given out.

use crate::{CustodyError, KeyUse, Kms, Outage, SigningVersion};
use ed25519_dalek::{Signature, VerifyingKey};
use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// From a version's making until it signs: time to lay out the key sets and for cached copies to age, 24 hours.
pub const PUBLISH_S: i64 = 24 * 3600;
/// How long the list of versions is taken as it was read.
const FRESH: Duration = Duration::from_secs(10);

/// Where a version stands at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// In the key sets; signs later.
    Published,
    /// Signs now.
    Signing,
    /// A newer one signs; this one still could.
    Superseded,
    /// Signs no more; its public key is kept.
    Retired,
}

/// The states of the versions of one key, in their order. Root keys take over by retirement alone: tenants pin them.
#[must_use]
pub fn states(used: KeyUse, keys: &[SigningVersion], now_s: i64) -> Vec<(SigningVersion, KeyState)> {
    let live = || keys.iter().filter(|key| !key.retired);
    let ripe = live().rfind(|key| used != KeyUse::Root && key.made_at_s.saturating_add(PUBLISH_S) <= now_s);
    let signing = ripe.or_else(|| live().next()).map_or(0, |key| key.version);
    let state = |key: &SigningVersion| match key {
        SigningVersion { retired: true, .. } => KeyState::Retired,
        SigningVersion { version, .. } if *version == signing => KeyState::Signing,
        SigningVersion { version, .. } if *version > signing => KeyState::Published,
        _ => KeyState::Superseded,
    };
    keys.iter().map(|key| (*key, state(key))).collect()
}

/// See the module.
pub struct Signer {
    kms: Kms,
    used: KeyUse,
    seen: Mutex<Option<(Duration, Vec<SigningVersion>)>>,
}

impl Signer {
    /// The signer of one use.
    #[must_use]
    pub const fn new(kms: Kms, used: KeyUse) -> Self {
        Self { kms, used, seen: Mutex::new(None) }
    }

    /// The version that signs now.
    ///
    /// # Errors
    /// `Missing` or `NoSigningKey` where none was made, else as [`Kms::signing_keys`].
    pub fn key(&self) -> Result<SigningVersion, CustodyError> {
        let now_s = self.kms.clock().now_ms().div_euclid(1000);
        let states = states(self.used, &self.versions()?, now_s);
        let signing = states.into_iter().find(|(_, state)| *state == KeyState::Signing);
        signing.map(|(key, _)| key).ok_or_else(|| self.kms.no_signing_key(self.used))
    }

    /// The version that signed last, without asking the provider; `None` before the first.
    #[must_use]
    pub fn last_seen(&self) -> Option<SigningVersion> {
        let now_s = self.kms.clock().now_ms().div_euclid(1000);
        let seen = self.seen().clone()?.1;
        states(self.used, &seen, now_s).into_iter().find(|(_, state)| *state == KeyState::Signing).map(|(key, _)| key)
    }

    /// Signs a message (Ed25519, RFC 8032) with the version that [`Signer::key`] gave.
    ///
    /// # Errors
    /// `Outage` where the version was retired in between: the next [`Signer::key`] is another; else as [`Kms::signing_keys`].
    pub fn sign(&self, key: &SigningVersion, message: &[u8]) -> Result<[u8; 64], CustodyError> {
        let signature = self.kms.sign(self.used, key.version, message).map_err(|error| match error {
            CustodyError::Destroyed | CustodyError::NoSuchKey => {
                *self.seen() = None;
                CustodyError::outage(Outage::Failed, error)
            }
            other => other,
        })?;
        let genuine = VerifyingKey::from_bytes(&key.public)
            .is_ok_and(|public| public.verify_strict(message, &Signature::from_bytes(&signature)).is_ok());
        if genuine { Ok(signature) } else { Err(Outage::Signature.into()) }
    }

    fn versions(&self) -> Result<Vec<SigningVersion>, CustodyError> {
        let now = self.kms.clock().monotonic();
        if let Some((at, keys)) = &*self.seen()
            && now < *at + FRESH
        {
            return Ok(keys.clone());
        }
        let keys = self.kms.signing_keys(self.used)?;
        *self.seen() = (!keys.is_empty()).then(|| (now, keys.clone()));
        Ok(keys)
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Option<(Duration, Vec<SigningVersion>)>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signer({}, {:?})", self.used, self.kms)
    }
}

#[cfg(test)]
mod tests;
