//! A KEK rotation: a new version, everything of the tenant wrapped under it in batches, then the old versions destroyed.
//!
//! Owns the order. Must never know: a key in the clear; workers wrap. Invariants: the old versions are destroyed only when the
//! store keeps everybody from storing under them and no attempt from before is in flight; a row that does not open is named,
//! left as it is, and keeps its key alive.

use super::{Went, deadline, stored, went};
use crate::{gateway::Gateway, inference::context};
use biometrics::ReferenceId;
use std::collections::{HashMap, HashSet};
use store::{
    AuditBody, BatchResult, FenceResult, Job, Rewrapped, Step, Store, Tenant, TenantSecretsRow, WrappedDek, failpoint,
};
use wire::{Reason, convert, v1};

/// Most rows of one call to a worker.
const MAX_BATCH: u32 = 1024;

/// References that did not open in this pass.
pub(crate) type Unopened = HashSet<ReferenceId>;

/// One step of a rotation.
pub(super) async fn step(gateway: &Gateway, job: &Job, unopened: &mut Unopened) -> Result<Went, Reason> {
    if job.step == Step::MakeKey {
        return make(gateway, job).await;
    }
    let to = job.kek_to.ok_or(Reason::Internal)?;
    let tenant = gateway.tenant(job.tenant).await?;
    match job.step {
        Step::Rewrap if tenant.secrets.kek_version < to => rewrap_secrets(gateway, &tenant, to).await,
        Step::Rewrap => rewrap_batch(gateway, (job, to), unopened).await,
        Step::Drain => drain(gateway, job).await,
        Step::Destroy => destroy(gateway, (job, to), &tenant).await,
        Step::MakeKey | Step::Erase | Step::Prove | Step::Renew => Err(Reason::Internal),
    }
}

async fn make(gateway: &Gateway, job: &Job) -> Result<Went, Reason> {
    let newer_than = job.kek_from.ok_or(Reason::Internal)?;
    let request = v1::MakeKekRequest { tenant_id: job.tenant.to_string(), newer_than };
    let version = gateway.inference.make_kek(request, deadline(gateway)).await?;
    failpoint("rotate.made");
    if version <= newer_than {
        return Err(Reason::Internal);
    }
    Ok(went(stored(gateway.store.kek_made(job, version).await)?))
}

async fn rewrap_secrets(gateway: &Gateway, tenant: &Tenant, to: u32) -> Result<Went, Reason> {
    let new = rewrapped(gateway, tenant, (to, tenant.transform_generation)).await?;
    let former = match &tenant.former_transform_key {
        Some(_) => Some(rewrapped(gateway, tenant, (to, tenant.transform_generation - 1)).await?.transform_key),
        None => None,
    };
    let old = tenant.secrets.kek_version;
    Ok(went(stored(gateway.store.exchange_secrets(tenant.id, old, &new, former.as_deref()).await)?))
}

/// The tenant's secrets, with the transform key of a generation, wrapped by a KEK version.
pub(super) async fn rewrapped(
    gateway: &Gateway,
    tenant: &Tenant,
    (to, generation): (u32, u32),
) -> Result<TenantSecretsRow, Reason> {
    let request = v1::RewrapRequest {
        tenant_id: tenant.id.to_string(),
        references: Vec::new(),
        kek_version: to,
        secrets: Some(context::secrets(tenant, generation)),
    };
    let answer = gateway.inference.rewrap(request, deadline(gateway)).await?;
    let new = answer.secrets.filter(|new| new.kek_version == to).ok_or(Reason::Internal)?;
    Ok(TenantSecretsRow {
        kek_version: new.kek_version,
        transform_key: new.transform_key,
        pseudonym_key: new.pseudonym_key,
    })
}

async fn rewrap_batch(gateway: &Gateway, (job, to): (&Job, u32), unopened: &mut Unopened) -> Result<Went, Reason> {
    let limit = gateway.jobs.batch.clamp(1, MAX_BATCH);
    let batch = stored(gateway.store.deks_below(job, to, limit).await)?;
    let Some(last) = batch.last().map(|row| row.user.clone()) else {
        return fence(gateway, (job, to), unopened).await;
    };
    let request = v1::RewrapRequest {
        tenant_id: job.tenant.to_string(),
        references: batch.iter().map(to_wire).collect(),
        kek_version: to,
        secrets: None,
    };
    let answer = gateway.inference.rewrap(request, deadline(gateway)).await?;
    let rewrapped = matched(batch, answer.references, to)?;
    for lost in answer.not_authentic {
        not_authentic(gateway, job, convert::parsed(&lost, "reference_id").map_err(|_| Reason::Internal)?, unopened)
            .await?;
    }
    match stored(gateway.store.exchange_deks(job, &rewrapped, (to, &last)).await)? {
        BatchResult::Committed { exchanged } => {
            metrics::counter!("countersign_rewraps_total").increment(exchanged);
            Ok(Went::On)
        }
        BatchResult::Superseded => Ok(Went::Waits),
    }
}

