//! Proofs made from tiles that somebody else serves.
//!
//! Must never know: where tiles come from. Invariant: no hash is used that was not led to the root of a signed checkpoint,
//! so the one who serves tiles can withhold a proof but not make a false one.

use super::{
    MAX_TREE,
    checkpoint::{Checkpoint, TreeHead},
    fault, hashes,
    sound::{Read, SoundTree},
};
use crate::refused::LogFault;
use tlog_tiles::{Hash, check_tree, prove_record, prove_tree};

/// How a checkpoint stands to one that was seen before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Continues {
    /// The same tree.
    Same,
    /// The old tree with leaves behind it.
    Grown {
        /// How many.
        by: u64,
    },
}

/// Makes the inclusion proof of leaf `index` in a checkpoint's tree; `read` gets tiles.
///
/// # Errors
/// [`LogFault::Size`] for an index beyond the tree, [`LogFault::Tile`] where a tile is missing or not of its size,
/// [`LogFault::TileContent`] where the tiles do not lead to the root.
pub fn prove_inclusion(checkpoint: &Checkpoint, index: u64, read: Read<'_>) -> Result<Vec<[u8; 32]>, LogFault> {
    path_to_root(&checkpoint.head(), index, read)
}

/// The way from leaf `index` to the root of a tree whose head is trusted for another reason than a signature: for the one who
/// keeps the log.
///
/// # Errors
/// As [`prove_inclusion`].
pub fn path_to_root(head: &TreeHead, index: u64, read: Read<'_>) -> Result<Vec<[u8; 32]>, LogFault> {
    if index >= head.size {
        return Err(LogFault::Size);
    }
    let tree = SoundTree::open(head, read)?;
    let proof = prove_record(head.size, index, &tree).map_err(|error| fault(&error, LogFault::Tile))?;
    Ok(proof.into_iter().map(|hash| hash.0).collect())
}

/// Makes the proof that a checkpoint's tree continues its own first `from` leaves; `read` gets tiles.
///
/// # Errors
/// [`LogFault::Size`] where `from` is not of 1 to the tree's size; as [`prove_inclusion`] for tiles.
pub fn prove_consistency(checkpoint: &Checkpoint, from: u64, read: Read<'_>) -> Result<Vec<[u8; 32]>, LogFault> {
    let head = checkpoint.head();
    if !(1..=head.size).contains(&from) {
        return Err(LogFault::Size);
    }
    let tree = SoundTree::open(&head, read)?;
    let proof = prove_tree(head.size, from, &tree).map_err(|error| fault(&error, LogFault::Tile))?;
    Ok(proof.into_iter().map(|hash| hash.0).collect())
}

/// Checks a proof that one tree continues another (RFC 6962 §2.1.2).
///
/// # Errors
/// [`LogFault::Rollback`] where the new tree is smaller, [`LogFault::Fork`] where it is as large and another,
/// [`LogFault::Consistency`] where the proof does not show it.
pub fn check_consistency(seen: &TreeHead, new: &TreeHead, proof: &[[u8; 32]]) -> Result<Continues, LogFault> {
    let holds = |met: bool, fault: LogFault| if met { Ok(()) } else { Err(fault) };
    holds(new.size >= seen.size, LogFault::Rollback)?;
    if new.size == seen.size {
        holds(new == seen, LogFault::Fork)?;
        return holds(proof.is_empty(), LogFault::Consistency).map(|()| Continues::Same);
    }
    holds(new.size <= MAX_TREE, LogFault::Size)?;
    if seen.size == 0 {
        holds(*seen == TreeHead::EMPTY && proof.is_empty(), LogFault::Consistency)?;
    } else {
        check_tree(&hashes(proof), new.size, Hash(new.root), seen.size, Hash(seen.root))
            .map_err(|_| LogFault::Consistency)?;
    }
    Ok(Continues::Grown { by: new.size - seen.size })
}

/// Checks that a signed tree continues the one seen before; `read` gets tiles of the new one.
///
/// # Errors
/// [`LogFault::Rollback`] and [`LogFault::Fork`], which are alarms; [`LogFault::Tile`], [`LogFault::TileContent`] where the
/// question cannot be answered by these tiles.
pub fn continues(seen: &TreeHead, new: &Checkpoint, read: Read<'_>) -> Result<Continues, LogFault> {
    let between = seen.size > 0 && seen.size < new.head().size;
    let proof = if between { prove_consistency(new, seen.size, read)? } else { Vec::new() };
    // The proof was made of hashes that lead to the new root: if it does not lead to the old one, no proof does.
    check_consistency(seen, &new.head(), &proof).map_err(|fault| match fault {
        LogFault::Consistency => LogFault::Fork,
        other => other,
    })
}
