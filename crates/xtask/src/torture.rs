//! `cargo xtask torture`: the cases of TARGETS "Nothing lost, no one in", by name and at full size where asked for.
//!
//! Owns which test is which case and the closing line. Must never know: what a case does. Invariant: a case passes only where
//! its test passed *and* said what it tried and that its control was triggered.

use crate::{command::Tool, places, prepare, progress::Progress, tally::Tally};
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::{
    fs,
    io::{BufRead, BufReader, Write},
    process::Stdio,
};

/// Cases that have a test; its name begins with the case's in small letters.
const CASES: [&str; 5] = ["R1", "R4", "R5", "R11", "R12"];
/// What a case's test prints before its words.
const MARK: &str = "torture: ";

/// What to try.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Cases such as R1; every case when none is named.
    #[arg(value_parser = CASES, ignore_case = true)]
    cases: Vec<String>,
    /// The full size of TARGETS, which takes hours, instead of that of CI.
    #[arg(long)]
    full: bool,
    /// No words but the closing line.
    #[arg(long)]
    json: bool,
}

/// Runs the cases and prints one JSON object on the last line.
pub(crate) fn run(options: &Options) -> Result<()> {
    prepare::packs(&mut Tally::default())?;
    prepare::postgres(&mut Tally::default());
    prepare::programs()?;
    fs::create_dir_all(places::target().join("test-logs"))?;
    let named = |case: &&&str| options.cases.is_empty() || options.cases.iter().any(|c| c.eq_ignore_ascii_case(case));
    let cases: Vec<&str> = CASES.iter().filter(named).copied().collect();
    let progress = Progress::new(cases.len());
    let mut found = Vec::new();
    for case in cases {
        let (line, passed) = attempt(case, options, &progress)?;
        if !options.json {
            progress.done(format!("{} {line}", if passed { "  ok" } else { "  no" }));
        }
        found.push((line, passed));
    }
    drop(progress);
    let failed = found.iter().filter(|(_, passed)| !passed).count();
    let lines: Vec<Value> = found.into_iter().map(|(line, _)| line).collect();
    println!("{}", json!({ "cases": lines }));
    if failed > 0 { bail!("{failed} cases did not pass; their logs lie in target/test-logs") } else { Ok(()) }
}

/// One case's line, and whether it passed.
fn attempt(case: &str, options: &Options, progress: &Progress) -> Result<(Value, bool)> {
    progress.doing(case);
    let path = places::target().join("test-logs").join(format!("torture-{case}.log"));
    let mut log = fs::File::create(&path).with_context(|| format!("{} cannot be written", path.display()))?;
    let errors = log.try_clone()?;
    let filter = format!("::{}_", case.to_lowercase());
    let tool = Tool::new("cargo").args(["test", "--locked", "--workspace", "--test", "e2e", "--"]);
    let tool = tool.args([&filter, "--nocapture", "--test-threads", "1"]);
    let tool = if options.full { tool.env("COUNTERSIGN_TORTURE_FULL", "1") } else { tool };
    let mut child = tool.into_command().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(errors).spawn()?;
    let mut said = Vec::new();
    for line in BufReader::new(child.stdout.take().context("no stdout")?).lines() {
        let line = line?;
        writeln!(log, "{line}")?;
        // The harness says `test name ... ` without an end of line before the test's own first words.
        let Some((_, words)) = line.split_once(MARK) else { continue };
        match serde_json::from_str::<Value>(words) {
            Ok(object) if object["id"] == case => said.push(object),
            _ => progress.doing(words),
        }
    }
    let passed = child.wait()?.success();
    Ok(judge(case, &said, passed))
}

/// What the tests of a case came to together: one that said nothing is a failure.
fn judge(case: &str, said: &[Value], passed: bool) -> (Value, bool) {
    let sum = |field: &str| said.iter().filter_map(|line| line[field].as_u64()).sum::<u64>();
    let (trials, failures) = (sum("trials"), sum("failures"));
    let triggered = !said.is_empty() && said.iter().all(|line| line["control_triggered"] == true);
    let bound = if trials == 0 { 1.0 } else { (3.0 / trials as f64).min(1.0) };
    let line = json!({
        "id": case, "trials": trials, "failures": failures, "bound": bound, "control_triggered": triggered,
    });
    (line, passed && trials > 0 && failures == 0 && triggered)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(trials: u64, failures: u64, control_triggered: bool) -> Value {
        json!({ "id": "R1", "trials": trials, "failures": failures, "control_triggered": control_triggered })
    }

    #[test]
    fn a_case_passes_only_where_its_test_passed_and_said_all_that_it_must() {
        assert!(judge("R1", &[said(100, 0, true)], true).1, "positive control");
        assert!(!judge("R1", &[said(100, 0, true)], false).1, "the test failed after its line");
        assert!(!judge("R1", &[], true).1, "a test that was skipped or filtered out");
        assert!(!judge("R1", &[said(100, 1, true)], true).1);
        assert!(!judge("R1", &[said(100, 0, false)], true).1, "a blind check");
        assert!(!judge("R1", &[said(0, 0, true)], true).1);
    }

    #[test]
    fn several_tests_of_a_case_are_one_line() {
        let (line, passed) = judge("R12", &[said(200, 0, true), said(100, 0, true)], true);
        assert!(passed);
        assert_eq!((&line["trials"], &line["bound"]), (&json!(300), &json!(0.01)));
        assert!(!judge("R12", &[said(200, 0, true), said(100, 0, false)], true).1);
    }
}
