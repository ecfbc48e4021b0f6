//! Data keys (DEKs): 32 random bytes, one per reference and epoch, and what is derived from them.
//!
//! Must never know: how a data key is wrapped. Invariant: the bytes are wiped on drop and leave only through `expose`.

use crate::SealError;
use ring::{hkdf, rand::SecureRandom};
use secrecy::{ExposeSecret, SecretBox};
use std::fmt;
use zeroize::Zeroizing;

const SALT: &[u8] = b"countersign/seal/v1";

/// A data key.
pub struct DataKey(SecretBox<[u8; 32]>);

impl DataKey {
    /// Makes a random one.
    ///
    /// # Errors
    /// `Randomness`.
    pub fn make(rng: &dyn SecureRandom) -> Result<Self, SealError> {
        let mut bytes = Box::new([0; 32]);
        let filled = rng.fill(&mut *bytes);
        let key = Self(SecretBox::new(bytes));
        filled.map(|()| key).map_err(|_| SealError::Randomness)
    }

    /// Takes an unwrapped one.
    ///
    /// # Errors
    /// `KeyLength` unless it is 32 bytes long.
    pub fn from_bytes(bytes: Zeroizing<Vec<u8>>) -> Result<Self, SealError> {
        if bytes.len() != 32 {
            return Err(SealError::KeyLength);
        }
        Ok(Self(SecretBox::init_with_mut(|key: &mut [u8; 32]| key.copy_from_slice(&bytes))))
    }

    /// The bytes, to be wrapped by the key-encryption key and for nothing else.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        self.0.expose_secret()
    }

    /// HKDF-SHA256: the AES-256-GCM key, then the public key commitment. A second key with the same commitment would be a
    /// collision of SHA-256, so a ciphertext cannot be made to open under two keys (GCM alone allows that).
    pub(crate) fn derive(&self) -> Derived {
        let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, SALT).extract(self.expose());
        let mut derived = Derived { key: Zeroizing::new([0; 32]), commitment: [0; 32] };
        for (label, out) in [(b"key".as_slice(), &mut *derived.key), (b"commitment", &mut derived.commitment)] {
            prk.expand(&[label], hkdf::HKDF_SHA256)
                .and_then(|okm| okm.fill(out))
                .expect("32 bytes are one HKDF-SHA256 block");
        }
        derived
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(..)")
    }
}

pub(crate) struct Derived {
    pub(crate) key: Zeroizing<[u8; 32]>,
    pub(crate) commitment: [u8; 32],
}

/// The data key's commitment: public, tells nothing of the key, and no second key has it.
#[must_use]
pub fn commitment(key: &DataKey) -> [u8; 32] {
    key.derive().commitment
}
