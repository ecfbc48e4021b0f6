//! A renewal: a new transform key, then every reference of the tenant opened by a worker and laid out anew, without the users.
//!
//! Owns the order. Must never know: what a reference holds. Invariants: a reference that does not open is named, left as it is, and
//! keeps the former key; erased bytes of the former references are checkpointed before the job says that it is done.

use super::{
    Went, deadline,
    rotate::{self, Unopened},
    stored, went,
};
use crate::{attempt::sealed_row, gateway::Gateway, inference::context};
use futures::future::join_all;
use store::{BatchResult, Job, RenewEnd, Renewed, Step, Tenant, TenantSecretsRow, ToRenew};
use wire::{Reason, v1};

/// Most references of one batch: as many calls to workers go on at once.
const MAX_BATCH: u32 = 32;
/// Most references that a look at the end of a pass takes in.
const MAX_LEFT: u32 = 1024;

/// One step of a renewal.
pub(super) async fn step(gateway: &Gateway, job: &Job, unopened: &mut Unopened) -> Result<Went, Reason> {
    let tenant = gateway.tenant(job.tenant).await?;
    match job.step {
        Step::MakeKey if tenant.former_transform_key.is_some() => {
            Ok(went(stored(gateway.store.resume_generation(job).await)?))
        }
        Step::MakeKey => make(gateway, job, &tenant).await,
        Step::Renew => batch(gateway, (job, &tenant), unopened).await,
        _ => Err(Reason::Internal),
    }
}

/// New secrets, of which the transform key alone is taken; the pseudonym key stays, because users' pseudonyms do.
async fn make(gateway: &Gateway, job: &Job, tenant: &Tenant) -> Result<Went, Reason> {
    let request = v1::MakeTenantSecretsRequest { tenant_id: job.tenant.to_string() };
    let made = gateway.inference.make_tenant_secrets(request, deadline(gateway)).await?;
    let made = made.secrets.ok_or(Reason::Internal)?;
    let kept = rotate::rewrapped(gateway, tenant, (made.kek_version, tenant.transform_generation)).await?;
    let former = kept.transform_key.clone();
    let new = TenantSecretsRow { transform_key: made.transform_key, ..kept };
    Ok(went(stored(gateway.store.begin_generation(job, tenant, (&new, &former)).await)?))
}

async fn batch(gateway: &Gateway, (job, tenant): (&Job, &Tenant), unopened: &mut Unopened) -> Result<Went, Reason> {
    let generation = tenant.transform_generation;
    let limit = gateway.jobs.batch.clamp(1, MAX_BATCH);
    let batch = stored(gateway.store.references_to_renew(job, generation, limit).await)?;
    let Some(last) = batch.last().map(|one| one.user.clone()) else {
        return end(gateway, (job, generation), unopened).await;
    };
    let answers = join_all(batch.iter().map(|one| renewed(gateway, tenant, one))).await;
    let mut exchanges = Vec::with_capacity(batch.len());
    for (old, answer) in batch.into_iter().zip(answers) {
        match answer {
            Ok(new) => exchanges.push(Renewed { old, new }),
            // Another model's: the user enrolls anew, or a worker that runs it renews.
            Err(Reason::FeatureSpace) => {
                unopened.insert(old.row.id);
            }
            Err(Reason::DataLoss) => rotate::not_authentic(gateway, job, old.row.id, unopened).await?,
            Err(reason) => return Err(reason),
        }
    }
    match stored(gateway.store.exchange_references(job, &exchanges, &last).await)? {
        BatchResult::Committed { exchanged } => {
            metrics::counter!("countersign_renewals_total").increment(exchanged);
            Ok(Went::On)
        }
        BatchResult::Superseded => Ok(Went::Waits),
    }
}

async fn renewed(gateway: &Gateway, tenant: &Tenant, one: &ToRenew) -> Result<store::SealedRow, Reason> {
    let generation = tenant.transform_generation;
    let request = v1::RenewRequest {
        tenant_id: tenant.id.to_string(),
        user_id: one.user.to_string(),
        reference: Some(context::sealed_reference(&one.row)),
        secrets: Some(context::secrets(tenant, one.row.transform_generation)),
        new_secrets: Some(context::secrets(tenant, generation)),
    };
    sealed_row(gateway.inference.renew(request, deadline(gateway)).await?, generation)
}

/// The end of a pass: nothing is left of the former generation, or only what does not open, or another pass is due.
async fn end(gateway: &Gateway, (job, generation): (&Job, u32), unopened: &mut Unopened) -> Result<Went, Reason> {
    let whole = Job { resume_after: String::new(), ..job.clone() };
    let left = stored(gateway.store.references_to_renew(&whole, generation, MAX_LEFT).await)?;
    if !left.is_empty() && left.iter().all(|one| unopened.contains(&one.row.id)) {
        let ours = gateway.inference.feature_spaces();
        let foreign = left.iter().all(|one| ours.as_ref().is_some_and(|ours| !ours.contains(&one.row.feature_space)));
        return Err(if foreign { Reason::FeatureSpace } else { Reason::DataLoss });
    }
    stored(gateway.store.checkpoint().await)?;
    match stored(gateway.store.end_generation(job, generation).await)? {
        RenewEnd::Done => Ok(Went::On),
        RenewEnd::Leftover { rows } => {
            tracing::info!(job = %job.id, rows, "references came under the former transform key: another pass");
            unopened.clear();
            Ok(Went::On)
        }
        RenewEnd::Superseded => Ok(Went::Waits),
    }
}
