//! Rotations that nobody has to ask for: of KEK versions that have wrapped too often, of those that are too old, and of those that
//! deletion proofs promise to end: by the date that a proof names nothing opens what backups hold of the reference.
//!
//! Must never know: how a rotation goes. Invariant: a version is rotated once for one reason, because the next one is new and unworn.

use super::deadline;
use crate::{fault::store_fault, gateway::Gateway, ledger::BACKUPS_S};
use store::{Job, JobKind, JobState, NewJob, QueueResult, Tenant};
use wire::{Reason, convert, v1};

const DAY_MS: i64 = 86_400_000;
/// A deletion as old as this asks for a rotation: five days are left to do it in before the date that its proof names.
const PROMISE_DUE_MS: i64 = BACKUPS_S * 1000 - 5 * DAY_MS;
/// Between two rotations for the sake of deletions: one that failed made a version too, and the next fails as well until an operator
/// has put the tenant's rows right.
const PROMISE_AGAIN_MS: i64 = DAY_MS;
/// Most jobs of a tenant that a look for its last rotation takes in.
const JOBS: u32 = 100;

/// Asks for every rotation that is due. One tenant whose key service does not answer keeps no other waiting.
///
/// # Errors
/// The last fault that passes.
pub(super) async fn queue_rotations(gateway: &Gateway) -> Result<(), Reason> {
    let mut outcome = Ok(());
    for tenant in gateway.store.tenants().await.map_err(store_fault)? {
        match due(gateway, &tenant).await {
            Ok(None) => {}
            Ok(Some(why)) => queue(gateway, &tenant, why).await?,
            // A tenant without any key: it is not there yet, or not any more.
            Err(Reason::InvalidArgument { .. }) => {}
            Err(reason) => outcome = Err(reason),
        }
    }
    outcome
}

/// Why the tenant's newest version is due.
async fn due(gateway: &Gateway, tenant: &Tenant) -> Result<Option<&'static str>, Reason> {
    let request = v1::DescribeKekRequest { tenant_id: tenant.id.to_string() };
    let kek = gateway.inference.describe_kek(request, deadline(gateway)).await?;
    if kek.worn {
        return Ok(Some("wear"));
    }
    let now_ms = gateway.store.now_ms().await.map_err(store_fault)?;
    let deleted_ms = gateway.store.oldest_unrotated_deletion_ms(tenant.id).await.map_err(store_fault)?;
    // Where old versions are kept a rotation ends nothing, and proofs say so.
    let promised = !tenant.policy.keep_old_keys && deleted_ms.is_some_and(|at_ms| now_ms - at_ms >= PROMISE_DUE_MS);
    // Whatever became of the last one.
    if promised && now_ms - last_rotation_ms(gateway, tenant, |_| true).await? >= PROMISE_AGAIN_MS {
        return Ok(Some("deletions"));
    }
    let days = i64::from(gateway.jobs.rotate_after_days);
    if days == 0 {
        return Ok(None);
    }
    let made_at_ms = match &kek.made_at {
        Some(at) => convert::timestamp_ms(Some(at), "made_at").map_err(|_| Reason::Internal)?,
        None => last_rotation_ms(gateway, tenant, |job| job.state == JobState::Done).await?,
    };
    Ok((now_ms - made_at_ms >= days * DAY_MS).then_some("schedule"))
}

/// When the last rotation of the tenant that counts was asked for, as far as jobs tell; else when the tenant was made.
async fn last_rotation_ms(gateway: &Gateway, tenant: &Tenant, counts: impl Fn(&Job) -> bool) -> Result<i64, Reason> {
    let jobs = gateway.store.jobs(Some(tenant.id), JOBS).await.map_err(store_fault)?;
    let rotation = jobs.iter().find(|job| job.kind == JobKind::RotateKek && counts(job));
    Ok(rotation.map_or(tenant.created_at_ms, |job| job.created_at_ms))
}

async fn queue(gateway: &Gateway, tenant: &Tenant, why: &'static str) -> Result<(), Reason> {
    let new = NewJob { tenant: tenant.id, kind: JobKind::RotateKek, cause: None, users: None, requested_by: why };
    if let QueueResult::Queued(job) = gateway.store.queue_job(new).await.map_err(store_fault)? {
        tracing::info!(tenant = %tenant.id, %job, why, "a rotation is due");
    }
    Ok(())
}
