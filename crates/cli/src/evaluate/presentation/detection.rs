//! Gate 3 by its scores alone: error rates of ISO/IEC 30107-3 at thresholds of choice, a species at a time.
//!
//! Must never know: the pack's own threshold. Invariant: a rate that so few scores cannot show is absent.

use biometrics::error_rates::Scores;
use serde::Serialize;

/// How well scores tell one species from bona fide captures.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Detection {
    /// The species.
    pub(super) species: String,
    /// Bona fide scores.
    pub(super) bona_fide: usize,
    /// Scores of attacks.
    pub(super) attacks: usize,
    /// Where APCER and BPCER are equal.
    pub(super) equal_error_rate: f64,
    /// BPCER where the APCER is at most 10 %.
    pub(super) bpcer_at_apcer_10: Option<f64>,
    /// BPCER where the APCER is at most 5 %.
    pub(super) bpcer_at_apcer_5: Option<f64>,
    /// BPCER where the APCER is at most 1 %.
    pub(super) bpcer_at_apcer_1: Option<f64>,
    /// APCER where the BPCER is at most 10 %.
    pub(super) apcer_at_bpcer_10: Option<f64>,
    /// Points of the DET curve: APCER, BPCER.
    #[serde(skip)]
    pub(super) curve: Vec<(f64, f64)>,
}

impl Detection {
    /// From scores in any order, higher is more bona fide; `None` where one side has none.
    pub(super) fn new(species: &str, bona_fide: &[f32], attacks: &[f32]) -> Option<Self> {
        let scores = Scores::new(bona_fide.to_vec(), attacks.to_vec()).ok()?;
        let at = |apcer: f64| {
            let shown = apcer * attacks.len() as f64 >= 1.0 - 1e-9;
            shown.then(|| scores.fnmr(scores.threshold_at(apcer)).value())
        };
        let tenth = bona_fide.len() / 10;
        let apcer = |at: usize| scores.fmr(f64::from(scores.genuine()[at])).value();
        Some(Self {
            species: species.to_owned(),
            bona_fide: bona_fide.len(),
            attacks: attacks.len(),
            equal_error_rate: scores.equal_error_rate().rate,
            bpcer_at_apcer_10: at(0.10),
            bpcer_at_apcer_5: at(0.05),
            bpcer_at_apcer_1: at(0.01),
            apcer_at_bpcer_10: (tenth > 0).then(|| apcer(tenth)),
            curve: scores.det(20).iter().map(|point| (point.fmr, point.fnmr)).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_counted_at_both_kinds_of_thresholds() {
        let bona_fide: Vec<f32> = (0..100).map(|i| i as f32).collect();
        let attacks: Vec<f32> = (0..20).map(|i| i as f32 - 5.5).collect();
        let got = Detection::new("flat_print", &bona_fide, &attacks).unwrap();
        assert_eq!(got.bpcer_at_apcer_10, Some(0.12), "two attacks may pass: those above 11.5");
        assert_eq!(got.bpcer_at_apcer_5, Some(0.13));
        assert_eq!(got.bpcer_at_apcer_1, None, "twenty attacks cannot show one in a hundred");
        assert_eq!(got.apcer_at_bpcer_10, Some(0.2));
    }

    #[test]
    fn nothing_to_compare_with_is_absent() {
        assert!(Detection::new("flat_print", &[], &[1.0]).is_none());
        assert!(Detection::new("flat_print", &[1.0], &[]).is_none());
        assert_eq!(Detection::new("flat_print", &[1.0], &[0.0]).unwrap().apcer_at_bpcer_10, None);
    }
}
