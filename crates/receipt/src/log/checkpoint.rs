//! Checkpoints (C2SP tlog-checkpoint): size and root of the tree at one moment, signed by the ledger.
//!
//! Must never know: leaves. Invariant: a [`Checkpoint`] in hand was signed by a trusted ledger key for this ledger's log.

use super::{MAX_TREE, note};
use crate::{
    jws::EncodeError,
    refused::{LogFault, Refused},
    trusted::TrustedKeys,
};
use tlog_tiles::{EMPTY_HASH, Hash};

/// Size and root of a tree (RFC 6962 §2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TreeHead {
    /// How many leaves.
    pub size: u64,
    /// The Merkle tree hash over them.
    pub root: [u8; 32],
}

impl TreeHead {
    /// The tree without leaves.
    pub const EMPTY: Self = Self { size: 0, root: EMPTY_HASH.0 };
}

/// A checkpoint that a trusted ledger key has signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    head: TreeHead,
    note: String,
}

impl Checkpoint {
    /// Checks a checkpoint; `keys` are the ledger's. It names no time and never expires.
    ///
    /// # Errors
    /// [`Refused`] where it is no signed note, of another log, not signed by the ledger, or no checkpoint.
    pub fn verify(note: &str, keys: &TrustedKeys) -> Result<Self, Refused> {
        let origin = log_origin(keys.issuer());
        // Told apart before signatures are looked at: another deployment's checkpoint is a mistake, not a forgery.
        if note.split('\n').next() != Some(origin) {
            let form = note.contains("\n\n");
            return Err(if form { LogFault::Origin } else { LogFault::Note }.into());
        }
        let text = note::open(note, origin, keys)?;
        let body = tlog_tiles::Checkpoint::from_bytes(text.as_bytes()).map_err(|_| LogFault::Checkpoint)?;
        if !body.extension().is_empty() {
            return Err(LogFault::Checkpoint.into());
        }
        let head = TreeHead { size: body.size(), root: body.hash().0 };
        if head.size > MAX_TREE {
            return Err(LogFault::Size.into());
        }
        if head.size == 0 && head != TreeHead::EMPTY {
            return Err(LogFault::Checkpoint.into());
        }
        Ok(Self { head, note: note.to_owned() })
    }

    /// Size and root.
    #[must_use]
    pub const fn head(&self) -> TreeHead {
        self.head
    }

    /// The signed note, as it came.
    #[must_use]
    pub fn note(&self) -> &str {
        &self.note
    }
}

/// The name of a ledger's log: its issuer without the scheme. One pin, the issuer, says which keys and which log are meant.
#[must_use]
pub fn log_origin(issuer: &str) -> &str {
    issuer.split_once("://").map_or(issuer, |(_, rest)| rest)
}

/// Makes the checkpoint of a tree: `sign` gets the text, by the ledger key whose public half is `public`.
///
/// # Errors
/// [`EncodeError::Claims`] where the issuer makes no name for a note or the tree is too large, else `sign`'s.
pub fn checkpoint_note<E>(
    head: &TreeHead,
    issuer: &str,
    public: &[u8; 32],
    sign: impl FnOnce(&[u8]) -> Result<[u8; 64], E>,
) -> Result<String, EncodeError<E>> {
    let origin = log_origin(issuer);
    if !note::is_name(origin) || head.size > MAX_TREE {
        return Err(EncodeError::Claims);
    }
    let body = tlog_tiles::Checkpoint::new(origin, head.size, Hash(head.root), "").map_err(|_| EncodeError::Claims)?;
    let text = String::from_utf8(body.to_bytes()).map_err(|_| EncodeError::Claims)?;
    let signature = sign(text.as_bytes()).map_err(EncodeError::Sign)?;
    Ok(note::signed(&text, origin, public, &signature))
}
