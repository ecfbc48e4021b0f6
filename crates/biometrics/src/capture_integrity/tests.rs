//! Gate 1 on observations of a simple world: each fault has its reason, and no fault hides another.

use super::*;
use crate::observation::synthetic::{World, capture};
use crate::{CaptureMode, ScriptInputs, TenantId};
use proptest::prelude::*;
use uuid::Uuid;

fn script(mode: CaptureMode, nonce: u64) -> CaptureScript {
    let nonce = [nonce.to_be_bytes(), [9; 8]].concat();
    let tenant = TenantId::new(Uuid::from_u128(1));
    CaptureScript::derive(&ScriptInputs { nonce: &nonce, tenant, action_sha256: &[4; 32], mode, attempt: 1 })
}

type Fault = (fn(&mut Vec<FrameObservation>), GateReason, GateStatus);

/// Every fault, the reason it is found by and the least that it leads to.
const FAULTS: [Fault; 15] = [
    (|f| f.iter_mut().for_each(|f| f.offset_ms = 0), GateReason::CaptureOffsetsMissing, GateStatus::Inconclusive),
    (|f| f[3].offset_ms = f[2].offset_ms, GateReason::CaptureOffsetOrder, GateStatus::Fail),
    (|f| f.swap(2, 3), GateReason::CaptureOffsetOrder, GateStatus::Fail),
    (
        |f| f.iter_mut().for_each(|f| f.offset_ms = f.offset_ms * 8 / 10),
        GateReason::CaptureClockBehind,
        GateStatus::Inconclusive,
    ),
    (
        |f| f.iter_mut().for_each(|f| f.offset_ms = f.offset_ms * 13 / 10),
        GateReason::CaptureClockAhead,
        GateStatus::Inconclusive,
    ),
    (|f| f.iter_mut().for_each(|f| f.offset_ms += 500), GateReason::CaptureClockAhead, GateStatus::Inconclusive),
    (|f| f.truncate(1), GateReason::CaptureFrameCount, GateStatus::Inconclusive),
    (|f| drop(f.drain(4..8)), GateReason::CaptureGap, GateStatus::Inconclusive),
    (|f| f[6].file = f[1].file, GateReason::CaptureDuplicateFrame, GateStatus::Fail),
    (|f| f[6].picture = f[1].picture, GateReason::CaptureDuplicateFrame, GateStatus::Fail),
    (|f| loop_without_equal_bytes(f), GateReason::CaptureLooped, GateStatus::Fail),
    (
        |f| f[4].face.as_mut().into_iter().for_each(|face| face.centre[0] += 200.0),
        GateReason::CaptureSpliced,
        GateStatus::Fail,
    ),
    (|f| f[4].width = 1280, GateReason::CaptureMixedSources, GateStatus::Fail),
    (|f| f[4].noise = 9.0, GateReason::CaptureNoiseInconsistent, GateStatus::Fail),
    (|f| f.iter_mut().for_each(|f| f.unchanged = Some(0.999)), GateReason::CaptureFrozenBackground, GateStatus::Fail),
];

fn loop_without_equal_bytes(frames: &mut [FrameObservation]) {
    for at in 3..6 {
        let earlier = frames[at - 3].clone();
        let FrameObservation { offset_ms, file, picture, .. } = frames[at];
        frames[at] = FrameObservation { offset_ms, file, picture, ..earlier };
    }
}

#[test]
fn bona_fide_captures_pass_in_every_mode() {
    for mode in [CaptureMode::Passive, CaptureMode::Light, CaptureMode::Motion, CaptureMode::LightAndMotion] {
        for nonce in 0..20 {
            let script = script(mode, nonce);
            let result = judge(&script, &capture(&script, &script, &World { seed: nonce as u32, ..World::default() }));
            assert_eq!((result.status, result.reasons.as_slice()), (GateStatus::Pass, &[][..]), "{mode:?} {nonce}");
            assert_eq!((result.gate, result.version.as_ref()), (Gate::CaptureIntegrity, VERSION));
        }
    }
}

#[test]
fn each_fault_has_its_own_reason() {
    let script = script(CaptureMode::LightAndMotion, 3);
    for (number, (fault, reason, status)) in FAULTS.into_iter().enumerate() {
        let mut frames = capture(&script, &script, &World::default());
        fault(&mut frames);
        let result = judge(&script, &frames);
        assert!(result.reasons.contains(&reason), "fault {number}: {:?}", result.reasons);
        assert_eq!(result.status, status, "fault {number}: {:?}", result.reasons);
    }
    assert_eq!(judge(&script, &[]).reasons, [GateReason::CaptureFrameCount]);
}

#[test]
fn slow_cameras_and_late_frames_are_borne() {
    let script = script(CaptureMode::LightAndMotion, 3);
    for late in [0, 33, 66, 90] {
        let mut frames = capture(&script, &script, &World::default());
        frames.iter_mut().skip(1).for_each(|frame| frame.offset_ms += late);
        frames[4].offset_ms += 40;
        assert_eq!(judge(&script, &frames).status, GateStatus::Pass);
    }
}

proptest! {
    /// More faults never lead to a PASS, and never to less than FAIL once there was one.
    #[test]
    fn no_worse_input_turns_a_refusal_into_a_pass(
        nonce: u64, faults in prop::sample::subsequence((0..FAULTS.len()).collect::<Vec<_>>(), 1..6).prop_shuffle(),
    ) {
        let script = script(CaptureMode::LightAndMotion, nonce);
        let mut frames = capture(&script, &script, &World::default());
        let mut clock_is_off = false;
        for at in faults {
            // A clock too fast on top of one too slow can be right again, which is no worse.
            let of_clock = (3..6).contains(&at);
            if frames.len() < 10 || of_clock && clock_is_off {
                continue;
            }
            clock_is_off |= of_clock;
            FAULTS[at].0(&mut frames);
            prop_assert_ne!(judge(&script, &frames).status, GateStatus::Pass);
        }
    }

    #[test]
    fn a_number_that_is_none_never_passes(nonce: u64, frame in 0..10_usize, place in 0..4_usize, kind in 0..3_usize) {
        let bad = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY][kind];
        let script = script(CaptureMode::Light, nonce);
        let mut frames = capture(&script, &script, &World::default());
        match place {
            0 => frames[frame].noise = bad,
            1 => frames[frame].unchanged = Some(bad),
            2 => frames[frame].grid[7][0] = bad,
            _ => frames[frame].face.as_mut().unwrap().points[3][0] = bad,
        }
        prop_assert_ne!(judge(&script, &frames).status, GateStatus::Pass);
    }
}
