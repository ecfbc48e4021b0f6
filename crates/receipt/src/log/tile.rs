//! Names of tiles (C2SP tlog-tiles): which piece of the tree, and the path under which it is served.
//!
//! Must never know: hashes. Invariant: one tile, one path; a path from a stranger names a tile or nothing.

/// Hashes of a full tile; a tile covers eight levels of the tree.
pub const TILE_WIDTH: u16 = 256;
pub(super) const HEIGHT: u8 = 8;
/// Levels of tiles that a tree of [`MAX_TREE`](super::MAX_TREE) leaves can have, less one.
pub(super) const TOP_LEVEL: u8 = 5;
const HASH_BYTES: usize = 32;
/// A length in two bytes, then the entry.
const ENTRY_BYTES: usize = 34;

/// One tile: a run of hashes of one level, or the entries of level 0 themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tile {
    /// Level, 0 to 5; `None` for a bundle of entries.
    pub level: Option<u8>,
    /// Which one of its level, from 0.
    pub index: u64,
    /// How many hashes or entries it has, 1 to [`TILE_WIDTH`].
    pub width: u16,
}

impl Tile {
    /// Reads a path as [`Tile::path`] writes it; `None` for any other text.
    #[must_use]
    pub fn from_path(path: &str) -> Option<Self> {
        // The library's parser panics on a level or width out of range: both are looked at before it sees the path.
        let rest = path.strip_prefix("tile/")?;
        let (level, _) = rest.split_once('/')?;
        let level = if level == "entries" { None } else { Some(level.parse().ok().filter(|l| *l <= TOP_LEVEL)?) };
        if let Some((_, width)) = rest.rsplit_once(".p/") {
            width.parse::<u16>().ok().filter(|width| (1..TILE_WIDTH).contains(width))?;
        }
        let inner = match level {
            None => format!("tile/{HEIGHT}/data{}", rest.strip_prefix("entries")?),
            Some(_) => format!("tile/{HEIGHT}/{rest}"),
        };
        let tile = tlog_tiles::Tile::from_path(&inner).ok()?;
        let tile = Self { level, index: tile.level_index(), width: u16::try_from(tile.width()).ok()? };
        (tile.path() == path).then_some(tile)
    }

    /// Path below the log's prefix, such as `tile/0/x001/234.p/56` or `tile/entries/000`.
    #[must_use]
    pub fn path(self) -> String {
        let inner = self.named().path();
        let rest = inner.strip_prefix("tile/8/").unwrap_or(&inner);
        rest.strip_prefix("data").map_or_else(|| format!("tile/{rest}"), |rest| format!("tile/entries{rest}"))
    }

    /// How many bytes it has.
    #[must_use]
    pub fn bytes(self) -> usize {
        usize::from(self.width) * if self.level.is_some() { HASH_BYTES } else { ENTRY_BYTES }
    }

    /// The full tile in whose beginning this one lies.
    #[must_use]
    pub const fn full(self) -> Self {
        Self { width: TILE_WIDTH, ..self }
    }

    pub(super) fn of(tile: &tlog_tiles::Tile) -> Self {
        let width = u16::try_from(tile.width()).unwrap_or(TILE_WIDTH);
        Self { level: (!tile.is_data()).then(|| tile.level()), index: tile.level_index(), width }
    }

    pub(super) fn named(self) -> tlog_tiles::Tile {
        let width = u32::from(self.width.clamp(1, TILE_WIDTH));
        tlog_tiles::Tile::new(HEIGHT, self.level.unwrap_or(0).min(63), self.index, width, self.level.is_none())
    }
}

/// A bundle of entries: each with its length in two bytes before it.
pub(super) fn bundle(entries: &[[u8; 32]]) -> Vec<u8> {
    entries.iter().flat_map(|entry| [0, 32].into_iter().chain(*entry)).collect()
}
