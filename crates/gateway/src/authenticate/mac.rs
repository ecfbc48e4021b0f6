//! The MAC under which API keys, capture tokens and the memory of frames stand: HMAC-SHA256 (RFC 2104), compared in constant time.
//!
//! Must never know: what is authenticated. Invariant: a key is 32 bytes and never leaves this type.

use crate::config;
use custody::{CustodyError, SecretFile};
use ring::hmac;
use secrecy::{ExposeSecret as _, SecretBox};
use std::path::Path;

/// Bytes of a MAC.
pub(crate) const MAC_BYTES: usize = 32;

/// The MAC keys of API keys: the one under which they are made now, and the one before it while keys under it are still taken.
pub(crate) struct Peppers {
    current: MacKey,
    previous: Option<MacKey>,
}

impl Peppers {
    /// Reads them from their secret files.
    ///
    /// # Errors
    /// As [`SecretFile::open`].
    pub(crate) fn open(keys: &config::Keys) -> Result<Self, CustodyError> {
        let previous = keys.previous_pepper.as_deref().map(MacKey::open).transpose()?;
        Ok(Self { current: MacKey::open(&keys.pepper)?, previous })
    }

    /// One pepper, none before it.
    #[cfg(test)]
    pub(super) const fn of(current: MacKey) -> Self {
        Self { current, previous: None }
    }

    /// Tells the current one from others, and nothing else.
    pub(crate) fn id(&self) -> String {
        hex::encode(&self.current.mac(b"countersign/pepper-id/v1\0")[..16])
    }

    /// Whether `mac` is the MAC of `message` under either, in time that does not depend on which.
    pub(crate) fn verify(&self, message: &[u8], mac: &[u8]) -> bool {
        let current = self.current.verify(message, mac);
        let previous = self.previous.as_ref().is_some_and(|pepper| pepper.verify(message, mac));
        current | previous
    }
}

/// A MAC key in use.
pub(crate) struct MacKey(hmac::Key);

impl MacKey {
    /// Reads the key from its secret file.
    ///
    /// # Errors
    /// As [`SecretFile::open`].
    pub(crate) fn open(path: &Path) -> Result<Self, CustodyError> {
        SecretFile::open(path).map(|secret| Self::new(&secret))
    }

    /// Takes the 32 bytes of a secret.
    pub(crate) fn new(secret: &SecretBox<[u8; 32]>) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret()))
    }

    /// A key of any length, as published vectors have it.
    #[cfg(test)]
    pub(crate) fn of(secret: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// A key of its own for one purpose: the MAC of `label`, which no other message of this key may equal.
    pub(crate) fn derive(&self, label: &[u8]) -> Self {
        Self::new(&SecretBox::new(Box::new(self.mac(label))))
    }

    /// MAC of `message`.
    pub(crate) fn mac(&self, message: &[u8]) -> [u8; MAC_BYTES] {
        let mut out = [0; MAC_BYTES];
        out.copy_from_slice(hmac::sign(&self.0, message).as_ref());
        out
    }

    /// Whether `mac` is the MAC of `message`, in time that does not depend on either.
    pub(crate) fn verify(&self, message: &[u8], mac: &[u8]) -> bool {
        hmac::verify(&self.0, message, mac).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> MacKey {
        MacKey::new(&SecretBox::new(Box::new([byte; 32])))
    }

    #[test]
    fn keys_of_the_previous_pepper_are_taken_until_it_is_dropped() {
        let made = [key(1).mac(b"old"), key(2).mac(b"new")];
        let taken = |peppers: &Peppers| [peppers.verify(b"old", &made[0]), peppers.verify(b"new", &made[1])];
        assert_eq!(taken(&Peppers { current: key(2), previous: Some(key(1)) }), [true, true]);
        assert_eq!(taken(&Peppers { current: key(2), previous: None }), [false, true]);
        assert!(!Peppers { current: key(2), previous: Some(key(1)) }.verify(b"other", &made[0]));
    }
}
