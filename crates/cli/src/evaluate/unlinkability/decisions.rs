//! Decisions with the keyed transform on both sides and without it: there must be no difference.
//!
//! Invariant: each reference has a transform of its own, as in the store, and the probe goes through the reference's.

use super::{
    Enrolled,
    places::{Between, Draw},
};
use crate::evaluate::crew::Crew;
use anyhow::Result;
use biometrics::{ComparisonScore, error_rates::Rate};
use serde::Serialize;

/// What was compared twice.
#[derive(Debug, Default, Serialize)]
pub(super) struct Decisions {
    /// Of one person's two pictures.
    pub(super) mated: u64,
    /// Of two people.
    pub(super) non_mated: u64,
    /// The pack's operating thresholds.
    pub(super) thresholds: usize,
    /// Comparisons that match at the lowest threshold, so that both decisions occur.
    pub(super) matches: u64,
    /// Comparisons decided otherwise at any threshold.
    pub(super) flipped: u64,
    /// Upper 95 % bound of their share.
    pub(super) flipped_upper: f64,
    /// Largest change of a score.
    pub(super) largest_change: f64,
}

/// Every picture against every portrait but itself.
pub(super) fn measure(crew: &Crew<'_>, people: &[Enrolled], seed: u64) -> Result<Decisions> {
    let thresholds: Vec<f64> = crew.pack.calibration().operating_points.iter().map(|point| point.threshold).collect();
    let parts = crew.each(("decisions", people.len()), |_, at| {
        let transform = Draw { between: Between::Users, seed, number: 0, keys_known: false }.transform(at as u64);
        let reference = (&people[at].portrait, transform.apply(&people[at].portrait));
        let mut part = Decisions::default();
        for (other, person) in people.iter().enumerate() {
            let probes = (other != at).then_some(&person.portrait).into_iter().chain(&person.another);
            for probe in probes {
                let plain = ComparisonScore::of(reference.0, probe);
                part.count(
                    &thresholds,
                    other == at,
                    [plain, ComparisonScore::of(&reference.1, &transform.apply(probe))],
                );
            }
        }
        Ok(part)
    })?;
    let mut all =
        parts.into_iter().fold(Decisions { thresholds: thresholds.len(), ..Decisions::default() }, Decisions::and);
    all.flipped_upper = Rate { errors: all.flipped, trials: all.mated + all.non_mated }.interval().upper;
    Ok(all)
}

impl Decisions {
    fn count(&mut self, thresholds: &[f64], mated: bool, [plain, keyed]: [ComparisonScore; 2]) {
        self.mated += u64::from(mated);
        self.non_mated += u64::from(!mated);
        self.matches += u64::from(thresholds.iter().any(|&t| plain.is_match(t)));
        self.flipped += u64::from(thresholds.iter().any(|&t| plain.is_match(t) != keyed.is_match(t)));
        self.largest_change = self.largest_change.max(f64::from((plain.value() - keyed.value()).abs()));
    }

    fn and(mut self, other: Self) -> Self {
        self.mated += other.mated;
        self.non_mated += other.non_mated;
        self.matches += other.matches;
        self.flipped += other.flipped;
        self.largest_change = self.largest_change.max(other.largest_change);
        self
    }
}
