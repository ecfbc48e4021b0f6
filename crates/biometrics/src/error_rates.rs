//! Error rates of comparison (ISO/IEC 19795-1): FMR, FNMR, EER and the DET curve, with counts and 95 % bounds.
//!
//! Must never know: where scores come from. Invariant: every rate is an exact count over a count; thresholds are chosen so
//! that a score equal to the threshold is a match, as [`crate::score::ComparisonScore::is_match`] judges.

mod bootstrap;
mod interval;
mod unlinkability;

pub use bootstrap::{ImpostorPair, ImpostorTail, Resampling, fnmr_interval};
pub use interval::{Interval, at_least, clopper_pearson, rule_of_three};
pub use unlinkability::{LinkageScore, LocalPoint, Unlinkability};

use crate::calibration::{CalibrationTable, OperatingPoint};

/// Why scores give no rates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RatesError {
    /// There are no genuine or no impostor scores.
    #[error("no {0} scores")]
    Empty(&'static str),
    /// A score is NaN or infinite.
    #[error("a {0} score is not finite")]
    NotFinite(&'static str),
    /// A pair names an identity that does not exist, or one identity twice.
    #[error("a pair is not of two known identities")]
    Pair,
}

/// Errors among trials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rate {
    /// Comparisons that were decided wrongly.
    pub errors: u64,
    /// All comparisons.
    pub trials: u64,
}

impl Rate {
    /// Errors per trial; 0 of no trials.
    #[must_use]
    pub fn value(self) -> f64 {
        if self.trials == 0 { 0.0 } else { self.errors as f64 / self.trials as f64 }
    }

    /// Two-sided 95 % bounds that take the trials as independent (Clopper–Pearson).
    #[must_use]
    pub fn interval(self) -> Interval {
        clopper_pearson(self.errors, self.trials)
    }
}

/// One point of a DET curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DetPoint {
    /// Smallest score that is a match.
    pub threshold: f64,
    /// False match rate there.
    pub fmr: f64,
    /// False non-match rate there.
    pub fnmr: f64,
}

/// Where FMR and FNMR are equal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EqualErrorRate {
    /// The rate.
    pub rate: f64,
    /// A threshold that has it (up to one comparison).
    pub threshold: f64,
}

/// Genuine and impostor scores, sorted.
#[derive(Clone)]
pub struct Scores {
    genuine: Vec<f32>,
    impostor: Vec<f32>,
}

impl Scores {
    /// Takes scores in any order; higher is more alike. Sorts in place: millions are fine.
    ///
    /// # Errors
    /// `Empty` or `NotFinite`.
    pub fn new(mut genuine: Vec<f32>, mut impostor: Vec<f32>) -> Result<Self, RatesError> {
        for (name, scores) in [("genuine", &mut genuine), ("impostor", &mut impostor)] {
            if scores.is_empty() {
                return Err(RatesError::Empty(name));
            }
            if !scores.iter().all(|s| s.is_finite()) {
                return Err(RatesError::NotFinite(name));
            }
            scores.sort_unstable_by(f32::total_cmp);
        }
        Ok(Self { genuine, impostor })
    }

    /// Genuine scores in rising order.
    #[must_use]
    pub fn genuine(&self) -> &[f32] {
        &self.genuine
    }

    /// Impostor scores in rising order.
    #[must_use]
    pub fn impostor(&self) -> &[f32] {
        &self.impostor
    }

    /// Impostor comparisons that match at the threshold.
    #[must_use]
    pub fn fmr(&self, threshold: f64) -> Rate {
        let trials = self.impostor.len() as u64;
        Rate { errors: trials - below(&self.impostor, threshold), trials }
    }

    /// Genuine comparisons that do not match at the threshold.
    #[must_use]
    pub fn fnmr(&self, threshold: f64) -> Rate {
        Rate { errors: below(&self.genuine, threshold), trials: self.genuine.len() as u64 }
    }

    /// The smallest threshold whose false match rate is at most `fmr`: the next number above the first impostor score that
    /// may not match any more; the lowest impostor score where all may.
    #[must_use]
    pub fn threshold_at(&self, fmr: f64) -> f64 {
        let trials = self.impostor.len();
        // The small addition keeps 0.01 × 300 at 3; a negative or NaN rate allows nothing.
        let allowed = (fmr * trials as f64 + 1e-9).max(0.0) as usize;
        match trials.checked_sub(allowed + 1) {
            Some(at) => f64::from(self.impostor[at].next_up()),
            None => f64::from(self.impostor[0]),
        }
    }

