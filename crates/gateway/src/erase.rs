//! `DeleteReference`: erase, empty the write-ahead log, write the journal, prove.
//!
//! Owns the order of the four. Must never know: what a reference holds. Invariant: no proof before checkpoint and journal; a
//! deletion that could not be proved stays pending and is proved when its caller asks again; one that was proved is proved
//! again for a day, as the answer may have been lost.

use crate::{
    call::Call,
    fault::{internal, journal_fault, store_fault},
    gateway::Gateway,
    restore,
};
use biometrics::{TenantId, UserId};
use std::sync::Arc;
use store::EraseResult;
use wire::{Reason, convert, v1};

impl Gateway {
    /// Destroys a reference and proves it. Tenant credential only. Runs to its end even when the caller hangs up.
    ///
    /// # Errors
    /// `NO_REFERENCE`, `LEGAL_HOLD` (the deletion waits), `INVALID_ARGUMENT`, `PERMISSION_DENIED`; `UNAVAILABLE_*` while the deletion is pending.
    pub(crate) async fn delete_reference(
        self: &Arc<Self>,
        call: &Call,
        request: v1::DeleteReferenceRequest,
    ) -> Result<v1::DeleteReferenceResponse, Reason> {
        let tenant = call.caller.as_tenant()?;
        let user = convert::parsed(&request.user_id, "user_id")?;
        let cause = cause(request.cause)?;
        let gateway = Arc::clone(self);
        let erasure = async move { gateway.erase(tenant, &user, &cause).await };
        let proof = self.tasks.spawn(tracing::Instrument::in_current_span(erasure)).await;
        let deletion_proof = proof.unwrap_or_else(|error| Err(internal(&error)))?;
        Ok(v1::DeleteReferenceResponse { deletion_proof })
    }

    async fn erase(&self, tenant: TenantId, user: &UserId, cause: &str) -> Result<String, Reason> {
        let policy = self.tenant(tenant).await?.policy;
        let erased = match self.store.erase(tenant, user, cause).await.map_err(store_fault)? {
            EraseResult::Erased(erased) => {
                self.status.forget();
                erased
            }
            EraseResult::Proved(erased, checkpoint) => {
                return self.ledger.deletion_proof(&erased, checkpoint, (self.clock.now_ms(), &policy)).await;
            }
            EraseResult::NoReference => return Err(Reason::NoReference),
            EraseResult::Held => return Err(Reason::LegalHold),
        };
        let checkpoint = self.store.checkpoint().await.map_err(store_fault)?;
        // All that went of the user: a successor that went with the reference does not come back either.
        let gone = self.store.deletions_of_user_to_journal(tenant, user).await.map_err(store_fault)?;
        restore::write(&self.store, self.journal.as_ref(), gone).await.map_err(journal_fault)?;
        let proof = self.ledger.deletion_proof(&erased, checkpoint, (self.clock.now_ms(), &policy)).await?;
        self.store.deletion_proved(&erased, checkpoint).await.map_err(store_fault)?;
        metrics::counter!("countersign_deletions_total").increment(1);
        Ok(proof)
    }
}

/// A free word for the audit and the proof.
fn cause(word: String) -> Result<String, Reason> {
    let word = if word.is_empty() { "unspecified".to_owned() } else { word };
    if store::may_be_cause(&word) { Ok(word) } else { Err(Reason::InvalidArgument { field: "cause" }) }
}
