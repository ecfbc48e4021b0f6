//! Unlinkability of protected templates: the local measure D↔(s) and the global D↔sys of Gomez-Barrero, Galbally, Rathgeb and
//! Busch, "General Framework to Evaluate Unlinkability in Biometric Template Protection Systems", IEEE TIFS 13(6), 2018.
//!
//! Must never know: how templates were protected, names of identities. Invariant: every value lies in [0, 1]; 0 says that a
//! score tells nothing of whether two templates are of one person, 1 that it always does.
//!
//! With equal priors (ω = 1) and LR(s) the likelihood ratio of mated to non-mated scores, D↔(s) = 0 where LR(s) ≤ 1, else
//! 2·LR/(1 + LR) − 1; D↔sys is its mean over mated scores. Both distributions are estimated by histograms as the authors'
//! programme does: equal bins from the lowest to the highest score of both kinds, one for each ten independent mated scores, at
//! most 100 (and at least 10), and D↔ = 1 where mated scores but no non-mated ones fall. D↔sys is summed over bins.
//!
//! Bias: clipping at 0 keeps chance excesses and drops chance deficits, so that equal distributions give more than 0: about
//! 0.2·√(B·(1/M + 1/N)) for M mated and N non-mated independent scores in B filled bins. Measure it beside every figure by a
//! null control (non-mated scores in place of the mated ones), and take many scores.

use super::{Interval, RatesError, Resampling, bootstrap::percentiles};
use std::ops::RangeInclusive;

/// Fewest and most bins of a histogram.
const BINS: RangeInclusive<usize> = 10..=100;
/// Independent mated scores for each bin.
const SCORES_PER_BIN: usize = 10;

/// What a linkage function said of two protected templates; higher is more alike.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LinkageScore {
    /// Its value, finite.
    pub score: f32,
    /// Index of the identity of one template.
    pub a: u32,
    /// Index of the identity of the other; the same for a mated pair.
    pub b: u32,
}

/// The estimate at the scores of one bin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LocalPoint {
    /// Middle of the bin.
    pub score: f64,
    /// Share of mated scores in it.
    pub mated: f64,
    /// Share of non-mated scores in it.
    pub non_mated: f64,
    /// D↔ there, 0 to 1; 0 where no mated score fell.
    pub linkability: f64,
}

/// D↔ of one linkage function on one set of templates.
pub struct Unlinkability {
    /// Lowest score and width of a bin.
    scale: (f64, f64),
    bins: usize,
    identities: usize,
    mated: Vec<Binned>,
    non_mated: Vec<Binned>,
}

/// A score as its bin.
struct Binned {
    a: u32,
    b: u32,
    bin: u32,
}

impl Unlinkability {
    /// Estimates from scores in any order. `independent` of the mated ones say something of their own: all of them where chance
    /// was drawn anew for each, as many as there are identities where scores repeat themselves. It decides how fine bins are.
    ///
    /// # Errors
    /// `Empty` or `NotFinite`; `Pair` for a pair of two identities among the mated ones, or of one among the others.
    pub fn new(mated: &[LinkageScore], non_mated: &[LinkageScore], independent: usize) -> Result<Self, RatesError> {
        for (name, scores) in [("mated", mated), ("non-mated", non_mated)] {
            if scores.is_empty() {
                return Err(RatesError::Empty(name));
            }
            if !scores.iter().all(|s| s.score.is_finite()) {
                return Err(RatesError::NotFinite(name));
            }
        }
        if mated.iter().any(|pair| pair.a != pair.b) || non_mated.iter().any(|pair| pair.a == pair.b) {
            return Err(RatesError::Pair);
        }
        let both = || mated.iter().chain(non_mated);
        let bounds = |(low, high): (f64, f64), s: f64| (low.min(s), high.max(s));
        let (low, high) = both().map(|p| f64::from(p.score)).fold((f64::INFINITY, f64::NEG_INFINITY), bounds);
        let bins = (independent / SCORES_PER_BIN).clamp(*BINS.start(), *BINS.end());
        let width = ((high - low) / bins as f64).max(f64::MIN_POSITIVE);
        // The highest score belongs to the last bin.
        let bin = |score: f32| (((f64::from(score) - low) / width) as usize).min(bins - 1) as u32;
        let binned = |p: &LinkageScore| Binned { a: p.a, b: p.b, bin: bin(p.score) };
        Ok(Self {
            scale: (low, width),
            bins,
            identities: both().map(|p| p.a.max(p.b)).max().map_or(0, |last| last as usize + 1),
            mated: mated.iter().map(binned).collect(),
            non_mated: non_mated.iter().map(binned).collect(),
        })
    }

