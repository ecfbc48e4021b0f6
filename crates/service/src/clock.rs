//! Time, as one concrete value: the system's clocks, or one that tests move by hand.
//!
//! The only place where the standard clocks are read. Invariant: `monotonic` never goes back.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// A clock; clones share it.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    System { start: Instant },
    Manual(Arc<Manual>),
}

#[derive(Debug)]
struct Manual {
    start_ms: i64,
    advanced_us: AtomicU64,
}

impl Clock {
    /// The machine's clocks.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the standard clocks")]
    pub fn system() -> Self {
        Self(Source::System { start: Instant::now() })
    }

    /// A clock that stands at `now_ms` until [`Clock::advance`] moves it.
    #[must_use]
    pub fn manual(now_ms: i64) -> Self {
        Self(Source::Manual(Arc::new(Manual { start_ms: now_ms, advanced_us: AtomicU64::new(0) })))
    }

    /// Moves a manual clock forward, to the microsecond; a system clock does not take orders and returns `false`.
    pub fn advance(&self, by: Duration) -> bool {
        let Source::Manual(manual) = &self.0 else { return false };
        manual.advanced_us.fetch_add(u64::try_from(by.as_micros()).unwrap_or(u64::MAX), Ordering::SeqCst);
        true
    }

    /// Wall clock in unix milliseconds. A machine set before 1970 reads 0.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the standard clocks")]
    pub fn now_ms(&self) -> i64 {
        match &self.0 {
            Source::System { .. } => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
            }
            Source::Manual(manual) => {
                let advanced = i64::try_from(manual.advanced_us.load(Ordering::SeqCst) / 1000).unwrap_or(i64::MAX);
                manual.start_ms.saturating_add(advanced)
            }
        }
    }

    /// Time since this clock was made; for durations.
    #[must_use]
    pub fn monotonic(&self) -> Duration {
        match &self.0 {
            Source::System { start } => start.elapsed(),
            Source::Manual(manual) => Duration::from_micros(manual.advanced_us.load(Ordering::SeqCst)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_by_hand_and_clones_move_together() {
        let clock = Clock::manual(1_000);
        let other = clock.clone();
        assert!(other.advance(Duration::from_millis(250)));
        assert_eq!((clock.now_ms(), clock.monotonic()), (1_250, Duration::from_millis(250)));
    }

    #[test]
    fn a_system_clock_cannot_be_moved_and_never_goes_back() {
        let clock = Clock::system();
        assert!(!clock.advance(Duration::from_secs(3600)));
        let first = clock.monotonic();
        assert!(clock.monotonic() >= first);
        assert!(clock.now_ms() > 1_600_000_000_000);
    }
}
