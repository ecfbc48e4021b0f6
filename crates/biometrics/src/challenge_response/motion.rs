//! The motion part: where the head went, held against the script, and whether it moved as a head or as a plane.
//!
//! Angles and size are relative to the first frame. A step's answer is the mean over its late frames, whatever the script
//! asks for; a frame that shows something else in between weakens it.

use super::{Reasons, plane};
use crate::{
    CaptureScript, GateReason, Head,
    challenge::HEAD_TARGETS,
    observation::{FaceObservation, FrameObservation},
};

/// A step's frames count from this share of its time on: until then people read and move.
const LATE_PERCENT: u32 = 58;
/// Frames of a step may come this much after its end, in milliseconds: a camera is late, a head later.
const GRACE_MS: u32 = 60;
/// Share of the target's way that must be reached.
const MIN_REACHED: f32 = 0.45;
/// Any other direction may show at most this part of the main one.
const MAX_ASIDE: f32 = 0.75;
/// Homography error in inter-eye distances that a turn by a target's angle leaves on a head.
const MIN_PLANE_ERROR: f32 = 0.02;
/// Homography error over that of a rigid head with the first frame's depth.
const MIN_PLANE_RATIO: f32 = 1.0;

/// Figures behind the motion part's decision.
#[derive(Debug, Clone, PartialEq)]
pub struct MotionFigures {
    /// Steps that went to another target.
    pub wrong: usize,
    /// Steps that reached no target clearly.
    pub unread: usize,
    /// Per step: turn, nod and approach as parts of a target's.
    pub reached: Vec<[f32; 3]>,
    /// Per step that turns or nods: error of the best homography, in inter-eye distances.
    pub plane_error: Vec<f32>,
    /// Per step that turns or nods: error of a rigid head.
    pub head_error: Vec<f32>,
}

/// Judges the motion part and adds its reasons. `None` where nothing could be read.
pub(super) fn judge(
    script: &CaptureScript,
    frames: &[FrameObservation],
    reasons: &mut Reasons,
) -> Option<MotionFigures> {
    let start = script.head_steps().map(|(step, _)| step.at_ms).min()?;
    let Some(first) = frames.first().filter(|frame| frame.offset_ms <= start).and_then(|frame| frame.face.as_ref())
    else {
        reasons.push(GateReason::ChallengeFramesMissing);
        return None;
    };
    let mut figures =
        MotionFigures { wrong: 0, unread: 0, reached: Vec::new(), plane_error: Vec::new(), head_error: Vec::new() };
    let mut planar = false;
    for (step, target) in script.head_steps() {
        let from = step.at_ms.saturating_add(step.duration_ms / 100 * LATE_PERCENT);
        let late = from..=step.end_ms().saturating_add(GRACE_MS);
        let faces: Vec<_> = frames.iter().filter(|frame| late.contains(&frame.offset_ms)).collect();
        let faces: Vec<&FaceObservation> = faces.into_iter().filter_map(|frame| frame.face.as_ref()).collect();
        if faces.is_empty() {
            reasons.push(GateReason::ChallengeFramesMissing);
            return None;
        }
        let reached = mean(&faces.iter().map(|face| relative(first, face)).collect::<Vec<_>>());
        figures.reached.push(reached);
        match read(reached) {
            None => figures.unread += 1,
            Some(read) => figures.wrong += usize::from(read != target),
        }
        if target.approach_percent == 100 {
            planar |= !moves_as_a_head(first, &faces, &mut figures);
        }
    }
    if figures.wrong > 0 {
        reasons.push(GateReason::ChallengeHeadMismatch);
    }
    if figures.unread > 0 {
        reasons.push(GateReason::ChallengeHeadNotReached);
    }
    if planar && figures.wrong + figures.unread == 0 {
        reasons.push(GateReason::ChallengePlanarMotion);
    }
    Some(figures)
}

/// Turn, nod and approach as parts of a target's.
fn relative(first: &FaceObservation, face: &FaceObservation) -> [f32; 3] {
    let [mut yaw, mut pitch, mut approach] = [1.0_f32; 3];
    for target in HEAD_TARGETS {
        yaw = yaw.max(f32::from(target.yaw_deg).abs());
        pitch = pitch.max(f32::from(target.pitch_deg).abs());
        approach = approach.max(f32::from(target.approach_percent) - 100.0);
    }
    [
        (face.yaw_deg - first.yaw_deg) / yaw,
        (face.pitch_deg - first.pitch_deg) / pitch,
        (face.inter_eye_px / first.inter_eye_px - 1.0) * 100.0 / approach,
    ]
}

fn mean(reached: &[[f32; 3]]) -> [f32; 3] {
    [0, 1, 2].map(|i| reached.iter().map(|r| r[i]).sum::<f32>() / reached.len() as f32)
}

/// The target that a mean displacement reaches, if it reaches one and no other.
fn read(reached: [f32; 3]) -> Option<Head> {
    // Backing away is no target, but neither is it standing still.
    let along = |head: Head| {
        let sign = |v: i8| f32::from(v.signum());
        match head.approach_percent {
            100 => reached[0] * sign(head.yaw_deg) + reached[1] * sign(head.pitch_deg),
            _ => reached[2],
        }
    };
    let best = HEAD_TARGETS.into_iter().max_by(|a, b| along(*a).total_cmp(&along(*b)))?;
    let way = along(best);
    let axis = if best.approach_percent != 100 { 2 } else { usize::from(best.yaw_deg == 0) };
    let aside = (0..3).filter(|i| *i != axis).map(|i| reached[i].abs()).fold(0.0, f32::max);
    (way >= MIN_REACHED && aside <= way * MAX_ASIDE).then_some(best)
}

/// Whether the frame that moved furthest shows a head's parallax.
fn moves_as_a_head(first: &FaceObservation, faces: &[&FaceObservation], figures: &mut MotionFigures) -> bool {
    let turned = |face: &FaceObservation| (face.yaw_deg - first.yaw_deg).hypot(face.pitch_deg - first.pitch_deg);
    let furthest = faces.iter().max_by(|a, b| turned(a).total_cmp(&turned(b)));
    let Some(fit) = furthest.and_then(|face| plane::compare(first, face)) else { return false };
    figures.plane_error.push(fit.plane);
    figures.head_error.push(fit.head);
    fit.plane >= MIN_PLANE_ERROR && fit.plane >= fit.head * MIN_PLANE_RATIO
}
