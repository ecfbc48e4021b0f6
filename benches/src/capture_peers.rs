//! Captures of 8 frames against what a Python team would run on them: plain onnxruntime, in turn with the engine, on one thread
//! and the same frames.
//!
//! The engine runs all five gates. The peers run models and measure nothing: one every model of the same pack on every frame,
//! the other the reference pipeline as it stands.

use crate::{
    Common,
    captures::{self, FRAMES, Filmed, OPTIONS},
    cpu::{percentile, timed},
    peers::{Places, Script, peer, said},
};
use anyhow::{Context, Result};
use serde_json::json;
use std::{fs, path::Path, time::Instant};
use vision::{Engine, Pack, Runtime};

/// Rounds in which every contestant runs once, the engine before and after the peers; medians of rounds are compared.
const ROUNDS: usize = 5;
/// Every model of a pack on every frame.
const EVERY_MODEL: &str = include_str!("../peers/every_model_on_every_frame.py");

/// Images a second, by CPU time and by the clock.
#[derive(Debug, Clone, Copy)]
struct Rate {
    cpu: f64,
    clock: f64,
}

/// Prints one JSON object; the bar is 2.5.
pub(crate) fn run(common: &Common, places: &Places) -> Result<()> {
    let (runtime, pack) = (Runtime::load(&common.onnxruntime)?, Pack::open(&common.pack)?);
    let mut engine = captures::engine(&runtime, &pack)?;
    let filmed = captures::film(common, &mut engine, &pack)?;
    let folder = tempfile::tempdir()?;
    let (frames, script) = (folder.path().join("frames"), folder.path().join("every_model_on_every_frame.py"));
    write(&filmed, &frames)?;
    fs::write(&script, EVERY_MODEL)?;
    let base = pack.name().starts_with("base");
    let (rec, pad) = if base { ("dlib", "none") } else { ("foamliu", "mini") };
    let as_is = ["--threads", "1", "--det", "blaze", "--rec", rec, "--pad", pad];
    let every =
        Script { place: &script, models: &common.pack, arguments: &["--pack".as_ref(), common.pack.as_os_str()] };
    let (mut ours, mut every_model, mut reference) = (vec![], vec![], vec![]);
    let (mut ratios, mut ratios_as_is, mut noise) = (vec![], vec![], vec![]);
    for _ in 0..ROUNDS {
        let before = rate(&mut engine, &filmed)?;
        let told = said(places, &every, &frames)?;
        let peer_rate = told["images_per_cpu_s"].as_f64().context("no images_per_cpu_s")?;
        let other = peer(places, "peer_onnx_pipeline.py", &frames, &as_is)?;
        let after = rate(&mut engine, &filmed)?;
        ratios.push((before.cpu + after.cpu) / 2.0 / peer_rate);
        ratios_as_is.push((before.clock + after.clock) / 2.0 / other);
        noise.push(before.cpu / after.cpu);
        ours.push((before.cpu + after.cpu) / 2.0);
        every_model.push(peer_rate);
        reference.push(other);
    }
    let middle = |values: &mut Vec<f64>| percentile(values, 0.5);
    let result = json!({
        "bench": "capture_peers", "pack": pack.name(), "captures": filmed.len(), "frames": FRAMES, "rounds": ROUNDS,
        "images_per_cpu_s": middle(&mut ours),
        "every_model_on_every_frame_images_per_cpu_s": middle(&mut every_model),
        "over_every_model_on_every_frame": middle(&mut ratios),
        "reference_pipeline": format!("recogniser {rec} fp32, presentation attack detectors {pad}"),
        "reference_pipeline_images_per_s": middle(&mut reference),
        "over_reference_pipeline": middle(&mut ratios_as_is),
        "noise_a_over_a_p5": percentile(&mut noise, 0.05), "noise_a_over_a_p95": percentile(&mut noise, 0.95),
        "bar": 2.5,
    });
    println!("{result}");
    Ok(())
}

/// The frames of all captures as files, in order.
fn write(filmed: &[Filmed], folder: &Path) -> Result<()> {
    fs::create_dir(folder)?;
    for (number, frame) in filmed.iter().flat_map(Filmed::frames).enumerate() {
        fs::write(folder.join(format!("{number:04}.jpg")), frame.jpeg)?;
    }
    Ok(())
}

/// All gates over all captures.
#[expect(clippy::disallowed_methods, reason = "a bench measures the real clock")]
fn rate(engine: &mut Engine, filmed: &[Filmed]) -> Result<Rate> {
    let mut all = || {
        filmed.iter().try_for_each(|capture| {
            let evidence = engine.examine_response(&capture.frames(), capture.script(), OPTIONS)?;
            evidence.features.map(|probe| capture.compare(&probe)).map(drop).context("a capture does not pass any more")
        })
    };
    all()?;
    let start = Instant::now();
    let (cpu_ms, ()) = timed(all)?;
    let images = (filmed.len() * FRAMES) as f64;
    Ok(Rate { cpu: images / cpu_ms * 1e3, clock: images / start.elapsed().as_secs_f64() })
}
