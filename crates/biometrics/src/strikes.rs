//! How failed attempts slow down and finally stop further ones (CONTRACT "Strikes").
//!
//! Must never know: where strikes are counted. Invariant: more failures never mean a shorter delay.

use crate::gate::{Gate, GateResult, GateStatus, Verdict, decide};

/// Strikes in all that lock a reference until an operator or a re-enrollment frees it.
pub const LIFETIME_CAP: u32 = 50;
/// Failures in a row that start the delays.
pub const FREE_FAILS: u32 = 5;
/// First delay, in seconds.
pub const FIRST_DELAY_SECONDS: u32 = 30;
/// Longest delay, in seconds.
pub const MAX_DELAY_SECONDS: u32 = 3600;

/// Seconds to wait after the given number of failures in a row: 0 below five, then 30, doubling, at most an hour.
#[must_use]
pub const fn after_fail(consecutive: u32) -> u32 {
    let Some(doublings) = consecutive.checked_sub(FREE_FAILS) else { return 0 };
    // Seven doublings of 30 s already pass the hour.
    let doublings = if doublings > 7 { 7 } else { doublings };
    let delay = FIRST_DELAY_SECONDS << doublings;
    if delay > MAX_DELAY_SECONDS { MAX_DELAY_SECONDS } else { delay }
}

/// Whether the lifetime cap is reached.
#[must_use]
pub const fn is_locked(lifetime: u32) -> bool {
    lifetime >= LIFETIME_CAP
}

/// What becomes of the strike that was charged when the attempt opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settlement {
    /// ACCEPT: the strike is refunded and the row of failures ends.
    Reset,
    /// INCONCLUSIVE: the strike is refunded, the row of failures stays as it was.
    Refund,
    /// A FAIL in gates 1 or 2: the strike stays, the row does not grow.
    Keep,
    /// A FAIL in gates 3 to 5: the strike stays and the row grows by one.
    KeepInRow,
}

/// Settles a strike by the results of the attempt.
#[must_use]
pub fn settle(results: &[GateResult], required: &[Gate]) -> Settlement {
    let failed = |late: bool| {
        results.iter().any(|r| r.status == GateStatus::Fail && (r.gate >= Gate::PresentationAttack) == late)
    };
    match decide(results, required) {
        Verdict::Accept => Settlement::Reset,
        Verdict::Refuse if failed(true) => Settlement::KeepInRow,
        Verdict::Refuse if failed(false) => Settlement::Keep,
        Verdict::Refuse => Settlement::Refund,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::borrow::Cow;

    fn results(statuses: [GateStatus; 5]) -> Vec<GateResult> {
        Gate::ALL
            .into_iter()
            .zip(statuses)
            .map(|(gate, status)| GateResult { gate, status, reasons: vec![], version: Cow::Borrowed("1") })
            .collect()
    }

    #[test]
    fn delays_start_at_five_and_double_to_an_hour() {
        let delays: Vec<u32> = (0..15).map(after_fail).collect();
        assert_eq!(delays, [0, 0, 0, 0, 0, 30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]);
        assert_eq!(after_fail(u32::MAX), 3600);
    }

    #[test]
    fn fifty_strikes_lock() {
        assert!(!is_locked(49));
        assert!(is_locked(50));
    }

    #[test]
    fn strikes_settle_by_what_the_gates_found() {
        use GateStatus::{Fail, Inconclusive, NotRun, Pass};
        let settled = |statuses| settle(&results(statuses), &Gate::ALL);
        assert_eq!(settled([Pass; 5]), Settlement::Reset);
        assert_eq!(settled([Pass, Inconclusive, NotRun, NotRun, NotRun]), Settlement::Refund);
        assert_eq!(settled([Fail, NotRun, NotRun, NotRun, NotRun]), Settlement::Keep);
        for gate in 2..5 {
            let mut statuses = [Pass; 5];
            statuses[gate] = Fail;
            assert_eq!(settled(statuses), Settlement::KeepInRow);
        }
        assert_eq!(settled([Fail, Pass, Pass, Pass, Fail]), Settlement::KeepInRow);
    }
}
