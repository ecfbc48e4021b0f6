//! Comparison scores (ISO/IEC 2382-37 37.03.27) and the two metrics that make them.
//!
//! Must never know: thresholds' origin. Invariant: higher means more alike, a score is never NaN, and nothing that is not
//! finite ever compares as a match.

use crate::features::{DIMENSION_RANGE, Features, FeaturesError, norm};
use serde::{Deserialize, Serialize};
use std::fmt;
use zeroize::Zeroizing;

/// How alike two sets of features are; higher is more alike. Kept out of `Debug`: scores feed hill climbing.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
pub struct ComparisonScore(f32);

impl ComparisonScore {
    /// The score of what cannot be compared. Below every finite score; matches at no threshold.
    pub const NOT_COMPARABLE: Self = Self(f32::NEG_INFINITY);

    /// Wraps a score computed elsewhere; NaN becomes [`ComparisonScore::NOT_COMPARABLE`].
    #[must_use]
    pub const fn new(value: f32) -> Self {
        if value.is_nan() { Self::NOT_COMPARABLE } else { Self(value) }
    }

    /// The number, for decisions and calibration only.
    #[must_use]
    pub const fn value(self) -> f32 {
        self.0
    }

    /// Whether score and threshold are finite and the score reaches the threshold.
    #[must_use]
    pub fn is_match(self, threshold: f64) -> bool {
        self.0.is_finite() && threshold.is_finite() && f64::from(self.0) >= threshold
    }

    /// The lower of both: how a chain of comparisons is judged by its weakest link.
    #[must_use]
    pub const fn lower(self, other: Self) -> Self {
        if other.0 < self.0 { other } else { self }
    }
}

impl fmt::Debug for ComparisonScore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ComparisonScore(..)")
    }
}

/// How a pack's features are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Metric {
    /// Cosine of the angle, in [-1, 1]; length carries no meaning.
    Cosine,
    /// Negative Euclidean distance, at most 0; length matters.
    Euclidean,
}

impl Metric {
    /// Compares two sets of features; symmetric to the bit. Different dimensions are not comparable.
    #[must_use]
    pub fn score(self, a: &Features, b: &Features) -> ComparisonScore {
        let (a, b) = (a.as_slice(), b.as_slice());
        if a.len() != b.len() {
            return ComparisonScore::NOT_COMPARABLE;
        }
        let pairs = a.iter().zip(b).map(|(&x, &y)| (f64::from(x), f64::from(y)));
        let score = match self {
            Self::Cosine => {
                let (mut dot, mut aa, mut bb) = (0.0, 0.0, 0.0);
                for (x, y) in pairs {
                    dot += x * y;
                    aa += x * x;
                    bb += y * y;
                }
                (dot / (aa.sqrt() * bb.sqrt())).clamp(-1.0, 1.0)
            }
            Self::Euclidean => -pairs.map(|(x, y)| (x - y) * (x - y)).sum::<f64>().sqrt(),
        };
        ComparisonScore::new(score as f32)
    }

