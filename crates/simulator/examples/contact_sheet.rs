//! Writes contact sheets of simulated captures to look at: one row of frames for each.
//!
//! `cargo run -p countersign-simulator --example contact_sheet -- PORTRAIT... ` writes `target/simulator/*.png`. It needs a
//! pack and ONNX Runtime as `cargo xtask pack base` makes them, to find the mesh points.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "an example that tells its speed"
)]

use biometrics::{CaptureMode, CaptureScript, ScriptInputs, TenantId};
use image::{RgbImage, imageops};
use simulator::{AttackInputs, Capture, Conditions, Portrait, Script, Species, render, render_attack};
use std::{
    env, fs,
    path::{Path, PathBuf},
    time::Instant,
};
use vision::{Engine, EngineOptions, Pack, Runtime};

fn portrait(engine: &mut Engine, file: &str) -> Option<Portrait> {
    let pixels = image::load_from_memory(&fs::read(file).unwrap()).unwrap().to_rgb8();
    let pixels = if pixels.width().max(pixels.height()) > 1024 {
        image::DynamicImage::from(pixels).resize(1024, 1024, imageops::FilterType::Triangle).to_rgb8()
    } else {
        pixels
    };
    let mut jpeg = Vec::new();
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut jpeg, 95).encode_image(&pixels).unwrap();
    let face = engine.sample(&jpeg).unwrap()?.face;
    let points = face.points.iter().zip(&face.depth).map(|(p, &z)| [p.x, p.y, z]).collect();
    Some(Portrait::new(pixels, points).unwrap())
}

fn script(nonce: u8, mode: CaptureMode) -> Script {
    let tenant: TenantId = "tn_00000000000000000000000000000001".parse().unwrap();
    let inputs = ScriptInputs { nonce: &[nonce; 16], tenant, action_sha256: &[7; 32], mode, attempt: 1 };
    Script::from(&CaptureScript::derive(&inputs))
}

/// Rows of frames, reduced to a width.
fn sheet(rows: &[Capture], width: u32) -> RgbImage {
    let columns = rows.iter().map(|c| c.frames.len()).max().unwrap() as u32;
    let height = width * 3 / 4;
    let mut sheet = RgbImage::new(columns * width, rows.len() as u32 * height);
    for (y, capture) in (0..).zip(rows) {
        for (x, frame) in (0..).zip(&capture.frames) {
            let picture = image::load_from_memory(&frame.jpeg).unwrap().to_rgb8();
            let small = imageops::resize(&picture, width, height, imageops::FilterType::Triangle);
            imageops::replace(&mut sheet, &small, x * i64::from(width), y * i64::from(height));
        }
    }
    sheet
}

fn bona_fide(portrait: &Portrait) -> Vec<Capture> {
    let row = |i: u8| {
        let mode = if i == 3 { CaptureMode::Motion } else { CaptureMode::LightAndMotion };
        let conditions = if i == 0 { Conditions::default() } else { Conditions::typical(i.into()) };
        render(portrait, &script(i, mode), &conditions).unwrap()
    };
    (0..4).map(row).collect()
}

fn attacks(victim: &Portrait, attacker: Option<&Portrait>, seed: u64) -> Vec<Capture> {
    let (script, older_script) = (script(50, CaptureMode::LightAndMotion), script(51, CaptureMode::LightAndMotion));
    let attack = |species: Species| {
        let conditions = Conditions { seed: seed + species as u64, ..Conditions::typical(seed + species as u64) };
        let inputs =
            AttackInputs { victim, attacker, script: &script, older_script: &older_script, conditions: &conditions };
        let start = Instant::now();
        let capture = render_attack(species, &inputs).unwrap();
        let ms = start.elapsed().as_secs_f64() * 1e3 / capture.frames.len() as f64;
        println!("{}: {ms:.1} ms a frame", species.name());
        capture
    };
    Species::ALL.into_iter().map(attack).collect()
}

/// Two frames of each row, larger.
fn close(rows: &[Capture]) -> RgbImage {
    let pick = |row: &Capture| Capture { frames: row.frames.iter().skip(3).step_by(4).cloned().collect() };
    sheet(&rows.iter().map(pick).collect::<Vec<_>>(), 640)
}

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let runtime = Runtime::load(&root.join("target/onnxruntime/libonnxruntime.so.1.31.1")).unwrap();
    let pack = env::var_os("COUNTERSIGN_PACK").map_or_else(|| root.join("target/packs/base"), PathBuf::from);
    let pack = Pack::open(&pack).unwrap();
    let mut engine = Engine::new(&runtime, &pack, EngineOptions::default()).unwrap();
    let out = root.join("target/simulator");
    fs::create_dir_all(&out).unwrap();
    let mut before: Option<Portrait> = None;
    for file in env::args().skip(1) {
        let Some(portrait) = portrait(&mut engine, &file) else { continue };
        let name = Path::new(&file).file_stem().unwrap().to_string_lossy().into_owned();
        let start = Instant::now();
        let rows = bona_fide(&portrait);
        let frames: usize = rows.iter().map(|c| c.frames.len()).sum();
        println!("{name}: {:.1} ms a frame", start.elapsed().as_secs_f64() * 1e3 / frames as f64);
        sheet(&rows, 240).save(out.join(format!("{name}.png"))).unwrap();
        close(&rows).save(out.join(format!("{name}-close.png"))).unwrap();
        let rows = attacks(&portrait, before.as_ref(), 1);
        sheet(&rows, 200).save(out.join(format!("{name}-attacks.png"))).unwrap();
        close(&rows[..4]).save(out.join(format!("{name}-attacks-close-1.png"))).unwrap();
        close(&rows[4..8]).save(out.join(format!("{name}-attacks-close-2.png"))).unwrap();
        close(&rows[9..11]).save(out.join(format!("{name}-attacks-close-3.png"))).unwrap();
        before = Some(portrait);
    }
}
