//! Operating points measured for one pack: which threshold keeps which false match rate.
//!
//! Must never know: how they were measured (that is `error_rates`). Invariant: a threshold is never looser than one that was
//! measured for the asked rate or a smaller one.

use serde::{Deserialize, Serialize};

/// One measured point of a pack's DET curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperatingPoint {
    /// False match rate that the threshold keeps, in (0, 1).
    pub fmr: f64,
    /// Smallest comparison score that is a match.
    pub threshold: f64,
    /// False non-match rate measured at that threshold, in [0, 1].
    pub fnmr: f64,
    /// Impostor comparisons measured.
    #[serde(default)]
    pub impostor_comparisons: u64,
    /// Those that matched.
    #[serde(default)]
    pub false_matches: u64,
    /// Genuine comparisons measured.
    #[serde(default)]
    pub genuine_comparisons: u64,
    /// Those that did not match.
    #[serde(default)]
    pub false_non_matches: u64,
    /// Upper 95 % bound of the false match rate; 0 where none was computed.
    #[serde(default)]
    pub fmr_upper: f64,
    /// Upper 95 % bound of the false non-match rate; 0 where none was computed.
    #[serde(default)]
    pub fnmr_upper: f64,
}

/// Why points make no table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CalibrationError {
    /// No operating point.
    #[error("no operating points")]
    Empty,
    /// A rate or threshold of the numbered point is not a number in its range.
    #[error("operating point {0} is out of range")]
    Range(usize),
    /// The numbered point's rate does not fall, or its threshold does not rise, from the point before.
    #[error("operating point {0} is out of order")]
    Order(usize),
}

/// Operating points in falling order of false match rate, hence in rising order of threshold.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalibrationTable {
    /// The points.
    pub operating_points: Vec<OperatingPoint>,
}

impl CalibrationTable {
    /// Checks ranges and order. A table read from a file must pass this before it decides anything.
    ///
    /// # Errors
    /// The first point at fault.
    pub fn check(&self) -> Result<(), CalibrationError> {
        if self.operating_points.is_empty() {
            return Err(CalibrationError::Empty);
        }
        let sound =
            |p: &OperatingPoint| p.fmr > 0.0 && p.fmr < 1.0 && p.threshold.is_finite() && (0.0..=1.0).contains(&p.fnmr);
        if let Some(at) = self.operating_points.iter().position(|p| !sound(p)) {
            return Err(CalibrationError::Range(at));
        }
        let in_order = |w: &[OperatingPoint]| w[1].fmr < w[0].fmr && w[1].threshold >= w[0].threshold;
        match self.operating_points.windows(2).position(|w| !in_order(w)) {
            Some(at) => Err(CalibrationError::Order(at + 1)),
            None => Ok(()),
        }
    }

    /// The threshold that keeps `fmr`: that of the largest measured rate which is not above it.
    ///
    /// Between points this is the stricter neighbour: impostor tails bend, so a straight line between two points would
    /// promise more than was measured. `None` below the smallest measured rate, and from a table that fails its check.
    #[must_use]
    pub fn threshold_at(&self, fmr: f64) -> Option<f64> {
        self.check().ok()?;
        // A rate written as decimal text and one computed may differ in the last bit.
        let asked = fmr * (1.0 + 1e-9);
        self.operating_points.iter().find(|p| p.fmr <= asked).map(|p| p.threshold)
    }

    /// The smallest false match rate that the table supports.
    #[must_use]
    pub fn min_fmr(&self) -> Option<f64> {
        self.operating_points.last().map(|p| p.fmr)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(fmr: f64, threshold: f64) -> OperatingPoint {
        OperatingPoint {
            fmr,
            threshold,
            fnmr: 0.01,
            impostor_comparisons: 0,
            false_matches: 0,
            genuine_comparisons: 0,
            false_non_matches: 0,
            fmr_upper: 0.0,
            fnmr_upper: 0.0,
        }
    }

    fn table() -> CalibrationTable {
        CalibrationTable { operating_points: vec![point(1e-2, 0.25), point(1e-3, 0.33), point(1e-4, 0.40)] }
    }

    #[test]
    fn measured_rates_give_their_thresholds() {
        assert_eq!(table().threshold_at(1e-2), Some(0.25));
        assert_eq!(table().threshold_at(0.1 * 0.01), Some(0.33));
        assert_eq!(table().threshold_at(1e-4), Some(0.40));
        assert_eq!(table().threshold_at(0.5), Some(0.25));
    }

    #[test]
    fn between_points_the_stricter_one_decides() {
        assert_eq!(table().threshold_at(5e-3), Some(0.33));
    }

    #[test]
    fn nothing_is_promised_below_what_was_measured() {
        for fmr in [9e-5, 0.0, -1.0, f64::NAN] {
            assert_eq!(table().threshold_at(fmr), None, "{fmr}");
        }
    }

    #[test]
    fn tables_out_of_order_or_range_decide_nothing() {
        let bad = [
            (vec![], CalibrationError::Empty),
            (vec![point(1e-3, f64::NAN)], CalibrationError::Range(0)),
            (vec![point(1e-3, 0.3), point(0.0, 0.4)], CalibrationError::Range(1)),
            (vec![point(1e-3, 0.3), point(1e-2, 0.4)], CalibrationError::Order(1)),
            (vec![point(1e-2, 0.3), point(1e-3, 0.2)], CalibrationError::Order(1)),
        ];
        for (operating_points, error) in bad {
            let table = CalibrationTable { operating_points };
            assert_eq!(table.check(), Err(error));
            assert_eq!(table.threshold_at(1e-2), None);
        }
    }
}
