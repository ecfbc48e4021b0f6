//! Gate 3 of the `base` pack on rendered captures of the demo's portraits: the living person passes, a flat print does not.
//!
//! What is not there is skipped: a test says `skipped: <test>: <why>`, which `cargo xtask test` counts.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests; the runner counts the line that is printed")]

use biometrics::{CaptureMode, CaptureScript, GateReason, GateStatus, ScriptInputs, TenantId};
use simulator::{AttackInputs, Capture, Conditions, Portrait, Script, Species, render, render_attack};
use std::{
    fs,
    path::{Path, PathBuf},
};
use vision::{Engine, EngineOptions, Evidence, ExamineOptions, Frame, Pack, Runtime};

/// Each person is shown this often, every time under another script, light and camera.
const CAPTURES: u64 = 3;

struct Stage {
    runtime: Runtime,
    pack: Pack,
    portraits: Vec<Portrait>,
}

/// Everything that the tests need, or `None` after saying what is missing.
fn stage(test: &str) -> Option<Stage> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target");
    let present = |path: &str| -> Option<PathBuf> {
        let found = Some(root.join(path)).filter(|path| path.exists());
        if found.is_none() {
            println!("skipped: {test}: target/{path} is not there");
        }
        found
    };
    let runtime = Runtime::load(&present("onnxruntime/libonnxruntime.so.1.31.1")?).unwrap();
    present("packs/base/pack.toml")?;
    let pack = Pack::open(&present("packs/base")?).unwrap();
    let mut engine = Engine::new(&runtime, &pack, EngineOptions::default()).unwrap();
    let mut portraits = Vec::new();
    for file in ["portraits/obama.jpg", "portraits/biden.jpg"] {
        portraits.push(portrait(&mut engine, &fs::read(present(file)?).unwrap()));
    }
    Some(Stage { runtime, pack, portraits })
}

fn portrait(engine: &mut Engine, file: &[u8]) -> Portrait {
    let picture = image::load_from_memory(file).unwrap();
    let pixels = picture.resize(1024, 1024, image::imageops::FilterType::Triangle).to_rgb8();
    let mut jpeg = Vec::new();
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut jpeg, 95).encode_image(&pixels).unwrap();
    let face = engine.sample(&jpeg).unwrap().unwrap().face;
    let points = face.points.iter().zip(&face.depth).map(|(p, &z)| [p.x, p.y, z]).collect();
    Portrait::new(pixels, points).unwrap()
}

fn script(nonce: u8) -> Script {
    let tenant: TenantId = "tn_00000000000000000000000000000001".parse().unwrap();
    let mode = CaptureMode::LightAndMotion;
    let inputs = ScriptInputs { nonce: &[nonce; 16], tenant, action_sha256: &[7; 32], mode, attempt: 1 };
    Script::from(&CaptureScript::derive(&inputs))
}

/// The living person, or an instrument that shows one.
fn capture(portrait: &Portrait, shown: Option<Species>, seed: u64) -> Capture {
    let (script, older_script) = (script(seed as u8), script(seed as u8 + 100));
    let conditions = Conditions::typical(seed);
    let Some(species) = shown else { return render(portrait, &script, &conditions).unwrap() };
    let inputs = AttackInputs {
        victim: portrait,
        attacker: None,
        script: &script,
        older_script: &older_script,
        conditions: &conditions,
    };
    render_attack(species, &inputs).unwrap()
}

fn examine(engine: &mut Engine, capture: &Capture) -> Evidence {
    let frames: Vec<_> = capture.frames.iter().map(|f| Frame { jpeg: &f.jpeg, offset_ms: f.offset_ms }).collect();
    engine
        .examine(&frames, ExamineOptions { min_inter_eye_px: 60, presentation_attack: true, previous: false })
        .unwrap()
}

/// What gate 3 says of every capture of one kind; those that an earlier gate stops are left out.
fn judged(
    stage: &Stage,
    engine: &mut Engine,
    shown: Option<Species>,
) -> Vec<(GateStatus, Vec<GateReason>, Option<f32>)> {
    let people = stage.portraits.iter().enumerate();
    let captures = people.flat_map(|(k, p)| (0..CAPTURES).map(move |i| capture(p, shown, 1 + i + CAPTURES * k as u64)));
    let seen = captures.map(|capture| examine(engine, &capture)).filter(|e| e.quality.status == GateStatus::Pass);
    seen.map(|e| (e.presentation_attack.status, e.presentation_attack.reasons, e.presentation_attack_score)).collect()
}

#[test]
fn the_living_person_passes_and_a_flat_print_fails() {
    let Some(stage) = stage("the_living_person_passes_and_a_flat_print_fails") else { return };
    let engine = Engine::new(&stage.runtime, &stage.pack, EngineOptions::default()).unwrap();
    let mut engine = engine.with_presentation_attack(&stage.runtime, &stage.pack, EngineOptions::default()).unwrap();
    let living = judged(&stage, &mut engine, None);
    let prints = judged(&stage, &mut engine, Some(Species::FlatPrint));
    let with = |all: &[(GateStatus, Vec<GateReason>, Option<f32>)], status: GateStatus| {
        all.iter().filter(|(s, ..)| *s == status).count()
    };
    assert!(living.len() >= 4 && prints.len() >= 4, "{living:?} {prints:?}");
    assert_eq!(with(&living, GateStatus::Pass), living.len(), "{living:?}");
    assert_eq!(with(&prints, GateStatus::Fail), prints.len(), "{prints:?}");
    assert!(prints.iter().all(|(_, reasons, _)| *reasons == [GateReason::PresentationAttackSuspected]));
}

/// The positive control: the prints above are refused by the detectors and by nothing else.
#[test]
fn without_the_detectors_no_print_is_refused() {
    let Some(stage) = stage("without_the_detectors_no_print_is_refused") else { return };
    let mut engine = Engine::new(&stage.runtime, &stage.pack, EngineOptions::default()).unwrap();
    let prints = judged(&stage, &mut engine, Some(Species::FlatPrint));
    assert!(prints.len() >= 4);
    assert!(prints.iter().all(|(status, reasons, score)| {
        *status == GateStatus::NotRun && *reasons == [GateReason::NoModel] && score.is_none()
    }));
}
