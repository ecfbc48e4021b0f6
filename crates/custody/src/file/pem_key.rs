//! Ed25519 signing keys in files: PKCS#8 version 1 PEM, which OpenSSL 3.0 reads too.
//!
//! Must never know: what is signed. Invariant: the secret key leaves the signer only into its own file of mode 0600.

use super::files;
use crate::CustodyError;
use ed25519_dalek::{
    Signer as _, SigningKey,
    pkcs8::{DecodePrivateKey, EncodePrivateKey, KeypairBytes, spki::der::pem::LineEnding},
};
use std::path::Path;

const MAX_PEM: usize = 1024;

/// A signing key.
pub struct PemKey(SigningKey);

impl PemKey {
    /// Makes a key and its file, which must not exist.
    ///
    /// # Errors
    /// `Exists`, `Randomness`, `Unavailable`.
    pub fn create(path: impl AsRef<Path>) -> Result<Self, CustodyError> {
        let path = path.as_ref();
        let secret = files::random::<32>()?;
        // Without the public key the encoding is version 1.
        let pair = KeypairBytes { secret_key: *secret, public_key: None };
        let pem = pair.to_pkcs8_pem(LineEnding::LF).map_err(|_| CustodyError::Malformed { path: path.to_owned() })?;
        files::create(path, pem.as_bytes())?;
        Ok(Self(SigningKey::from_bytes(&secret)))
    }

    /// Reads a key from its file.
    ///
    /// # Errors
    /// `Missing`, `Permissions`, `Malformed`, `Unavailable`.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, CustodyError> {
        let path = path.as_ref();
        let pem = files::read(path, MAX_PEM)?.ok_or_else(|| CustodyError::Missing { path: path.to_owned() })?;
        let parsed = std::str::from_utf8(&pem).ok().and_then(|pem| SigningKey::from_pkcs8_pem(pem).ok());
        parsed.map(Self).ok_or_else(|| CustodyError::Malformed { path: path.to_owned() })
    }

    /// Signs a message (Ed25519, RFC 8032).
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }

    /// The public key.
    #[must_use]
    pub fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }
}

impl std::fmt::Debug for PemKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PemKey(..)")
    }
}

#[cfg(test)]
mod tests;
