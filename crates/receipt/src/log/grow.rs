//! The tree when entries are added: which tiles change and what the new root is. For the one who keeps the log.
//!
//! Must never know: where tiles are stored. Invariant: no growth from tiles that do not lead to the old root, so a store
//! that lost or changed a tile is noticed before anything new is signed.

use super::{
    MAX_TREE,
    checkpoint::TreeHead,
    fault,
    sound::SoundTree,
    tile::{HEIGHT, TILE_WIDTH, TOP_LEVEL, Tile, bundle},
};
use crate::refused::LogFault;
use std::collections::HashMap;
use tlog_tiles::{Error, Hash, HashReader, record_hash, stored_hash_index, stored_hashes_for_record_hash, tree_hash};

/// A tree that grew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Growth {
    /// The new tree.
    pub head: TreeHead,
    /// Tiles and bundles that are new or wider, with their bytes. A partial one stays beside the wider one for as long as
    /// a checkpoint names its size.
    pub tiles: Vec<(Tile, Vec<u8>)>,
}

/// The tiles that [`grow`] needs of a tree of `size` leaves: the right edge, at most one for each level, and the last bundle.
#[must_use]
pub fn edge(size: u64) -> Vec<Tile> {
    edge_tiles(size).chain(last(size, None)).collect()
}

/// The partial tiles of a tree, from the leaves up.
pub(super) fn edge_tiles(size: u64) -> impl Iterator<Item = Tile> {
    (0..=TOP_LEVEL).filter_map(move |level| last(size >> (HEIGHT * level), Some(level)))
}

/// The partial tile at the end of `width` hashes, if there is one.
fn last(width: u64, level: Option<u8>) -> Option<Tile> {
    let (index, rest) = (width / u64::from(TILE_WIDTH), width % u64::from(TILE_WIDTH));
    u16::try_from(rest).ok().filter(|rest| *rest > 0).map(|width| Tile { level, index, width })
}

/// Adds entries; `given` are the tiles that [`edge`] names, with their bytes.
///
/// # Errors
/// [`LogFault::Tile`] where an edge tile is missing or not of its size, [`LogFault::TileContent`] where the edge does not
/// lead to the old root, [`LogFault::Size`] where the log is full.
pub fn grow(old: &TreeHead, given: &[(Tile, Vec<u8>)], entries: &[[u8; 32]]) -> Result<Growth, LogFault> {
    let size = old.size.saturating_add(entries.len() as u64);
    if size > MAX_TREE {
        return Err(LogFault::Size);
    }
    let read = |tile| given.iter().find(|(known, _)| *known == tile).map(|(_, bytes)| bytes.clone());
    let begun = match last(old.size, None) {
        Some(tile) => read(tile).filter(|bytes| bytes.len() == tile.bytes()).ok_or(LogFault::Tile)?,
        None => Vec::new(),
    };
    let wrong = |error: Error| fault(&error, LogFault::Tile);
    let mut tree = Tree { old: SoundTree::open(old, &read)?, added: HashMap::new() };
    for (at, entry) in (old.size..).zip(entries) {
        let new = stored_hashes_for_record_hash(at, record_hash(entry), &tree).map_err(wrong)?;
        let first = stored_hash_index(0, at);
        tree.added.extend((first..).zip(new));
    }
    let root = tree_hash(size, &tree).map_err(wrong)?.0;
    let mut tiles = Vec::new();
    for tile in tlog_tiles::Tile::new_tiles(HEIGHT, old.size, size) {
        tiles.push((Tile::of(&tile), tile.read_data(&tree).map_err(wrong)?));
    }
    tiles.extend(bundles(old.size, begun, entries));
    Ok(Growth { head: TreeHead { size, root }, tiles })
}

/// The bundles that hold new entries; `begun` is the partial one that they fill up.
fn bundles(old: u64, begun: Vec<u8>, entries: &[[u8; 32]]) -> Vec<(Tile, Vec<u8>)> {
    let width = usize::from(TILE_WIDTH);
    let room = width - usize::try_from(old % u64::from(TILE_WIDTH)).unwrap_or(0);
    let (head, rest) = entries.split_at(room.min(entries.len()));
    let first = [begun, bundle(head)].concat();
    let bundles = std::iter::once(first).chain(rest.chunks(width).map(bundle)).filter(|_| !entries.is_empty());
    let named = |(index, bytes): (u64, Vec<u8>)| {
        let one = Tile { level: None, index, width: 1 };
        (Tile { width: u16::try_from(bytes.len() / one.bytes()).unwrap_or(TILE_WIDTH), ..one }, bytes)
    };
    (old / u64::from(TILE_WIDTH)..).zip(bundles).map(named).collect()
}

/// The old tree and what was added to it.
struct Tree<'r> {
    old: SoundTree<'r>,
    added: HashMap<u64, Hash>,
}

impl HashReader for Tree<'_> {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, Error> {
        let known = |index: &u64| self.added.get(index).copied();
        indexes
            .iter()
            .map(|index| known(index).map_or_else(|| self.old.read_hashes(&[*index]).map(|h| h[0]), Ok))
            .collect()
    }
}
