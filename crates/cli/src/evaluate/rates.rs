//! Shares of captures with a 95 % bound that respects that captures of one person are not independent.
//!
//! Must never know: what was counted. Invariant: a share of nothing is absent, never 0.

use super::RESAMPLING;
use biometrics::error_rates::{Rate, clopper_pearson, fnmr_interval};
use std::collections::BTreeMap;

/// Captures of which something is true, among captures, by identity.
#[derive(Debug, Clone, Default)]
pub(super) struct Clustered(BTreeMap<u32, Rate>);

/// A share with its bounds.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub(super) struct Share {
    /// Captures of which it is true.
    pub(super) count: u64,
    /// Captures.
    pub(super) of: u64,
    /// People in them.
    pub(super) identities: u64,
    /// The share, 0 to 1.
    pub(super) share: f64,
    /// Lower 95 % bound.
    pub(super) lower: f64,
    /// Upper 95 % bound.
    pub(super) upper: f64,
}

impl Clustered {
    /// Counts one capture.
    pub(super) fn count(&mut self, identity: u32, is_so: bool) {
        let rate = self.0.entry(identity).or_default();
        rate.trials += 1;
        rate.errors += u64::from(is_so);
    }

    /// The share and its bounds; `None` without captures.
    ///
    /// With one capture a person these are Clopper and Pearson's. With more, people are drawn again, and the wider bound of
    /// both is taken; drawing again shows no spread where nothing or everything was counted, so that no bound is tighter than
    /// what as many people as there are could show by one capture each.
    pub(super) fn share(&self) -> Option<Share> {
        let total = self
            .0
            .values()
            .fold(Rate::default(), |sum, r| Rate { errors: sum.errors + r.errors, trials: sum.trials + r.trials });
        if total.trials == 0 {
            return None;
        }
        let identities = self.0.len() as u64;
        let mut bounds = total.interval();
        if identities < total.trials {
            let rates: Vec<Rate> = self.0.values().copied().collect();
            let people = [clopper_pearson(identities, identities).lower, clopper_pearson(0, identities).upper];
            let drawn = fnmr_interval(&rates, RESAMPLING).map_or(people, |drawn| [drawn.lower, drawn.upper]);
            bounds.lower = bounds.lower.min(drawn[0]).min(people[0]);
            bounds.upper = bounds.upper.max(drawn[1]).max(people[1]);
        }
        Some(Share {
            count: total.errors,
            of: total.trials,
            identities,
            share: total.value(),
            lower: bounds.lower,
            upper: bounds.upper,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(rows: impl IntoIterator<Item = (u32, bool)>) -> Option<Share> {
        let mut clustered = Clustered::default();
        rows.into_iter().for_each(|(identity, is_so)| clustered.count(identity, is_so));
        clustered.share()
    }

    #[test]
    fn a_share_of_nothing_is_absent() {
        assert_eq!(counted([]), None);
    }

    #[test]
    fn one_capture_a_person_gives_the_exact_bound() {
        let share = counted((0..300).map(|i| (i, false))).unwrap();
        assert_eq!((share.count, share.of, share.identities), (0, 300, 300));
        assert!((share.upper - 0.0122).abs() < 2e-4, "{}", share.upper);
    }

    #[test]
    fn more_captures_of_the_same_people_do_not_narrow_what_was_never_seen() {
        let few = counted((0..300).map(|i| (i % 30, false))).unwrap();
        let many = counted((0..30).map(|i| (i, false))).unwrap();
        assert_eq!((few.upper, few.of), (many.upper, 300));
        let one = counted((0..300).map(|i| (i % 30, i == 0))).unwrap();
        assert!(one.upper >= few.upper, "an error more never tightens the bound");
    }

    #[test]
    fn errors_of_one_person_widen_the_bound() {
        let spread = counted((0..400).map(|i| (i, i % 40 == 0))).unwrap();
        let heaped = counted((0..400).map(|i| (i / 10, i < 10))).unwrap();
        assert_eq!((spread.count, heaped.count), (10, 10));
        assert!(heaped.upper > 1.3 * spread.upper, "{} {}", heaped.upper, spread.upper);
    }
}
