//! Wrapping under a KEK in hand: 12-byte random nonce ‖ AES-256-GCM ciphertext ‖ 16-byte tag.
//!
//! Must never know: where the KEK is kept, what the associated data binds.

use super::files;
use crate::CustodyError;
use aes_gcm::{
    AeadInOut, Aes256Gcm, KeyInit, Nonce, Tag,
    aead::{array::Array, consts::U12},
};
use zeroize::Zeroizing;

const NONCE_LEN: usize = 12;
const TAG_LEN: usize = 16;

pub(crate) fn wrap(kek: &[u8; 32], plain: &[u8], aad: &[u8]) -> Result<Vec<u8>, CustodyError> {
    let nonce = files::random::<NONCE_LEN>()?;
    let mut content = Zeroizing::new(plain.to_vec());
    let tag = cipher(kek)
        .encrypt_inout_detached(&Nonce::<U12>::from(*nonce), aad, content.as_mut_slice().into())
        .map_err(|_| CustodyError::NotAuthentic)?;
    let mut wrapped = Vec::with_capacity(NONCE_LEN + content.len() + TAG_LEN);
    wrapped.extend_from_slice(&*nonce);
    wrapped.extend_from_slice(&content);
    wrapped.extend_from_slice(&tag);
    Ok(wrapped)
}

pub(crate) fn unwrap(kek: &[u8; 32], wrapped: &[u8], aad: &[u8]) -> Result<Zeroizing<Vec<u8>>, CustodyError> {
    let parts = || {
        let (nonce, rest) = wrapped.split_first_chunk::<NONCE_LEN>()?;
        let (content, tag) = rest.split_last_chunk::<TAG_LEN>()?;
        Some((*nonce, content, *tag))
    };
    let (nonce, content, tag) = parts().ok_or(CustodyError::NotAuthentic)?;
    let mut content = Zeroizing::new(content.to_vec());
    cipher(kek)
        .decrypt_inout_detached(&Nonce::<U12>::from(nonce), aad, content.as_mut_slice().into(), &Tag::from(tag))
        .map_err(|_| CustodyError::NotAuthentic)?;
    Ok(content)
}

fn cipher(kek: &[u8; 32]) -> Aes256Gcm {
    Aes256Gcm::new(<&Array<u8, _>>::from(kek))
}
