//! The pipeline on real models and portraits: gate 1, fusion, refusals, the known answer.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use biometrics::{ComparisonScore, GateReason, GateStatus};
use image::{RgbImage, imageops};
use std::{fs, path::Path};
use support::{engine, jpeg, named_pack_dir, or_skip, pack_dir, portrait, runtime};
use vision::{
    Engine, EngineOptions, Evidence, ExamineOptions, Frame, FrameFault, Pack, PackFault, PreviousPack, VisionError,
};

/// An engine and three frames of one person.
fn prepared(test: &str) -> Option<(Engine, Pack, [Vec<u8>; 3])> {
    let both = engine().and_then(|(engine, pack)| Ok((engine, pack, frames_of("obama.jpg")?)));
    or_skip(test, both)
}

const POLICY: ExamineOptions = ExamineOptions { min_inter_eye_px: 60, presentation_attack: false, previous: false };

fn examine(engine: &mut Engine, files: &[&[u8]]) -> Evidence {
    let frames: Vec<Frame<'_>> = files.iter().zip(0..).map(|(&jpeg, i)| Frame { jpeg, offset_ms: i * 100 }).collect();
    engine.examine(&frames, POLICY).unwrap()
}

/// Three frames of one person that differ a little, as a capture's do.
fn frames_of(name: &str) -> Result<[Vec<u8>; 3], String> {
    let whole = portrait(name)?;
    let (w, h) = whole.dimensions();
    let moved = |dx: u32, dy: u32, gain: i32| {
        let mut part = imageops::crop_imm(&whole, dx, dy, w - 12, h - 12).to_image();
        part.pixels_mut().for_each(|p| p.0 = p.0.map(|v| (i32::from(v) + gain).clamp(0, 255) as u8));
        jpeg(&part)
    };
    Ok([moved(0, 0, 0), moved(7, 3, 6), moved(3, 11, -5)])
}

fn bytes(evidence: &Evidence) -> Vec<u8> {
    evidence.features.as_ref().unwrap().to_le_bytes().to_vec()
}

/// The same picture in other bytes: a comment segment after the start marker.
fn with_comment(file: &[u8]) -> Vec<u8> {
    [&file[..2], &[0xff, 0xfe, 0x00, 0x04, b'h', b'i'], &file[2..]].concat()
}

#[test]
fn good_frames_give_features_of_one_person() {
    let Some((mut engine, pack, frames)) = prepared("good_frames_give_features_of_one_person") else { return };
    let evidence = examine(&mut engine, &[&frames[0], &frames[1], &frames[2]]);
    assert_eq!((evidence.integrity.status, evidence.quality.status), (GateStatus::Pass, GateStatus::Pass));
    assert!(evidence.instructions.is_empty() && evidence.per_frame.len() == 3);
    let threshold = pack.calibration().threshold_at(1e-3).unwrap();
    assert!(evidence.frame_consistency.unwrap().is_match(threshold));
}

#[test]
fn two_people_in_one_capture_are_not_consistent() {
    let Some((mut engine, pack, one)) = prepared("two_people_in_one_capture_are_not_consistent") else { return };
    let other = frames_of("biden.jpg").unwrap();
    let evidence = engine
        .examine(
            &[Frame { jpeg: &one[0], offset_ms: 0 }, Frame { jpeg: &other[0], offset_ms: 9 }],
            ExamineOptions { min_inter_eye_px: 30, presentation_attack: false, previous: false },
        )
        .unwrap();
    assert_eq!(evidence.quality.status, GateStatus::Pass, "{:?}", evidence.quality.reasons);
    let score: ComparisonScore = evidence.frame_consistency.unwrap();
    assert!(!score.is_match(pack.calibration().threshold_at(1e-3).unwrap()));
}

