//! Tests of the rates.

use super::*;
use proptest::prelude::*;

fn scores(genuine: &[f32], impostor: &[f32]) -> Scores {
    Scores::new(genuine.to_vec(), impostor.to_vec()).unwrap()
}

/// Scores on a coarse grid, so that ties are common.
fn grid(len: std::ops::Range<usize>) -> impl Strategy<Value = Vec<f32>> {
    prop::collection::vec((-20i8..20).prop_map(|n| f32::from(n) / 20.0), len)
}

proptest! {
    #[test]
    fn counts_agree_with_the_rule_of_matching(genuine in grid(1..40), impostor in grid(1..40), at in -25i8..25) {
        use crate::score::ComparisonScore;
        let threshold = f64::from(at) / 20.0;
        let matches = |list: &[f32]| list.iter().filter(|&&s| ComparisonScore::new(s).is_match(threshold)).count() as u64;
        let all = scores(&genuine, &impostor);
        prop_assert_eq!(all.fmr(threshold).errors, matches(&impostor));
        prop_assert_eq!(all.fnmr(threshold).errors, genuine.len() as u64 - matches(&genuine));
    }

    #[test]
    fn the_threshold_keeps_the_rate_and_no_lower_score_does(genuine in grid(1..40), impostor in grid(1..40), fmr in 0.0f64..1.0) {
        let all = scores(&genuine, &impostor);
        let threshold = all.threshold_at(fmr);
        prop_assert!(all.fmr(threshold).value() <= fmr + 1e-9);
        for lower in genuine.iter().chain(&impostor).map(|&s| f64::from(s)).filter(|&s| s < threshold) {
            prop_assert!(all.fmr(lower).value() > fmr);
        }
    }

    #[test]
    fn the_equal_error_rate_lies_between_both_rates_around_its_threshold(genuine in grid(1..40), impostor in grid(1..40)) {
        let all = scores(&genuine, &impostor);
        let eer = all.equal_error_rate();
        // The smallest possible of the larger error: what an exhaustive search over all thresholds finds.
        let candidates = genuine.iter().chain(&impostor).flat_map(|&s| [f64::from(s), f64::from(s.next_up())]);
        let best = candidates.map(|t| all.fmr(t).value().max(all.fnmr(t).value())).fold(1.0, f64::min);
        prop_assert!(eer.rate <= best + 1e-12, "{} {best}", eer.rate);
        let at = (all.fmr(eer.threshold).value(), all.fnmr(eer.threshold).value());
        let near = 1.0 / genuine.len().min(impostor.len()) as f64;
        prop_assert!(at.0.min(at.1) <= eer.rate + 1e-12 && eer.rate <= at.0.max(at.1) + near, "{at:?} {eer:?}");
    }

    #[test]
    fn det_curves_fall(genuine in grid(1..40), impostor in grid(1..200)) {
        let curve = scores(&genuine, &impostor).det(5);
        prop_assert!(curve.windows(2).all(|w| w[0].fmr >= w[1].fmr && w[0].fnmr <= w[1].fnmr));
        prop_assert!(curve.windows(2).all(|w| w[0].threshold < w[1].threshold));
    }
}

#[test]
fn a_hundred_impostors_give_the_expected_operating_points() {
    let impostor: Vec<f32> = (0..100_u8).map(|i| f32::from(i) / 100.0).collect();
    let all = scores(&[0.5, 0.975, 0.985, 1.0], &impostor);
    let point = all.operating_point(0.02);
    assert_eq!((point.false_matches, point.impostor_comparisons), (2, 100));
    assert_eq!((point.false_non_matches, point.genuine_comparisons, point.fnmr), (1, 4, 0.25));
    assert!(point.threshold > f64::from(0.97_f32) && point.threshold < f64::from(0.975_f32));
    assert!(point.fmr_upper > 0.02 && point.fnmr_upper > 0.25);
}

#[test]
fn tables_hold_only_rates_that_the_counts_can_show_and_pass_their_own_check() {
    let impostor: Vec<f32> = (0..1000_u16).map(|i| f32::from(i) / 1000.0).collect();
    let table = scores(&[0.9995, 0.5], &impostor).table(&[1e-3, 1e-2, 1e-4, 1e-2, 1e-5]);
    assert_eq!(table.operating_points.iter().map(|p| p.fmr).collect::<Vec<_>>(), [1e-2, 1e-3]);
    assert_eq!(table.check(), Ok(()));
}

#[test]
fn separable_scores_have_no_errors_and_swapped_ones_all() {
    assert_eq!(scores(&[0.8, 0.9], &[0.1, 0.2]).equal_error_rate().rate, 0.0);
    assert_eq!(scores(&[0.1, 0.2], &[0.8, 0.9]).equal_error_rate().rate, 1.0);
    assert_eq!(scores(&[0.1, 0.9], &[0.2, 0.8]).equal_error_rate().rate, 0.5);
}

#[test]
fn scores_that_are_missing_or_not_finite_are_refused() {
    assert_eq!(Scores::new(vec![], vec![0.1]).unwrap_err(), RatesError::Empty("genuine"));
    assert_eq!(Scores::new(vec![0.1], vec![]).unwrap_err(), RatesError::Empty("impostor"));
    assert_eq!(Scores::new(vec![0.1], vec![f32::NAN]).unwrap_err(), RatesError::NotFinite("impostor"));
    assert_eq!(Scores::new(vec![f32::INFINITY], vec![0.1]).unwrap_err(), RatesError::NotFinite("genuine"));
}

#[test]
fn millions_of_impostor_scores_are_counted_exactly() {
    // A permutation of 0..n through multiplication by an odd number: unsorted, without ties.
    let n = 1_u32 << 21;
    let impostor: Vec<f32> = (0..n).map(|i| (i.wrapping_mul(2_654_435_761) % n) as f32).collect();
    let all = Scores::new(vec![0.0], impostor).unwrap();
    let threshold = all.threshold_at(1e-5);
    assert_eq!(all.fmr(threshold), Rate { errors: 20, trials: u64::from(n) });
    assert_eq!(threshold, f64::from(((n - 21) as f32).next_up()));
}
