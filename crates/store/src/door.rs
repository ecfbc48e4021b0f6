//! The door: one writing connection, a few reading ones, the database's clock. Owns how the file is opened. Must never
//! know: tables. Invariant: every write happens inside a transaction that took the write lock at its beginning, so it
//! never fails half-way for a lock, and is durable (`synchronous=FULL`) when its commit returns.

use crate::{StoreError, migrate};
use ring::rand::{SecureRandom as _, SystemRandom};
use sqlx::{
    Connection as _, Sqlite, SqliteConnection, SqlitePool, Transaction,
    pool::PoolConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use std::{
    fs::{OpenOptions, Permissions},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};
use uuid::{Builder, Uuid};

/// Caps that the store keeps (CONTRACT "Strikes").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Unexpired, not yet accepted challenges of one user.
    pub open_challenges_per_user: u32,
    /// INCONCLUSIVE outcomes of one user within an hour.
    pub inconclusive_per_hour: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { open_challenges_per_user: 20, inconclusive_per_hour: 30 }
    }
}

/// Where the database lies and how long anybody waits for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreConfig {
    /// The SQLite file; made private to this user when absent.
    pub path: PathBuf,
    /// Reading connections, at least 1.
    pub readers: u32,
    /// How long a statement or a caller waits for its turn before `Unavailable`.
    pub busy_timeout: Duration,
    /// How long a checkpoint waits for readers before `CheckpointBlocked`; writers wait with it.
    pub checkpoint_wait: Duration,
    /// Caps per user.
    pub limits: Limits,
}

impl StoreConfig {
    /// The defaults for a file: 4 readers, 5 s, 500 ms.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            readers: 4,
            busy_timeout: Duration::from_secs(5),
            checkpoint_wait: Duration::from_millis(500),
            limits: Limits::default(),
        }
    }
}

/// All that is stored. Clones share their connections.
#[derive(Debug, Clone)]
pub struct Store {
    writer: SqlitePool,
    readers: SqlitePool,
    checkpointer: SqlitePool,
    pub(crate) limits: Limits,
}

/// A writing transaction; rolls back when dropped.
pub(crate) type Tx = Transaction<'static, Sqlite>;

impl Store {
    /// Opens the database, makes it where absent and brings its schema up to date.
    ///
    /// # Errors
    /// `File` when the file cannot be made, `Schema` when its schema is newer or was edited, else `Unavailable`.
    pub async fn open(config: StoreConfig) -> Result<Self, StoreError> {
        make_private(&config.path).map_err(|source| StoreError::File { path: config.path.clone(), source })?;
        let options = connect_options(&config);
        let writer = pool(1, &config).connect_with(options.clone()).await?;
        migrate::run(&mut *writer.acquire().await?).await?;
        let reading = options.clone().pragma("query_only", "ON");
        let readers = pool(config.readers.max(1), &config).connect_with(reading).await?;
        let checkpointer = pool(1, &config).connect_lazy_with(options.busy_timeout(config.checkpoint_wait));
        Ok(Self { writer, readers, checkpointer, limits: config.limits })
    }

    /// Waits for calls in progress and closes every connection.
    pub async fn close(&self) {
        self.readers.close().await;
        self.checkpointer.close().await;
        self.writer.close().await;
    }

    /// Whether the database answers; for readiness.
    ///
    /// # Errors
    /// `Unavailable` when it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.now_ms().await.map(|_| ())
    }

    /// The database's time, Unix milliseconds.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn now_ms(&self) -> Result<i64, StoreError> {
        now_ms(&mut *self.read().await?).await
    }

    /// A reading connection.
    pub(crate) async fn read(&self) -> Result<PoolConnection<Sqlite>, StoreError> {
        Ok(self.readers.acquire().await?)
    }

    /// A transaction that holds the write lock from its beginning.
    pub(crate) async fn write(&self) -> Result<Tx, StoreError> {
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }

    /// The writing connection outside of a transaction: whoever holds it keeps this process's writers out.
    pub(crate) async fn writer_turn(&self) -> Result<PoolConnection<Sqlite>, StoreError> {
        Ok(self.writer.acquire().await?)
    }

    /// The connection that checkpoints, with its own short wait.
    pub(crate) async fn checkpointer(&self) -> Result<PoolConnection<Sqlite>, StoreError> {
        Ok(self.checkpointer.acquire().await?)
    }
}

/// The database's time, Unix milliseconds. The one statement that every engine spells differently.
pub(crate) async fn now_ms(conn: &mut SqliteConnection) -> Result<i64, StoreError> {
    let sql = "-- clock.now
        SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER)";
    Ok(sqlx::query_scalar(sql).fetch_one(conn).await?)
}

/// A fresh random id, version 4.
pub(crate) fn make_id() -> Result<Uuid, StoreError> {
    let mut bytes = [0; 16];
    let no_randomness = |_| sqlx::Error::Io(std::io::Error::other("the system gives no randomness"));
    SystemRandom::new().fill(&mut bytes).map_err(no_randomness)?;
    Ok(Builder::from_random_bytes(bytes).into_uuid())
}

fn pool(connections: u32, config: &StoreConfig) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(config.busy_timeout)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        // A full disk or an I/O error makes SQLite roll back by itself; sqlx then believes for good that a transaction
        // is open. Such a connection is replaced.
        .before_acquire(|conn, _| Box::pin(async move { Ok(!conn.is_in_transaction()) }))
}

fn connect_options(config: &StoreConfig) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(&config.path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(config.busy_timeout)
        .pragma("secure_delete", "ON")
        .pragma("temp_store", "MEMORY")
        .pragma("trusted_schema", "OFF")
}

/// Makes the file before SQLite does, readable by this user only; SQLite gives its companions the same mode. A file that
/// others may read (copied back from a backup, say) is closed to them.
fn make_private(path: &Path) -> std::io::Result<()> {
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
    let mode = file.metadata()?.permissions().mode();
    if mode & 0o077 == 0 { Ok(()) } else { file.set_permissions(Permissions::from_mode(mode & 0o700)) }
}