#[test]
fn fusion_does_not_depend_on_order_and_differs_from_each_frame() {
    let Some((mut engine, _, [a, b, _])) = prepared("fusion_does_not_depend_on_order_and_differs_from_each_frame")
    else {
        return;
    };
    let both = bytes(&examine(&mut engine, &[&a, &b]));
    assert!(both == bytes(&examine(&mut engine, &[&b, &a])));
    for alone in [&a, &b] {
        assert!(both != bytes(&examine(&mut engine, &[alone])));
    }
}

#[test]
fn exact_duplicates_fail_gate_one() {
    let Some((mut engine, _, [a, b, _])) = prepared("exact_duplicates_fail_gate_one") else { return };
    for repeated in [a.clone(), with_comment(&a)] {
        let evidence = examine(&mut engine, &[&a, &b, &repeated]);
        assert_eq!(evidence.integrity.status, GateStatus::Fail);
        assert_eq!(evidence.integrity.reasons, [GateReason::CaptureDuplicateFrame]);
        assert!(evidence.features.is_none() && evidence.frame_consistency.is_none());
    }
}

#[test]
fn offsets_must_rise() {
    let Some((mut engine, _, [a, b, _])) = prepared("offsets_must_rise") else { return };
    for (first, second) in [(5, 5), (6, 5)] {
        let frames = [Frame { jpeg: &a, offset_ms: first }, Frame { jpeg: &b, offset_ms: second }];
        let evidence = engine.examine(&frames, POLICY).unwrap();
        assert_eq!(evidence.integrity.reasons, [GateReason::CaptureOffsetOrder]);
        assert!(evidence.features.is_none());
    }
}

#[test]
fn refused_frames_are_named_before_any_model_runs() {
    let Some((mut engine, _, [a, b, _])) = prepared("refused_frames_are_named_before_any_model_runs") else { return };
    assert!(matches!(engine.examine(&[], POLICY), Err(VisionError::NoFrames)));
    let before = engine.runs();
    let half = &b[..b.len() / 2];
    let frames = [Frame { jpeg: &a, offset_ms: 0 }, Frame { jpeg: half, offset_ms: 1 }];
    let refused = engine.examine(&frames, POLICY);
    assert!(matches!(refused, Err(VisionError::BadFrame { index: 1, fault: FrameFault::Truncated })));
    assert_eq!(engine.runs(), before);
    assert!(matches!(
        engine.features_of(b"GIF89a"),
        Err(VisionError::BadFrame { index: 0, fault: FrameFault::NotJpeg })
    ));
    assert!(engine.features_of(&a).unwrap().is_some(), "the engine still works");
}

#[test]
fn pictures_without_a_face_are_an_outcome() {
    let Some((mut engine, _)) = or_skip("pictures_without_a_face_are_an_outcome", engine()) else { return };
    let empty = jpeg(&RgbImage::from_fn(320, 240, |x, y| image::Rgb([(x / 2) as u8, y as u8, 90])));
    assert!(engine.features_of(&empty).unwrap().is_none());
    let evidence = examine(&mut engine, &[&empty]);
    assert_eq!(evidence.quality.status, GateStatus::Inconclusive);
    assert_eq!(evidence.quality.reasons, [GateReason::QualityNoFace]);
    assert!(evidence.features.is_none());
}

#[test]
fn engine_options_change_no_bit_of_the_answer() {
    let Some((_, pack, [a, ..])) = prepared("engine_options_change_no_bit_of_the_answer") else { return };
    let runtime = runtime().unwrap();
    let answers = [false, true].map(|on| {
        let options = EngineOptions { arena: on, memory_pattern: on };
        let mut engine = Engine::new(&runtime, &pack, options).unwrap();
        engine.features_of(&a).unwrap().unwrap().to_le_bytes().to_vec()
    });
    assert!(answers[0] == answers[1]);
}

fn copy_pack(from: &Path) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap).filter(|e| e.file_type().unwrap().is_file()) {
        fs::copy(entry.path(), dir.path().join(entry.file_name())).unwrap();
    }
    dir
}

