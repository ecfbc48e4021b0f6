//! Interleaved blocks: A, B, A again. Ratios are medians of pairs; A against A is the noise of the machine.

use anyhow::Result;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Medians over blocks.
#[derive(Debug)]
pub(crate) struct Ratio {
    /// Median time of one A.
    pub(crate) a: Duration,
    /// Median time of one B.
    pub(crate) b: Duration,
    /// Median of A / B within blocks.
    pub(crate) ratio: f64,
    /// 5th and 95th percentile of A / A within blocks.
    pub(crate) noise: (f64, f64),
}

/// Times `a`, `b` and `a` again in every block; each call does `items` pieces of work.
pub(crate) fn compare(
    blocks: usize,
    items: usize,
    mut a: impl FnMut() -> Result<()>,
    mut b: impl FnMut() -> Result<()>,
) -> Result<Ratio> {
    a()?;
    b()?;
    let (mut firsts, mut others, mut ratios, mut noise) = (vec![], vec![], vec![], vec![]);
    for _ in 0..blocks.max(3) {
        let (first, other, again) = (time(&mut a)?, time(&mut b)?, time(&mut a)?);
        ratios.push((first + again) / 2.0 / other);
        noise.push(first / again);
        firsts.push(first.min(again));
        others.push(other);
    }
    let each = |mut times: Vec<f64>| Duration::from_secs_f64(percentile(&mut times, 0.5) / items.max(1) as f64);
    Ok(Ratio {
        a: each(firsts),
        b: each(others),
        ratio: percentile(&mut ratios, 0.5),
        noise: (percentile(&mut noise, 0.05), percentile(&mut noise, 0.95)),
    })
}

impl Ratio {
    /// As one JSON object; times in milliseconds.
    pub(crate) fn json(&self, a: &str, b: &str) -> Value {
        json!({
            "a": a, "b": b, "a_ms": ms(self.a), "b_ms": ms(self.b), "a_over_b": self.ratio,
            "noise_a_over_a_p5": self.noise.0, "noise_a_over_a_p95": self.noise.1,
        })
    }
}

/// Milliseconds with three digits.
pub(crate) fn ms(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

/// Tells how long ago it was made.
#[expect(clippy::disallowed_methods, reason = "a bench measures the real clock")]
pub(crate) fn stopwatch() -> impl Fn() -> Duration + Clone + Send + 'static {
    let start = Instant::now();
    move || start.elapsed()
}

/// The median.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    percentile(values, 0.5)
}

fn time(work: &mut impl FnMut() -> Result<()>) -> Result<f64> {
    let watch = stopwatch();
    work()?;
    Ok(watch().as_secs_f64())
}

fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * share).round() as usize]
}
