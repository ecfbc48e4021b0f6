//! Gate 4 on observations of a simple world: what it accepts, what it refuses and why, and that worse never helps.

use super::*;
use crate::observation::synthetic::{World, capture};
use crate::{ScriptInputs, Target, TenantId};
use proptest::prelude::*;
use uuid::Uuid;

const ANSWERED: [CaptureMode; 3] = [CaptureMode::Light, CaptureMode::Motion, CaptureMode::LightAndMotion];

fn script(mode: CaptureMode, nonce: u64) -> CaptureScript {
    let nonce = [nonce.to_be_bytes(), [9; 8]].concat();
    let tenant = TenantId::new(Uuid::from_u128(1));
    CaptureScript::derive(&ScriptInputs { nonce: &nonce, tenant, action_sha256: &[4; 32], mode, attempt: 1 })
}

fn judged(script: &CaptureScript, frames: &[FrameObservation]) -> (GateStatus, Vec<GateReason>) {
    let result = judge(script, frames).result;
    assert_eq!((result.gate, result.version.as_ref()), (Gate::ChallengeResponse, VERSION));
    (result.status, result.reasons)
}

/// The finding on a bona fide capture that was changed.
fn changed(mode: CaptureMode, change: impl FnOnce(&mut Vec<FrameObservation>)) -> (GateStatus, Vec<GateReason>) {
    let script = script(mode, 5);
    let mut frames = capture(&script, &script, &World::default());
    assert_eq!(judged(&script, &frames).0, GateStatus::Pass, "the positive control");
    change(&mut frames);
    judged(&script, &frames)
}

fn worlds() -> impl Strategy<Value = World> {
    let light = (0.06..1.5_f32, 0.0..0.3_f32, 0.5..0.9_f32, 40..150_u32, -0.08..0.08_f32);
    let motion = (0.75..1.15_f32, 0.45..0.8_f32, any::<u32>(), prop::array::uniform3(0.7..1.3_f32));
    (light, motion).prop_map(|((screen, wall, relief, lag_ms, drift), (effort, dome, seed, ambient))| World {
        screen,
        wall,
        relief,
        lag_ms,
        ambient,
        drift,
        effort,
        dome,
        seed,
    })
}

proptest! {
    #[test]
    fn a_person_who_performs_the_script_passes(nonce: u64, world in worlds()) {
        for mode in ANSWERED {
            let script = script(mode, nonce);
            let found = judge(&script, &capture(&script, &script, &world));
            prop_assert_eq!(found.result.status, GateStatus::Pass, "{:?}", found);
        }
    }

    #[test]
    fn a_capture_for_another_script_never_passes(nonce: u64, other: u64, world in worlds()) {
        prop_assume!(nonce != other);
        for mode in ANSWERED {
            let (asked, recorded) = (script(mode, nonce), script(mode, other));
            let targets = |s: &CaptureScript| s.head_steps().map(|(_, head)| head).collect::<Vec<_>>();
            // One script in 320 asks for the same movements.
            prop_assume!(mode != CaptureMode::Motion || targets(&asked) != targets(&recorded));
            let mut frames = capture(&recorded, &recorded, &world);
            for (frame, ms) in frames.iter_mut().zip(asked.frame_times_ms()) {
                frame.offset_ms = ms;
            }
            prop_assert_ne!(judged(&asked, &frames).0, GateStatus::Pass);
        }
    }

    #[test]
    fn a_number_that_is_none_never_passes(nonce: u64, frame in 0..10_usize, place in 0..8_usize, kind in 0..3_usize) {
        let bad = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY][kind];
        let script = script(CaptureMode::LightAndMotion, nonce);
        let mut frames = capture(&script, &script, &World::default());
        let face = frames[frame].face.as_mut().unwrap();
        match place {
            0 => face.yaw_deg = bad,
            1 => face.pitch_deg = bad,
            2 => face.inter_eye_px = bad,
            3 => face.centre[0] = bad,
            4 => face.points[17][2] = bad,
            5 => face.regions[2] = Some([0.1, bad, 0.1]),
            6 => frames[frame].grid[3][1] = bad,
            _ => frames[frame].noise = bad,
        }
        let (status, reasons) = judged(&script, &frames);
        prop_assert_eq!((status, reasons), (GateStatus::Inconclusive, vec![GateReason::ChallengeUnmeasured]));
    }

    /// A refused capture made worse stays refused, whatever it was refused for. Judged with gate 1, which sees to it that a
    /// frame cannot be taken out of the script's time.
    #[test]
    fn no_worse_input_turns_a_refusal_into_a_pass(
        nonce: u64, world in worlds(), faults in prop::collection::vec((0..7_usize, 0..10_usize), 1..5),
    ) {
        for mode in ANSWERED {
            let script = script(mode, nonce);
            let mut frames = capture(&script, &script, &world);
            let mut refused = false;
            for &(kind, at) in &faults {
                spoil(&mut frames, kind, at);
                let in_time = crate::capture_integrity::judge(&script, &frames).status == GateStatus::Pass;
                let passes = in_time && judged(&script, &frames).0 == GateStatus::Pass;
                prop_assert!(!(refused && passes), "{kind} at {at} helped");
                refused |= !passes;
            }
        }
    }

    #[test]
    fn whatever_is_observed_is_judged_without_panic(
        nonce: u64, offsets in prop::collection::vec(any::<u32>(), 0..17), size in prop::num::f32::ANY, light in prop::num::f32::ANY,
    ) {
        for mode in ANSWERED {
            let script = script(mode, nonce);
            let mut frames = capture(&script, &script, &World::default());
            for (frame, offset) in frames.iter_mut().zip(&offsets) {
                frame.offset_ms = *offset;
                frame.grid.fill([light; 3]);
                if let Some(face) = &mut frame.face {
                    face.inter_eye_px = size;
                }
            }
            let _ = judge(&script, &frames);
        }
    }
}