    /// Rates, counts and Clopper–Pearson upper bounds at the smallest threshold that measures a false match rate.
    #[must_use]
    pub fn operating_point(&self, fmr: f64) -> OperatingPoint {
        self.operating_point_at(fmr, self.threshold_at(fmr))
    }

    /// As [`Scores::operating_point`], at a threshold that was found otherwise to keep the rate.
    #[must_use]
    pub fn operating_point_at(&self, fmr: f64, threshold: f64) -> OperatingPoint {
        let (matches, non_matches) = (self.fmr(threshold), self.fnmr(threshold));
        OperatingPoint {
            fmr,
            threshold,
            fnmr: non_matches.value(),
            impostor_comparisons: matches.trials,
            false_matches: matches.errors,
            genuine_comparisons: non_matches.trials,
            false_non_matches: non_matches.errors,
            fmr_upper: matches.interval().upper,
            fnmr_upper: non_matches.interval().upper,
        }
    }

    /// Operating points at the given rates, in falling order. Rates that these scores cannot show (less than one impostor
    /// comparison) are left out rather than extrapolated.
    #[must_use]
    pub fn table(&self, rates: &[f64]) -> CalibrationTable {
        let shown = |fmr: &&f64| **fmr < 1.0 && **fmr * self.impostor.len() as f64 >= 1.0 - 1e-9;
        let mut operating_points: Vec<_> = rates.iter().filter(shown).map(|&fmr| self.operating_point(fmr)).collect();
        operating_points.sort_by(|a, b| b.fmr.total_cmp(&a.fmr));
        operating_points.dedup_by(|a, b| a.fmr == b.fmr);
        CalibrationTable { operating_points }
    }

    /// Where the step functions FMR and FNMR cross.
    #[must_use]
    pub fn equal_error_rate(&self) -> EqualErrorRate {
        let n = self.genuine.len();
        let crossed = |at: usize| {
            let t = f64::from(self.genuine[at]);
            self.fnmr(t).value() >= self.fmr(t).value()
        };
        // FNMR - FMR never falls along rising scores, so the crossing can be bisected.
        let (mut low, mut high) = (0, n);
        while low < high {
            let middle = usize::midpoint(low, high);
            if crossed(middle) { high = middle } else { low = middle + 1 }
        }
        let Some(before) = low.checked_sub(1) else {
            return EqualErrorRate { rate: 0.0, threshold: f64::from(self.genuine[0]) };
        };
        let above = f64::from(self.genuine[before].next_up());
        let (fnmr, fmr) = (self.fnmr(above).value(), self.fmr(above).value());
        if fmr <= fnmr {
            EqualErrorRate { rate: fmr, threshold: above }
        } else {
            EqualErrorRate { rate: fnmr, threshold: self.threshold_at(fnmr) }
        }
    }

    /// The DET curve at `per_decade` false match rates a decade, from 1 down to one comparison; rising thresholds.
    #[must_use]
    pub fn det(&self, per_decade: u32) -> Vec<DetPoint> {
        let per_decade = f64::from(per_decade.max(1));
        let steps = ((self.impostor.len() as f64).log10() * per_decade).floor() as u32;
        let mut curve: Vec<DetPoint> = (0..=steps)
            .map(|step| {
                let threshold = self.threshold_at(10f64.powf(-f64::from(step) / per_decade));
                DetPoint { threshold, fmr: self.fmr(threshold).value(), fnmr: self.fnmr(threshold).value() }
            })
            .collect();
        curve.dedup_by(|a, b| a.threshold == b.threshold);
        curve
    }
}

impl std::fmt::Debug for Scores {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Scores({} genuine, {} impostor)", self.genuine.len(), self.impostor.len())
    }
}

/// How many of the sorted scores do not reach the threshold.
fn below(sorted: &[f32], threshold: f64) -> u64 {
    sorted.partition_point(|&s| f64::from(s) < threshold) as u64
}

#[cfg(test)]
mod tests;