    /// D↔sys, 0 to 1.
    #[must_use]
    pub fn system(&self) -> f64 {
        self.weighted(&vec![1; self.identities]).unwrap_or(0.0)
    }

    /// Both distributions and D↔, bin by bin, in rising order of scores.
    #[must_use]
    pub fn local(&self) -> Vec<LocalPoint> {
        let Some([mated, non_mated]) = self.shares(&vec![1; self.identities]) else { return Vec::new() };
        let (low, width) = self.scale;
        let point = |(at, (mated, non_mated)): (usize, (f64, f64))| LocalPoint {
            score: low + (at as f64 + 0.5) * width,
            mated,
            non_mated,
            linkability: linkability(mated, non_mated),
        };
        mated.into_iter().zip(non_mated).enumerate().map(point).collect()
    }

    /// 95 % bounds of D↔sys by drawing identities again: a mated pair counts as often as its identity was drawn, a non-mated
    /// one as often as the product of both. Drawing again adds to the bias, so that the bounds of a small D↔sys lie high; they
    /// are widened to hold the estimate.
    #[must_use]
    pub fn interval(&self, resampling: Resampling) -> Option<Interval> {
        let mut drawn = Vec::with_capacity(resampling.draws as usize);
        resampling.each(self.identities, |multiplicity| drawn.extend(self.weighted(multiplicity)));
        let (system, bounds) = (self.system(), percentiles(drawn)?);
        Some(Interval { lower: bounds.lower.min(system), upper: bounds.upper.max(system) })
    }

    /// D↔sys with identities counted as often as told.
    fn weighted(&self, multiplicity: &[u32]) -> Option<f64> {
        let [mated, non_mated] = self.shares(multiplicity)?;
        Some(mated.iter().zip(&non_mated).map(|(&m, &n)| m * linkability(m, n)).sum::<f64>().clamp(0.0, 1.0))
    }

    /// Shares of mated and of non-mated scores in each bin; `None` where either has no weight.
    fn shares(&self, multiplicity: &[u32]) -> Option<[Vec<f64>; 2]> {
        let times = |identity: u32| u64::from(multiplicity[identity as usize]);
        let mated = self.histogram(&self.mated, |pair| times(pair.a))?;
        Some([mated, self.histogram(&self.non_mated, |pair| times(pair.a) * times(pair.b))?])
    }

    fn histogram(&self, scores: &[Binned], weight: impl Fn(&Binned) -> u64) -> Option<Vec<f64>> {
        let mut counts = vec![0_u64; self.bins];
        for score in scores {
            counts[score.bin as usize] += weight(score);
        }
        let total: u64 = counts.iter().sum();
        (total > 0).then(|| counts.iter().map(|&count| count as f64 / total as f64).collect())
    }
}

impl std::fmt::Debug for Unlinkability {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Unlinkability({} mated, {} non-mated)", self.mated.len(), self.non_mated.len())
    }
}

/// D↔ from both densities (or shares of one bin): 2·LR/(1 + LR) − 1 is (m − n)/(m + n).
fn linkability(mated: f64, non_mated: f64) -> f64 {
    if mated > non_mated { (mated - non_mated) / (mated + non_mated) } else { 0.0 }
}

#[cfg(test)]
mod tests;
