//! 95 % bounds of a proportion from independent trials.
//!
//! Must never know: what was counted. Invariant: the bounds hold the measured proportion and lie in [0, 1].

/// Lower and upper 95 % bound.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Lower bound, in [0, 1].
    pub lower: f64,
    /// Upper bound, in [0, 1].
    pub upper: f64,
}

/// Two-sided 95 % bounds (Clopper and Pearson, Biometrika 26, 1934): 2.5 % beyond either side. No trials: [0, 1].
#[must_use]
pub fn clopper_pearson(errors: u64, trials: u64) -> Interval {
    if trials == 0 || errors > trials {
        return Interval { lower: 0.0, upper: 1.0 };
    }
    let (k, n) = (errors as f64, trials as f64);
    let lower = if errors == 0 { 0.0 } else { beta_quantile(0.025, k, n - k + 1.0) };
    let upper = if errors == trials { 1.0 } else { beta_quantile(0.975, k + 1.0, n - k) };
    Interval { lower, upper }
}

/// Upper 95 % bound after zero errors: 3 / trials, at most 1.
#[must_use]
pub fn rule_of_three(trials: u64) -> f64 {
    if trials <= 3 { 1.0 } else { 3.0 / trials as f64 }
}

/// Probability of so many errors or more in independent trials that err with `probability` each (DLMF 8.17.5).
#[must_use]
pub fn at_least(errors: u64, trials: u64, probability: f64) -> f64 {
    match errors {
        0 => 1.0,
        _ if errors > trials => 0.0,
        _ => beta_regularised(probability, errors as f64, (trials - errors) as f64 + 1.0),
    }
}

/// The x where the regularised incomplete beta function reaches `p`.
fn beta_quantile(p: f64, a: f64, b: f64) -> f64 {
    // Bisected in the logarithm first: rates of 1e-6 deserve as many digits as rates of one half.
    let (mut low, mut high) = (1e-300_f64, 1.0_f64);
    for _ in 0..200 {
        let middle = if low < 0.25 * high { (low * high).sqrt() } else { f64::midpoint(low, high) };
        if beta_regularised(middle, a, b) < p {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

/// Regularised incomplete beta function I_x(a, b), by its continued fraction (DLMF 8.17.22).
fn beta_regularised(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    // The fraction converges fast only below the mean; above it the symmetry I_x(a,b) = 1 - I_{1-x}(b,a) is used.
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - beta_regularised(1.0 - x, b, a);
    }
    let front = (ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (-x).ln_1p()).exp() / a;
    front * continued_fraction(x, a, b)
}

/// Lentz's method; needs about the square root of the larger parameter in steps.
fn continued_fraction(x: f64, a: f64, b: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let away_from_zero = |v: f64| if v.abs() < TINY { TINY } else { v };
    let mut c = 1.0;
    let mut d = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut value = d;
    for step in 1..200_000_u32 {
        let m = f64::from(step);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut change = 1.0;
        for coefficient in [even, odd] {
            d = 1.0 / away_from_zero(1.0 + coefficient * d);
            c = away_from_zero(1.0 + coefficient / c);
            change = c * d;
            value *= change;
        }
        if (change - 1.0).abs() < 1e-15 {
            break;
        }
    }
    value
}

/// Logarithm of the gamma function for x >= 1/2 (Lanczos, g = 7, nine terms).
fn ln_gamma(x: f64) -> f64 {
    const TERMS: [f64; 8] = [
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    let x = x - 1.0;
    let t = x + 7.5;
    let series =
        TERMS.iter().zip(1_u32..).fold(0.999_999_999_999_809_9, |sum, (term, i)| sum + term / (x + f64::from(i)));
    0.5 * (2.0 * std::f64::consts::PI).ln() + (x + 0.5) * t.ln() - t + series.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Errors, trials, lower, upper: computed with mpmath's regularised `betainc` to 40 digits.
    const REFERENCE: [(u64, u64, f64, f64); 9] = [
        (0, 10, 0.0, 0.308_497_107_818_760_8),
        (1, 10, 0.002_528_578_544_461_784, 0.445_016_117_028_195_4),
        (5, 10, 0.187_086_028_447_398_5, 0.812_913_971_552_601_5),
        (3, 2_100, 0.000_294_702_720_475_230, 0.004_169_162_577_774_518),
        (33, 2_100, 0.010_841_036_708_494_3, 0.021_998_468_420_664_69),
        (689, 2_100, 0.308_027_354_077_035_2, 0.348_644_051_894_175_1),
        (0, 30_000, 0.0, 0.000_122_955_088_873_857_6),
        (64, 6_472_501, 7.614_962_246_479_132e-6, 1.262_672_022_674_698e-5),
        (647, 6_472_501, 9.240_662_825_228_957e-5, 0.000_107_969_088_611_222_6),
    ];

    #[test]
    fn tails_agree_with_exact_arithmetic() {
        let close = |got: f64, wanted: f64| assert!((got - wanted).abs() < 1e-9, "{got} {wanted}");
        close(at_least(0, 5, 0.3), 1.0);
        close(at_least(1, 3, 0.5), 7.0 / 8.0);
        close(at_least(3, 3, 0.5), 1.0 / 8.0);
        close(at_least(2, 4, 0.25), 67.0 / 256.0);
        close(at_least(1, 4, 0.75), 255.0 / 256.0);
        close(at_least(6, 5, 1.0), 0.0);
        close(at_least(1_000, 1_000_000, 0.01), 1.0);
        close(at_least(20_000, 1_000_000, 0.01), 0.0);
    }

    #[test]
    fn bounds_agree_with_exact_arithmetic() {
        for (errors, trials, lower, upper) in REFERENCE {
            let interval = clopper_pearson(errors, trials);
            let near = |a: f64, b: f64| (a - b).abs() <= 1e-6 * b;
            assert!(near(interval.lower, lower) && near(interval.upper, upper), "{errors}/{trials}: {interval:?}");
        }
    }

    #[test]
    fn bounds_hold_the_proportion_and_narrow_with_more_trials() {
        for trials in [1, 10, 1_000, 6_472_501] {
            for errors in [0, 1, trials / 100, trials / 2, trials] {
                let Interval { lower, upper } = clopper_pearson(errors, trials);
                let rate = errors as f64 / trials as f64;
                assert!(0.0 <= lower && lower <= rate && rate <= upper && upper <= 1.0, "{errors}/{trials}");
            }
        }
        let width = |n: u64| clopper_pearson(n / 10, n).upper - clopper_pearson(n / 10, n).lower;
        assert!(width(10_000) < width(1_000) && width(1_000) < width(100));
    }

    #[test]
    fn edge_counts_give_edge_bounds() {
        assert_eq!(clopper_pearson(0, 0), Interval { lower: 0.0, upper: 1.0 });
        assert_eq!(clopper_pearson(0, 10).lower, 0.0);
        assert_eq!(clopper_pearson(10, 10).upper, 1.0);
        assert_eq!(rule_of_three(0), 1.0);
        assert_eq!(rule_of_three(30_000), 1e-4);
    }
}
