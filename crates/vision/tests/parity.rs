//! Parity with the Python reference, run live on the same pictures: same face, same mesh, same features.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

mod support;

use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use support::{named_pack_dir, or_skip, root, runtime, shared};
use vision::{Engine, EngineOptions, Pack, Runtime, Sample};

/// Pictures compared: the first by SHA-256 of their path.
const COUNT: &str = "300";

struct Reference {
    path: String,
    rectangle: Vec<f64>,
    points: Vec<Vec<f64>>,
    features: Vec<f64>,
}

/// Where everything is.
struct Place {
    shared: PathBuf,
    base: PathBuf,
    site: PathBuf,
    runtime: Runtime,
}

fn place(test: &str) -> Option<Place> {
    let found = || {
        let site = root().join("target/python/parity");
        if !site.join("cv2").exists() {
            return Err("tests/parity/requirements.txt is not installed".to_owned());
        }
        Ok(Place { shared: shared()?, base: named_pack_dir("base")?, site, runtime: runtime()? })
    };
    or_skip(test, found())
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

fn run_reference(place: &Place, pack: &Path, recogniser: &Path, alignment: &str) -> Vec<Reference> {
    let Place { shared, site, .. } = place;
    let output = Command::new("python3")
        .arg(root().join("tests/parity/reference_dump.py"))
        .arg("--reference")
        .arg(shared.join("reference"))
        .arg("--images")
        .arg(shared.join("faces/lfw-dev"))
        .arg("--pack")
        .arg(pack)
        .arg("--recogniser")
        .arg(recogniser)
        .args(["--alignment", alignment, "--count", COUNT])
        .env("PYTHONPATH", site)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let parse = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        Reference {
            path: line["path"].as_str().unwrap().to_owned(),
            rectangle: numbers(&line["box"]),
            points: line["mesh"].as_array().unwrap().iter().map(numbers).collect(),
            features: numbers(&line["features"]),
        }
    };
    String::from_utf8(output.stdout).unwrap().lines().map(parse).collect()
}

/// Intersection over union of the rectangles.
fn overlap(a: &[f64], sample: &Sample) -> f64 {
    let r = sample.face.rectangle;
    let b = [r.left, r.top, r.right, r.bottom].map(f64::from);
    let width = (a[2].min(b[2]) - a[0].max(b[0])).max(0.0);
    let height = (a[3].min(b[3]) - a[1].max(b[1])).max(0.0);
    let area = |r: &[f64]| (r[2] - r[0]) * (r[3] - r[1]);
    width * height / (area(a) + area(&b) - width * height)
}

/// Distances of mesh points over the distance between the eyes.
fn mesh_errors(reference: &Reference, sample: &Sample) -> Vec<f64> {
    let middle = |a: usize, b: usize, axis: usize| (reference.points[a][axis] + reference.points[b][axis]) / 2.0;
    let eyes = (middle(33, 133, 0) - middle(362, 263, 0)).hypot(middle(33, 133, 1) - middle(362, 263, 1));
    let pairs = reference.points.iter().zip(&sample.face.points);
    pairs.map(|(a, b)| (a[0] - f64::from(b.x)).hypot(a[1] - f64::from(b.y)) / eyes).collect()
}

fn cosine(a: &[f64], b: &[f32]) -> f64 {
    let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(p, q)| p * q).sum::<f64>();
    let b: Vec<f64> = b.iter().map(|&v| v.into()).collect();
    dot(a, &b) / (dot(a, a) * dot(&b, &b)).sqrt()
}

fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[(values.len() as f64 * share) as usize]
}

/// The `standard` pack in full precision, put together from the shared models; its manifest is the committed one.
fn standard_fp32(shared: &Path, base: &Path) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let put = |from: PathBuf, name: &str| fs::copy(&from, dir.path().join(name)).unwrap();
    put(root().join("deploy/pack/standard-fp32.toml"), "pack.toml");
    put(root().join("deploy/pack/calibration/standard-fp32.json"), "calibration.json");
    put(root().join("deploy/pack/calibration/standard-pad.json"), "presentation_attack.json");
    for name in ["countersign_pad_wide.onnx", "countersign_pad_skin.onnx"] {
        put(root().join("deploy/pad").join(name), name);
    }
    for name in ["face_detection_short_range.onnx", "face_landmark.onnx"] {
        put(base.join(name), name);
    }
    let models = ["mobilefacenet_foamliu", "minifasnet_v2_2.7", "minifasnet_v1se_4.0", "minifas_jr_128_fast"];
    for name in models.map(|stem| format!("{stem}.onnx")) {
        put(shared.join("models").join(&name), &name);
    }
    dir
}

fn compare(place: &Place, dir: &Path, alignment: &str) {
    let pack = Pack::open(dir).unwrap();
    let references = run_reference(place, dir, &dir.join(&pack.manifest().recogniser.file), alignment);
    let mut engine = Engine::new(&place.runtime, &pack, EngineOptions::default()).unwrap();
    let (mut errors, mut cosines) = (Vec::new(), Vec::new());
    for reference in &references {
        let bytes = fs::read(place.shared.join("faces/lfw-dev").join(&reference.path)).unwrap();
        let sample = engine.sample(&bytes).unwrap().unwrap();
        assert!(overlap(&reference.rectangle, &sample) > 0.8, "{}: another face", reference.path);
        errors.extend(mesh_errors(reference, &sample));
        cosines.push(cosine(&reference.features, sample.features.as_slice()));
    }
    let (error, middle, low) = (quantile(&mut errors, 0.5), quantile(&mut cosines, 0.5), quantile(&mut cosines, 0.01));
    println!(
        "parity {}: {} faces, mesh {:.3} % of the inter-eye distance, cosine median {middle:.5}, 1st percentile {low:.5}",
        pack.name(),
        cosines.len(),
        error * 100.0
    );
    assert!(cosines.len() == references.len() && references.len() >= 300);
    assert!(error < 0.01, "mesh {error}");
    assert!(middle >= 0.995 && low >= 0.98, "cosine {middle} {low}");
}

#[test]
fn base_pack_finds_what_the_reference_finds() {
    let Some(place) = place("base_pack_finds_what_the_reference_finds") else { return };
    compare(&place, &place.base, "dlib-mesh-150");
}

#[test]
fn standard_pack_in_full_precision_finds_what_the_reference_finds() {
    let Some(place) = place("standard_pack_in_full_precision_finds_what_the_reference_finds") else { return };
    compare(&place, standard_fp32(&place.shared, &place.base).path(), "arcface-112");
}
