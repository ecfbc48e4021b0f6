//! What a capture subject is asked to do before the next attempt, in stable codes.
//!
//! Must never know: texts or languages. Invariant: only what the capture subject can cure gives an instruction (quality,
//! timing, an answer to the script that could not be read), so instructions never tell that a security gate refused.

use crate::gate::GateReason;
use serde::{Deserialize, Serialize};
use std::fmt;

/// One instruction to the capture subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Instruction {
    /// The face is too small.
    MoveCloser,
    /// The face is too large.
    MoveBack,
    /// Head or camera moved.
    HoldStill,
    /// The picture is out of focus.
    FocusCamera,
    /// The picture is veiled: a dirty lens, or light that falls into it.
    CleanLens,
    /// Whoever sends frames is to compress them less.
    LessCompression,
    /// The face is too dark.
    MoreLight,
    /// The face is too bright.
    LessLight,
    /// One side of the face is much darker.
    EvenLight,
    /// The head is turned or tilted away.
    LookAtCamera,
    /// The eyes are closed or hidden.
    OpenEyes,
    /// Mouth or chin are covered.
    UncoverFace,
    /// More than one face competes.
    OnePersonOnly,
    /// No face, or one that reaches over the edge.
    ShowWholeFace,
    /// The frames do not follow the script in time; take the capture anew.
    RestartCapture,
    /// The head did not clearly reach its targets.
    FollowTargets,
    /// Ambient light drowns the screen's: ask for a capture in mode MOTION, or go where it is darker.
    UseMotion,
}

impl Instruction {
    /// All of them, in the order in which they are told.
    pub const ALL: [Self; 17] = [
        Self::MoveCloser,
        Self::MoveBack,
        Self::HoldStill,
        Self::FocusCamera,
        Self::CleanLens,
        Self::LessCompression,
        Self::MoreLight,
        Self::LessLight,
        Self::EvenLight,
        Self::LookAtCamera,
        Self::OpenEyes,
        Self::UncoverFace,
        Self::OnePersonOnly,
        Self::ShowWholeFace,
        Self::RestartCapture,
        Self::FollowTargets,
        Self::UseMotion,
    ];

    /// The stable code, as on the wire.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::MoveCloser => "MOVE_CLOSER",
            Self::MoveBack => "MOVE_BACK",
            Self::HoldStill => "HOLD_STILL",
            Self::FocusCamera => "FOCUS_CAMERA",
            Self::CleanLens => "CLEAN_LENS",
            Self::LessCompression => "LESS_COMPRESSION",
            Self::MoreLight => "MORE_LIGHT",
            Self::LessLight => "LESS_LIGHT",
            Self::EvenLight => "EVEN_LIGHT",
            Self::LookAtCamera => "LOOK_AT_CAMERA",
            Self::OpenEyes => "OPEN_EYES",
            Self::UncoverFace => "UNCOVER_FACE",
            Self::OnePersonOnly => "ONE_PERSON_ONLY",
            Self::ShowWholeFace => "SHOW_WHOLE_FACE",
            Self::RestartCapture => "RESTART_CAPTURE",
            Self::FollowTargets => "FOLLOW_TARGETS",
            Self::UseMotion => "USE_MOTION",
        }
    }

    /// What cures a reason; `None` where the capture subject can do nothing about it, or must not be told.
    #[must_use]
    pub const fn curing(reason: GateReason) -> Option<Self> {
        match reason {
            GateReason::QualityNoFace | GateReason::QualityFaceCropped | GateReason::ChallengeFaceLost => {
                Some(Self::ShowWholeFace)
            }
            GateReason::CaptureOffsetOrder
            | GateReason::CaptureOffsetsMissing
            | GateReason::CaptureClockBehind
            | GateReason::CaptureClockAhead
            | GateReason::CaptureFrameCount
            | GateReason::CaptureGap
            | GateReason::ChallengeFramesMissing => Some(Self::RestartCapture),
            GateReason::ChallengeHeadNotReached => Some(Self::FollowTargets),
            GateReason::ChallengeAmbientLight | GateReason::ChallengeLightUnclear => Some(Self::UseMotion),
            GateReason::ChallengeBackground => Some(Self::MoveBack),
            GateReason::ChallengeUnmeasured => Some(Self::LessLight),
            GateReason::QualitySeveralFaces => Some(Self::OnePersonOnly),
            GateReason::QualityInterEyeDistance | GateReason::PresentationAttackNoView => Some(Self::MoveCloser),
            GateReason::QualityHeadPose => Some(Self::LookAtCamera),
            GateReason::QualitySharpness => Some(Self::FocusCamera),
            GateReason::QualityMotionBlur => Some(Self::HoldStill),
            GateReason::QualityUnderExposure => Some(Self::MoreLight),
            GateReason::QualityOverExposure => Some(Self::LessLight),
            GateReason::QualityDynamicRange => Some(Self::CleanLens),
            GateReason::QualityIlluminationUniformity => Some(Self::EvenLight),
            GateReason::QualityCompression => Some(Self::LessCompression),
            GateReason::QualityEyesVisible => Some(Self::OpenEyes),
            GateReason::QualityMouthOcclusion => Some(Self::UncoverFace),
            GateReason::CaptureDuplicateFrame
            | GateReason::CaptureLooped
            | GateReason::CaptureSpliced
            | GateReason::CaptureMixedSources
            | GateReason::CaptureNoiseInconsistent
            | GateReason::CaptureFrozenBackground
            | GateReason::CaptureReplayed
            | GateReason::ChallengeNotBinding
            | GateReason::ChallengeLightMismatch
            | GateReason::ChallengeLightFlat
            | GateReason::ChallengeHeadMismatch
            | GateReason::ChallengePlanarMotion
            | GateReason::PresentationAttackSuspected
            | GateReason::NotImplemented
            | GateReason::NotRequired
            | GateReason::NoModel
            | GateReason::EarlierGate
            | GateReason::ComparisonFrameMismatch
            | GateReason::ComparisonNonMatch
            | GateReason::ComparisonEnrollment
            | GateReason::ComparisonNoFeatures => None,
        }
    }

    /// Every instruction that the reasons ask for, once each, in the order of [`Instruction::ALL`].
    #[must_use]
    pub fn for_reasons(reasons: &[GateReason]) -> Vec<Self> {
        let mut asked: Vec<Self> = reasons.iter().copied().filter_map(Self::curing).collect();
        asked.sort_unstable();
        asked.dedup();
        asked
    }
}

impl fmt::Display for Instruction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_the_wire() {
        for instruction in Instruction::ALL {
            assert_eq!(serde_json::to_string(&instruction).unwrap(), format!("\"{}\"", instruction.code()));
        }
    }

    #[test]
    fn only_what_can_be_cured_gives_instructions_and_each_once() {
        let reasons = [
            GateReason::QualityFaceCropped,
            GateReason::ComparisonNonMatch,
            GateReason::QualityMotionBlur,
            GateReason::QualityNoFace,
        ];
        assert_eq!(Instruction::for_reasons(&reasons), [Instruction::HoldStill, Instruction::ShowWholeFace]);
    }
}
