//! `cargo xtask runtime`: the ONNX Runtime library, unzipped from its wheel.
//!
//! Invariant: one file, `target/onnxruntime/libonnxruntime.so.<version>`, with the pinned digest. No Python at run time.

use crate::{digest, download, pack::relative, places, progress::Progress, python::Python, sources::Sources};
use anyhow::{Context, bail};

/// The command.
pub(crate) fn run() -> anyhow::Result<()> {
    fetch(&Sources::read()?)
}

/// Fetches the library unless it is there.
pub(crate) fn fetch(sources: &Sources) -> anyhow::Result<()> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        bail!("the ONNX Runtime is pinned for x86-64 Linux only; name yours with COUNTERSIGN_ONNXRUNTIME");
    }
    let wanted = &sources.runtime;
    let name = wanted.path.rsplit('/').next().context("a runtime without a name")?;
    let target = places::target().join("onnxruntime").join(name);
    if digest::matches(&target, &wanted.sha256) {
        println!("runtime: {} is there, verified", relative(&target));
        return Ok(());
    }
    let progress = Progress::new(1);
    progress.note("runtime:");
    let python = Python::find()?;
    let archive = download::package(sources.package(&wanted.package)?, &python, &progress)?;
    let scratch = tempfile::tempdir()?;
    let library = scratch.path().join(name);
    python.extract(&archive, &[(wanted.path.clone(), library.clone())])?;
    digest::place(&library, &target, &wanted.sha256)?;
    progress.done(format!("  {}: unzipped, {:.16} verified", relative(&target), wanted.sha256));
    Ok(())
}
