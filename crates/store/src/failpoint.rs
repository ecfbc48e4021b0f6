//! Named places where a kill test ends the process. Owns the reading of `COUNTERSIGN_FAILPOINT`. Must never know: what
//! happens around them. Invariant: a release build holds none of this, whatever features it is built with; a test of the
//! built programs looks for the name.

/// Aborts the process when `COUNTERSIGN_FAILPOINT` is `name`, or `name:N` at the N-th hit (from 1).
///
/// Places: `t1.before_commit`, `t1.after_commit`, `worker.answered`, `t2.before_commit`, `t2.after_commit`,
/// `erase.before_commit`, `erase.after_commit`, `erase.after_checkpoint`, `erase.after_proved`, `hold.before_commit`, `bulk.erase.before_commit`, `bulk.erase.after_commit`, `bulk.prove.before_commit`, `log.before_commit`, `log.after_commit`, and along a
/// rotation `rotate.made`, `rotate.made.before_commit`, `rotate.made.after_commit`, `rotate.secrets.before_commit`,
/// `rotate.batch.before_commit`, `rotate.batch.after_commit`, `rotate.fence.before_commit`, `rotate.fence.after_commit`,
/// `rotate.destroying`, `rotate.destroyed.before_commit`, `rotate.done.before_commit`; along a termination `terminate.emptied.before_commit`,
/// `terminate.counted.before_commit`, `terminate.destroying`, `terminate.destroyed`, `terminate.ended.before_commit`,
/// `terminate.ended.after_commit`; of a statement about a key `statement.intended`, `statement.told.before_commit`,
/// `statement.told.after_commit`; along a renewal `renew.batch.before_commit`,
/// `renew.batch.after_commit`, `renew.end.before_commit`; `journal.written`, `restore.before_commit`; along a copy `copy.batch`,
/// `copy.before_commit`.
#[cfg(debug_assertions)]
pub fn failpoint(name: &str) {
    use std::sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    };
    static ARMED: LazyLock<Option<(String, u64)>> = LazyLock::new(|| {
        let text = std::env::var("COUNTERSIGN_FAILPOINT").ok()?;
        let (name, nth) = text.split_once(':').unwrap_or((&text, "1"));
        Some((name.to_owned(), nth.parse().unwrap_or(1)))
    });
    static HITS: AtomicU64 = AtomicU64::new(0);
    if let Some((armed, nth)) = &*ARMED
        && armed == name
        && HITS.fetch_add(1, Ordering::SeqCst) + 1 == *nth
    {
        std::process::abort();
    }
}

/// Does nothing: this is a release build.
#[cfg(not(debug_assertions))]
pub const fn failpoint(_name: &str) {}
