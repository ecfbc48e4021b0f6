//! What the engine is given and what it finds. Plain values; the meaning of a status is CONTRACT "Gates".

use biometrics::{ComparisonScore, Features, Gate, GateReason, GateResult, GateStatus, Instruction};
use std::{borrow::Cow, hint::black_box};

/// One frame of a capture as it came off the wire.
#[derive(Clone, Copy)]
pub struct Frame<'a> {
    /// A JPEG file, at most [`crate::MAX_FRAME_BYTES`] long.
    pub jpeg: &'a [u8],
    /// Capture time after the first frame, in milliseconds.
    pub offset_ms: u32,
}

/// What the policy asks of a capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExamineOptions {
    /// Inter-eye distance below which quality is INCONCLUSIVE, in pixels; the hard floor of
    /// [`crate::MIN_INTER_EYE_PX`] holds whatever is asked.
    pub min_inter_eye_px: u32,
    /// Whether gate 3 is run, where the engine has detectors.
    pub presentation_attack: bool,
    /// Whether the recogniser of the pack before is asked too, where the engine has one.
    pub previous: bool,
}

/// A point in the picture, in pixels, origin at the centre of the upper left pixel.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Point {
    /// To the right.
    pub x: f32,
    /// Downwards.
    pub y: f32,
}

/// An axis-parallel rectangle in the picture, in pixels; it may reach over the edge.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Rectangle {
    /// Left edge.
    pub left: f32,
    /// Upper edge.
    pub top: f32,
    /// Right edge.
    pub right: f32,
    /// Lower edge.
    pub bottom: f32,
}

impl Rectangle {
    /// Width in pixels.
    #[must_use]
    pub fn width(&self) -> f32 {
        self.right - self.left
    }
    /// Height in pixels.
    #[must_use]
    pub fn height(&self) -> f32 {
        self.bottom - self.top
    }
    /// The middle.
    #[must_use]
    pub fn centre(&self) -> Point {
        Point { x: (self.left + self.right) / 2.0, y: (self.top + self.bottom) / 2.0 }
    }
}

/// A face with its landmarks.
#[derive(Debug, Clone)]
pub struct Face {
    /// The detector's rectangle.
    pub rectangle: Rectangle,
    /// The detector's score, 0 to 1.
    pub detection_score: f32,
    /// The landmark model's own opinion that it looks at a face, 0 to 1.
    pub presence: f32,
    /// The 468 points of the face mesh, in pixels of the picture.
    pub points: Vec<Point>,
    /// Depth of each point in pixels of the picture, smaller is nearer to the camera.
    pub depth: Vec<f32>,
}

impl Drop for Face {
    /// Landmarks are measurements of a person: wiped like pixels.
    fn drop(&mut self) {
        self.points.fill(Point::default());
        self.depth.fill(0.0);
        black_box((&self.points, &self.depth));
    }
}

/// One picture's face and its features, outside any gate.
pub struct Sample {
    /// The face that was used.
    pub face: Face,
    /// Its features.
    pub features: Features,
}

/// Head pose in degrees, 0 is frontal (ISO/IEC 29794-5 pose components).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Pose {
    /// Turn; positive when the capture subject looks to the right side of the picture.
    pub yaw: f32,
    /// Nod; positive when the capture subject looks up.
    pub pitch: f32,
    /// Tilt; positive clockwise in the picture.
    pub roll: f32,
}

/// What was measured on one frame. Without a face only `reasons` says something.
#[derive(Debug, Clone, Default)]
pub struct FrameEvidence {
    /// Rectangle of the face that was examined.
    pub rectangle: Option<Rectangle>,
    /// Faces the detector found.
    pub faces: u32,
    /// Distance between the eye centres in pixels.
    pub inter_eye_px: f32,
    /// Head pose.
    pub pose: Pose,
    /// Fine differences over coarse ones in the worse direction; grows with sharpness.
    pub sharpness: f32,
    /// Fine slopes over coarse ones in whatever direction they are least.
    pub least_detail: f32,
    /// The same in the direction in which it is most, over the least: 1 and a little where nothing moved.
    pub directedness: f32,
    /// Mean luminance of the face, 0 to 255.
    pub luminance: f32,
    /// Luminance of the face's brightest twentieth, 0 to 255.
    pub highlight: f32,
    /// Share of the face with a saturated channel, 0 to 1.
    pub saturated: f32,
    /// Entropy of the face's grey levels in bits, 0 to 8.
    pub dynamic_range: f32,
    /// Luminance of the darker cheek over that of the brighter one, 0 to 1.
    pub uniformity: f32,
    /// Eye opening over eye width, the mean of both eyes.
    pub eye_opening: f32,
    /// Local contrast at the eyes over the face's luminance.
    pub eye_contrast: f32,
    /// Difference of ln(red / green) between the redder part of the mouth and the cheeks.
    pub mouth_redness: f32,
    /// Mean step of the file's luminance quantisation table.
    pub luma_step: f32,
    /// Grey levels by which steps between 8x8 blocks stand out on the face.
    pub blockiness: f32,
    /// Share of the face outline that lies outside the picture, 0 to 1.
    pub cropped: f32,
    /// What each presentation attack detector said of the frame, in the manifest's order: log-odds of a bona fide
    /// presentation. Empty where they did not look.
    pub bona_fide: Vec<f32>,
    /// Why the frame is outside the envelope; empty when it is good.
    pub reasons: Vec<GateReason>,
}

