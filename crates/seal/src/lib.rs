//! Envelope encryption of references: one data key per reference and epoch, and the associated data that binds both layers
//! to their place.
//!
//! Takes keys, never fetches them. Must never know: what it seals. Invariant: what was sealed opens only under the same key,
//! the same commitment and the same place; a moved, swapped or altered row does not open.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise"))]

mod data_key;
mod place;
mod reference;

pub use data_key::{DataKey, commitment};
pub use place::{DekPlace, ReferencePlace, dek_wrap_aad};
pub use reference::{open_reference, seal_reference};

/// Why nothing was sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The random number generator gave nothing.
    #[error("no randomness")]
    Randomness,
    /// A data key is not 32 bytes long.
    #[error("not a data key")]
    KeyLength,
    /// The envelope is of a version that this build does not know.
    #[error("unknown envelope version {0}")]
    Version(u8),
    /// More than [`MAX_PLAINTEXT`] bytes to seal.
    #[error("too large to seal")]
    TooLarge,
    /// Key, commitment, place or content do not belong together, or a byte was changed. Which one is not told.
    #[error("the envelope does not authenticate")]
    NotAuthentic,
}

/// Most bytes one envelope holds.
pub const MAX_PLAINTEXT: usize = 64 * 1024;
