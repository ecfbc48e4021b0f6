//! Brings the schema to this program's version. Owns the list of migrations, compiled in. Must never know: rows.
//! Invariant: a file whose schema is newer, or whose applied migrations differ from ours, is refused.

use crate::StoreError;
use sqlx::{
    SqlSafeStr, SqliteConnection,
    migrate::{Migration, MigrationType, Migrator},
};
use std::borrow::Cow;

const SQLITE: &[(i64, &str, &str)] = &[
    (1, "first", include_str!("../migrations/sqlite/0001_first.sql")),
    (2, "deletions by user", include_str!("../migrations/sqlite/0002_deletions_by_user.sql")),
    (3, "seen frames", include_str!("../migrations/sqlite/0003_seen_frames.sql")),
];

/// Applies what is missing; refuses what it does not know.
pub(crate) async fn run(conn: &mut SqliteConnection) -> Result<(), StoreError> {
    let migrations = SQLITE
        .iter()
        .map(|&(version, name, sql)| {
            Migration::new(version, Cow::Borrowed(name), MigrationType::Simple, sql.into_sql_str(), false)
        })
        .collect();
    Migrator::with_migrations(migrations).run_direct(None, conn, false).await.map_err(StoreError::Schema)
}
