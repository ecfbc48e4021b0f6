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
    /// Tests that failed, each with the first lines that it said.
    failures: Vec<(String, Vec<String>)>,
    /// Which of them is talking.
    talking: Option<usize>,
}

/// Lines of a failed test that the closing words repeat.
const REPEATED: usize = 12;

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
        self.listen(line);
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
    /// Keeps what failed tests say: `test NAME ... FAILED`, later `---- NAME stdout ----` and its output.
    fn listen(&mut self, line: &str) {
        let between = |from, to| line.strip_prefix(from).and_then(|rest: &str| rest.strip_suffix(to));
        if let Some(name) = between("test ", " ... FAILED") {
            self.failures.push((name.to_owned(), Vec::new()));
        } else if let Some(name) = between("---- ", " stdout ----") {
            self.talking = self.failures.iter().position(|(failed, said)| failed == name && said.is_empty());
        } else if line == "failures:" || line == "successes:" || line.starts_with("test result: ") {
            self.talking = None;
        } else if let Some(said) = self.talking.map(|at| &mut self.failures[at].1)
            && said.len() < REPEATED
            && !line.is_empty()
        {
            said.push(line.to_owned());
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
        self.failures.extend(other.failures);
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
        for (name, said) in &self.failures {
            command::say(&format!("FAILED {name}\n  {}", said.join("\n  ")));
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
    fn what_a_failed_test_said_is_kept_and_what_others_said_is_not() {
        let mut tally = Tally::default();
        let run = "test a::right ... ok\ntest a::wrong ... FAILED\n\nsuccesses:\n\n---- a::right stdout ----\nfine\n\n
failures:\n\n---- a::wrong stdout ----\nError: late\n\nCaused by:\n    the disk\n\n\nfailures:\n    a::wrong\n
test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s";
        run.lines().for_each(|line| tally.read(line));
        let said = ["Error: late", "Caused by:", "    the disk"].map(str::to_owned).to_vec();
        assert_eq!(tally.failures, [("a::wrong".to_owned(), said)]);
    }

    #[test]
    fn a_failed_part_fails_the_run() {
        let mut tally = Tally::default();
        tally.part("breaks", Err(anyhow::anyhow!("on purpose")));
        assert!(tally.close().is_err());
    }
}
