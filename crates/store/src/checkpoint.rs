//! Empties the write-ahead log, so that erased bytes are nowhere. Owns the checkpoint and its proof. Must never know:
//! what was erased. Invariant: a `Checkpoint` exists only after SQLite said that the log was written back and cut to
//! nothing; `secure_delete` has zeroed the pages that it was written back to.

use crate::{Store, StoreError, door::now_ms, failpoint};
use sqlx::Row as _;

/// Proof that everything erased before `at_ms` is gone from the live files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checkpoint {
    at_ms: i64,
}

impl Checkpoint {
    /// Database time just before the checkpoint began.
    #[must_use]
    pub const fn at_ms(self) -> i64 {
        self.at_ms
    }

    /// The checkpoint that a proved deletion had: it covered at least what was erased by `deleted_at_ms`.
    pub(crate) const fn of_proved(deleted_at_ms: i64) -> Self {
        Self { at_ms: deleted_at_ms }
    }
}

impl Store {
    /// Writes the log back and cuts it to nothing. Keeps this process's writers out meanwhile, at most
    /// `checkpoint_wait`.
    ///
    /// # Errors
    /// `CheckpointBlocked` when a reader or another process holds the log; `Unavailable`.
    pub async fn checkpoint(&self) -> Result<Checkpoint, StoreError> {
        let turn = self.writer_turn().await?;
        let mut conn = self.checkpointer().await?;
        let at_ms = now_ms(&mut conn).await?;
        let sql = "-- checkpoint.truncate
            PRAGMA wal_checkpoint(TRUNCATE)";
        let row = sqlx::query(sql).fetch_one(&mut *conn).await.map_err(blocked)?;
        let (busy, left): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
        drop(turn);
        if busy != 0 || left != 0 {
            return Err(StoreError::CheckpointBlocked);
        }
        failpoint("erase.after_checkpoint");
        Ok(Checkpoint { at_ms })
    }
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
