//! A copy of an SQLite database while it is in use. Owns what must stay out of every copy. Must never know: where copies are
//! kept. Invariants: the copy is the database at one moment; what is left out is never written to it; it is whole or not there.

use crate::{Store, StoreError, conn, door::Engine};
use sqlx::{
    AssertSqlSafe, Connection as _, Row as _, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};
use std::{
    fs::{self, File, OpenOptions},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

/// Tables whose rows no backup may hold: leases of processes, and salts, whose destruction has to be final.
const LEFT_OUT: &[&str] = &["leaders", "log_salts"];

/// What a copy holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackedUp {
    /// The moment, database time.
    pub at_ms: i64,
    /// Rows of each table, in the order of the schema; those that are left out have none.
    pub tables: Vec<(String, u64)>,
    /// Names of the tables that are left out.
    pub left_out: &'static [&'static str],
}

impl Store {
    /// Copies the database to a new file that only this user may read. Deletions are pending meanwhile: the copy reads the
    /// write-ahead log.
    ///
    /// # Errors
    /// `Settings` on Postgres, whose own tools do this; `File` where the copy is there already or cannot be written;
    /// `Unavailable`.
    pub async fn back_up(&self, to: &Path) -> Result<BackedUp, StoreError> {
        let Engine::Sqlite(file) = &self.engine else {
            return Err(StoreError::Settings("a Postgres database is backed up by pg_dump; see OPERATIONS"));
        };
        let failed = |source| StoreError::File { path: to.to_owned(), source };
        if to.exists() {
            return Err(failed(std::io::ErrorKind::AlreadyExists.into()));
        }
        let part = to.with_extension("part");
        let new = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part).map_err(failed)?;
        drop(new);
        let copied = copy(file.path(), &part).await;
        let settled = copied.and_then(|copied| settle(&part, to).map_err(failed).map(|()| copied));
        if settled.is_err() {
            let _nothing_left = fs::remove_file(&part);
        }
        settled
    }
}

/// Makes the file durable under its name.
fn settle(part: &Path, to: &Path) -> std::io::Result<()> {
    File::open(part)?.sync_all()?;
    fs::rename(part, to)?;
    let folder =
        to.parent().filter(|folder| !folder.as_os_str().is_empty()).map_or_else(|| PathBuf::from("."), Into::into);
    File::open(folder)?.sync_all()
}

async fn copy(from: &Path, to: &Path) -> Result<BackedUp, StoreError> {
    let options = SqliteConnectOptions::new()
        .filename(to)
        .create_if_missing(false)
        .journal_mode(SqliteJournalMode::Delete)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(false)
        // Pages that are filled and split leave pieces of rows in their gaps, which no later deletion would find.
        .pragma("secure_delete", "ON")
        .pragma("temp_store", "MEMORY")
        .pragma("trusted_schema", "OFF");
    let mut conn = SqliteConnection::connect_with(&options).await?;
    let sql = "-- backup.attach
        ATTACH DATABASE $1 AS source";
    sqlx::query(sql).bind(from.to_string_lossy().into_owned()).execute(&mut conn).await?;
    let mut tx = conn.begin().await?;
    // The first look, at the schema, opens the one moment that everything below is read from.
    let at_ms = conn::sqlite_now_ms()?;
    let sql = "-- backup.schema
        SELECT type, name, sql FROM source.sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'
        ORDER BY type = 'trigger', type = 'index', rowid";
    let schema = sqlx::query(sql).fetch_all(&mut *tx).await?;
    let mut tables = Vec::new();
    for part in &schema {
        let (kind, name, sql): (&str, String, String) =
            (part.try_get("type")?, part.try_get("name")?, part.try_get("sql")?);
        // Safe: the schema is our own migrations'.
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *tx).await?;
        if kind == "table" {
            let rows = if LEFT_OUT.contains(&name.as_str()) { 0 } else { rows(&mut tx, &name).await? };
            tables.push((name, rows));
        }
    }
    tx.commit().await?;
    conn.close().await?;
    Ok(BackedUp { at_ms, tables, left_out: LEFT_OUT })
}

/// Copies the rows of one table; answers how many.
async fn rows(conn: &mut SqliteConnection, name: &str) -> Result<u64, StoreError> {
    // Safe: a table's name out of the schema, quoted.
    let name = name.replace('"', "\"\"");
    let sql = format!(
        "-- backup.rows
        INSERT INTO main.\"{name}\" SELECT * FROM source.\"{name}\""
    );
    Ok(sqlx::query(AssertSqlSafe(sql)).execute(conn).await?.rows_affected())
}
