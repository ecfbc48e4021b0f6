//! Gate 1: are these frames one undisturbed recording by one camera, in the script's time?
//!
//! Owns the decision and its limits. Must never know: pixels. Invariant: what offsets cannot be trusted for is never PASS.
//!
//! What a browser cannot prove, and this gate does not claim: that the frames come from a camera. Offsets, encoding and noise
//! are whatever the device says and sends; software that renders noise and keeps time passes here and is left to gates 3 to
//! 5. What this gate catches is the cheap attack: files injected, repeated, cut together, taken from elsewhere.

use crate::{
    CaptureScript, Gate, GateReason, GateResult, GateStatus,
    observation::{FaceObservation, FrameObservation},
};
use std::borrow::Cow;

/// Version of the method.
pub const VERSION: &str = "timing-sources-1";

/// The first frame defines time zero; a camera's first two frames may lie this far apart, in milliseconds.
const MAX_FIRST_MS: u32 = 100;
/// The last frame may come this much before the script's end: a capture page rounds to its camera's frames.
const MAX_EARLY_MS: u32 = 200;
/// ... or after it: a slow camera's frame, a busy page.
const MAX_LATE_MS: u32 = 700;
/// Beyond the script's own longest pause between frames.
const MAX_EXTRA_GAP_MS: u32 = 350;
/// Noise of the noisiest frame over that of the quietest. Light of another colour and other exposure change noise of one
/// camera; another camera or rendering changes it more.
const MAX_NOISE_RATIO: f32 = 3.0;
/// Noise counts from here, in grey levels: below, compression decides.
const NOISE_FLOOR: f32 = 0.6;
/// Share of the surroundings that is exactly as before. Sensor noise, flicker and exposure never leave so much in peace.
const FROZEN_SHARE: f32 = 0.97;
/// Root mean square distance of all mesh points, in inter-eye distances, below which two frames hold one pose: a quarter of
/// a millimetre. Simulated bona fide captures do not come below 0.007.
const SAME_POSE: f32 = 0.0045;
/// Mean difference of grid cells, relative, below which they hold one light.
const SAME_LIGHT: f32 = 0.015;
/// So many pairs of frames must hold one moment before it is more than a subject who keeps very still.
const SAME_PAIRS: usize = 3;
/// The middle of the eyes may move by this many inter-eye distances from frame to frame ...
const MAX_SHIFT: f32 = 1.5;
/// ... and the face may grow or shrink by this factor.
const MAX_GROWTH: f32 = 1.5;

/// Judges the frames of a capture together.
#[must_use]
pub fn judge(script: &CaptureScript, frames: &[FrameObservation]) -> GateResult {
    let mut reasons = timing(script, frames);
    if !frames.iter().all(FrameObservation::is_finite) {
        reasons.push(GateReason::CaptureNoiseInconsistent);
    }
    let found = [
        (has_duplicates(frames), GateReason::CaptureDuplicateFrame),
        (has_loops(frames), GateReason::CaptureLooped),
        (jumps(frames), GateReason::CaptureSpliced),
        (!has_one_source(frames), GateReason::CaptureMixedSources),
        (!has_one_noise(frames), GateReason::CaptureNoiseInconsistent),
        (is_frozen(frames), GateReason::CaptureFrozenBackground),
    ];
    reasons.extend(found.into_iter().filter(|(found, _)| *found).map(|(_, reason)| reason));
    reasons.sort_unstable();
    reasons.dedup();
    GateResult { gate: Gate::CaptureIntegrity, status: status(&reasons), reasons, version: Cow::Borrowed(VERSION) }
}

/// Time that does not fit is INCONCLUSIVE, a client may be slow; everything else is no accident.
fn status(reasons: &[GateReason]) -> GateStatus {
    let curable = |reason: &GateReason| {
        matches!(
            reason,
            GateReason::CaptureOffsetsMissing
                | GateReason::CaptureClockBehind
                | GateReason::CaptureClockAhead
                | GateReason::CaptureFrameCount
                | GateReason::CaptureGap
        )
    };
    match reasons {
        [] => GateStatus::Pass,
        all if all.iter().all(curable) => GateStatus::Inconclusive,
        _ => GateStatus::Fail,
    }
}

