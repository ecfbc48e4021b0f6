//! What a capture subject is asked to do before the next attempt, in stable codes.
//!
//! Must never know: texts or languages. Invariant: only what the capture subject can cure gives one, so instructions never tell
//! which security gate refused.

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
    /// The picture is blurred.
    HoldStill,
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
    /// More than one face competes.
    OnePersonOnly,
    /// No face, or one that reaches over the edge.
    ShowWholeFace,
}

impl Instruction {
    /// All of them, in the order in which they are told.
    pub const ALL: [Self; 10] = [
        Self::MoveCloser,
        Self::MoveBack,
        Self::HoldStill,
        Self::MoreLight,
        Self::LessLight,
        Self::EvenLight,
        Self::LookAtCamera,
        Self::OpenEyes,
        Self::OnePersonOnly,
        Self::ShowWholeFace,
    ];

    /// The stable code, as on the wire.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::MoveCloser => "MOVE_CLOSER",
            Self::MoveBack => "MOVE_BACK",
            Self::HoldStill => "HOLD_STILL",
            Self::MoreLight => "MORE_LIGHT",
            Self::LessLight => "LESS_LIGHT",
            Self::EvenLight => "EVEN_LIGHT",
            Self::LookAtCamera => "LOOK_AT_CAMERA",
            Self::OpenEyes => "OPEN_EYES",
            Self::OnePersonOnly => "ONE_PERSON_ONLY",
            Self::ShowWholeFace => "SHOW_WHOLE_FACE",
        }
    }

    /// What cures a reason; `None` for everything but quality.
    #[must_use]
    pub const fn curing(reason: GateReason) -> Option<Self> {
        match reason {
            GateReason::QualityNoFace | GateReason::QualityFaceCropped => Some(Self::ShowWholeFace),
            GateReason::QualitySeveralFaces => Some(Self::OnePersonOnly),
            GateReason::QualityInterEyeDistance | GateReason::PresentationAttackNoView => Some(Self::MoveCloser),
            GateReason::QualityHeadPose => Some(Self::LookAtCamera),
            GateReason::QualitySharpness => Some(Self::HoldStill),
            GateReason::QualityUnderExposure => Some(Self::MoreLight),
            GateReason::QualityOverExposure => Some(Self::LessLight),
            GateReason::QualityIlluminationUniformity => Some(Self::EvenLight),
            GateReason::QualityEyesVisible => Some(Self::OpenEyes),
            GateReason::CaptureDuplicateFrame
            | GateReason::CaptureOffsetOrder
            | GateReason::PresentationAttackSuspected
            | GateReason::NotImplemented
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
    fn only_quality_reasons_give_instructions_and_each_once() {
        let reasons = [
            GateReason::QualityFaceCropped,
            GateReason::ComparisonNonMatch,
            GateReason::QualitySharpness,
            GateReason::QualityNoFace,
        ];
        assert_eq!(Instruction::for_reasons(&reasons), [Instruction::HoldStill, Instruction::ShowWholeFace]);
    }
}
