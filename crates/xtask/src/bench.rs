//! `cargo xtask bench`: builds the benches in release and runs them on portraits, or on pictures of your own.

use crate::{
    command::{self, Tool},
    places, prepare,
    python::Python,
    tally::Tally,
};
use anyhow::{Context, Result, ensure};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// What to measure on what.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Folder of *.jpg to run on, or of folders of them; the development faces beside the repository or else the demo's
    /// portraits when absent.
    #[arg(long)]
    images: Option<PathBuf>,
    /// Take this many of them.
    #[arg(long, default_value_t = 60)]
    limit: usize,
}

/// Runs every bench on every pack; each prints one JSON object.
pub(crate) fn run(options: &Options) -> Result<()> {
    let packs = prepare::packs(&mut Tally::default())?;
    Tool::new("cargo").args(["build", "--locked", "--release", "--package", "countersign-benches"]).run()?;
    let program = places::target().join("release/countersign-benches");
    let images = images(options)?;
    let reference = places::root().join("../shared/reference");
    for pack in packs {
        let folder = places::target().join("packs").join(pack);
        let bench = |name: &str| {
            let tool = Tool::new(&program).arg(name).arg("--pack").arg(&folder);
            tool.arg("--onnxruntime")
                .arg(places::target().join("onnxruntime/libonnxruntime.so.1.31.1"))
                .arg("--images")
                .args(&images)
        };
        bench("frame").run()?;
        bench("memory").run()?;
        if reference.is_dir() {
            let python = Python::find()?.install("tests/parity/requirements.txt", "parity")?;
            // The peers take the models from one folder by the names the reference gives them.
            let models = places::target().join("bench-models");
            gather(&models)?;
            let peers = bench("peers").arg("--reference").arg(&reference);
            peers.arg("--models").arg(models).arg("--python").arg(python).run()?;
        } else {
            command::say("skipped: peers: no ../shared/reference beside this repository");
        }
    }
    Ok(())
}

fn images(options: &Options) -> Result<Vec<PathBuf>> {
    let faces = places::root().join("../shared/faces/lfw-dev");
    let portraits = places::target().join("portraits");
    let folder = options.images.clone().unwrap_or(if faces.is_dir() { faces } else { portraits });
    let mut images = pictures(&folder)?;
    if images.is_empty() {
        for person in sorted(&folder)?.iter().filter(|path| path.is_dir()).take(options.limit) {
            images.extend(pictures(person)?.into_iter().take(1));
        }
    }
    images.truncate(options.limit);
    ensure!(!images.is_empty(), "{} holds no *.jpg", folder.display());
    Ok(images)
}

fn pictures(folder: &Path) -> Result<Vec<PathBuf>> {
    Ok(sorted(folder)?
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "jpg"))
        .collect())
}

fn sorted(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

fn gather(models: &Path) -> Result<()> {
    fs::create_dir_all(models)?;
    for pack in ["base", "standard-fp32", "standard"] {
        let folder = places::target().join("packs").join(pack);
        let Ok(entries) = fs::read_dir(folder) else { continue };
        for entry in entries {
            let path = entry?.path();
            if let Some(name) = path.file_name().filter(|_| path.extension().is_some_and(|e| e == "onnx")) {
                fs::copy(&path, models.join(name))?;
            }
        }
    }
    Ok(())
}
