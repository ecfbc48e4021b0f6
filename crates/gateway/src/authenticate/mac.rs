//! The MAC under which API keys, capture tokens and the memory of frames stand: HMAC-SHA256 (RFC 2104), compared in constant time.
//!
//! Must never know: what is authenticated. Invariant: a key is 32 bytes and never leaves this type.

use custody::{CustodyError, SecretFile};
use ring::hmac;
use secrecy::{ExposeSecret as _, SecretBox};
use std::path::Path;

/// Bytes of a MAC.
pub(crate) const MAC_BYTES: usize = 32;

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