/// Rows and what the worker made of them. An answer about other rows than those that were asked for is none.
fn matched(batch: Vec<WrappedDek>, answer: Vec<v1::SealedReference>, to: u32) -> Result<Vec<Rewrapped>, Reason> {
    let mut rows: HashMap<String, WrappedDek> = batch.into_iter().map(|row| (row.reference.to_string(), row)).collect();
    let one = |new: v1::SealedReference| {
        let old = rows.remove(&new.reference_id).ok_or(Reason::Internal)?;
        let same = new.epoch == old.epoch && new.kek_version == to && new.commitment == old.commitment;
        if same { Ok(Rewrapped { old, wrapped: new.wrapped_dek }) } else { Err(Reason::Internal) }
    };
    answer.into_iter().map(one).collect()
}

pub(super) async fn not_authentic(
    gateway: &Gateway,
    job: &Job,
    reference: ReferenceId,
    unopened: &mut Unopened,
) -> Result<(), Reason> {
    if !unopened.insert(reference) {
        return Ok(());
    }
    metrics::counter!("countersign_data_loss_total").increment(1);
    tracing::error!(job = %job.id, %reference, alarm = true, "a stored envelope does not authenticate");
    let body = AuditBody::default().with("job", job.id.to_string()).with("reference", reference.to_string());
    stored(gateway.store.audit(job.tenant, "envelope.not_authentic", body).await)
}

/// The end of a pass: nothing is left under old versions, or only what does not open, or another pass is due.
async fn fence(gateway: &Gateway, (job, to): (&Job, u32), unopened: &mut Unopened) -> Result<Went, Reason> {
    // One look before the lock: a pass that found rows which do not open ends the job where nothing else is left.
    let whole = Job { resume_after: String::new(), ..job.clone() };
    let left = stored(gateway.store.deks_below(&whole, to, MAX_BATCH).await)?;
    if !left.is_empty() && left.iter().all(|row| unopened.contains(&row.reference)) {
        return Err(Reason::DataLoss);
    }
    match stored(gateway.store.fence(job, to).await)? {
        FenceResult::Fenced => Ok(Went::On),
        FenceResult::Leftover { rows } => {
            tracing::info!(job = %job.id, rows, "rows came under an old KEK version: another pass");
            unopened.clear();
            Ok(Went::On)
        }
        FenceResult::Superseded => Ok(Went::Waits),
    }
}

/// Attempts that began before the fence hold keys wrapped by old versions; their leases end them.
async fn drain(gateway: &Gateway, job: &Job) -> Result<Went, Reason> {
    if stored(gateway.store.attempts_before_fence(job).await)? > 0 {
        return Ok(Went::Waits);
    }
    Ok(went(stored(gateway.store.drained(job).await)?))
}

/// Destroys one old version, or ends the job where there is none left or the tenant's law demands that they be kept.
async fn destroy(gateway: &Gateway, (job, to): (&Job, u32), tenant: &Tenant) -> Result<Went, Reason> {
    let old = stored(gateway.store.keks_to_destroy(job.tenant, to).await)?;
    let Some(kek_version) = old.first().copied().filter(|_| !tenant.policy.keep_old_keys) else {
        return Ok(went(stored(gateway.store.rotated(job).await)?));
    };
    let request = v1::DestroyKekRequest { tenant_id: job.tenant.to_string(), kek_version, tenant_ends: false };
    let gone = gateway.inference.destroy_kek(request, deadline(gateway)).await?;
    failpoint("rotate.destroying");
    let destroyed_at =
        convert::timestamp_ms(gone.destroyed_at.as_ref(), "destroyed_at").map_err(|_| Reason::Internal)?;
    let record = stored(Store::destruction_of(job, kek_version, (&gone.provider, destroyed_at)))?;
    stored(gateway.store.kek_destroyed(record).await)?;
    Ok(Went::On)
}

fn to_wire(row: &WrappedDek) -> v1::SealedReference {
    v1::SealedReference {
        reference_id: row.reference.to_string(),
        epoch: row.epoch,
        kek_version: row.kek_version,
        wrapped_dek: row.wrapped.clone(),
        commitment: row.commitment.to_vec(),
        ..Default::default()
    }
}
