//! Turns faults of the rooms below into reasons, once. Details go to the log under the request id and nowhere else.
//!
//! Must never know: who asked. Invariant: no fault becomes an answer that looks like a decision.

use crate::restore::WriteError;
use custody::CustodyError;
use std::error::Error;
use store::StoreError;
use wire::Reason;

/// The store could not answer.
pub(crate) fn store_fault(error: StoreError) -> Reason {
    let reason = match &error {
        StoreError::Unavailable(_) | StoreError::CheckpointBlocked => Reason::UnavailableDatabase,
        StoreError::AuditUnavailable(_) => Reason::UnavailableAudit,
        StoreError::Exists(_)
        | StoreError::Misuse(_)
        | StoreError::Corrupt(_)
        | StoreError::Schema(_)
        | StoreError::Settings(_)
        | StoreError::File { .. } => Reason::Internal,
    };
    tracing::error!(reason = reason.code(), cause = chain(&error), "the store gave no answer");
    reason
}

/// The deletion journal took no entry.
pub(crate) fn journal_fault(error: WriteError) -> Reason {
    match error {
        WriteError::Store(error) => store_fault(error),
        error => {
            tracing::error!(alarm = true, cause = chain(&error), "the deletion journal takes no entry");
            Reason::UnavailableAudit
        }
    }
}

/// The key service gives no signature.
pub(crate) fn custody_fault(error: CustodyError) -> Reason {
    tracing::error!(cause = chain(&error), "the ledger key gave no signature");
    Reason::UnavailableKms
}

/// Something happened that no input may cause.
pub(crate) fn internal(error: &dyn Error) -> Reason {
    tracing::error!(cause = chain(error), "internal error");
    Reason::Internal
}

/// An error and what caused it, in one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
