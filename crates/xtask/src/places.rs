//! Where things lie in the working tree.
//!
//! Invariant: every path is built from the workspace's root, never from the directory the command was started in.

use std::{env, path::PathBuf};

/// The workspace's root.
pub(crate) fn root() -> PathBuf {
    let compiled = env!("CARGO_MANIFEST_DIR");
    let own = env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(compiled), PathBuf::from);
    own.join("../..").canonicalize().unwrap_or_else(|_| own.join("../.."))
}

/// Manifests, sources, converters and calibration tables.
pub(crate) fn recipes() -> PathBuf {
    root().join("deploy/pack")
}

/// Everything that can be made again.
pub(crate) fn target() -> PathBuf {
    root().join("target")
}

/// Fetched files, kept for the next run.
pub(crate) fn downloads() -> PathBuf {
    target().join("downloads")
}
