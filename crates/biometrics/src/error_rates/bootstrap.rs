//! Bounds that respect that comparisons of one person are not independent: identities are drawn, not comparisons.
//!
//! Must never know: names of identities (only indices). Invariant: the same input, draws and seed give the same bounds.

use super::{Interval, Rate, RatesError};
use rand::{RngExt, SeedableRng, rngs::StdRng};

/// How often and from which seed identities are drawn again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resampling {
    /// Number of resamples; 1,000 or more for 95 % bounds.
    pub draws: u32,
    /// Seed of the generator.
    pub seed: u64,
}

impl Resampling {
    /// Calls `judge` once a resample with each identity's multiplicity (they sum to the number of identities).
    pub(super) fn each(self, identities: usize, mut judge: impl FnMut(&[u32])) {
        let mut rng = StdRng::seed_from_u64(self.seed);
        let mut multiplicity = vec![0_u32; identities];
        for _ in 0..self.draws {
            multiplicity.fill(0);
            for _ in 0..identities {
                multiplicity[rng.random_range(0..identities)] += 1;
            }
            judge(&multiplicity);
        }
    }
}

/// 95 % bounds of the false non-match rate from each identity's own genuine comparisons; `None` without any.
#[must_use]
pub fn fnmr_interval(per_identity: &[Rate], resampling: Resampling) -> Option<Interval> {
    if per_identity.is_empty() {
        return None;
    }
    let mut rates = Vec::with_capacity(resampling.draws as usize);
    resampling.each(per_identity.len(), |multiplicity| {
        let weighted = per_identity.iter().zip(multiplicity).fold((0, 0), |(errors, trials), (rate, &times)| {
            (errors + rate.errors * u64::from(times), trials + rate.trials * u64::from(times))
        });
        if weighted.1 > 0 {
            rates.push(weighted.0 as f64 / weighted.1 as f64);
        }
    });
    percentiles(rates)
}

/// One impostor comparison.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ImpostorPair {
    /// Its comparison score.
    pub score: f32,
    /// Index of one identity.
    pub a: u32,
    /// Index of the other.
    pub b: u32,
}

/// The highest impostor scores of a full cross-comparison: every sample with every sample of every other identity.
///
/// Two-way resampling: a comparison counts as often as the product of its identities' multiplicities, so that one person
/// who looks like many widens the bounds as they should.
pub struct ImpostorTail {
    samples: Vec<u32>,
    pairs: Vec<ImpostorPair>,
}

impl ImpostorTail {
    /// `samples` per identity, and every impostor comparison at or above some score of the caller's choice, in any order.
    ///
    /// # Errors
    /// `Pair` for an unknown identity or one paired with itself, `NotFinite`, `Empty` for less than two identities.
    pub fn new(samples: Vec<u32>, mut pairs: Vec<ImpostorPair>) -> Result<Self, RatesError> {
        if samples.iter().filter(|&&n| n > 0).count() < 2 {
            return Err(RatesError::Empty("impostor"));
        }
        let known = |i: u32| samples.get(i as usize).is_some_and(|&n| n > 0);
        if !pairs.iter().all(|p| known(p.a) && known(p.b) && p.a != p.b) {
            return Err(RatesError::Pair);
        }
        if !pairs.iter().all(|p| p.score.is_finite()) {
            return Err(RatesError::NotFinite("impostor"));
        }
        pairs.sort_unstable_by(|p, q| q.score.total_cmp(&p.score));
        Ok(Self { samples, pairs })
    }

    /// 95 % bounds of the false match rate at a threshold not below the tail's own lowest score.
    #[must_use]
    pub fn fmr_interval(&self, threshold: f64, resampling: Resampling) -> Option<Interval> {
        let matched = &self.pairs[..self.pairs.partition_point(|p| f64::from(p.score) >= threshold)];
        let mut rates = Vec::with_capacity(resampling.draws as usize);
        resampling.each(self.samples.len(), |multiplicity| {
            let comparisons = self.comparisons(multiplicity);
            if comparisons > 0.0 {
                rates.push(matched.iter().map(|p| weight(p, multiplicity)).sum::<u64>() as f64 / comparisons);
            }
        });
        percentiles(rates)
    }

    /// The smallest threshold whose upper bound is at most `fmr`: where the claim is met with 97.5 % certainty.
    ///
    /// `None` where the tail ends before the bound is reached: hand in a longer one.
    #[must_use]
    pub fn threshold_for_upper(&self, fmr: f64, resampling: Resampling) -> Option<f64> {
        // In each resample: how many pairs from the top may match before the rate passes the claim.
        let mut allowed = Vec::with_capacity(resampling.draws as usize);
        resampling.each(self.samples.len(), |multiplicity| {
            let most = fmr * self.comparisons(multiplicity);
            let mut matched = 0;
            let passes = |p: &ImpostorPair| {
                matched += weight(p, multiplicity);
                matched as f64 > most
            };
            allowed.push(self.pairs.iter().position(passes).unwrap_or(self.pairs.len()));
        });
        allowed.sort_unstable();
        // Rounded to the stricter side: at most 2.5 % of the resamples allow fewer.
        let kept = *allowed.get((allowed.len() as f64 * 0.025) as usize)?;
        self.pairs.get(kept).map(|first_refused| f64::from(first_refused.score.next_up()))
    }

    /// Impostor comparisons that a resample holds: all pairs of samples, less those within one identity.
    fn comparisons(&self, multiplicity: &[u32]) -> f64 {
        let (sum, squares) = self.samples.iter().zip(multiplicity).fold((0.0, 0.0), |(sum, squares), (&n, &times)| {
            let drawn = f64::from(n) * f64::from(times);
            (sum + drawn, squares + drawn * drawn)
        });
        (sum * sum - squares) / 2.0
    }
}

impl std::fmt::Debug for ImpostorTail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ImpostorTail({} identities, {} pairs)", self.samples.len(), self.pairs.len())
    }
}

fn weight(pair: &ImpostorPair, multiplicity: &[u32]) -> u64 {
    u64::from(multiplicity[pair.a as usize]) * u64::from(multiplicity[pair.b as usize])
}

/// The 2.5th and 97.5th percentile, each rounded outwards.
pub(super) fn percentiles(mut rates: Vec<f64>) -> Option<Interval> {
    rates.sort_unstable_by(f64::total_cmp);
    let last = rates.len().checked_sub(1)? as f64;
    Some(Interval { lower: rates[(last * 0.025).floor() as usize], upper: rates[(last * 0.975).ceil() as usize] })
}

#[cfg(test)]
mod tests;
