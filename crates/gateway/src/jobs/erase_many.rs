//! Bulk deletion and expiry: batches of erasures, then one checkpoint for all that was erased, the journal, the proofs.
//!
//! Must never know: what a reference holds. Invariant: nothing is noted as proved before the checkpoint that covers it and its
//! entry in the journal.

use super::{Went, stored};
use crate::{fault::journal_fault, gateway::Gateway, restore};
use biometrics::TenantId;
use store::{EraseBatch, Job, JobKind, NewJob, Provable, ProveBatch, Step};
use wire::Reason;

/// Most users of one transaction, so that callers of the tenant never wait long for it.
const MAX_BATCH: u32 = 100;
/// Most proofs noted in one transaction.
const PROOFS: u32 = 500;

/// One step of a deletion or expiry.
pub(super) async fn step(gateway: &Gateway, job: &Job) -> Result<Went, Reason> {
    match job.step {
        Step::Erase => erase(gateway, job).await,
        Step::Prove => prove(gateway, job).await,
        _ => Err(Reason::Internal),
    }
}

async fn erase(gateway: &Gateway, job: &Job) -> Result<Went, Reason> {
    let limit = gateway.jobs.batch.clamp(1, MAX_BATCH);
    match stored(gateway.store.erase_batch(job, limit).await)? {
        EraseBatch::Committed { erased, held } => {
            metrics::counter!("countersign_deletions_total").increment(erased);
            if held > 0 {
                tracing::info!(job = %job.id, held, "deletions wait for legal holds");
            }
            Ok(Went::On)
        }
        EraseBatch::Through => Ok(Went::On),
        EraseBatch::Superseded => Ok(Went::Waits),
    }
}

async fn prove(gateway: &Gateway, job: &Job) -> Result<Went, Reason> {
    let checkpoint = stored(gateway.store.checkpoint().await)?;
    restore::write_due(&gateway.store, gateway.journal.as_ref()).await.map_err(journal_fault)?;
    let provable = Provable { checkpoint, journaled_only: gateway.journal.is_some() };
    match stored(gateway.store.prove_batch(job, provable, PROOFS).await)? {
        ProveBatch::Proved(_) | ProveBatch::Done => Ok(Went::On),
        ProveBatch::Uncovered => {
            tracing::warn!(job = %job.id, "deletions that checkpoint or journal does not cover yet: they are proved later");
            Ok(Went::Waits)
        }
        ProveBatch::Superseded => Ok(Went::Waits),
    }
}

/// Asks for an expiry for every tenant that has one due and none going on.
pub(super) async fn queue_expiries(gateway: &Gateway, open: &[Job]) -> Result<(), store::StoreError> {
    let goes_on =
        |tenant: TenantId| open.iter().any(|job| job.tenant == tenant && job.kind == JobKind::ExpireReferences);
    for tenant in gateway.store.tenants_to_expire().await?.into_iter().filter(|tenant| !goes_on(*tenant)) {
        let kind = JobKind::ExpireReferences;
        let new = NewJob { tenant, kind, cause: None, users: None, requested_by: "retention" };
        gateway.store.queue_job(new).await?;
    }
    Ok(())
}