    /// Fuses the features of several samples of one capture; the order of samples does not matter, to the bit.
    ///
    /// Cosine: the direction of the mean of the unit vectors, length one. Euclidean: the plain mean.
    ///
    /// # Errors
    /// `NoSamples`, `Mixed` dimensions, or `Norm` where the samples cancel out.
    pub fn fuse(self, samples: &[Features]) -> Result<Features, FeaturesError> {
        let first = samples.first().ok_or(FeaturesError::NoSamples)?;
        if let Some(other) = samples.iter().find(|s| s.dimension() != first.dimension()) {
            return Err(FeaturesError::Mixed(first.dimension(), other.dimension()));
        }
        debug_assert!(DIMENSION_RANGE.contains(&first.dimension()), "Features hold this");
        // Floating-point sums depend on their order, so the order is made canonical.
        let mut ordered: Vec<&[f32]> = samples.iter().map(Features::as_slice).collect();
        ordered.sort_unstable_by(|a, b| {
            a.iter().zip(*b).map(|(x, y)| x.total_cmp(y)).find(|o| o.is_ne()).map_or(std::cmp::Ordering::Equal, |o| o)
        });
        let mut sum = Zeroizing::new(vec![0.0_f64; first.dimension()]);
        for sample in ordered {
            let weight = match self {
                Self::Cosine => 1.0 / norm(sample),
                Self::Euclidean => 1.0 / samples.len() as f64,
            };
            for (total, &component) in sum.iter_mut().zip(sample) {
                *total += f64::from(component) * weight;
            }
        }
        let fused: Zeroizing<Vec<f32>> = Zeroizing::new(sum.iter().map(|&x| x as f32).collect());
        match self {
            Self::Cosine => Features::normalise(&fused),
            Self::Euclidean => Features::new(&fused),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const METRICS: [Metric; 2] = [Metric::Cosine, Metric::Euclidean];

    fn features() -> impl Strategy<Value = Features> {
        prop::collection::vec(-1.0f32..1.0, 128).prop_filter_map("zero", |raw| Features::new(&raw).ok())
    }

    proptest! {
        #[test]
        fn fusion_does_not_depend_on_the_order_of_samples(samples in prop::collection::vec(features(), 2..6), turn in 0usize..6) {
            let mut turned: Vec<Features> = samples.iter().map(Features::duplicate).collect();
            turned.rotate_left(turn % samples.len());
            turned.swap(0, 1);
            for metric in METRICS {
                let (one, other) = (metric.fuse(&samples).unwrap(), metric.fuse(&turned).unwrap());
                prop_assert_eq!(&*one.to_le_bytes(), &*other.to_le_bytes());
            }
        }

        #[test]
        fn fusing_two_samples_gives_neither(a in features(), b in features()) {
            for metric in METRICS {
                let both = metric.fuse(&[a.duplicate(), b.duplicate()]).unwrap();
                for single in [&a, &b] {
                    let alone = metric.fuse(std::slice::from_ref(single)).unwrap();
                    prop_assert_ne!(&*both.to_le_bytes(), &*alone.to_le_bytes());
                }
            }
        }

        #[test]
        fn scores_are_symmetric_finite_and_best_with_oneself(a in features(), b in features()) {
            for metric in METRICS {
                let score = metric.score(&a, &b);
                prop_assert_eq!(score.value().to_bits(), metric.score(&b, &a).value().to_bits());
                prop_assert!(score.value().is_finite());
                prop_assert!(metric.score(&a, &a).value() >= score.value());
            }
        }
    }

    #[test]
    fn nothing_that_is_not_finite_ever_matches() {
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for threshold in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1e300, 0.0] {
                assert!(!ComparisonScore::new(value).is_match(threshold), "{value} {threshold}");
            }
        }
        for threshold in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(!ComparisonScore::new(1.0).is_match(threshold), "{threshold}");
        }
        assert!(ComparisonScore::new(0.5).is_match(0.5), "the positive control");
    }

    #[test]
    fn features_of_different_lengths_never_match() {
        let (a, b) = (Features::new(&[1.0, 0.0]).unwrap(), Features::new(&[1.0, 0.0, 0.0]).unwrap());
        for metric in METRICS {
            assert!(!metric.score(&a, &b).is_match(-1e30));
        }
        assert_eq!(Metric::Cosine.fuse(&[a, b]).unwrap_err(), FeaturesError::Mixed(2, 3));
        assert_eq!(Metric::Cosine.fuse(&[]).unwrap_err(), FeaturesError::NoSamples);
    }

    #[test]
    fn samples_that_cancel_out_do_not_fuse() {
        let pair = [Features::new(&[1.0, 2.0]).unwrap(), Features::new(&[-1.0, -2.0]).unwrap()];
        for metric in METRICS {
            assert_eq!(metric.fuse(&pair).unwrap_err(), FeaturesError::Norm);
        }
    }

    #[test]
    fn metrics_give_the_textbook_numbers() {
        let (a, b) = (Features::new(&[3.0, 4.0]).unwrap(), Features::new(&[4.0, 3.0]).unwrap());
        assert!((Metric::Cosine.score(&a, &b).value() - 0.96).abs() < 1e-6);
        assert!((Metric::Euclidean.score(&a, &b).value() + 2.0f32.sqrt()).abs() < 1e-6);
    }
}
