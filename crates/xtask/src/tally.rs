//! Counts of what was proven: passed, failed, skipped, and the closing line.

use crate::{command, places};
use anyhow::{Context, Result, bail};
use std::{fmt, fs};

/// What the parts of a test run came to.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    passed: usize,
    failed: usize,
    skipped: Vec<(String, String)>,
}

impl Tally {
    /// Counts one part that passed or failed as a whole.
    pub(crate) fn part(&mut self, name: &str, outcome: Result<()>) {
        match outcome {
            Ok(()) => self.passed += 1,
            Err(error) => {
                command::say(&format!("FAILED {name}: {error:#}"));
                self.failed += 1;
            }
        }
    }
    /// Counts one part that could not be run, and why.
    pub(crate) fn skip(&mut self, name: &str, why: &str) {
        command::say(&format!("skipped: {name}: {why}"));
        self.skipped.push((name.to_owned(), why.to_owned()));
    }
    /// Reads one line that `cargo test -- --show-output` or the demo printed. A test that skipped itself says
    /// `skipped: name: why`; the harness counted it as passed.
    pub(crate) fn read(&mut self, line: &str) {
        if let Some(rest) = line.strip_prefix("skipped: ") {
            let (name, why) = rest.split_once(": ").unwrap_or((rest, "no reason given"));
            self.passed = self.passed.saturating_sub(1);
            self.skipped.push((name.to_owned(), why.to_owned()));
        } else if let Some(rest) = line.strip_prefix("test result: ") {
            let count = |word: &str| {
                rest.split([';', '.'])
                    .filter_map(|part| part.trim().strip_suffix(word))
                    .find_map(|number| number.trim().parse::<usize>().ok())
                    .unwrap_or(0)
            };
            self.passed += count("passed");
            self.failed += count("failed");
        }
    }
    /// Whether nothing was counted.
    pub(crate) fn is_empty(&self) -> bool {
        self.passed + self.failed + self.skipped.len() == 0
    }
    /// Counts what another tally counted.
    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped.extend(other.skipped);
    }
    /// Prints the closing line. With `CI=true` a skip that `.ci/skips` does not list is a failure.
    pub(crate) fn close(self) -> Result<()> {
        let listed = fs::read_to_string(places::root().join(".ci/skips")).context(".ci/skips cannot be read")?;
        let known: Vec<&str> =
            listed.lines().filter(|l| !l.starts_with('#')).filter_map(|l| l.split_once(':').map(|(n, _)| n)).collect();
        let strict = std::env::var("CI").is_ok_and(|value| value == "true");
        let unlisted: Vec<&str> =
            self.skipped.iter().map(|(name, _)| name.as_str()).filter(|name| !known.contains(name)).collect();
        for (name, why) in &self.skipped {
            command::say(&format!("skipped {name}: {why}"));
        }
        let failed = self.failed + if strict { unlisted.len() } else { 0 };
        if strict && !unlisted.is_empty() {
            command::say(&format!("CI=true and not listed in .ci/skips: {}", unlisted.join(", ")));
        }
        println!("countersign: {} passed, {failed} failed, {} skipped", self.passed, self.skipped.len());
        if failed > 0 {
            bail!("{failed} failed");
        }
        Ok(())
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn harness_lines_are_counted_and_skips_taken_out_of_passed() {
        let mut tally = Tally::default();
        tally.read("test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.20s");
        tally.read("test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s");
        tally.read("skipped: parity: no ../shared");
        assert_eq!((tally.passed, tally.failed, tally.skipped.len()), (14, 2, 1));
    }

    #[test]
    fn a_failed_part_fails_the_run() {
        let mut tally = Tally::default();
        tally.part("breaks", Err(anyhow::anyhow!("on purpose")));
        assert!(tally.close().is_err());
    }
}
