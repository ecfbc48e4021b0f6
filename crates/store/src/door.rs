//! The door: whatever engine is behind it, one way in. Owns opening and closing, caps and ids. Must never know: tables,
//! statements. Invariant: nothing above it knows which engine it is.

use crate::{
    StoreError,
    conn::{Conn, now_ms, query},
    postgres::{PostgresConfig, PostgresServer},
    sink::{AuditSink, SinkConfig},
    sqlite::{SqliteConfig, SqliteFile},
    tx::Scope,
};
use ring::rand::{SecureRandom as _, SystemRandom};
use std::path::PathBuf;
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

/// Where the database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A file of this machine.
    Sqlite(SqliteConfig),
    /// A server.
    Postgres(Box<PostgresConfig>),
}

/// Where the database is and which caps it keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreConfig {
    /// Where.
    pub place: Place,
    /// Caps per user.
    pub limits: Limits,
    /// What takes the audit beside the database.
    pub sink: Option<SinkConfig>,
}

impl StoreConfig {
    /// The defaults for an SQLite file.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        SqliteConfig::at(path).into()
    }
}

impl From<SqliteConfig> for StoreConfig {
    fn from(file: SqliteConfig) -> Self {
        Self { place: Place::Sqlite(file), limits: Limits::default(), sink: None }
    }
}

impl From<PostgresConfig> for StoreConfig {
    fn from(server: PostgresConfig) -> Self {
        Self { place: Place::Postgres(Box::new(server)), limits: Limits::default(), sink: None }
    }
}

/// The engine behind the door.
#[derive(Debug, Clone)]
pub(crate) enum Engine {
    Sqlite(SqliteFile),
    Postgres(PostgresServer),
}

impl Engine {
    pub(crate) async fn reader(&self, scope: Scope) -> Result<Conn, sqlx::Error> {
        match self {
            Self::Sqlite(file) => file.reader().await,
            Self::Postgres(server) => server.reader(scope).await,
        }
    }

    pub(crate) async fn begin(&self, scope: Scope) -> Result<Conn, sqlx::Error> {
        match self {
            Self::Sqlite(file) => file.begin().await,
            Self::Postgres(server) => server.begin(scope).await,
        }
    }
}

/// All that is stored. Clones share their connections.
#[derive(Debug, Clone)]
pub struct Store {
    pub(crate) engine: Engine,
    pub(crate) limits: Limits,
    pub(crate) sink: Option<AuditSink>,
}

impl Store {
    /// Opens the database and brings its schema up to date: an SQLite file always, a Postgres database where its owner is
    /// named.
    ///
    /// # Errors
    /// `File` when a file cannot be made or read, `Schema` when the schema is newer, older or was edited, `Settings` for
    /// settings that do not keep what they must, else `Unavailable`.
    pub async fn open(config: StoreConfig) -> Result<Self, StoreError> {
        let sink = config.sink.map(AuditSink::open);
        let engine = match config.place {
            Place::Sqlite(file) => Engine::Sqlite(SqliteFile::open(file, sink.clone()).await?),
            Place::Postgres(server) => Engine::Postgres(PostgresServer::open(&server).await?),
        };
        Ok(Self { engine, limits: config.limits, sink })
    }

    /// Waits for calls in progress and closes every connection.
    pub async fn close(&self) {
        match &self.engine {
            Engine::Sqlite(file) => file.close().await,
            Engine::Postgres(server) => server.close().await,
        }
    }

    /// Whether the database answers; for readiness.
    ///
    /// # Errors
    /// `Unavailable` when it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let sql = "-- store.ping
            SELECT id FROM tenants LIMIT 1";
        query(sql).fetch_optional(&mut self.read_all_tenants().await?).await?;
        Ok(())
    }

    /// The database's time, Unix milliseconds.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn now_ms(&self) -> Result<i64, StoreError> {
        Ok(now_ms(&mut self.read_all_tenants().await?).await?)
    }
}

/// A fresh random id, version 4.
pub(crate) fn make_id() -> Result<Uuid, StoreError> {
    let mut bytes = [0; 16];
    let no_randomness = |_| sqlx::Error::Io(std::io::Error::other("the system gives no randomness"));
    SystemRandom::new().fill(&mut bytes).map_err(no_randomness)?;
    Ok(Builder::from_random_bytes(bytes).into_uuid())
}
