//! What a torture case (TARGETS R1 to R12) leaves behind: one line that `cargo xtask torture` reads.
//!
//! Owns the line's form and the sizes. Must never know: what a case tries. Invariant: a case that failed, or whose sabotage
//! went unseen, says so on its line before it fails.

use anyhow::{Result, ensure};
use serde_json::json;
use std::time::Duration;

const FULL: &str = "COUNTERSIGN_TORTURE_FULL";
const TRIALS: &str = "COUNTERSIGN_TORTURE_TRIALS";

/// Whether the full size of TARGETS was asked for.
#[must_use]
pub fn full() -> bool {
    std::env::var(FULL).is_ok_and(|value| value == "1")
}

/// How many trials: what was asked for by number, else the size for CI or the full one.
#[must_use]
pub fn trials(ci: usize, whole: usize) -> usize {
    asked().unwrap_or(if full() { whole } else { ci })
}

/// A number of trials that somebody asked for, to be kept to.
#[must_use]
pub fn asked() -> Option<usize> {
    std::env::var(TRIALS).ok().and_then(|text| text.parse().ok())
}

/// What a case came to.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Such as `R1`.
    pub id: &'static str,
    /// How often it was tried.
    pub trials: usize,
    /// What went wrong, in words.
    pub failures: Vec<String>,
    /// Whether what was broken on purpose was seen.
    pub control_triggered: bool,
}

impl Report {
    /// Nothing was tried yet.
    #[must_use]
    pub fn of(id: &'static str) -> Self {
        Self { id, ..Self::default() }
    }

    /// Counts one trial.
    pub fn count(&mut self, outcome: Result<()>) {
        self.trials += 1;
        if let Err(error) = outcome {
            self.failures.push(format!("{error:#}"));
        }
    }

    /// Says how far it is, for whoever watches.
    #[expect(clippy::print_stdout, reason = "`cargo xtask torture` shows this line")]
    pub fn progress(&self, of: usize) {
        println!("torture: {} {} of {of}", self.id, self.trials);
    }

    /// Prints the case's line.
    ///
    /// # Errors
    /// Unless something was tried, nothing failed and the control was triggered.
    #[expect(clippy::print_stdout, reason = "`cargo xtask torture` reads this line")]
    pub fn close(self) -> Result<()> {
        // Zero failures in N trials: below 3/N at 95 % (the rule of three).
        let bound = if self.trials == 0 { 1.0 } else { (3.0 / self.trials as f64).min(1.0) };
        let line = json!({
            "id": self.id, "trials": self.trials, "failures": self.failures.len(), "bound": bound,
            "control_triggered": self.control_triggered,
        });
        println!("torture: {line}");
        ensure!(self.failures.is_empty(), "{} of {} failed: {:?}", self.failures.len(), self.trials, self.failures);
        ensure!(self.trials > 0, "nothing was tried");
        ensure!(self.control_triggered, "the sabotage was not seen: the check is blind");
        Ok(())
    }
}

/// Moments to kill at: they differ from one to the next and are the same in every run (xorshift).
#[derive(Debug)]
pub struct Moments(pub u64);

impl Moments {
    /// The next, up to `most`.
    pub fn next_within(&mut self, most: Duration) -> Duration {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        most.mul_f64((self.0 >> 11) as f64 / (1_u64 << 53) as f64)
    }
}
