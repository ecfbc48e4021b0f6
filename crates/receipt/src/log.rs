//! The transparency log (C2SP tlog-tiles, tlog-checkpoint, signed-note, tlog-proof): an append-only Merkle tree (RFC 6962)
//! whose leaves are salted hashes of what happened, under checkpoints that the ledger signs.
//!
//! Owns leaves, checkpoints, proofs and tiles as values; Merkle hashing and proofs are those of the `tlog_tiles` crate.
//! Must never know: how tiles are stored or fetched, whose a leaf is. Invariant: what comes out of `verify` was led by a
//! proof to a root that a trusted ledger key has signed for this log and no other.
//!
//! Notes are read and checked here rather than by the `signed_note` crate, which brings its own Ed25519 (dalek 2, without
//! strict verification): one crate verifies signatures for the whole project.

mod checkpoint;
mod event;
mod grow;
mod leaf;
mod note;
mod proof;
mod sound;
mod tile;
mod walk;

pub use checkpoint::{Checkpoint, TreeHead, checkpoint_note, log_origin};
pub use event::{KeyName, KeyUse, LogEvent};
pub use grow::{Growth, edge, grow};
pub use leaf::{Leaf, Salt};
pub use note::MAX_NOTE_BYTES;
pub use proof::{LogProof, Logged};
pub use tile::{TILE_WIDTH, Tile};
pub use walk::{Continues, check_consistency, continues, path_to_root, prove_consistency, prove_inclusion};

use crate::refused::LogFault;
use tlog_tiles::{Error, Hash};

/// Largest tree: no log of ours comes near, and the arithmetic of the proofs stays far from its limits.
pub const MAX_TREE: u64 = 1 << 40;

/// What the Merkle library says, in our words. It tells tiles that do not lead to the root from all else.
fn fault(error: &Error, otherwise: LogFault) -> LogFault {
    match error {
        Error::InconsistentTile => LogFault::TileContent,
        Error::InvalidTile | Error::BadMath => LogFault::Tile,
        _ => otherwise,
    }
}

fn hashes(raw: &[[u8; 32]]) -> Vec<Hash> {
    raw.iter().map(|bytes| Hash(*bytes)).collect()
}
