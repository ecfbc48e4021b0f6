//! What can go wrong with the store itself. Owns the mapping from the driver's errors. Must never know: refusals, which
//! are values. Invariant: whoever sees an error knows that nothing of the failed call was written, `commit` aside.

/// Why the store could not answer. Refusals are not errors; they are values of each call's result type.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database did not take the statement: busy, full, read-only, gone. Retry later (`UNAVAILABLE_DATABASE`).
    #[error("the database is unavailable")]
    Unavailable(#[source] sqlx::Error),
    /// The audit entry could not be written, so nothing else was (`UNAVAILABLE_AUDIT`).
    #[error("the audit log is unavailable")]
    AuditUnavailable(#[source] sqlx::Error),
    /// A reader or another process holds the write-ahead log, so erased bytes may still lie in it. The deletion stays
    /// pending; retry.
    #[error("the write-ahead log could not be emptied")]
    CheckpointBlocked,
    /// A row that is to be created once exists already; names the table.
    #[error("{0} exists already")]
    Exists(&'static str),
    /// A call that contradicts the stored state in a way no correct caller makes; names the rule.
    #[error("misuse: {0}")]
    Misuse(&'static str),
    /// A stored row does not read back as what it must be; names the table or column.
    #[error("stored {0} is not readable")]
    Corrupt(&'static str),
    /// The file's schema is newer than this program, was edited, or a migration failed.
    #[error("the schema does not fit this program")]
    Schema(#[source] sqlx::migrate::MigrateError),
    /// The database file could not be made private to this user.
    #[error("the database file {} could not be made", path.display())]
    File {
        /// The file.
        path: std::path::PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::ColumnNotFound(_) => {
                Self::Corrupt("row")
            }
            other => Self::Unavailable(other),
        }
    }
}

/// Whether a unique constraint judged against the statement.
pub(crate) fn is_unique_violation(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation)
}