/// One way in which a capture gets worse: less of an answer, never another one.
fn spoil(frames: &mut [FrameObservation], kind: usize, at: usize) {
    let first = frames[0].clone();
    let frame = &mut frames[at];
    match kind {
        0 => frame.face = None,
        1 => frame.noise = f32::NAN,
        2 => frame.grid.clear(),
        3 => frame.offset_ms = frame.offset_ms.saturating_add(100_000),
        // The frame shows what the first one showed: no answer.
        4 if !(frame.is_finite() && frame.face.as_ref().is_some_and(|face| face.regions[0].is_some())) => {}
        4 => {
            let FrameObservation { offset_ms, file, picture, .. } = *frame;
            *frame = FrameObservation { offset_ms, file, picture, ..first };
        }
        5 => {
            if let Some(face) = &mut frame.face {
                face.regions = [None; 8];
            }
        }
        _ => {
            if let (Some(face), Some(start)) = (&mut frame.face, &first.face) {
                (face.yaw_deg, face.pitch_deg, face.inter_eye_px) =
                    (start.yaw_deg, start.pitch_deg, start.inter_eye_px);
            }
        }
    }
}

#[test]
fn a_passive_capture_is_not_judged() {
    let script = script(CaptureMode::Passive, 1);
    let frames = capture(&script, &script, &World::default());
    assert_eq!(judged(&script, &frames), (GateStatus::NotRun, vec![GateReason::ChallengeNotBinding]));
}

#[test]
fn each_bad_capture_has_its_own_reason() {
    use GateReason::*;
    use GateStatus::*;
    let both = CaptureMode::LightAndMotion;
    assert_eq!(changed(both, |f| f[5].face = None), (Inconclusive, vec![ChallengeFaceLost]));
    assert_eq!(changed(both, Vec::clear), (Inconclusive, vec![ChallengeUnmeasured]));
    assert_eq!(changed(CaptureMode::Motion, |f| f.truncate(1)), (Inconclusive, vec![ChallengeFramesMissing]));
    assert_eq!(changed(CaptureMode::Light, |f| f.truncate(6)), (Inconclusive, vec![ChallengeFramesMissing]));
    assert_eq!(changed(CaptureMode::Light, |f| drop(f.remove(0))).1, vec![ChallengeFramesMissing]);
    let swapped = changed(CaptureMode::Light, |frames| {
        let (a, b) = (frames[2].offset_ms, frames[3].offset_ms);
        (frames[2].offset_ms, frames[3].offset_ms) = (b, a);
    });
    assert_eq!(swapped, (Fail, vec![ChallengeLightMismatch]), "frames re-ordered under new times");
    let dark = changed(CaptureMode::Light, |f| f.iter_mut().for_each(|f| f.grid.fill([0.0; 3])));
    assert_eq!(dark, (Inconclusive, vec![ChallengeBackground]));
    let clipped = |f: &mut Vec<FrameObservation>| {
        f.iter_mut().for_each(|f| f.face.as_mut().unwrap().regions = [Some([0.99; 3]); 8]);
    };
    assert_eq!(changed(both, clipped), (Inconclusive, vec![ChallengeUnmeasured]));
}

