//! A tree whose hashes lie in tiles that somebody else keeps, each tile led to the root before a hash of it is used.
//!
//! Must never know: where tiles come from. Invariant: every hash that comes out stands under the root that was given: the
//! right edge by hashing it together, every other tile by its hash in the tile above.
//!
//! `tlog_tiles` has a reader for this. Version 0.2.0 is not used for it: it begins to compare tiles with those above them
//! one place too late where several hashes of the right edge lie in one tile, so that a changed tile passes (the Go
//! original reads the same). The test of changed tiles found it.

use super::{
    checkpoint::TreeHead,
    fault,
    grow::edge_tiles,
    tile::{HEIGHT, TOP_LEVEL, Tile},
};
use crate::refused::LogFault;
use std::{cell::RefCell, collections::HashMap};
use tlog_tiles::{Error, Hash, HashReader, stored_hash_index, tree_hash};

/// Gives the bytes of a tile, or nothing.
pub(super) type Read<'r> = &'r dyn Fn(Tile) -> Option<Vec<u8>>;

/// A tile with its bytes.
type Kept = (Tile, Vec<u8>);

/// See the module.
pub(super) struct SoundTree<'r> {
    read: Read<'r>,
    /// Tiles that were led to the root, by level and index.
    sound: RefCell<HashMap<(u8, u64), Kept>>,
}

impl<'r> SoundTree<'r> {
    /// Reads the right edge of a tree and leads it to the root.
    ///
    /// # Errors
    /// [`LogFault::Tile`] where a tile is missing or not of its size, [`LogFault::TileContent`] where the edge does not
    /// lead to the root.
    pub(super) fn open(head: &TreeHead, read: Read<'r>) -> Result<Self, LogFault> {
        let tree = Self { read, sound: RefCell::default() };
        for tile in edge_tiles(head.size) {
            let bytes = tree.fetch(tile).ok_or(LogFault::Tile)?;
            tree.sound.borrow_mut().insert((tile.level.unwrap_or(0), tile.index), (tile, bytes));
        }
        let root = tree_hash(head.size, &tree).map_err(|error| fault(&error, LogFault::Tile))?;
        if root.0 == head.root { Ok(tree) } else { Err(LogFault::TileContent) }
    }

    fn hash(&self, index: u64) -> Result<Hash, Error> {
        let named = tlog_tiles::Tile::from_index(HEIGHT, index);
        let place = (named.level(), named.level_index());
        if let Some((tile, bytes)) = self.sound.borrow().get(&place) {
            return tile.named().hash_at_index(bytes, index);
        }
        if named.level() >= TOP_LEVEL {
            return Err(Error::IndexesNotInTree);
        }
        // Not of the right edge, so it is full and has a tile above it.
        let tile = Tile::of(&named).full();
        let bytes = self.fetch(tile).ok_or(Error::InvalidTile)?;
        let above = self.hash(stored_hash_index((named.level() + 1) * HEIGHT, named.level_index()))?;
        if tlog_tiles::Tile::subtree_hash(&bytes) != above {
            return Err(Error::InconsistentTile);
        }
        let hash = tile.named().hash_at_index(&bytes, index);
        self.sound.borrow_mut().insert(place, (tile, bytes));
        hash
    }

    /// A partial tile may have been dropped once the full one stands: its beginning is the same.
    fn fetch(&self, tile: Tile) -> Option<Vec<u8>> {
        let bytes = (self.read)(tile).or_else(|| {
            let mut whole = (self.read)(tile.full()).filter(|whole| whole.len() == tile.full().bytes())?;
            whole.truncate(tile.bytes());
            Some(whole)
        })?;
        (bytes.len() == tile.bytes()).then_some(bytes)
    }
}

impl HashReader for SoundTree<'_> {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, Error> {
        indexes.iter().map(|index| self.hash(*index)).collect()
    }
}
