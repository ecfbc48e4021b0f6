//! Brings the schema to this program's version. Owns the list of migrations, compiled in, and what the serving role may do.
//! Must never know: rows. Invariant: a database whose schema is newer, or whose applied migrations differ from ours, is
//! refused; one that is older is refused where nobody may change it.

use crate::{StoreError, error::Misfit};
use sqlx::{
    AssertSqlSafe, PgConnection, Row as _, SqlSafeStr as _, SqliteConnection,
    migrate::{Migrate, MigrateError, Migration, MigrationType, Migrator},
};
use std::borrow::Cow;

/// Version, name, SQL.
type Listed = (i64, &'static str, &'static str);

const SQLITE: &[Listed] = &[
    (1, "first", include_str!("../migrations/sqlite/0001_first.sql")),
    (2, "deletions by user", include_str!("../migrations/sqlite/0002_deletions_by_user.sql")),
    (3, "seen frames", include_str!("../migrations/sqlite/0003_seen_frames.sql")),
    (4, "jobs", include_str!("../migrations/sqlite/0004_jobs.sql")),
    (5, "log", include_str!("../migrations/sqlite/0005_log.sql")),
    (6, "tenants", include_str!("../migrations/sqlite/0006_tenants.sql")),
    (7, "restore and renewal", include_str!("../migrations/sqlite/0007_restore_and_renewal.sql")),
    (8, "successors", include_str!("../migrations/sqlite/0008_successors.sql")),
];

const POSTGRES: &[Listed] = &[
    (1, "first", include_str!("../migrations/postgres/0001_first.sql")),
    (2, "deletions by user", include_str!("../migrations/postgres/0002_deletions_by_user.sql")),
    (3, "seen frames", include_str!("../migrations/postgres/0003_seen_frames.sql")),
    (4, "jobs", include_str!("../migrations/postgres/0004_jobs.sql")),
    (5, "log", include_str!("../migrations/postgres/0005_log.sql")),
    (6, "tenants", include_str!("../migrations/postgres/0006_tenants.sql")),
    (7, "restore and renewal", include_str!("../migrations/postgres/0007_restore_and_renewal.sql")),
    (8, "successors", include_str!("../migrations/postgres/0008_successors.sql")),
];

/// Where sqlx notes what it applied.
pub(crate) const APPLIED: &str = "_sqlx_migrations";

fn migrations(listed: &'static [Listed]) -> impl Iterator<Item = Migration> {
    listed.iter().map(|&(version, name, sql)| {
        Migration::new(version, Cow::Borrowed(name), MigrationType::Simple, sql.into_sql_str(), false)
    })
}

/// Applies to the file what is missing; refuses what it does not know.
pub(crate) async fn sqlite(conn: &mut SqliteConnection) -> Result<(), StoreError> {
    let migrator = Migrator::with_migrations(migrations(SQLITE).collect());
    Ok(migrator.run_direct(None, conn, false).await.map_err(Misfit::from)?)
}

/// Applies to the database what is missing, as its owner, and lets `serving` do what serving needs. Of several that start at
/// once one goes first; the lock ends with the connection at the latest.
pub(crate) async fn postgres(conn: &mut PgConnection, serving: &str) -> Result<(), StoreError> {
    let mut migrator = Migrator::with_migrations(migrations(POSTGRES).collect());
    migrator.set_locking(false);
    conn.lock().await.map_err(Misfit::from)?;
    migrator.run_direct(None, conn, false).await.map_err(Misfit::from)?;
    grant(conn, serving).await?;
    Ok(conn.unlock().await.map_err(Misfit::from)?)
}

/// Rows of every table, but nobody changes what was applied or said in the audit. The owner needs no grant of its own.
async fn grant(conn: &mut PgConnection, serving: &str) -> Result<(), StoreError> {
    let sql = "-- migrate.names
        SELECT current_user = $1 AS same, quote_ident($1) AS role, quote_ident(current_schema()) AS schema";
    let row = sqlx::query(sql).bind(serving).fetch_one(&mut *conn).await?;
    if row.try_get("same")? {
        return Err(StoreError::Settings("the owner of the schema does not serve: name another role"));
    }
    let (role, schema): (String, String) = (row.try_get("role")?, row.try_get("schema")?);
    // Safe: both names are quoted by the server.
    let sql = format!(
        "-- migrate.grant
        BEGIN;
        GRANT USAGE ON SCHEMA {schema} TO {role};
        GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role};
        REVOKE UPDATE, DELETE ON audit FROM {role};
        REVOKE INSERT, UPDATE, DELETE ON {APPLIED} FROM {role};
        COMMIT"
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(conn).await?;
    Ok(())
}

/// Whether the database has exactly this program's schema.
pub(crate) async fn check_postgres(conn: &mut PgConnection) -> Result<(), StoreError> {
    let sql = "-- migrate.is_there
        SELECT to_regclass($1) IS NOT NULL AS there";
    let there: bool = sqlx::query(sql).bind(APPLIED).fetch_one(&mut *conn).await?.try_get("there")?;
    check(conn, there, POSTGRES).await
}

/// Whether the file has exactly this program's schema.
pub(crate) async fn check_sqlite(conn: &mut SqliteConnection) -> Result<(), StoreError> {
    let sql = "-- migrate.is_there
        SELECT count(*) AS there FROM sqlite_schema WHERE name = $1";
    let there: i64 = sqlx::query(sql).bind(APPLIED).fetch_one(&mut *conn).await?.try_get("there")?;
    check(conn, there == 1, SQLITE).await
}

async fn check(conn: &mut impl Migrate, there: bool, listed: &'static [Listed]) -> Result<(), StoreError> {
    let applied = if there { conn.list_applied_migrations(APPLIED).await.map_err(Misfit::from)? } else { Vec::new() };
    let mut ours = migrations(listed);
    for theirs in &applied {
        match ours.next() {
            Some(our) if our.version == theirs.version && our.checksum == theirs.checksum => {}
            Some(our) if our.version == theirs.version => return Err(Misfit::Edited(our.version).into()),
            Some(our) if our.version < theirs.version => return Err(Misfit::Older(our.version).into()),
            _ => return Err(Misfit::Newer(theirs.version).into()),
        }
    }
    ours.next().map_or(Ok(()), |missing| Err(Misfit::Older(missing.version).into()))
}

impl From<MigrateError> for Misfit {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::VersionMismatch(version) => Self::Edited(version),
            MigrateError::VersionMissing(version) => Self::Newer(version),
            other => Self::Failed(other),
        }
    }
}
