//! `cargo xtask bench`: builds the benches in release and runs them on portraits, or on pictures of your own.

use crate::{
    command::{self, Tool},
    places, prepare,
    python::Python,
    tally::Tally,
};
use anyhow::{Context, Result};
use std::{fs, path::PathBuf};

/// What to measure on what.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Folder of *.jpg to run on; the demo's portraits when absent.
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
    let folder = options.images.clone().unwrap_or_else(|| places::target().join("portraits"));
    let entries = fs::read_dir(&folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    let mut images: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    images.retain(|path| path.extension().is_some_and(|extension| extension == "jpg"));
    images.sort();
    images.truncate(options.limit);
    Ok(images)
}

fn gather(models: &std::path::Path) -> Result<()> {
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
