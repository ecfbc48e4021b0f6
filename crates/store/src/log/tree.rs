//! The log's tree: its head, its tiles, and entries that get their places. Owns the compare-and-set on the head. Must never know:
//! what an entry is about, who signs. Invariant: head, checkpoint, tiles and the queue change in one transaction, so a
//! checkpoint that can be read covers exactly the tiles beside it.

use crate::{
    Store, StoreError,
    codes::read_hash,
    conn::{Conn, Row, query},
    failpoint,
    tx::Tx,
};
use receipt::{Growth, Tile, TreeHead, edge};

/// The level of bundles of entries.
const ENTRIES: i64 = -1;

/// Size and root of the log with the checkpoint that the ledger signed for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogHead {
    /// Size and root.
    pub head: TreeHead,
    /// The signed checkpoint.
    pub note: String,
}

/// What is needed to let the tree grow.
#[derive(Debug, Clone)]
pub struct LogWork {
    /// The tree as it is.
    pub head: TreeHead,
    /// Its right edge, as `receipt::grow` asks for.
    pub edge: Vec<(Tile, Vec<u8>)>,
    /// Entries that wait, the oldest first.
    pub queue: Vec<[u8; 32]>,
}

async fn head(conn: &mut Conn) -> Result<Option<LogHead>, StoreError> {
    let sql = "-- log.head
        SELECT size, root, note FROM log_head WHERE one = 1";
    let read = |row: Row| {
        let size = u64::try_from(row.try_get::<i64>("size")?).map_err(|_| StoreError::Corrupt("log_head"))?;
        Ok(LogHead { head: TreeHead { size, root: read_hash(row.try_get("root")?)? }, note: row.try_get("note")? })
    };
    query(sql).fetch_optional(conn).await?.map(read).transpose()
}

fn key(tile: Tile) -> Result<(i64, i64), StoreError> {
    let number = i64::try_from(tile.index).map_err(|_| StoreError::Misuse("a tile beyond every log"))?;
    Ok((tile.level.map_or(ENTRIES, i64::from), number))
}

/// A tile, cut to the width that was asked for; `None` where it is not there, or not so wide.
async fn tile(conn: &mut Conn, tile: Tile) -> Result<Option<Vec<u8>>, StoreError> {
    let (level, number) = key(tile)?;
    let sql = "-- log.tile
        SELECT bytes FROM log_tiles WHERE level = $1 AND tile = $2";
    let Some(row) = query(sql).bind(level).bind(number).fetch_optional(conn).await? else { return Ok(None) };
    let mut bytes: Vec<u8> = row.try_get("bytes")?;
    if bytes.len() < tile.bytes() {
        return Ok(None);
    }
    bytes.truncate(tile.bytes());
    Ok(Some(bytes))
}

impl Store {
    /// The log's head; `None` before the first entry.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn log_head(&self) -> Result<Option<LogHead>, StoreError> {
        head(&mut self.read_all_tenants().await?).await
    }

    /// One tile or bundle.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn log_tile(&self, wanted: Tile) -> Result<Option<Vec<u8>>, StoreError> {
        tile(&mut self.read_all_tenants().await?, wanted).await
    }

    /// The next entries with the tree that they are to be added to; `None` where none waits.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt` where a tile of the edge is missing.
    pub async fn log_work(&self, limit: u32) -> Result<Option<LogWork>, StoreError> {
        let mut conn = self.read_all_tenants().await?;
        let sql = "-- log.waiting
            SELECT entry FROM log_queue ORDER BY at_ms, entry LIMIT $1";
        let rows = query(sql).bind(limit).fetch_all(&mut conn).await?;
        let queue: Vec<[u8; 32]> = rows.iter().map(|row| read_hash(row.try_get("entry")?)).collect::<Result<_, _>>()?;
        if queue.is_empty() {
            return Ok(None);
        }
        let head = head(&mut conn).await?.map_or(TreeHead::EMPTY, |head| head.head);
        let mut found = Vec::new();
        for wanted in edge(head.size) {
            let bytes = tile(&mut conn, wanted).await?.ok_or(StoreError::Corrupt("log_tiles"))?;
            found.push((wanted, bytes));
        }
        Ok(Some(LogWork { head, edge: found, queue }))
    }

    /// Lets the tree grow by `work`'s queue: tiles, head, its checkpoint and the places of leaves. False: the tree is not what
    /// it was, somebody else did it.
    ///
    /// # Errors
    /// `Unavailable`: nothing was written, or the commit's fate is unknown.
    pub async fn grow_log(&self, work: &LogWork, growth: &Growth, note: &str) -> Result<bool, StoreError> {
        self.write_all_tenants("log.grow", |tx| grow(tx, work, (growth, note))).await
    }
}

async fn grow(mut tx: Tx, work: &LogWork, (growth, note): (&Growth, &str)) -> Result<bool, StoreError> {
    if !exchange_head(&mut tx, &work.head, (&growth.head, note)).await? {
        return Ok(false);
    }
    for (tile, bytes) in &growth.tiles {
        let (level, number) = key(*tile)?;
        let sql = "-- log.widen
            INSERT INTO log_tiles (level, tile, width, bytes) VALUES ($1, $2, $3, $4)
            ON CONFLICT (level, tile) DO UPDATE SET width = excluded.width, bytes = excluded.bytes";
        let query = query(sql).bind(level).bind(number).bind(u32::from(tile.width));
        query.bind(bytes).execute(&mut tx).await?;
    }
    for (place, entry) in (work.head.size..).zip(&work.queue) {
        let sql = "-- log.leave
            DELETE FROM log_queue WHERE entry = $1";
        if query(sql).bind(entry.as_slice()).execute(&mut tx).await? != 1 {
            return Ok(false);
        }
        let sql = "-- log.place
            UPDATE log_salts SET place = $2 WHERE entry = $1";
        let place = i64::try_from(place).map_err(|_| StoreError::Corrupt("log_head"))?;
        query(sql).bind(entry.as_slice()).bind(place).execute(&mut tx).await?;
    }
    failpoint("log.before_commit");
    tx.commit().await?;
    failpoint("log.after_commit");
    Ok(true)
}

/// The compare-and-set on the head.
async fn exchange_head(conn: &mut Conn, old: &TreeHead, (new, note): (&TreeHead, &str)) -> Result<bool, StoreError> {
    let number = |size: u64| i64::try_from(size).map_err(|_| StoreError::Misuse("a log beyond every size"));
    let first = "-- log.first
        INSERT INTO log_head (one, size, root, note) VALUES (1, $1, $2, $3) ON CONFLICT (one) DO NOTHING";
    let next = "-- log.exchange
        UPDATE log_head SET size = $1, root = $2, note = $3 WHERE one = 1 AND size = $4 AND root = $5";
    let exchange = query(if old.size == 0 { first } else { next });
    let exchange = exchange.bind(number(new.size)?).bind(new.root.as_slice()).bind(note);
    let exchange = if old.size == 0 { exchange } else { exchange.bind(number(old.size)?).bind(old.root.as_slice()) };
    Ok(exchange.execute(conn).await? == 1)
}