#[test]
fn each_bad_world_has_its_own_reason() {
    use GateReason::*;
    use GateStatus::*;
    let found = |mode, world: &World| {
        let script = script(mode, 11);
        judged(&script, &capture(&script, &script, world))
    };
    let sunlight = World { screen: 0.01, ..World::default() };
    assert_eq!(found(CaptureMode::Light, &sunlight), (Inconclusive, vec![ChallengeAmbientLight]));
    assert_eq!(found(CaptureMode::Motion, &sunlight), (Pass, vec![]), "the way out");
    let wall_as_near = World { wall: 1.0, relief: 0.0, ..World::default() };
    assert!(found(CaptureMode::Light, &wall_as_near).1.contains(&ChallengeLightFlat));
    assert_eq!(found(CaptureMode::Light, &wall_as_near).0, Fail);
    let alike = World { relief: 0.0, ..World::default() };
    assert_eq!(
        found(CaptureMode::Light, &alike),
        (Fail, vec![ChallengeLightFlat]),
        "a tinted picture before a dark wall"
    );
    let plane = World { dome: 0.0, ..World::default() };
    assert_eq!(found(CaptureMode::Motion, &plane), (Fail, vec![ChallengePlanarMotion]));
    let lazy = World { effort: 0.2, ..World::default() };
    assert_eq!(found(CaptureMode::Motion, &lazy), (Inconclusive, vec![ChallengeHeadNotReached]));
    let late = World { lag_ms: 500, ..World::default() };
    assert!(found(CaptureMode::Light, &late).1.contains(&ChallengeLightMismatch));
}

#[test]
fn a_head_that_goes_elsewhere_is_refused() {
    for nonce in 0..40 {
        let asked = script(CaptureMode::Motion, nonce);
        let mut performed = asked.clone();
        for step in &mut performed.steps {
            if let Target::Head(head) = &mut step.target {
                (head.yaw_deg, head.pitch_deg) = (-head.yaw_deg, -head.pitch_deg);
            }
        }
        let turns = asked.head_steps().any(|(_, head)| head.approach_percent == 100);
        let (status, reasons) = judged(&asked, &capture(&performed, &performed, &World::default()));
        assert!(turns && status == GateStatus::Fail && reasons == [GateReason::ChallengeHeadMismatch], "{reasons:?}");
    }
}

#[test]
fn one_wrong_colour_is_borne_and_two_are_not() {
    let asked = script(CaptureMode::Light, 21);
    for (errors, status) in [(1, GateStatus::Pass), (2, GateStatus::Fail)] {
        let mut shown = asked.clone();
        for at in [2, 6].into_iter().take(errors) {
            let before_and_after = [shown.steps[at - 1].target, shown.steps[at].target, shown.steps[at + 1].target];
            let other = crate::challenge::LIGHT_COLOURS.map(|rgb| Target::Light { rgb });
            shown.steps[at].target = other.into_iter().find(|t| !before_and_after.contains(t)).unwrap();
        }
        let found = judge(&asked, &capture(&asked, &shown, &World::default()));
        assert_eq!((found.light.unwrap().wrong, found.result.status), (errors, status));
    }
}

#[test]
fn colours_that_barely_look_wrong_are_unclear_and_never_pass() {
    let asked = script(CaptureMode::Light, 21);
    let mut shown = asked.clone();
    for at in [2, 6] {
        let Target::Light { rgb } = &mut shown.steps[at].target else { panic!("a light step") };
        // Half way to a neighbouring hue, and a little more.
        let turn = |i: usize| std::array::from_fn(|j| if i == j { 255 - rgb[j] } else { rgb[j] });
        let channel = (0..3).find(|i| crate::challenge::LIGHT_COLOURS.contains(&turn(*i))).unwrap();
        rgb[channel] = if rgb[channel] == 0 { 160 } else { 95 };
    }
    let found = judge(&asked, &capture(&asked, &shown, &World::default()));
    assert_eq!(found.light.as_ref().unwrap().wrong, 2, "{found:?}");
    assert_eq!(
        (found.result.status, found.result.reasons),
        (GateStatus::Inconclusive, vec![GateReason::ChallengeLightUnclear])
    );
}

/// Right colours and right motion: what differs is which regions answer more.
#[test]
fn regions_must_answer_as_a_heads_do() {
    let both = CaptureMode::LightAndMotion;
    let flat = (GateStatus::Fail, vec![GateReason::ChallengeLightFlat]);
    let script = script(both, 5);
    let head = judge(&script, &capture(&script, &script, &World::default()));
    assert_eq!(head.result.status, GateStatus::Pass, "{head:?}");
    let pasted = capture(&script, &script, &World { relief: 0.0, ..World::default() });
    assert_eq!(judged(&script, &pasted), flat);
    let swapped = |a: usize, b: usize| {
        changed(both, |frames| frames.iter_mut().for_each(|f| f.face.as_mut().unwrap().regions.swap(a, b)))
    };
    assert_eq!(swapped(6, 7).0, GateStatus::Pass, "sides that answer alike");
    assert_eq!(swapped(4, 6), flat, "the tip of the nose answers less than the side, with the same spread");
}
