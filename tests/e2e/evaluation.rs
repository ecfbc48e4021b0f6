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
    /// FNMR in percent at the rates below: as published for these pictures, of `base` as it is by angle (docs/adr/0006).
    fnmr: [f64; 4],
}

const RATES: [f64; 4] = [1e-2, 1e-3, 1e-4, 1e-5];
/// Percentage points by which an FNMR may differ from the published one.
const POINTS: f64 = 0.5;
/// By which a threshold may differ from the committed one.
const THRESHOLD: f64 = 1e-3;

#[test]
fn the_base_pack_has_its_published_error_rates_and_committed_thresholds() -> Result<()> {
    come_out_again(&Published { pack: "base", committed: "base-fp32", fnmr: [1.38, 6.38, 22.33, 49.95] })
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
    let measured = points(&answer["operating_points"])?;
    let kept: Vec<Value> = rows(&answer["operating_points"])?.iter().map(|row| row["kept"].clone()).collect();
    let kept = points(&Value::from(kept))?;
    let committed = places::root().join("deploy/pack/calibration").join(format!("{}.json", published.committed));
    let committed: Value = serde_json::from_str(&fs::read_to_string(committed)?)?;
    let committed = points(&committed["operating_points"])?;
    for (rate, published) in RATES.into_iter().zip(published.fnmr) {
        let at = |points: &[Point]| points.iter().find(|p| (p.fmr / rate - 1.0).abs() < 1e-6).copied();
        let now = at(&measured).with_context(|| format!("{name}: no operating point at {rate}"))?;
        let percent = now.fnmr * 100.0;
        println!("{name}: FMR {rate:.0e}: FNMR {percent:.2} % (published {published}), threshold {:.4}", now.threshold);
        ensure!(
            (percent - published).abs() <= POINTS,
            "{name}: FNMR {percent:.2} % at FMR {rate}, published {published}"
        );
        let then = at(&committed).with_context(|| format!("{name}: nothing committed at {rate}"))?;
        let stricter = at(&kept).with_context(|| format!("{name}: no threshold keeps {rate}"))?;
        ensure!(stricter.threshold >= now.threshold, "{name}: the upper bound of {rate} is met below the rate itself");
        let now = stricter;
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

fn rows(points: &Value) -> Result<&Vec<Value>> {
    points.as_array().context("no operating points")
}

fn points(points: &Value) -> Result<Vec<Point>> {
    let number = |point: &Value, name: &str| point[name].as_f64().with_context(|| format!("no {name}"));
    rows(points)?
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
