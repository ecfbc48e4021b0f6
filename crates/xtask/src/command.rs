//! Running other programs: one way to call them from the workspace's root, one way to fail.

use crate::places;
use anyhow::{Context, Result, bail};
use std::{
    env,
    ffi::OsStr,
    process::{Command, Stdio},
};

/// A program about to be run from the repository's root.
pub(crate) struct Tool(Command);

impl Tool {
    /// Names the program.
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Self {
        let mut command = Command::new(program);
        command.current_dir(places::root());
        // `cargo xtask` itself runs under cargo: a nested cargo that inherits these builds half the world again.
        let of_our_own_run = |name: &str| {
            ["CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_BIN_", "CARGO_CRATE_", "CARGO_PRIMARY_"]
                .iter()
                .any(|p| name.starts_with(p))
        };
        for (name, _) in env::vars_os() {
            if name.to_str().is_some_and(of_our_own_run) {
                command.env_remove(name);
            }
        }
        Self(command)
    }
    /// One argument.
    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.0.arg(arg);
        self
    }
    /// Several arguments.
    pub(crate) fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.0.args(args);
        self
    }
    /// One environment variable.
    pub(crate) fn env(mut self, key: &str, value: impl AsRef<OsStr>) -> Self {
        self.0.env(key, value);
        self
    }
    /// Runs it with our own output; a status other than 0 is an error that names the call.
    pub(crate) fn run(mut self) -> Result<()> {
        let status = self.0.status().with_context(|| format!("cannot start {:?}", self.0.get_program()))?;
        if !status.success() {
            bail!("{:?} ended with {status}", self.0);
        }
        Ok(())
    }
    /// Runs it and returns stdout; on failure the error holds what it printed.
    pub(crate) fn output(self) -> Result<String> {
        self.collect(Stdio::piped())
    }

    /// The same of a command that says on stderr how far it is, for whoever waits.
    pub(crate) fn output_watched(self) -> Result<String> {
        self.collect(Stdio::inherit())
    }

    fn collect(mut self, stderr: Stdio) -> Result<String> {
        let started = self.0.stdin(Stdio::null()).stderr(stderr).output();
        let output = started.with_context(|| format!("cannot start {:?}", self.0))?;
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            bail!("{:?} ended with {}:\n{stdout}{}", self.0, output.status, String::from_utf8_lossy(&output.stderr));
        }
        Ok(stdout)
    }
    /// The command itself, for callers that read its output while it runs.
    pub(crate) fn into_command(self) -> Command {
        self.0
    }
}

/// Says one line of progress.
pub(crate) fn say(line: &str) {
    println!("xtask: {line}");
}
