//! The end of a tenant: every reference erased and proved, every KEK version destroyed, then the record that its certificate
//! tells of.
//!
//! Owns the order. Must never know: what a reference holds. Invariants: keys go only when nothing is stored under them and no
//! attempt from before is in flight; the record is over the proofs of all deletions that the tenant ever had, and none is unproved.

use super::{Went, deadline, erase_many, stored};
use crate::gateway::Gateway;
use receipt::ProofsHash;
use store::{Emptied, EndTenant, Job, Step, Store};
use wire::{Reason, convert, v1};

/// Deletions of one look.
const PAGE: u32 = 500;

/// One step of a termination.
pub(super) async fn step(gateway: &Gateway, job: &Job) -> Result<Went, Reason> {
    match job.step {
        Step::Erase | Step::Prove => erase_many::step(gateway, job).await,
        Step::Drain => drain(gateway, job).await,
        Step::Destroy => destroy(gateway, job).await,
        _ => Err(Reason::Internal),
    }
}

async fn drain(gateway: &Gateway, job: &Job) -> Result<Went, Reason> {
    match stored(gateway.store.tenant_emptied(job).await)? {
        Emptied::Through | Emptied::Again => Ok(Went::On),
        Emptied::AttemptsOpen | Emptied::Superseded => Ok(Went::Waits),
        Emptied::Held => {
            stored(gateway.store.note_job_error(job, Reason::LegalHold.code()).await)?;
            Ok(Went::Waits)
        }
    }
}

/// Destroys one version, or ends the tenant where none is left.
async fn destroy(gateway: &Gateway, job: &Job) -> Result<Went, Reason> {
    let Some(newest) = job.kek_from else { return count(gateway, job).await };
    let left = stored(gateway.store.keks_to_destroy(job.tenant, newest.saturating_add(1)).await)?;
    let Some(kek_version) = left.first().copied() else { return end(gateway, job).await };
    store::failpoint("terminate.destroying");
    let request = v1::DestroyKekRequest { tenant_id: job.tenant.to_string(), kek_version, tenant_ends: true };
    let gone = gateway.inference.destroy_kek(request, deadline(gateway)).await?;
    let destroyed_at =
        convert::timestamp_ms(gone.destroyed_at.as_ref(), "destroyed_at").map_err(|_| Reason::Internal)?;
    let record = stored(Store::destruction_of(job, kek_version, (&gone.provider, destroyed_at)))?;
    stored(gateway.store.kek_destroyed(record).await)?;
    store::failpoint("terminate.destroyed");
    Ok(Went::On)
}

/// Asks which version is the newest, before the first one goes.
async fn count(gateway: &Gateway, job: &Job) -> Result<Went, Reason> {
    let request = v1::MakeKekRequest { tenant_id: job.tenant.to_string(), newer_than: 0 };
    let newest = gateway.inference.make_kek(request, deadline(gateway)).await?;
    stored(gateway.store.keks_counted(job, newest).await)?;
    Ok(Went::On)
}

/// Counts the proofs of single deletions, of jobs, and of what was replaced or came back alike.
async fn end(gateway: &Gateway, job: &Job) -> Result<Went, Reason> {
    let (mut hash, mut after) = (ProofsHash::default(), None);
    loop {
        let page = stored(gateway.store.proved_deletions((job.tenant, None), after, PAGE).await)?;
        let ordered = page.iter().all(|(erased, ..)| hash.add(&erased.proof_id(), &erased.commitment));
        if !ordered {
            return Err(Reason::Internal);
        }
        match page.last() {
            Some((erased, ..)) if page.len() == PAGE as usize => after = Some(erased.deletion_id),
            _ => break,
        }
    }
    Ok(match stored(gateway.store.tenant_terminated(job, hash.finish()).await)? {
        EndTenant::Ended | EndTenant::Unproved => Went::On,
        EndTenant::Superseded => Went::Waits,
    })
}
