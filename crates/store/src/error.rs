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
    /// The schema is not this program's.
    #[error("the schema does not fit this program")]
    Schema(#[from] Misfit),
    /// Settings that do not keep what they must; says what is wrong.
    #[error("the store's settings do not hold: {0}")]
    Settings(&'static str),
    /// A file of the store could not be made private to this user, or not read.
    #[error("{} does not serve the store", path.display())]
    File {
        /// The file.
        path: std::path::PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// How a schema does not fit.
#[derive(Debug, thiserror::Error)]
pub enum Misfit {
    /// It is older and nobody here may change it.
    #[error("it is older: migration {0} was not applied; its owner's role brings it up to date")]
    Older(i64),
    /// It is newer: a newer program was here.
    #[error("it is newer: this program does not know migration {0}")]
    Newer(i64),
    /// It was changed after it was applied.
    #[error("migration {0} was applied in another form than this program's")]
    Edited(i64),
    /// A migration failed.
    #[error("a migration failed")]
    Failed(#[source] sqlx::migrate::MigrateError),
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

/// Whether the database aborted a transaction for the sake of another (SQLSTATE 40001, 40P01): nothing of it was written, and
/// tried again it may well succeed.
pub(crate) fn is_conflict(error: &StoreError) -> bool {
    const CONFLICTS: [&str; 2] = ["40001", "40P01"];
    let (StoreError::Unavailable(source) | StoreError::AuditUnavailable(source)) = error else { return false };
    let code = source.as_database_error().and_then(|e| e.code());
    code.is_some_and(|code| CONFLICTS.contains(&&*code))
}

/// Whether a unique constraint judged against the statement.
pub(crate) fn is_unique_violation(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation)
}
