//! Comparison scores (ISO/IEC 2382-37 37.03.27) and the comparison that makes them.
//!
//! Must never know: thresholds' origin. Invariant: higher means more alike, a score is never NaN, and nothing that is not
//! finite ever compares as a match.

use crate::features::Features;
use std::fmt;

/// How alike two sets of features are; higher is more alike. Kept out of `Debug`: scores feed hill climbing.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
pub struct ComparisonScore(f32);

impl ComparisonScore {
    /// The score of what cannot be compared. Below every finite score; matches at no threshold.
    pub const NOT_COMPARABLE: Self = Self(f32::NEG_INFINITY);

    /// Compares two sets of features: the cosine of their angle, in [-1, 1]; symmetric to the bit. Different dimensions are
    /// not comparable.
    #[must_use]
    pub fn of(a: &Features, b: &Features) -> Self {
        let (a, b) = (a.as_slice(), b.as_slice());
        if a.len() != b.len() {
            return Self::NOT_COMPARABLE;
        }
        let (mut dot, mut aa, mut bb) = (0.0, 0.0, 0.0);
        for (x, y) in a.iter().zip(b).map(|(&x, &y)| (f64::from(x), f64::from(y))) {
            dot += x * y;
            aa += x * x;
            bb += y * y;
        }
        Self::new((dot / (aa.sqrt() * bb.sqrt())).clamp(-1.0, 1.0) as f32)
    }

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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn features() -> impl Strategy<Value = Features> {
        prop::collection::vec(-1.0f32..1.0, 128).prop_filter_map("zero", |raw| Features::new(&raw).ok())
    }

    proptest! {
        #[test]
        fn scores_are_symmetric_finite_and_best_with_oneself(a in features(), b in features()) {
            let score = ComparisonScore::of(&a, &b);
            prop_assert_eq!(score.value().to_bits(), ComparisonScore::of(&b, &a).value().to_bits());
            prop_assert!(score.value().is_finite());
            prop_assert!(ComparisonScore::of(&a, &a).value() >= score.value());
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
        assert!(!ComparisonScore::of(&a, &b).is_match(-1e30));
    }

    #[test]
    fn the_score_is_the_cosine() {
        let (a, b) = (Features::new(&[3.0, 4.0]).unwrap(), Features::new(&[4.0, 3.0]).unwrap());
        assert!((ComparisonScore::of(&a, &b).value() - 0.96).abs() < 1e-6);
    }
}
