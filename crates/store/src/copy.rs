//! Moves a stopped SQLite deployment into an empty Postgres database. Owns the one list of tables and their order. Must never
//! know: what a column means; columns are those of both catalogs, which must agree.
//!
//! Invariants: the source is ours alone meanwhile and stays as it is; the target gets everything or nothing, in one transaction
//! that commits only when every count agrees and every audit chain holds; memory is that of one batch; no error names a value.

mod rows;

use crate::{
    Chain, PostgresConfig, Store, StoreError, audit,
    conn::query,
    failpoint, migrate,
    tx::{Scope, Tx},
};
use biometrics::TenantId;
use sqlx::{
    Connection as _, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteLockingMode},
};
use std::{fs, path::Path, time::Duration};
use uuid::Uuid;

#[cfg(test)]
pub(crate) use rows::{columns, value};

/// Every table that is copied; what one refers to stands before it. A test holds the list against both engines' catalogs.
pub(crate) const TABLES: &[&str] = &[
    "tenants",
    "policies",
    "api_keys",
    "challenges",
    "attempts",
    "live_receipts",
    "sealed_references",
    "deletions",
    "strikes",
    "audit",
    "seen_frames",
    "jobs",
    "job_users",
    "kek_destructions",
    "legal_holds",
    "waiting_deletions",
    "terminations",
    "events",
    "journal_head",
    "status_lists",
    "log_queue",
    "log_salts",
    "log_tiles",
    "log_head",
    "log_seen",
];
/// What stays behind: leases of processes that are gone, and what each engine notes of its own schema.
#[cfg(test)]
pub(crate) const LEFT_BEHIND: &[&str] = &["leaders", migrate::APPLIED];

/// A statement over all rows, such as a count, may take long.
const PATIENCE: Duration = Duration::from_secs(3600);
/// How long whoever uses the source has to be gone.
const BUSY: Duration = Duration::from_millis(500);

/// Why nothing was copied. The target is as empty as it was.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// Somebody has the file open.
    #[error("the SQLite file is in use: stop its gateway first")]
    InUse,
    /// The file does not open, does not read, or has another schema.
    #[error("the SQLite file")]
    Source(#[source] StoreError),
    /// The server does not open, does not take what it is given, or has another schema.
    #[error("the Postgres database")]
    Target(#[source] StoreError),
    /// Names a table of the target that has rows.
    #[error("the Postgres database is not empty: {0} has rows")]
    NotEmpty(&'static str),
    /// Names a table whose columns are not the same on both sides.
    #[error("{0} does not have the same columns on both sides")]
    Unlike(&'static str),
    /// Names a table of which not every row arrived, or that somebody else wrote to.
    #[error("{0} does not have as many rows on both sides")]
    Counts(&'static str),
    /// A tenant's audit chain does not hold.
    #[error("the audit chain of {tenant} breaks at entry {seq}")]
    Chain {
        /// Whose chain.
        tenant: TenantId,
        /// Where.
        seq: i64,
    },
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CopyProgress {
    /// The table that is being copied.
    pub table: &'static str,
    /// Rows copied of all tables.
    pub done: u64,
    /// Rows of all tables.
    pub total: u64,
}

/// What was copied, counted and verified on both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// Rows of each table.
    pub tables: Vec<(&'static str, u64)>,
    /// Audit chains that hold.
    pub chains: u64,
}

/// Copies a stopped deployment's file into an empty database and tells of progress after each batch.
///
/// # Errors
/// See [`CopyError`]; whatever it is, nothing was copied and it may be tried again.
pub async fn copy(from: &Path, to: &PostgresConfig, mut report: impl FnMut(CopyProgress)) -> Result<Copied, CopyError> {
    let mut source = open_alone(from).await?;
    let to = PostgresConfig { statement_timeout: PATIENCE, idle_in_transaction_timeout: PATIENCE, ..to.clone() };
    let target = Store::open(to.into()).await.map_err(CopyError::Target)?;
    let copied = copy_all(&mut source, &target, &mut report).await;
    target.close().await;
    // It was only read: how its end goes changes nothing.
    let _ended = source.close().await;
    copied
}

/// The source with a lock that keeps every other process out until it is closed.
pub(crate) async fn open_alone(path: &Path) -> Result<SqliteConnection, CopyError> {
    let unread = |source| CopyError::Source(StoreError::File { path: path.to_owned(), source });
    fs::metadata(path).map_err(unread)?;
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .locking_mode(SqliteLockingMode::Exclusive)
        .busy_timeout(BUSY);
    let mut source = SqliteConnection::connect_with(&options).await.map_err(of_source)?;
    // The lock is taken with the first look.
    migrate::check_sqlite(&mut source).await.map_err(|error| match error {
        StoreError::Unavailable(error) => of_source(error),
        other => CopyError::Source(other),
    })?;
    Ok(source)
}

async fn copy_all(
    source: &mut SqliteConnection,
    target: &Store,
    report: &mut impl FnMut(CopyProgress),
) -> Result<Copied, CopyError> {
    let mut tables = Vec::with_capacity(TABLES.len());
    for table in TABLES {
        tables.push((*table, rows::count_source(source, table).await?));
    }
    let mut progress = CopyProgress { table: "", done: 0, total: tables.iter().map(|(_, rows)| rows).sum() };
    let mut tx = target.begin(Scope::AllTenants).await.map_err(CopyError::Target)?;
    for table in TABLES {
        if rows::count(&mut tx, table).await? > 0 {
            return Err(CopyError::NotEmpty(table));
        }
    }
    for table in TABLES {
        progress.table = table;
        let mut copied = |rows| {
            progress.done += rows;
            report(progress);
        };
        rows::copy(source, &mut tx, table, &mut copied).await?;
    }
    for (table, rows) in &tables {
        if rows::count(&mut tx, table).await? != *rows {
            return Err(CopyError::Counts(table));
        }
    }
    let chains = verify_chains(&mut tx).await?;
    failpoint("copy.before_commit");
    tx.commit().await.map_err(CopyError::Target)?;
    Ok(Copied { tables, chains })
}

/// How many tenants' chains hold, which must be all.
async fn verify_chains(tx: &mut Tx) -> Result<u64, CopyError> {
    let sql = "-- copy.tenants
        SELECT id FROM tenants ORDER BY id";
    let mut chains = 0;
    for row in query(sql).fetch_all(tx).await.map_err(of_target)? {
        let tenant = TenantId::new(row.try_get::<Uuid>("id").map_err(of_target)?);
        match audit::verify(tx, tenant, &[]).await.map_err(CopyError::Target)? {
            Chain::Intact { .. } => chains += 1,
            Chain::Broken { seq } => return Err(CopyError::Chain { tenant, seq }),
        }
    }
    Ok(chains)
}

/// A lock that somebody else holds is no failure of the file.
fn of_source(error: sqlx::Error) -> CopyError {
    const BUSY: &str = "5";
    let code = error.as_database_error().and_then(|e| e.code());
    if code.as_deref() == Some(BUSY) { CopyError::InUse } else { CopyError::Source(error.into()) }
}

fn of_target(error: sqlx::Error) -> CopyError {
    CopyError::Target(error.into())
}
