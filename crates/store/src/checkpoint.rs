//! Empties what holds erased bytes beside the tables, as far as the engine can. Owns the checkpoint and its proof. Must never
//! know: what was erased.
//!
//! Invariant on SQLite: a `Checkpoint` exists only after SQLite said that the write-ahead log was written back and cut to
//! nothing; `secure_delete` has zeroed the pages that it was written back to. On Postgres there is nothing to wait for that a
//! server could promise: an erased row is a dead tuple until vacuum, and its bytes stay in the log and in replicas until those
//! are recycled. There a `Checkpoint` says that the deletion is committed; what remains is sealed under a DEK whose only copy
//! is wrapped by the tenant's KEK, and cannot be opened once that KEK version is destroyed.

use crate::{
    Store, StoreError,
    conn::{Conn, now_ms, query},
    door::Engine,
    failpoint,
    sqlite::SqliteFile,
};

/// What a deletion proof may say about the bytes that were erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checkpoint {
    at_ms: i64,
    remnants: bool,
}

impl Checkpoint {
    /// Everything erased by this database time is covered.
    #[must_use]
    pub const fn at_ms(self) -> i64 {
        self.at_ms
    }

    /// Whether the server may keep dead copies of what was erased, sealed, until it recycles them.
    #[must_use]
    pub const fn leaves_remnants(self) -> bool {
        self.remnants
    }

    /// The checkpoint that a proved deletion had: it covered at least what was erased by `deleted_at_ms`.
    pub(crate) const fn of_proved(deleted_at_ms: i64, conn: &Conn) -> Self {
        Self { at_ms: deleted_at_ms, remnants: conn.is_postgres() }
    }
}

impl Store {
    /// SQLite: writes the log back and cuts it to nothing, keeping this process's writers out meanwhile, at most
    /// `checkpoint_wait`. Postgres: the database's time, see above.
    ///
    /// # Errors
    /// `CheckpointBlocked` when a reader or another process holds the log; `Unavailable`.
    pub async fn checkpoint(&self) -> Result<Checkpoint, StoreError> {
        let checkpoint = match &self.engine {
            Engine::Sqlite(file) => Checkpoint { at_ms: truncate(file).await?, remnants: false },
            Engine::Postgres(_) => Checkpoint { at_ms: self.now_ms().await?, remnants: true },
        };
        failpoint("erase.after_checkpoint");
        Ok(checkpoint)
    }
}

/// Answers the time just before it began.
async fn truncate(file: &SqliteFile) -> Result<i64, StoreError> {
    let turn = file.writer_turn().await?;
    let mut conn = file.checkpointer().await?;
    let at_ms = now_ms(&mut conn).await?;
    let sql = "-- checkpoint.truncate
        PRAGMA wal_checkpoint(TRUNCATE)";
    let row = query(sql).fetch_one(&mut conn).await.map_err(blocked)?;
    let (busy, left): (i64, i64) = (row.try_get("busy")?, row.try_get("log")?);
    drop(turn);
    if busy == 0 && left == 0 { Ok(at_ms) } else { Err(StoreError::CheckpointBlocked) }
}

/// A lock that somebody else holds is no failure of the database.
fn blocked(error: sqlx::Error) -> StoreError {
    const BUSY: &str = "5";
    const LOCKED: &str = "6";
    let code = error.as_database_error().and_then(|e| e.code());
    match code.as_deref() {
        Some(BUSY | LOCKED) => StoreError::CheckpointBlocked,
        _ => error.into(),
    }
}
