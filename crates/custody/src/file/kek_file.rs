//! The file of one KEK: 8 bytes of magic ‖ 32 bytes of key ‖ 32 bytes of check over tenant, version and key.
//!
//! Must never know: directories. Invariant: a file that was cut, changed, or moved to another tenant or version is refused
//! before its key is used.

use crate::KekRef;
use ring::hmac;
use zeroize::Zeroizing;

const MAGIC: &[u8; 8] = b"CSGNKEK1";
const KEY_LEN: usize = 32;

/// Length of the file in bytes.
pub(crate) const LEN: usize = MAGIC.len() + KEY_LEN + 32;

pub(crate) fn encode(name: KekRef<'_>, key: &[u8; KEY_LEN]) -> Zeroizing<Vec<u8>> {
    let mut content = Zeroizing::new(Vec::with_capacity(LEN));
    content.extend_from_slice(MAGIC);
    content.extend_from_slice(key);
    content.extend_from_slice(hmac::sign(&check_key(key), &named(name)).as_ref());
    content
}

pub(crate) fn decode(name: KekRef<'_>, content: &[u8]) -> Option<Zeroizing<[u8; KEY_LEN]>> {
    let (key, check) = content.strip_prefix(MAGIC)?.split_first_chunk::<KEY_LEN>()?;
    hmac::verify(&check_key(key), &named(name), check).ok()?;
    Some(Zeroizing::new(*key))
}

fn check_key(key: &[u8; KEY_LEN]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, key)
}

fn named(name: KekRef<'_>) -> Vec<u8> {
    [b"countersign/kek-file/v1\0", name.tenant.as_bytes(), b"\0", &name.version.to_be_bytes()].concat()
}
