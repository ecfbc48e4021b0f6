//! Images per second per core against what a Python team would run: the peers run as they are, in turn with the engine, on one
//! thread and the same images.

use crate::{Common, frame};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};
use vision::{Engine, EngineOptions, Pack, Runtime};

/// Where the peers lie.
#[derive(Debug)]
pub(crate) struct Places {
    /// The peer scripts.
    pub(crate) reference: PathBuf,
    /// Their model files.
    pub(crate) models: PathBuf,
    /// Their Python packages.
    pub(crate) python: PathBuf,
}

/// Rounds in which every contestant runs once; medians are compared.
const ROUNDS: usize = 3;

/// Prints one JSON object; the bars are 1.3 and 15.
pub(crate) fn run(common: &Common, places: &Places) -> Result<()> {
    let (runtime, pack) = (Runtime::load(&common.onnxruntime)?, Pack::open(&common.pack)?);
    let mut engine = Engine::new(&runtime, &pack, EngineOptions::default())?;
    let images = frame::read(common, &mut engine)?;
    let folder = tempfile::tempdir()?;
    for (number, image) in images.iter().enumerate() {
        fs::write(folder.path().join(format!("{number:04}.jpg")), image)?;
    }
    let rec = if pack.name().starts_with("base") { "dlib" } else { "foamliu" };
    let onnx = ["--threads", "1", "--det", "blaze", "--rec", rec, "--pad", "none"];
    let (mut ours, mut plain, mut dlib) = (vec![], vec![], vec![]);
    for _ in 0..ROUNDS {
        ours.push(rate(&mut engine, &images)?);
        plain.push(peer(places, "peer_onnx_pipeline.py", folder.path(), &onnx)?);
        if let Ok(speed) = peer(places, "peer_face_recognition.py", folder.path(), &["--limit", "12"]) {
            dlib.push(speed);
        }
    }
    let (ours, plain) = (median(&mut ours)?, median(&mut plain)?);
    let mut result = json!({
        "bench": "peers", "pack": pack.name(), "images": images.len(), "images_per_s": ours,
        "python_onnxruntime_images_per_s": plain, "over_python_onnxruntime": ours / plain, "bar_python_onnxruntime": 1.3,
    });
    match median(&mut dlib) {
        Ok(dlib) => {
            result["face_recognition_images_per_s"] = dlib.into();
            result["over_face_recognition"] = (ours / dlib).into();
            result["bar_face_recognition"] = 15.into();
        }
        Err(_) => {
            result["face_recognition"] = "skipped: the package cannot be imported (dlib is not built here)".into()
        }
    }
    println!("{result}");
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a bench measures the real clock")]
fn rate(engine: &mut Engine, images: &[Vec<u8>]) -> Result<f64> {
    images.iter().take(3).try_for_each(|jpeg| engine.features_of(jpeg).map(drop))?;
    let start = Instant::now();
    images.iter().try_for_each(|jpeg| engine.features_of(jpeg).map(drop))?;
    Ok(images.len() as f64 / start.elapsed().as_secs_f64())
}

/// A peer to run.
#[derive(Debug)]
pub(crate) struct Script<'a> {
    /// The script itself.
    pub(crate) place: &'a Path,
    /// Folder with the models that it loads by name.
    pub(crate) models: &'a Path,
    /// What it is told besides the folder of images.
    pub(crate) arguments: &'a [&'a OsStr],
}

/// Images a second of a script of the reference.
pub(crate) fn peer(places: &Places, script: &str, folder: &Path, args: &[&str]) -> Result<f64> {
    let arguments: Vec<&OsStr> = args.iter().map(OsStr::new).collect();
    let script = Script { place: &places.reference.join(script), models: &places.models, arguments: &arguments };
    said(places, &script, folder)?["images_per_s"].as_f64().context("no images_per_s")
}

/// What a script says of a folder of images, on one thread.
pub(crate) fn said(places: &Places, script: &Script<'_>, folder: &Path) -> Result<Value> {
    let name = script.place.display();
    // Not `join_paths`: the packages' folder may be several already.
    let mut modules = places.python.clone().into_os_string();
    modules.push(":");
    modules.push(&places.reference);
    let output = Command::new("python3")
        .arg(script.place)
        .arg(folder)
        .args(script.arguments)
        .env("PYTHONPATH", modules)
        // Nothing is written beside the reference.
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("MODELS", script.models)
        .env("OMP_NUM_THREADS", "1")
        .output()
        .with_context(|| format!("cannot start {name}"))?;
    ensure!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).with_context(|| format!("{name} printed no JSON"))
}

fn median(values: &mut [f64]) -> Result<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().context("no value")
}
