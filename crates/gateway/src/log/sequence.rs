//! The sequencer: under a lease, takes what waits, lets the tree grow, has the root signed, and commits all of it at once.
//!
//! Must never know: what an entry is about. Invariants: the commit is a compare-and-set on the tree that was read, so of two who
//! believe that they lead one succeeds; nothing is signed over tiles that do not lead to the old root, or over a tree that is
//! smaller or other than the one that this process let grow.

use super::tell::{self, Told};
use crate::{
    fault::store_fault,
    gateway::Gateway,
    jobs::{Leader, stored},
};
use receipt::TreeHead;
use std::time::Duration;
use store::LogWork;
use tokio::time::sleep;
use wire::Reason;

/// Between two looks for entries: with the commit, how long an entry waits for its place.
const EVERY: Duration = Duration::from_secs(1);
/// Between two looks at what happens outside of leaves' own transactions: audit chains, keys, models.
const TELL_EVERY: Duration = Duration::from_secs(5);
/// After a failure.
const REST: Duration = Duration::from_secs(3);
/// Most entries of one transaction.
const BATCH: u32 = 512;
/// The name of the lease.
pub(crate) const TASK: &str = "log";

/// Works for ever.
pub(crate) async fn work(gateway: &Gateway, leader: &Leader) {
    let (mut grown, mut told, mut look_at) = (None, Told::default(), Duration::ZERO);
    loop {
        if gateway.clock.monotonic() >= look_at {
            look_at = gateway.clock.monotonic() + TELL_EVERY;
            if let Err(reason) = tell::tell(gateway, leader, &mut told).await {
                tracing::warn!(reason = reason.code(), "the log is told later");
            }
        }
        match turn(gateway, leader, &mut grown).await {
            Ok(true) => {}
            Ok(false) => sleep(EVERY).await,
            Err(reason) => {
                tracing::warn!(reason = reason.code(), "the log does not grow");
                sleep(REST).await;
            }
        }
    }
}

/// One batch. True: more may wait.
async fn turn(gateway: &Gateway, leader: &Leader, grown: &mut Option<TreeHead>) -> Result<bool, Reason> {
    // A house in which nothing happens has no leader and writes nothing.
    let Some(work) = stored(gateway.store.log_work(BATCH).await)? else { return Ok(false) };
    if !leader.leads(gateway).await.map_err(store_fault)? {
        return Ok(false);
    }
    if grown.as_ref().is_some_and(|seen| contradicts(seen, &work)) {
        return Err(alarm("the database's log is not the one that grew here"));
    }
    let full = work.queue.len() == BATCH as usize;
    let (work, signed) = gateway.ledger.grow(work).await?;
    let (growth, note) = signed.map_err(|_| alarm("the log's tiles do not lead to its root"))?;
    store::failpoint("log.signed");
    if stored(gateway.store.grow_log(&work, &growth, &note).await)? {
        *grown = Some(growth.head);
        metrics::counter!("countersign_log_entries_total").increment(work.queue.len() as u64);
        metrics::gauge!("countersign_log_size").set(growth.head.size as f64);
    }
    Ok(full)
}

/// Whether the tree in the database cannot be one that began with `seen`.
fn contradicts(seen: &TreeHead, work: &LogWork) -> bool {
    work.head.size < seen.size || work.head.size == seen.size && work.head.root != seen.root
}

fn alarm(what: &'static str) -> Reason {
    metrics::counter!("countersign_log_alarms_total").increment(1);
    tracing::error!(alarm = true, "{what}; nothing more is signed over it");
    Reason::Internal
}
