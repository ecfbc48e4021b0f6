//! Known answers of D↔.

use super::*;
use rand::{RngExt, SeedableRng, rngs::StdRng};

const RESAMPLING: Resampling = Resampling { draws: 200, seed: 1 };
/// People in drawn sets.
const PEOPLE: u32 = 50;

fn mated(scores: impl IntoIterator<Item = f64>) -> Vec<LinkageScore> {
    (0..).zip(scores).map(|(i, s)| LinkageScore { score: s as f32, a: i % PEOPLE, b: i % PEOPLE }).collect()
}

fn non_mated(scores: impl IntoIterator<Item = f64>) -> Vec<LinkageScore> {
    (0..).zip(scores).map(|(i, s)| LinkageScore { score: s as f32, a: i % PEOPLE, b: (i + 1) % PEOPLE }).collect()
}

fn estimate(m: impl IntoIterator<Item = f64>, n: impl IntoIterator<Item = f64>) -> Unlinkability {
    let mated = mated(m);
    Unlinkability::new(&mated, &non_mated(n), mated.len()).unwrap()
}

fn system(m: Vec<f64>, n: Vec<f64>) -> f64 {
    estimate(m, n).system()
}

/// Evenly spaced in (0, 1): a uniform distribution without noise.
fn even(count: usize) -> Vec<f64> {
    (0..count).map(|i| (i as f64 + 0.5) / count as f64).collect()
}

/// Normal numbers by Box and Muller.
fn normal(count: usize, (mean, seed): (f64, u64)) -> Vec<f64> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut one = || {
        let (u, v): (f64, f64) = (rng.random(), rng.random());
        mean + (-2.0 * (1.0 - u).ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    };
    (0..count).map(|_| one()).collect()
}

#[test]
fn identical_scores_are_unlinkable() {
    assert_eq!(system(even(5000), even(5000)), 0.0);
    assert_eq!(system(vec![0.5; 100], vec![0.5; 7]), 0.0, "no spread at all");
}

#[test]
fn disjoint_scores_are_linkable_whichever_are_higher() {
    let above: Vec<f64> = even(5000).iter().map(|s| s + 2.0).collect();
    assert_eq!(system(above.clone(), even(5000)), 1.0);
    assert_eq!(system(even(5000), above), 1.0);
}

#[test]
fn mated_scores_in_half_of_the_range_give_a_third() {
    // LR = 2 where mated scores fall: D = 2·2/3 − 1.
    let wide: Vec<f64> = even(10_000).iter().map(|s| 2.0 * s).collect();
    let third = system(even(5000), wide.clone());
    assert!((third - 1.0 / 3.0).abs() < 1e-3, "{third}");
    // The other way round LR is 1/2 on one half and infinite on the other.
    let half = system(wide, even(5000));
    assert!((half - 0.5).abs() < 1e-3, "{half}");
}

#[test]
fn shifted_normal_scores_give_the_integral() {
    for shift in [0.5_f64, 1.0, 3.0] {
        // ln LR = shift·(s − shift/2), so D = tanh(ln LR / 2) above shift/2; Simpson's rule over the mated density.
        let (low, high, steps) = (shift / 2.0, shift + 9.0, 2000);
        let step = (high - low) / f64::from(steps);
        let value = |s: f64| {
            let density = (-(s - shift).powi(2) / 2.0).exp() / std::f64::consts::TAU.sqrt();
            (shift * (s - shift / 2.0) / 2.0).tanh() * density
        };
        let weight = |i| if i == 0 || i == steps { 1.0 } else { f64::from(2 + 2 * (i % 2)) };
        let exact = (0..=steps).map(|i| weight(i) * value(low + f64::from(i) * step)).sum::<f64>() * step / 3.0;
        let measured = system(normal(200_000, (shift, 1)), normal(200_000, (0.0, 2)));
        assert!((measured - exact).abs() < 0.006, "shift {shift}: {measured}, not {exact}");
    }
}

#[test]
fn the_bias_of_equal_distributions_is_what_the_formula_says() {
    for count in [1000, 20_000] {
        let found = system(normal(count, (0.0, 3)), normal(4 * count, (0.0, 4)));
        // A normal distribution fills 5.01·σ/width bins of about nine σ in 100.
        let expected = 0.2 * (56.0 * 1.25 / count as f64).sqrt();
        assert!(found > 0.0 && (found / expected - 1.0).abs() < 0.35, "{count}: {found}, not {expected}");
    }
}

#[test]
fn bounds_hold_the_estimate_and_widen_when_few_people_carry_it() {
    let unlinked = estimate(normal(5000, (1.0, 5)), normal(20_000, (0.0, 6)));
    let spread = unlinked.interval(RESAMPLING).unwrap();
    assert!(spread.lower <= unlinked.system() && unlinked.system() <= spread.upper, "{spread:?}");
    // One person in five is linked without doubt, the others not at all.
    let scores = (0..5000).map(|i| if i % 5 == 0 { 9.0 } else { 0.0 }).zip(normal(5000, (0.0, 7))).map(|(a, b)| a + b);
    let heaped = estimate(scores, normal(20_000, (0.0, 6)));
    let bounds = heaped.interval(RESAMPLING).unwrap();
    assert!(bounds.upper - bounds.lower > 2.0 * (spread.upper - spread.lower), "{bounds:?} {spread:?}");
    assert_eq!(heaped.interval(RESAMPLING), Some(bounds), "equal for a seed");
}

#[test]
fn local_points_cover_the_range_and_make_up_the_whole() {
    let all = estimate(normal(3000, (1.0, 8)), normal(3000, (0.0, 9)));
    let points = all.local();
    assert_eq!(points.len(), 100);
    assert!(points.is_sorted_by(|a, b| a.score < b.score));
    let sum = |of: fn(&LocalPoint) -> f64| points.iter().map(of).sum::<f64>();
    assert!((sum(|p| p.mated) - 1.0).abs() < 1e-9 && (sum(|p| p.non_mated) - 1.0).abs() < 1e-9);
    assert!((sum(|p| p.mated * p.linkability) - all.system()).abs() < 1e-9);
}

#[test]
fn scores_that_repeat_themselves_are_put_into_coarser_bins() {
    let repeated = |people: usize| {
        let said = |seed| normal(people, (0.0, seed)).into_iter().cycle().take(100 * people);
        let (mated, non_mated) = (mated(said(1)), non_mated(said(2)));
        [people, 100 * people].map(|independent| Unlinkability::new(&mated, &non_mated, independent).unwrap())
    };
    let [coarse, fine] = repeated(200);
    assert_eq!((coarse.local().len(), fine.local().len()), (20, 100));
    assert!(coarse.system() < 0.7 * fine.system(), "{} {}", coarse.system(), fine.system());
}

#[test]
fn what_gives_no_estimate_is_refused() {
    let some = || mated([0.0, 1.0]);
    assert_eq!(Unlinkability::new(&[], &non_mated([0.0]), 2).unwrap_err(), RatesError::Empty("mated"));
    assert_eq!(Unlinkability::new(&some(), &[], 2).unwrap_err(), RatesError::Empty("non-mated"));
    assert_eq!(Unlinkability::new(&some(), &non_mated([f64::NAN]), 2).unwrap_err(), RatesError::NotFinite("non-mated"));
    assert_eq!(Unlinkability::new(&non_mated([0.0]), &non_mated([0.0]), 2).unwrap_err(), RatesError::Pair);
}