/// Offsets against the script.
fn timing(script: &CaptureScript, frames: &[FrameObservation]) -> Vec<GateReason> {
    let offsets: Vec<u32> = frames.iter().map(|frame| frame.offset_ms).collect();
    let mut reasons = Vec::new();
    if (offsets.len() as u64) < u64::from(script.frames.max(1)) {
        reasons.push(GateReason::CaptureFrameCount);
    }
    let (Some(&first), Some(&last)) = (offsets.first(), offsets.last()) else { return reasons };
    if offsets.len() > 1 && offsets.iter().all(|ms| *ms == 0) {
        reasons.push(GateReason::CaptureOffsetsMissing);
        return reasons;
    }
    if !offsets.is_sorted_by(|a, b| a < b) {
        reasons.push(GateReason::CaptureOffsetOrder);
        return reasons;
    }
    if last.saturating_add(MAX_EARLY_MS) < script.duration_ms {
        reasons.push(GateReason::CaptureClockBehind);
    }
    if first > MAX_FIRST_MS || last > script.duration_ms.saturating_add(MAX_LATE_MS) {
        reasons.push(GateReason::CaptureClockAhead);
    }
    let longest = |times: &[u32]| times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0);
    if longest(&offsets) > longest(&script.frame_times_ms()).saturating_add(MAX_EXTRA_GAP_MS) {
        reasons.push(GateReason::CaptureGap);
    }
    reasons
}

/// How many pairs of frames are related so.
fn count_pairs(frames: &[FrameObservation], related: impl Fn(&FrameObservation, &FrameObservation) -> bool) -> usize {
    let earlier = |(i, later)| frames[..i].iter().filter(|earlier| related(earlier, later)).count();
    frames.iter().enumerate().map(earlier).sum()
}

fn has_duplicates(frames: &[FrameObservation]) -> bool {
    count_pairs(frames, |a, b| a.file == b.file || a.picture == b.picture) > 0
}

/// Frames that hold one moment although their bytes differ.
fn has_loops(frames: &[FrameObservation]) -> bool {
    count_pairs(frames, |a, b| match (&a.face, &b.face) {
        (Some(f), Some(g)) => pose_distance(f, g) < SAME_POSE && light_distance(a, b) < SAME_LIGHT,
        _ => false,
    }) >= SAME_PAIRS
}

/// Root mean square distance of the mesh points in inter-eye distances; nothing is taken out, not even a shift.
#[must_use]
pub fn pose_distance(a: &FaceObservation, b: &FaceObservation) -> f32 {
    let square = |(p, q): (&[f32; 3], &[f32; 3])| (p[0] - q[0]).powi(2) + (p[1] - q[1]).powi(2);
    let sum: f32 = a.points.iter().zip(b.points.iter()).map(square).sum();
    (sum / a.points.len().max(1) as f32).sqrt() / a.inter_eye_px
}

/// Mean difference of the grid cells relative to their mean.
#[must_use]
pub fn light_distance(a: &FrameObservation, b: &FrameObservation) -> f32 {
    let pairs = a.grid.iter().flatten().zip(b.grid.iter().flatten());
    let (difference, total) = pairs.fold((0.0, 0.0), |(d, t), (p, q)| (d + (p - q).abs(), t + (p + q) / 2.0));
    if total > 0.0 { difference / total } else { 0.0 }
}

fn jumps(frames: &[FrameObservation]) -> bool {
    frames.windows(2).any(|pair| match (&pair[0].face, &pair[1].face) {
        (Some(a), Some(b)) => {
            let shift = (a.centre[0] - b.centre[0]).hypot(a.centre[1] - b.centre[1]) / a.inter_eye_px;
            let growth = a.inter_eye_px / b.inter_eye_px;
            shift > MAX_SHIFT || !(1.0 / MAX_GROWTH..=MAX_GROWTH).contains(&growth)
        }
        _ => false,
    })
}

fn has_one_source(frames: &[FrameObservation]) -> bool {
    let source = |frame: &FrameObservation| (frame.width, frame.height, frame.encoding);
    frames.windows(2).all(|pair| source(&pair[0]) == source(&pair[1]))
}

fn has_one_noise(frames: &[FrameObservation]) -> bool {
    let noise = frames.iter().map(|frame| frame.noise.max(NOISE_FLOOR));
    let (least, most) = noise.fold((f32::INFINITY, 0.0_f32), |(least, most), n| (least.min(n), most.max(n)));
    most <= least * MAX_NOISE_RATIO
}

/// One frozen pair may be a camera that delivered a frame twice; two are none.
fn is_frozen(frames: &[FrameObservation]) -> bool {
    frames.iter().filter(|frame| frame.unchanged.is_some_and(|share| share >= FROZEN_SHARE)).count() >= 2
}

#[cfg(test)]
mod tests;
