//! Where things lie: the repository, built programs, packs, ONNX Runtime, portraits. What is missing is named.

use anyhow::{Context, Result, ensure};
use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The repository's root.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(PathBuf::new, Path::to_path_buf)
}

/// A built program beside the running one.
///
/// # Errors
/// Where it was not built: `cargo build --workspace --bins` does.
pub fn program(name: &str) -> Result<PathBuf> {
    let here = std::env::current_exe().context("our own path is unknown")?;
    let found = here.ancestors().skip(1).take(2).map(|folder| folder.join(name)).find(|path| path.is_file());
    found.with_context(|| format!("{name} is not built: run `cargo build --workspace --bins`"))
}

/// A model pack: the directory in `COUNTERSIGN_PACK`, or `target/packs/<name>`.
///
/// # Errors
/// Where it was not made: `cargo xtask pack <name>` does.
pub fn pack(name: &str) -> Result<PathBuf> {
    let path = root().join("target/packs").join(name);
    ensure!(path.join("pack.toml").is_file(), "the {name} pack is not made: run `cargo xtask pack {name}`");
    Ok(path)
}

/// ONNX Runtime's shared library.
///
/// # Errors
/// Where it was not fetched: `cargo xtask runtime` does.
pub fn onnxruntime() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("COUNTERSIGN_ONNXRUNTIME") {
        return Ok(path.into());
    }
    let folder = root().join("target/onnxruntime");
    let entries = std::fs::read_dir(&folder).context("ONNX Runtime is not there: run `cargo xtask runtime`")?;
    let library =
        |path: &PathBuf| path.file_name().is_some_and(|n| n.to_string_lossy().starts_with("libonnxruntime.so"));
    entries
        .filter_map(|entry| entry.ok().map(|e| e.path()))
        .find(library)
        .context("no libonnxruntime.so in target/onnxruntime")
}

/// One of the portraits of public figures out of the `face_recognition` sdist.
///
/// # Errors
/// Where they were not fetched: `cargo xtask portraits` does.
pub fn portrait(name: &str) -> Result<PathBuf> {
    let path = root().join("target/portraits").join(name);
    ensure!(path.is_file(), "portrait {name} is not there: run `cargo xtask portraits`");
    Ok(path)
}

/// A program of the machine that answers to the given arguments with status 0.
///
/// # Errors
/// Where it is not installed, or may not do that here.
pub fn tool(program: &str, probe: &[&str]) -> Result<()> {
    let output = Command::new(program).args(probe).stdin(Stdio::null()).output();
    let output = output.with_context(|| format!("{program} is not installed"))?;
    ensure!(output.status.success(), "{program} {} does not work here", probe.join(" "));
    Ok(())
}

/// Research pictures for measurements, one folder per person, where they lie beside the repository. Never shipped.
///
/// # Errors
/// Where they are not there.
pub fn faces(name: &str) -> Result<PathBuf> {
    let path = root().join("../shared/faces").join(name);
    ensure!(path.is_dir(), "the {name} pictures are not beside this repository");
    Ok(path)
}