#[test]
fn the_recogniser_before_gives_the_features_that_its_own_pack_gives_and_only_where_it_is_asked() {
    let test = "the_recogniser_before_gives_the_features_that_its_own_pack_gives_and_only_where_it_is_asked";
    let found = prepared(test).zip(or_skip(test, runtime().and_then(|r| Ok((r, named_pack_dir("standard")?)))));
    let Some(((mut alone, pack, frames), (runtime, standard))) = found else { return };
    let options = EngineOptions::default();
    let (present, before) = (Pack::open(&standard).unwrap(), PreviousPack::open(&pack_dir().unwrap()).unwrap());
    assert_eq!((before.feature_space(), before.calibration_id()), (pack.feature_space(), pack.calibration_id()));
    assert!(before.is_aligned_by(&present) && before.feature_space() != present.feature_space());
    let mut both = Engine::new(&runtime, &present, options).unwrap().with_previous(&runtime, &before, options).unwrap();
    both.self_test().unwrap();

    let files = frames.iter().zip(0..).map(|(jpeg, at)| Frame { jpeg, offset_ms: at * 100 });
    let files: Vec<Frame<'_>> = files.collect();
    let seen = both.examine(&files, ExamineOptions { previous: true, ..POLICY }).unwrap();
    let by_itself = alone.examine(&files, POLICY).unwrap();
    let features = seen.previous_features.as_ref().unwrap().to_le_bytes();
    assert!(features == by_itself.features.as_ref().unwrap().to_le_bytes(), "fused over the same frames");
    assert!(features != seen.features.as_ref().unwrap().to_le_bytes());
    assert!(by_itself.previous_features.is_none(), "no other recogniser, nothing of it");
    let not_asked = both.examine(&files, POLICY).unwrap();
    assert!(not_asked.previous_features.is_none());
    assert!(bytes(&not_asked) == bytes(&seen), "the pack's own features do not change by it");
}

#[test]
fn known_answer_holds_and_a_wrong_one_is_noticed() {
    let found = runtime().and_then(|runtime| Ok((runtime, pack_dir()?)));
    let Some((runtime, base)) = or_skip("known_answer_holds_and_a_wrong_one_is_noticed", found) else { return };
    for dir in [Some(base), named_pack_dir("standard").ok()].into_iter().flatten() {
        let pack = Pack::open(&dir).unwrap();
        Engine::new(&runtime, &pack, EngineOptions::default()).unwrap().self_test().unwrap();
        let copy = copy_pack(&dir);
        let manifest = fs::read_to_string(copy.path().join("pack.toml")).unwrap();
        fs::write(copy.path().join("pack.toml"), manifest.replace("\nfirst = [", "\nfirst = [9.0, ")).unwrap();
        let pack = Pack::open(copy.path()).unwrap();
        let outcome = Engine::new(&runtime, &pack, EngineOptions::default()).unwrap().self_test();
        assert!(matches!(outcome, Err(VisionError::SelfTest { component: 0, .. })));
    }
}

#[test]
fn real_pack_with_one_flipped_bit_is_refused_for_every_file() {
    let Some(dir) = or_skip("real_pack_with_one_flipped_bit_is_refused_for_every_file", pack_dir()) else { return };
    let pack = Pack::open(&dir).unwrap();
    let m = pack.manifest();
    for file in [&m.detector.file, &m.landmarks.file, &m.recogniser.file] {
        let copy = copy_pack(&dir);
        let path = copy.path().join(file);
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x10;
        fs::write(&path, bytes).unwrap();
        let error = Pack::open(copy.path()).unwrap_err();
        assert!(error.file == Path::new(file) && matches!(error.fault, PackFault::Digest { .. }), "{error}");
    }
}

#[test]
fn engines_may_move_to_a_thread_of_their_own() {
    fn movable<T: Send>() {}
    movable::<Engine>();
    movable::<Pack>();
}
