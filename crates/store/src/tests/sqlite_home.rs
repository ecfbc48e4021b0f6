//! A folder for one SQLite file and the way past its door.

use crate::{
    SqliteConfig, Store, StoreConfig,
    conn::{Row, query},
    door::Engine,
};
use sqlx::{AssertSqlSafe, Row as _};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};
use tempfile::TempDir;

const NOW: &str = "CAST(unixepoch('subsec') * 1000 AS INTEGER)";

pub(super) fn config_at(folder: &Path) -> StoreConfig {
    let checkpoint_wait = Duration::from_millis(20);
    SqliteConfig { checkpoint_wait, ..SqliteConfig::at(folder.join("store.db")) }.into()
}

pub(super) struct Folder(TempDir);

impl Folder {
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(super) fn config(&self) -> StoreConfig {
        config_at(self.path())
    }

    /// The database and its write-ahead log.
    pub(super) fn files(&self) -> [PathBuf; 2] {
        ["store.db", "store.db-wal"].map(|name| self.path().join(name))
    }

    /// On the store's writing connection, so that its temporary settings hold for what the store does next.
    pub(super) async fn run(&self, store: &Store, sql: &str) -> Result<(), sqlx::Error> {
        let Engine::Sqlite(file) = &store.engine else { panic!("another engine") };
        let sql = AssertSqlSafe(sql.replace("{now}", NOW));
        sqlx::raw_sql(sql).execute(&mut *file.writer_turn().await?).await.map(drop)
    }

    pub(super) async fn number(&self, store: &Store, sql: &str) -> i64 {
        let mut conn = store.read_all_tenants().await.unwrap();
        let row = query(AssertSqlSafe(sql.replace("{now}", NOW))).fetch_one(&mut conn).await.unwrap();
        let Row::Sqlite(row) = row else { panic!("another engine") };
        row.get(0)
    }
}
