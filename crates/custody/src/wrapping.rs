//! Wrapping under a KEK: version byte ‖ 12-byte random nonce ‖ AES-256-GCM ciphertext ‖ 16-byte tag.
//!
//! Must never know: where the KEK is kept. Invariant: tenant and KEK version are always part of the associated data, so
//! nothing opens under another tenant's or version's name even if the key bytes were the same.

use crate::{CustodyError, KekRef, files};
use aes_gcm::{
    AeadInOut, Aes256Gcm, KeyInit, Nonce, Tag,
    aead::{array::Array, consts::U12},
};
use zeroize::Zeroizing;

const VERSION: u8 = 1;
const NONCE_LEN: usize = 12;
const TAG_LEN: usize = 16;

pub(crate) fn wrap(kek: &[u8; 32], name: KekRef<'_>, plain: &[u8], aad: &[u8]) -> Result<Vec<u8>, CustodyError> {
    let nonce = files::random::<NONCE_LEN>()?;
    let mut content = Zeroizing::new(plain.to_vec());
    let tag = cipher(kek)
        .encrypt_inout_detached(&Nonce::<U12>::from(*nonce), &bind(name, aad), content.as_mut_slice().into())
        .map_err(|_| CustodyError::NotAuthentic)?;
    let mut wrapped = Vec::with_capacity(1 + NONCE_LEN + content.len() + TAG_LEN);
    wrapped.push(VERSION);
    wrapped.extend_from_slice(&*nonce);
    wrapped.extend_from_slice(&content);
    wrapped.extend_from_slice(&tag);
    Ok(wrapped)
}

pub(crate) fn unwrap(
    kek: &[u8; 32],
    name: KekRef<'_>,
    wrapped: &[u8],
    aad: &[u8],
) -> Result<Zeroizing<Vec<u8>>, CustodyError> {
    let parts = || {
        let (nonce, rest) = wrapped.strip_prefix(&[VERSION])?.split_first_chunk::<NONCE_LEN>()?;
        let (content, tag) = rest.split_last_chunk::<TAG_LEN>()?;
        Some((*nonce, content, *tag))
    };
    let (nonce, content, tag) = parts().ok_or(CustodyError::NotAuthentic)?;
    let mut content = Zeroizing::new(content.to_vec());
    cipher(kek)
        .decrypt_inout_detached(
            &Nonce::<U12>::from(nonce),
            &bind(name, aad),
            content.as_mut_slice().into(),
            &Tag::from(tag),
        )
        .map_err(|_| CustodyError::NotAuthentic)?;
    Ok(content)
}

fn cipher(kek: &[u8; 32]) -> Aes256Gcm {
    Aes256Gcm::new(<&Array<u8, _>>::from(kek))
}

/// Every part behind its length, eight bytes big endian.
fn bind(name: KekRef<'_>, aad: &[u8]) -> Vec<u8> {
    let parts: [&[u8]; 4] = [b"countersign/kek/v1", name.tenant.as_bytes(), &name.version.to_be_bytes(), aad];
    parts.iter().fold(Vec::new(), |mut bound, part| {
        bound.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bound.extend_from_slice(part);
        bound
    })
}
