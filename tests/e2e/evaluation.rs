//! `countersign evaluate verification` on the development faces: the published error rates and the committed calibration
//! come out again.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::fs;
use support::{cluster, places, skips};

/// Pack, committed calibration, and FNMR in percent at FMR 1e-2, 1e-3, 1e-4, 1e-5 as published for these pictures.
const PUBLISHED: [(&str, &str, [f64; 4]); 3] = [
    ("base", "base-fp32", [1.43, 9.29, 32.8, 60.7]),
    ("standard-fp32", "standard-fp32", [0.52, 1.57, 3.14, 6.62]),
    ("standard", "standard-int8", [0.71, 1.76, 3.57, 7.05]),
];
const RATES: [f64; 4] = [1e-2, 1e-3, 1e-4, 1e-5];
/// Percentage points by which an FNMR may differ from the published one.
const POINTS: f64 = 0.5;
/// By which a threshold may differ from the committed one.
const THRESHOLD: f64 = 1e-3;

#[test]
fn published_error_rates_and_committed_calibrations_come_out_again() -> Result<()> {
    for (name, committed, published) in PUBLISHED {
        let test = format!("evaluation::{name}");
        let Some(faces) = skips::or_skip(&test, places::faces("lfw-dev")) else { continue };
        let Some(pack) = skips::or_skip(&test, places::pack(name)) else { continue };
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
        let committed = places::root().join("deploy/pack/calibration").join(format!("{committed}.json"));
        let committed = points(&serde_json::from_str(&fs::read_to_string(committed)?)?)?;
        for (rate, published) in RATES.into_iter().zip(published) {
            let at = |points: &[Point]| points.iter().find(|p| (p.fmr / rate - 1.0).abs() < 1e-6).copied();
            let now = at(&found).with_context(|| format!("{name}: no operating point at {rate}"))?;
            let percent = now.fnmr * 100.0;
            println!(
                "{name}: FMR {rate:.0e}: FNMR {percent:.2} % (published {published}), threshold {:.4}",
                now.threshold
            );
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
