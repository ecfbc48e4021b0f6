//! Tests of the bootstrap.

use super::*;
use crate::error_rates::clopper_pearson;

const DRAWS: Resampling = Resampling { draws: 1000, seed: 1 };

fn rate(errors: u64, trials: u64) -> Rate {
    Rate { errors, trials }
}

/// `n` identities of one sample each; the first `pairs` disjoint pairs match at 0.9, the rest of those at 0.5.
fn disjoint(n: u32, pairs: u32) -> ImpostorTail {
    let all = (0..n / 2).map(|i| ImpostorPair { score: if i < pairs { 0.9 } else { 0.5 }, a: 2 * i, b: 2 * i + 1 });
    ImpostorTail::new(vec![1; n as usize], all.collect()).unwrap()
}

#[test]
fn the_same_seed_gives_the_same_bounds_and_another_one_others() {
    let identities: Vec<Rate> = (0..200).map(|i| rate(i % 7, 6 + i % 5)).collect();
    let bounds = |seed| fnmr_interval(&identities, Resampling { draws: 200, seed });
    assert_eq!(bounds(1), bounds(1));
    assert_ne!(bounds(1), bounds(2));
}

#[test]
fn independent_trials_give_about_the_binomial_bounds() {
    let identities: Vec<Rate> = (0..2000).map(|i| rate(u64::from(i < 100), 1)).collect();
    let (bootstrap, exact) = (fnmr_interval(&identities, DRAWS).unwrap(), clopper_pearson(100, 2000));
    assert!((bootstrap.lower - exact.lower).abs() < 0.002, "{bootstrap:?} {exact:?}");
    assert!((bootstrap.upper - exact.upper).abs() < 0.002, "{bootstrap:?} {exact:?}");
}

#[test]
fn errors_that_cluster_in_few_people_widen_the_bounds() {
    let spread: Vec<Rate> = (0..200).map(|i| rate(u64::from(i % 4 == 0), 10)).collect();
    let clustered: Vec<Rate> = (0..200).map(|i| rate(if i < 5 { 10 } else { 0 }, 10)).collect();
    let width = |identities: &[Rate]| fnmr_interval(identities, DRAWS).map(|b| b.upper - b.lower).unwrap();
    assert!(width(&clustered) > 2.0 * width(&spread));
}

#[test]
fn one_person_who_looks_like_many_widens_the_bounds_of_the_false_match_rate() {
    let n = 100;
    let wolf = (1..=50).map(|b| ImpostorPair { score: 0.9, a: 0, b }).collect();
    let wolf = ImpostorTail::new(vec![1; n], wolf).unwrap().fmr_interval(0.8, DRAWS).unwrap();
    let even = disjoint(100, 50).fmr_interval(0.8, DRAWS).unwrap();
    assert_eq!(wolf.lower, 0.0, "without the wolf no false match is left");
    assert!(wolf.upper - wolf.lower > 1.5 * (even.upper - even.lower), "{wolf:?} {even:?}");
    let rate = 50.0 / 4950.0;
    assert!(even.lower < rate && rate < even.upper);
}

#[test]
fn only_pairs_that_reach_the_threshold_count() {
    let tail = disjoint(100, 10);
    let upper = |threshold| tail.fmr_interval(threshold, DRAWS).unwrap().upper;
    assert_eq!(upper(0.95), 0.0);
    assert!(upper(f64::from(0.9_f32)) > 0.0);
    assert!(upper(0.5) > upper(0.9));
}

#[test]
fn the_threshold_for_an_upper_bound_meets_it_and_one_pair_more_would_not() {
    let n = 400_u32;
    let pairs: Vec<_> = (0..n - 1).map(|i| ImpostorPair { score: 1.0 - i as f32 / 1000.0, a: i, b: i + 1 }).collect();
    let tail = ImpostorTail::new(vec![2; n as usize], pairs).unwrap();
    let claim = 1e-4;
    let threshold = tail.threshold_for_upper(claim, DRAWS).unwrap();
    assert!(tail.fmr_interval(threshold, DRAWS).unwrap().upper <= claim);
    let looser = f64::from(tail.pairs.iter().map(|p| p.score).find(|&s| f64::from(s) < threshold).unwrap());
    let looser_still = looser - 0.0015;
    assert!(tail.fmr_interval(looser_still, DRAWS).unwrap().upper > claim);
}

#[test]
fn a_tail_that_ends_too_early_gives_no_threshold() {
    assert_eq!(disjoint(100, 10).threshold_for_upper(0.5, DRAWS), None);
}

#[test]
fn pairs_of_unknown_or_equal_identities_are_refused() {
    let pair = |score, a, b| ImpostorTail::new(vec![1, 1, 0], vec![ImpostorPair { score, a, b }]).unwrap_err();
    assert_eq!(pair(0.5, 1, 1), RatesError::Pair);
    assert_eq!(pair(0.5, 0, 3), RatesError::Pair);
    assert_eq!(pair(0.5, 0, 2), RatesError::Pair);
    assert_eq!(pair(f32::NAN, 0, 1), RatesError::NotFinite("impostor"));
    assert_eq!(ImpostorTail::new(vec![5], vec![]).unwrap_err(), RatesError::Empty("impostor"));
    assert_eq!(fnmr_interval(&[], DRAWS), None);
}
