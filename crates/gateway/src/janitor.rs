//! What is done without being asked: readiness, leases that nobody came back for, rows past their window, erased bytes; the log;
//! and jobs, which somebody asked for.
//!
//! Must never know: requests. Invariant: a turn that fails is logged and tried again; it never ends the janitor.

use crate::{events, gateway::Gateway, inference::Inference, jobs, log::sequence, restore};
use service::Readiness;
use std::{sync::Arc, time::Duration};
use store::{Erased, Store, StoreError};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Between two looks at the database and the workers.
const PROBE_EVERY: Duration = Duration::from_secs(1);
/// Between two sweeps of expired leases.
const LEASES_EVERY: Duration = Duration::from_secs(2);
/// Between two sweeps of everything else.
const OLD_EVERY: Duration = Duration::from_secs(30);
/// Between two looks for erased bytes.
const ERASED_EVERY: Duration = Duration::from_secs(5);
/// Most pending deletions of one turn.
const DELETIONS: u32 = 100;

/// Works until `shutdown`.
pub(crate) async fn work(gateway: Arc<Gateway>, readiness: Readiness, shutdown: CancellationToken) {
    let leader = |task| jobs::Leader::new(gateway.jobs, task);
    let (Ok(leader), Ok(sequencer)) = (leader(jobs::TASK), leader(sequence::TASK)) else { return };
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = probing(&gateway, &readiness) => {}
        () = sweeping_leases(&gateway.store) => {}
        () = dropping_old(&gateway) => {}
        () = finishing_deletions(&gateway) => {}
        () = jobs::work(&gateway, &leader) => {}
        () = events::sending(&gateway) => {}
        () = sequence::work(&gateway, &sequencer) => {}
    }
    noted("the lease", leader.resign(&gateway.store).await);
    noted("the log's lease", sequencer.resign(&gateway.store).await);
}

async fn probing(gateway: &Gateway, readiness: &Readiness) {
    loop {
        probe(&gateway.store, &gateway.inference, readiness).await;
        sleep(PROBE_EVERY).await;
    }
}

async fn sweeping_leases(store: &Store) {
    loop {
        noted("leases", store.sweep_expired_leases().await);
        sleep(LEASES_EVERY).await;
    }
}

async fn dropping_old(gateway: &Gateway) {
    loop {
        gateway.admission.tidy();
        noted("old rows", drop_old(&gateway.store).await);
        sleep(OLD_EVERY).await;
    }
}

async fn finishing_deletions(gateway: &Gateway) {
    let mut emptied_ms = i64::MIN;
    loop {
        // No proof of what the journal does not take.
        let journaled = restore::write_due(&gateway.store, gateway.journal.as_ref()).await;
        if noted("the deletion journal", journaled) {
            noted("erased bytes", finish_deletions(gateway, &mut emptied_ms).await);
        }
        sleep(ERASED_EVERY).await;
    }
}

/// Ready: the database and at least one worker answer.
async fn probe(store: &Store, inference: &Inference, readiness: &Readiness) {
    let (database, workers) = tokio::join!(store.ping(), inference.probe());
    metrics::gauge!("countersign_workers_answering").set(workers as f64);
    if database.is_ok() && workers > 0 {
        readiness.set_ready();
    } else {
        if readiness.is_ready() {
            tracing::warn!(database = database.is_ok(), workers, "not ready");
        }
        readiness.set_starting();
    }
}

async fn drop_old(store: &Store) -> Result<(), StoreError> {
    while store.drop_old_events().await? > 0 {}
    loop {
        if store.drop_old().await?.is_nothing() {
            return Ok(());
        }
    }
}

/// Empties the write-ahead log where a deletion is younger than the last time, and closes the deletions that nobody will
/// ask a proof of: those of replaced references, and those of jobs, which are exported.
async fn finish_deletions(gateway: &Gateway, emptied_ms: &mut i64) -> Result<(), StoreError> {
    let (store, must_be_journaled) = (&gateway.store, gateway.journal.is_some());
    let pending = store.pending_deletions(DELETIONS).await?;
    // Another gateway's deletion may be older than our last checkpoint and still have no proof.
    if pending.iter().all(|deletion| deletion.deleted_at_ms <= *emptied_ms && !deletion.is_nobodys()) {
        return Ok(());
    }
    let checkpoint = store.checkpoint().await?;
    let provable = |deletion: &&Erased| deletion.is_nobodys() && (deletion.journaled || !must_be_journaled);
    for deletion in pending.iter().filter(provable) {
        store.deletion_proved(deletion, checkpoint).await?;
    }
    *emptied_ms = checkpoint.at_ms();
    Ok(())
}

fn noted<T, E: std::fmt::Display>(what: &'static str, result: Result<T, E>) -> bool {
    result.inspect_err(|error| tracing::warn!(what, %error, "the janitor will try again")).is_ok()
}
