//! The binary as an operator runs it: settings that do not read.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

use std::{
    fs,
    process::{Command, Output},
};

const SAMPLE: &str = include_str!("../../../deploy/config/gateway.toml");

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_countersign-gateway")).args(arguments).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn settings_that_do_not_read_are_refused_by_file_line_and_field() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("gateway.toml");
    let cases = [("]]", "gateway.toml:1"), (&SAMPLE.replace("burst =", "bursts ="), "limits.bursts")];
    for (text, named) in cases {
        fs::write(&path, text).unwrap();
        let output = run(&["serve", "--config", path.to_str().unwrap()]);
        assert!(!output.status.success() && stderr(&output).contains(named), "{}", stderr(&output));
    }
    let output = run(&["serve", "--config", "/nowhere/gateway.toml"]);
    assert!(!output.status.success() && stderr(&output).contains("/nowhere/gateway.toml"), "{}", stderr(&output));
}
