//! SHA-256, from which everything is drawn that an evaluation draws.
//!
//! Must never know: what for. Invariant: equal parts give equal numbers on every machine.

use ring::digest::{Context, SHA256};

/// SHA-256 over parts, one after the other.
pub(super) fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    parts.iter().for_each(|part| context.update(part));
    let mut digest = [0; 32];
    digest.copy_from_slice(context.finish().as_ref());
    digest
}

/// A digest's first eight bytes, for a seed.
pub(super) fn leading(digest: &[u8; 32]) -> u64 {
    digest.iter().take(8).fold(0, |sum, &byte| sum << 8 | u64::from(byte))
}