/// Everything the engine found in a capture.
pub struct Evidence {
    /// Gate 1: without a script exact duplicates and the order of offsets, with one all of it.
    pub integrity: GateResult,
    /// Gate 2: the quality envelope.
    pub quality: GateResult,
    /// Gate 3: the presentation attack detectors over a few chosen frames. NOT_RUN where it is not asked for, without
    /// detectors ([`crate::Engine::with_presentation_attack`]) and where gate 1 or 2 did not pass.
    pub presentation_attack: GateResult,
    /// What gate 3 compared with its threshold: fused log-odds of a bona fide presentation; `None` where it did not judge.
    pub presentation_attack_score: Option<f32>,
    /// Gate 4. NOT_RUN without a script and where gate 1 or 2 did not pass.
    pub challenge_response: GateResult,
    /// Lowest comparison score between any two of the frontal frames that passed quality, and between these fused and each
    /// other frame: those that passed quality, and where there is a script all that show a face. `None` with fewer than two.
    /// The caller judges it against its threshold (gate 5).
    pub frame_consistency: Option<ComparisonScore>,
    /// Features fused over the frames that passed quality; `None` unless gates 1 and 2 passed.
    pub features: Option<Features>,
    /// The same by the recogniser of the pack before ([`crate::Engine::with_previous`]); `None` where it was not asked.
    pub previous_features: Option<Features>,
    /// Measurements, one entry per frame in the order given.
    pub per_frame: Vec<FrameEvidence>,
    /// What the capture subject can do better, without repeats.
    pub instructions: Vec<Instruction>,
}

impl Evidence {
    /// What gates 1 to 4 found, in order.
    #[must_use]
    pub fn gates(&self) -> [GateResult; 4] {
        [&self.integrity, &self.quality, &self.presentation_attack, &self.challenge_response].map(Clone::clone)
    }

    /// The evidence of the same frames where another capture has shown one of them: gate 1 fails, and what comes after is
    /// as with every failure of gate 1. Nothing can be compared with it, and the capture subject is told nothing of it.
    #[must_use]
    pub fn replayed(mut self) -> Self {
        self.integrity.status = GateStatus::Fail;
        self.integrity.reasons.push(GateReason::CaptureReplayed);
        self.integrity.reasons.sort_unstable();
        for later in [&mut self.presentation_attack, &mut self.challenge_response] {
            (later.status, later.reasons) = (GateStatus::NotRun, vec![GateReason::EarlierGate]);
        }
        self.instructions = Instruction::for_reasons(&[&self.integrity.reasons[..], &self.quality.reasons].concat());
        let (features, previous_features) = (None, None);
        Self { presentation_attack_score: None, frame_consistency: None, features, previous_features, ..self }
    }
}

/// Builds a result of one of this crate's gates.
pub(crate) fn gate(gate: Gate, status: GateStatus, reasons: Vec<GateReason>) -> GateResult {
    let version = match gate {
        Gate::CaptureIntegrity => "exact-1",
        Gate::PresentationAttack => crate::presentation_attack::METHOD,
        _ => "envelope-3",
    };
    GateResult { gate, status, reasons, version: Cow::Borrowed(version) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence(statuses: [GateStatus; 4], quality: Vec<GateReason>) -> Evidence {
        let result = |at: usize, reasons| gate(Gate::ALL[at], statuses[at], reasons);
        Evidence {
            integrity: result(0, Vec::new()),
            quality: result(1, quality),
            presentation_attack: result(2, Vec::new()),
            presentation_attack_score: Some(1.0),
            challenge_response: result(3, Vec::new()),
            frame_consistency: Some(ComparisonScore::new(1.0)),
            features: Some(Features::new(&[0.5; 128]).unwrap()),
            previous_features: Some(Features::new(&[0.5; 128]).unwrap()),
            per_frame: Vec::new(),
            instructions: vec![Instruction::FollowTargets],
        }
    }

    #[test]
    fn a_replay_fails_gate_one_whatever_else_was_found_and_leaves_nothing_to_compare() {
        use GateStatus::{Fail, Inconclusive, NotRun, Pass};
        for statuses in [[Pass; 4], [Inconclusive, Pass, NotRun, NotRun], [Pass, Pass, Fail, Inconclusive]] {
            let replayed = evidence(statuses, Vec::new()).replayed();
            let gates = replayed.gates();
            assert_eq!(gates.clone().map(|gate| gate.status), [Fail, Pass, NotRun, NotRun], "{statuses:?}");
            assert_eq!(gates[0].reasons, [GateReason::CaptureReplayed]);
            assert_eq!((&gates[2].reasons, &gates[3].reasons), (&vec![GateReason::EarlierGate], &gates[2].reasons));
            assert!(replayed.features.is_none() && replayed.frame_consistency.is_none());
            assert!(replayed.previous_features.is_none());
            assert_eq!(replayed.instructions, [], "of a replay, and of the answer it gave, nothing is told");
        }
        let poor = evidence([Pass, Inconclusive, NotRun, NotRun], vec![GateReason::QualitySharpness]).replayed();
        assert_eq!(poor.instructions, [Instruction::FocusCamera], "what gate 2 found is told as ever");
    }
}
