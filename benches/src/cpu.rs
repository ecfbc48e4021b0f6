//! CPU time of this process: what a capture costs, whoever else is on the machine.
//!
//! Must never know: what is timed. Invariant: work that a library hands to a thread of its own is counted too.

use anyhow::Result;
use rustix::time::{ClockId, clock_gettime};

/// CPU time in milliseconds that `work` takes, with what it answers.
pub(crate) fn timed<T>(work: impl FnOnce() -> Result<T>) -> Result<(f64, T)> {
    let start = now_ms();
    let answer = work()?;
    Ok((now_ms() - start, answer))
}

fn now_ms() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
}

/// The value below which this share of the values lies; they are sorted.
pub(crate) fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        count => values[((count - 1) as f64 * share).round() as usize],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hint::black_box;

    #[test]
    fn work_takes_time_and_its_answer_comes_back() {
        let (ms, answer) = timed(|| Ok((0..20_000_000_u64).fold(0, |sum: u64, i| black_box(sum ^ i)))).unwrap();
        assert!(ms > 0.0 && ms.is_finite(), "{ms}");
        assert_eq!(answer, 0);
    }

    #[test]
    fn percentiles_are_values_that_occurred() {
        let mut values = [3.0, 1.0, 2.0, 5.0, 4.0];
        assert_eq!([0.0, 0.5, 1.0].map(|share| percentile(&mut values, share)), [1.0, 3.0, 5.0]);
        assert!(percentile(&mut [], 0.5).is_nan());
    }
}
