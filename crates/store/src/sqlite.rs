//! SQLite: one writing connection, a few reading ones, one that checkpoints. Owns how the file is opened. Must never know:
//! tables. Invariant: every write happens inside a transaction that took the write lock at its beginning, so it never fails
//! half-way for a lock, and is durable (`synchronous=FULL`) when its commit returns.

mod writer;

use crate::{
    StoreError,
    conn::{Conn, Link},
    migrate,
    sink::AuditSink,
};
use sqlx::{
    SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use std::{
    fs::{OpenOptions, Permissions},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};
use writer::Writer;
pub(crate) use writer::{Alone, Seen, Unit};
pub use writer::{COMMITS, COMMITTED};

/// Where the file lies and how long anybody waits for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqliteConfig {
    /// The SQLite file; made private to this user when absent.
    pub path: PathBuf,
    /// Reading connections, at least 1.
    pub readers: u32,
    /// How long a statement or a caller waits for its turn before `Unavailable`.
    pub busy_timeout: Duration,
    /// How long a checkpoint waits for readers before `CheckpointBlocked`; writers wait with it.
    pub checkpoint_wait: Duration,
}

impl SqliteConfig {
    /// The defaults for a file: 4 readers, 5 s, 500 ms.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            readers: 4,
            busy_timeout: Duration::from_secs(5),
            checkpoint_wait: Duration::from_millis(500),
        }
    }
}

/// The connections to one file.
#[derive(Debug, Clone)]
pub(crate) struct SqliteFile {
    path: PathBuf,
    writer: Writer,
    readers: SqlitePool,
    checkpointer: SqlitePool,
}

impl SqliteFile {
    /// Opens the file, makes it where absent and brings its schema up to date.
    pub(crate) async fn open(config: SqliteConfig, sink: Option<AuditSink>) -> Result<Self, StoreError> {
        make_private(&config.path).map_err(|source| StoreError::File { path: config.path.clone(), source })?;
        let options = connect_options(&config);
        let writer = Writer::open(options.clone(), sink, config.busy_timeout).await?;
        migrate::sqlite(&mut *writer.alone().await?).await?;
        let reading = options.clone().pragma("query_only", "ON");
        let readers = pool(config.readers.max(1), &config).connect_with(reading).await?;
        let checkpointer = pool(1, &config).connect_lazy_with(options.busy_timeout(config.checkpoint_wait));
        Ok(Self { path: config.path, writer, readers, checkpointer })
    }

    /// Where it lies.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) async fn close(&self) {
        self.readers.close().await;
        self.checkpointer.close().await;
        self.writer.close().await;
    }

    /// A reading connection.
    pub(crate) async fn reader(&self) -> Result<Conn, sqlx::Error> {
        Ok(Link::Reader(self.readers.acquire().await?).into())
    }

    /// A unit of work in a transaction that holds the write lock from its beginning, and that others may share.
    pub(crate) async fn begin(&self) -> Result<Conn, sqlx::Error> {
        Ok(Link::Writer(self.writer.begin().await?).into())
    }

    /// The writing connection outside of a transaction: whoever holds it keeps this process's writers out.
    pub(crate) async fn writer_turn(&self) -> Result<Alone, sqlx::Error> {
        self.writer.alone().await
    }

    /// The connection that checkpoints, with its own short wait.
    pub(crate) async fn checkpointer(&self) -> Result<Conn, sqlx::Error> {
        Ok(Link::Reader(self.checkpointer.acquire().await?).into())
    }
}

fn pool(connections: u32, config: &SqliteConfig) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(config.busy_timeout)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
}

fn connect_options(config: &SqliteConfig) -> SqliteConnectOptions {
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
