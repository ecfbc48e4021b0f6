//! `countersign evaluate verification` on the development faces: the published error rates and the committed calibration
//! come out again.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::fs;
use support::{cluster, places, skips};

/// A pack and what was published and committed of it.
struct Published {
    pack: &'static str,
    /// Calibration under `deploy/pack/calibration`.
    committed: &'static str,
    /// FNMR in percent at the rates below, as published for these pictures.
    fnmr: [f64; 4],
}

const RATES: [f64; 4] = [1e-2, 1e-3, 1e-4, 1e-5];
/// Percentage points by which an FNMR may differ from the published one.
const POINTS: f64 = 0.5;
/// By which a threshold may differ from the committed one.
const THRESHOLD: f64 = 1e-3;

#[test]
fn the_base_pack_has_its_published_error_rates_and_committed_thresholds() -> Result<()> {
    come_out_again(&Published { pack: "base", committed: "base-fp32", fnmr: [1.43, 9.29, 32.8, 60.7] })
}

#[test]
#[expect(clippy::approx_constant, reason = "3.14 is a percentage here")]
fn the_standard_pack_in_fp32_has_its_published_error_rates_and_committed_thresholds() -> Result<()> {
    come_out_again(&Published { pack: "standard-fp32", committed: "standard-fp32", fnmr: [0.52, 1.57, 3.14, 6.62] })
}

#[test]
fn the_standard_pack_has_its_published_error_rates_and_committed_thresholds() -> Result<()> {
    come_out_again(&Published { pack: "standard", committed: "standard-int8", fnmr: [0.71, 1.76, 3.57, 7.05] })
}

fn come_out_again(published: &Published) -> Result<()> {
    let name = published.pack;
    let test = format!("evaluation/{name}");
    let Some(faces) = skips::or_skip(&test, places::faces("lfw-dev")) else { return Ok(()) };
    let Some(pack) = skips::or_skip(&test, places::pack(name)) else { return Ok(()) };
    let [faces, pack, runtime] = [faces, pack, places::onnxruntime()?].map(|p| p.to_string_lossy().into_owned());
    let answer = cluster::cli(&[
        "evaluate",
        "verification",
        "--json",
        "--images",
        &faces,
        "--pack",
        &pack,
        "--onnxruntime",
        &runtime,
    ])?;
    let answer: Value = serde_json::from_str(&answer)?;
    let found = points(&answer)?;
    let committed = places::root().join("deploy/pack/calibration").join(format!("{}.json", published.committed));
    let committed = points(&serde_json::from_str(&fs::read_to_string(committed)?)?)?;
    for (rate, published) in RATES.into_iter().zip(published.fnmr) {
        let at = |points: &[Point]| points.iter().find(|p| (p.fmr / rate - 1.0).abs() < 1e-6).copied();
        let now = at(&found).with_context(|| format!("{name}: no operating point at {rate}"))?;
        let percent = now.fnmr * 100.0;
        println!("{name}: FMR {rate:.0e}: FNMR {percent:.2} % (published {published}), threshold {:.4}", now.threshold);
        ensure!(
            (percent - published).abs() <= POINTS,
            "{name}: FNMR {percent:.2} % at FMR {rate}, published {published}"
        );
        let then = at(&committed).with_context(|| format!("{name}: nothing committed at {rate}"))?;
        ensure!(
            (now.threshold - then.threshold).abs() <= THRESHOLD,
            "{name}: threshold {} at {rate}, committed {}",
            now.threshold,
            then.threshold
        );
    }
    Ok(())
}

#[derive(Clone, Copy)]
struct Point {
    fmr: f64,
    fnmr: f64,
    threshold: f64,
}

fn points(document: &Value) -> Result<Vec<Point>> {
    let points = document["operating_points"].as_array().context("no operating_points")?;
    let number = |point: &Value, name: &str| point[name].as_f64().with_context(|| format!("no {name}"));
    points
        .iter()
        .map(|point| {
            Ok(Point {
                fmr: number(point, "fmr")?,
                fnmr: number(point, "fnmr")?,
                threshold: number(point, "threshold")?,
            })
        })
        .collect()
}
