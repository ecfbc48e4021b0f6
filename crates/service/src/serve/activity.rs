//! Whether a connection does anything: a count of its requests, and a watch that ends when it has been idle for too long.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::time::sleep;

/// Requests of one connection; clones share the counts.
#[derive(Debug, Clone, Default)]
pub(super) struct Activity(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    begun: AtomicU64,
    ended: AtomicU64,
}

/// A request in flight; counts as ended when dropped.
#[derive(Debug)]
pub(super) struct InFlight(Activity);

impl Activity {
    /// Counts a request until the value is dropped.
    pub(super) fn begin(&self) -> InFlight {
        self.0.begun.fetch_add(1, Ordering::SeqCst);
        InFlight(self.clone())
    }

    /// Returns when no request has begun within `first`, or when none was in flight for a whole `idle`.
    pub(super) async fn idle(&self, first: Duration, idle: Duration) {
        sleep(first).await;
        if self.0.begun.load(Ordering::SeqCst) == 0 {
            return;
        }
        loop {
            let before = self.0.begun.load(Ordering::SeqCst);
            sleep(idle).await;
            let begun = self.0.begun.load(Ordering::SeqCst);
            if begun == before && self.0.ended.load(Ordering::SeqCst) == begun {
                return;
            }
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.0.ended.fetch_add(1, Ordering::SeqCst);
    }
}
