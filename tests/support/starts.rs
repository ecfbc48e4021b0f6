//! Starts of processes that must fail: what they say before they end, and that they end.

use crate::places;
use anyhow::{Context, Result, bail};
use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

/// A start that failed.
#[derive(Debug)]
pub struct Failed {
    /// Exit status; `None` where a signal ended it.
    pub status: Option<i32>,
    /// What it said on standard error.
    pub said: String,
}

/// Runs `<program> serve --config <config>` until it ends by itself.
///
/// # Errors
/// Where it still runs after 20 s.
pub fn start(program: &str, config: &Path) -> Result<Failed> {
    let mut command = Command::new(places::program(program)?);
    command.args(["serve", "--config"]).arg(config).env_remove("RUST_BACKTRACE").env_remove("RUST_LIB_BACKTRACE");
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    for _ in 0..400 {
        if let Some(status) = child.try_wait()? {
            let mut said = String::new();
            child.stderr.take().context("no standard error")?.read_to_string(&mut said)?;
            return Ok(Failed { status: status.code(), said });
        }
        thread::sleep(Duration::from_millis(50));
    }
    child.kill()?;
    child.wait()?;
    bail!("{program} serves with {}", config.display())
}

/// A copy of a pack's files, to be damaged.
///
/// # Errors
/// Where a file cannot be copied.
pub fn copy(pack: &Path, to: &Path) -> Result<PathBuf> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(pack)? {
        let path = entry?.path();
        if path.is_file() {
            fs::copy(&path, to.join(path.file_name().context("no name")?))?;
        }
    }
    Ok(to.to_path_buf())
}
