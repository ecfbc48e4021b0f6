//! Long-running work: one gateway of a database leads, and takes each open job one step further, again and again.
//!
//! Owns who works and what a failure means for a job. Must never know: what a step does. Invariants: every step commits its
//! progress with its work and may be done again, so `kill -9` at any moment costs one step; a step that fails for a fault that
//! passes is tried again, any other ends the job with its reason.

mod erase_many;
mod renew;
mod rotate;
mod schedule;
mod terminate;

use crate::{config, fault::store_fault, gateway::Gateway, random};
use biometrics::JobId;
use rotate::Unopened;
use std::{
    collections::HashMap,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};
use store::{Candidate, Job, JobKind, JobState, Store, StoreError};
use tokio::time::sleep;
use wire::Reason;

/// Between two looks for work, and before a step is tried again.
const IDLE: Duration = Duration::from_millis(500);
/// Between two looks for what is due: references that outlived their window, keys that are to be rotated.
const DUE_EVERY: Duration = Duration::from_secs(600);
/// Until the next look where one failed, or where another leads and may die.
const LOOK_AGAIN: Duration = Duration::from_secs(15);
/// Jobs that go on side by side; later ones wait their turn.
const SIDE_BY_SIDE: u32 = 16;
/// How long a worker may take over one step.
const PATIENCE: Duration = Duration::from_secs(30);
/// The name of the lease.
pub(crate) const TASK: &str = "jobs";

/// This process as one that may lead.
pub(crate) struct Leader {
    candidate: Candidate,
    /// When the lease is to be renewed, in milliseconds of the monotonic clock; 0: it is not ours.
    renew_at_ms: AtomicU64,
}

/// What a step led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Went {
    /// Further: the next step may follow at once.
    On,
    /// Nowhere for now: it waits for others.
    Waits,
}

impl Leader {
    /// A candidate of its own for one kind of work.
    ///
    /// # Errors
    /// `INTERNAL` when the system gives no randomness.
    pub(crate) fn new(settings: config::Jobs, task: &'static str) -> Result<Self, Reason> {
        let candidate = Candidate { task, holder: random::uuid()?, lease_ms: settings.lease_ms };
        Ok(Self { candidate, renew_at_ms: AtomicU64::new(0) })
    }

    /// Gives the lease back, where it is ours.
    ///
    /// # Errors
    /// The store's; the lease then ends by itself.
    pub(crate) async fn resign(&self, store: &Store) -> Result<(), StoreError> {
        if self.renew_at_ms.load(Ordering::Relaxed) == 0 { Ok(()) } else { store.resign(self.candidate).await }
    }

    /// Whether we lead now; asks the database where the lease is not ours or a third of it has passed.
    pub(crate) async fn leads(&self, gateway: &Gateway) -> Result<bool, StoreError> {
        let now = gateway.clock.monotonic().as_millis();
        let now_ms = u64::try_from(now).unwrap_or(u64::MAX).max(1);
        if now_ms < self.renew_at_ms.load(Ordering::Relaxed) {
            return Ok(true);
        }
        let leads = gateway.store.lead(self.candidate).await?;
        let next = if leads { now_ms + u64::from(self.candidate.lease_ms / 3) } else { 0 };
        self.renew_at_ms.store(next, Ordering::Relaxed);
        Ok(leads)
    }
}

/// Works for ever.
pub(crate) async fn work(gateway: &Gateway, leader: &Leader) {
    let mut unopened = HashMap::new();
    let mut look_at = Duration::ZERO;
    loop {
        if gateway.clock.monotonic() >= look_at {
            let looked = queue_due(gateway, leader).await;
            look_at = gateway.clock.monotonic() + if looked == Ok(true) { DUE_EVERY } else { LOOK_AGAIN };
            if let Err(reason) = looked {
                tracing::warn!(reason = reason.code(), "what is due is looked for again");
            }
        }
        match turn(gateway, leader, &mut unopened).await {
            Ok(Went::On) => {}
            Ok(Went::Waits) => sleep(IDLE).await,
            Err(error) => {
                tracing::warn!(%error, "jobs wait for the database");
                sleep(IDLE).await;
            }
        }
    }
}

/// Drops audit past its window and asks for expiries and rotations that are due. False: another leads.
async fn queue_due(gateway: &Gateway, leader: &Leader) -> Result<bool, Reason> {
    if !stored(leader.leads(gateway).await)? {
        return Ok(false);
    }
    let dropped = stored(gateway.store.drop_old_audit().await)?;
    if dropped.entries > 0 {
        tracing::info!(entries = dropped.entries, "audit past its window is gone");
    }
    let open = stored(gateway.store.open_jobs(u32::MAX).await)?;
    stored(erase_many::queue_expiries(gateway, &open).await)?;
    schedule::queue_rotations(gateway).await.map(|()| true)
}

/// One step of every open job.
async fn turn(gateway: &Gateway, leader: &Leader, unopened: &mut HashMap<JobId, Unopened>) -> Result<Went, StoreError> {
    let open = gateway.store.open_jobs(SIDE_BY_SIDE).await?;
    unopened.retain(|id, _| open.iter().any(|job| job.id == *id));
    // A house without work writes nothing between two looks for what is due.
    if open.is_empty() || !leader.leads(gateway).await? {
        return Ok(Went::Waits);
    }
    let mut went = Went::Waits;
    for job in &open {
        if job.state == JobState::Queued {
            gateway.store.begin_job(job).await?;
            went = Went::On;
            continue;
        }
        let seen = unopened.entry(job.id).or_default();
        match step(gateway, job, seen).await {
            Ok(Went::On) => went = Went::On,
            Ok(Went::Waits) => {}
            Err(reason) => failed(gateway, job, &reason).await?,
        }
    }
    Ok(went)
}

async fn step(gateway: &Gateway, job: &Job, unopened: &mut Unopened) -> Result<Went, Reason> {
    match job.kind {
        JobKind::RotateKek => rotate::step(gateway, job, unopened).await,
        JobKind::DeleteReferences | JobKind::ExpireReferences => erase_many::step(gateway, job).await,
        JobKind::TerminateTenant => terminate::step(gateway, job).await,
        JobKind::RenewReferences => renew::step(gateway, job, unopened).await,
    }
}

/// A fault that passes is noted with the job; any other ends it.
async fn failed(gateway: &Gateway, job: &Job, reason: &Reason) -> Result<(), StoreError> {
    let passes = reason.retryable() || *reason == Reason::DeadlineExceeded;
    tracing::warn!(job = %job.id, kind = job.kind.word(), reason = reason.code(), passes, "a job does not go on");
    if passes {
        return gateway.store.note_job_error(job, reason.code()).await;
    }
    metrics::counter!("countersign_jobs_failed_total", "kind" => job.kind.word()).increment(1);
    gateway.store.fail_job(job, reason.code()).await.map(drop)
}

/// When a call that begins now must have its answer.
fn deadline(gateway: &Gateway) -> Duration {
    gateway.clock.monotonic() + PATIENCE
}

/// What a compare-and-set came to: one that another won is no fault, the job is read anew.
const fn went(moved: bool) -> Went {
    if moved { Went::On } else { Went::Waits }
}

/// What the store says, as a reason.
pub(crate) fn stored<T>(result: Result<T, StoreError>) -> Result<T, Reason> {
    result.map_err(store_fault)
}
