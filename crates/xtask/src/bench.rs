//! `cargo xtask bench`: builds the benches in release and runs them on portraits, or on pictures of your own.

use crate::{
    command::{self, Tool},
    places, prepare,
    python::Python,
    tally::Tally,
};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// Each takes every capture through all gates several times.
const CAPTURE_BLOCKS: &str = "12";
/// Not a pack of its own, but what `standard` is compared with.
const FP32: &str = "standard-fp32";

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
    /// Run these benches alone
    #[arg(long, value_enum)]
    only: Option<Benches>,
    /// References of the store's benches: a million for beside how many a verification is as fast, and a hundred thousand for a
    /// rotation, unless given; half a thousand are enrolled in a second
    #[arg(long)]
    references: Option<usize>,
}

/// Benches that belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Benches {
    /// Single frames, memory settings, captures through all gates.
    Engine,
    /// What a Python team would run.
    Peers,
    /// Group commit, verification beside many references, rotation.
    Store,
}

impl Options {
    /// These alone, on what there is.
    pub(crate) const fn only(benches: Benches, references: Option<usize>) -> Self {
        Self { images: None, limit: 60, only: Some(benches), references }
    }

    fn wants(&self, benches: Benches) -> bool {
        self.only.is_none_or(|only| only == benches)
    }
}

/// Runs every bench on every pack and prints one JSON object for each.
pub(crate) fn run(options: &Options) -> Result<()> {
    for result in results(options)? {
        println!("{result}");
    }
    Ok(())
}

/// What every bench that is wanted came to, on every pack.
pub(crate) fn results(options: &Options) -> Result<Vec<Value>> {
    let packs = prepare::packs(&mut Tally::default())?;
    Tool::new("cargo").args(["build", "--locked", "--release", "--package", "countersign-benches"]).run()?;
    let (program, library, images) =
        (places::target().join("release/countersign-benches"), runtime()?, images(options)?);
    let mut results = Vec::new();
    let best = packs.last().copied().context("no pack")?;
    let bench_of = |name: &str, pack: &str| {
        let tool = Tool::new(&program).arg(name).arg("--pack").arg(places::target().join("packs").join(pack));
        tool.arg("--onnxruntime").arg(&library).arg("--images").args(&images)
    };
    let said = |tool: Tool| -> Result<Value> {
        serde_json::from_str(tool.output_watched()?.trim()).context("a bench printed no JSON")
    };
    for pack in packs {
        let bench = |name: &str| bench_of(name, pack);
        let mut tools = Vec::new();
        if options.wants(Benches::Engine) {
            tools.extend([bench("frame"), bench("memory"), bench("capture").args(["--blocks", CAPTURE_BLOCKS])]);
        }
        for name in ["peers", "capture-peers"].into_iter().filter(|_| options.wants(Benches::Peers)) {
            match peers(bench(name))? {
                Some(tool) => tools.push(tool),
                None => command::say(&format!("skipped: {name}: no ../shared/reference beside this repository")),
            }
        }
        for tool in tools {
            results.push(said(tool)?);
        }
    }
    if options.wants(Benches::Engine) && places::target().join("packs").join(FP32).is_dir() {
        results.push(said(bench_of("capture", FP32).args(["--blocks", CAPTURE_BLOCKS]))?);
    }
    for name in ["commits", "references", "rewraps"].into_iter().filter(|_| options.wants(Benches::Store)) {
        let folder = places::target().join("bench-store");
        let tool = if name == "references" { bench_of(name, best) } else { Tool::new(&program).arg(name) };
        let mut tool = tool.arg("--folder").arg(folder);
        if let Some(references) = options.references.filter(|_| name != "commits") {
            tool = tool.args(["--references", &references.to_string()]);
        }
        results.push(said(tool)?);
    }
    Ok(results)
}

/// The peers' bench with the scripts, models and Python packages that it needs, where they can be had.
fn peers(tool: Tool) -> Result<Option<Tool>> {
    let reference = places::root().join("../shared/reference");
    if !reference.is_dir() {
        return Ok(None);
    }
    let mut python = Python::find()?.install("tests/parity/requirements.txt", "parity")?.into_os_string();
    // `face_recognition` needs dlib, a quarter of an hour of compiling: taken where the caller has built it.
    if let Some(folder) = env::var_os("COUNTERSIGN_PEER_PACKAGES") {
        python.push(":");
        python.push(folder);
    }
    // The peers take the models from one folder by the names the reference gives them.
    let models = places::target().join("bench-models");
    gather(&models)?;
    Ok(Some(tool.arg("--reference").arg(reference).arg("--models").arg(models).arg("--python").arg(python)))
}

/// The fetched ONNX Runtime.
pub(crate) fn runtime() -> Result<PathBuf> {
    let library = sorted(&places::target().join("onnxruntime"))?;
    library.into_iter().next().context("no library in target/onnxruntime")
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
