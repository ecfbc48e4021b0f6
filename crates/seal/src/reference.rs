//! The envelope of one reference: version byte ‖ 12-byte nonce ‖ AES-256-GCM ciphertext ‖ 16-byte tag.
//!
//! Must never know: what the plaintext means. Invariant: a nonce is random and its key is one reference's own, so a nonce
//! repeats under a key with negligible probability; old versions open forever.

use crate::{DataKey, MAX_PLAINTEXT, ReferencePlace, SealError};
use aes_gcm::{
    AeadInOut, Aes256Gcm, KeyInit, Nonce, Tag,
    aead::{array::Array, consts::U12},
};
use ring::rand::SecureRandom;
use zeroize::Zeroizing;

const VERSION: u8 = 1;
const NONCE_LEN: usize = 12;
const TAG_LEN: usize = 16;
const HEADER_LEN: usize = 1 + NONCE_LEN;

/// Seals a reference at its place.
///
/// # Errors
/// `TooLarge` beyond [`MAX_PLAINTEXT`], `Randomness`.
pub fn seal_reference(
    key: &DataKey,
    place: &ReferencePlace<'_>,
    plaintext: &[u8],
    rng: &dyn SecureRandom,
) -> Result<Vec<u8>, SealError> {
    let mut nonce = [0; NONCE_LEN];
    rng.fill(&mut nonce).map_err(|_| SealError::Randomness)?;
    seal_with_nonce(key, place, plaintext, nonce)
}

/// The deterministic half, apart so that vectors can be regenerated. A nonce must never serve a key twice.
pub(crate) fn seal_with_nonce(
    key: &DataKey,
    place: &ReferencePlace<'_>,
    plaintext: &[u8],
    nonce: [u8; NONCE_LEN],
) -> Result<Vec<u8>, SealError> {
    if plaintext.len() > MAX_PLAINTEXT {
        return Err(SealError::TooLarge);
    }
    // Zeroizing until it is ciphertext: a failure half way must not leave the plaintext behind.
    let mut content = Zeroizing::new(plaintext.to_vec());
    let tag = cipher(&key.derive().key)
        .encrypt_inout_detached(&Nonce::<U12>::from(nonce), &place.aad(VERSION), content.as_mut_slice().into())
        .map_err(|_| SealError::TooLarge)?;
    let mut sealed = Vec::with_capacity(HEADER_LEN + content.len() + TAG_LEN);
    sealed.push(VERSION);
    sealed.extend_from_slice(&nonce);
    sealed.extend_from_slice(&content);
    sealed.extend_from_slice(&tag);
    Ok(sealed)
}

/// Opens what [`seal_reference`] sealed, if key, place and commitment are those it was sealed with.
///
/// # Errors
/// `Version` for an envelope of a later build, otherwise `NotAuthentic`.
pub fn open_reference(
    key: &DataKey,
    place: &ReferencePlace<'_>,
    expected_commitment: &[u8; 32],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let (&version, rest) = sealed.split_first().ok_or(SealError::NotAuthentic)?;
    if version != VERSION {
        return Err(SealError::Version(version));
    }
    let (nonce, rest) = rest.split_first_chunk::<NONCE_LEN>().ok_or(SealError::NotAuthentic)?;
    let (content, tag) = rest.split_last_chunk::<TAG_LEN>().ok_or(SealError::NotAuthentic)?;
    let derived = key.derive();
    // Both sides are public, so the time this takes tells nothing.
    if derived.commitment != *expected_commitment || content.len() > MAX_PLAINTEXT {
        return Err(SealError::NotAuthentic);
    }
    let mut opened = Zeroizing::new(content.to_vec());
    cipher(&derived.key)
        .decrypt_inout_detached(
            &Nonce::<U12>::from(*nonce),
            &place.aad(version),
            opened.as_mut_slice().into(),
            &Tag::from(*tag),
        )
        .map_err(|_| SealError::NotAuthentic)?;
    Ok(opened)
}

fn cipher(key: &[u8; 32]) -> Aes256Gcm {
    Aes256Gcm::new(<&Array<u8, _>>::from(key))
}

#[cfg(test)]
mod tests;
