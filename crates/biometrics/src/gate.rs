//! The five gates, what each may find and why. Order and completeness are fixed here.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// The five gates in their fixed order (CONTRACT "Gates").
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Gate {
    /// Frame timing, duplicates, loops, splices.
    CaptureIntegrity,
    /// ISO/IEC 29794-5 components.
    Quality,
    /// Presentation attack detection, ISO/IEC 30107-3.
    PresentationAttack,
    /// Measured light and motion against the script.
    ChallengeResponse,
    /// Same face through all frames, then 1:1 against the reference.
    Comparison,
}

impl Gate {
    /// All five, in order.
    pub const ALL: [Self; 5] =
        [Self::CaptureIntegrity, Self::Quality, Self::PresentationAttack, Self::ChallengeResponse, Self::Comparison];
}

/// What a gate found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum GateStatus {
    /// The gate's requirement is met.
    Pass,
    /// It is not met.
    Fail,
    /// Could not be judged; instructions and another attempt, never a PASS.
    Inconclusive,
    /// Not run.
    NotRun,
}

/// Why a gate did not pass. Stable codes; quality codes use ISO/IEC 29794-5 component names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum GateReason {
    /// Two frames hold the same bytes or the same pixels.
    CaptureDuplicateFrame,
    /// Frame offsets repeat or go backwards.
    CaptureOffsetOrder,
    /// No frame says when it was taken.
    CaptureOffsetsMissing,
    /// The capture ends before its script does: frames are missing at the end, or the device's clock is slow.
    CaptureClockBehind,
    /// The capture begins late or ends long after its script: the device's clock is fast, or the script was not followed.
    CaptureClockAhead,
    /// Fewer frames than the script asks for.
    CaptureFrameCount,
    /// Two neighbouring frames lie further apart than the script allows.
    CaptureGap,
    /// Frames repeat up to re-encoding.
    CaptureLooped,
    /// The scene jumps between two frames.
    CaptureSpliced,
    /// Frames differ in size or in how they are coded.
    CaptureMixedSources,
    /// Frames differ in noise more than one camera does.
    CaptureNoiseInconsistent,
    /// What surrounds the face does not change at all, as in no live picture.
    CaptureFrozenBackground,
    /// A frame's bytes were shown by another capture before, as the gateway says.
    CaptureReplayed,
    /// No face was found in a frame.
    QualityNoFace,
    /// More than one face competes.
    QualitySeveralFaces,
    /// Inter-eye distance below the floor.
    QualityInterEyeDistance,
    /// Head pose outside the envelope.
    QualityHeadPose,
    /// Blurred, as out of focus.
    QualitySharpness,
    /// Blurred in one direction, as by motion.
    QualityMotionBlur,
    /// Too dark.
    QualityUnderExposure,
    /// Too bright.
    QualityOverExposure,
    /// Few grey levels on the face.
    QualityDynamicRange,
    /// Light from one side.
    QualityIlluminationUniformity,
    /// Compressed so hard that detail is lost.
    QualityCompression,
    /// Eyes closed or hidden.
    QualityEyesVisible,
    /// The mouth is covered.
    QualityMouthOcclusion,
    /// The face reaches over the edge of the picture.
    QualityFaceCropped,
    /// The face looks like paper or a screen to the presentation attack detectors.
    PresentationAttackSuspected,
    /// No frame shows the face large enough for the presentation attack detectors.
    PresentationAttackNoView,
    /// The capture mode performs nothing, so there is nothing to answer.
    ChallengeNotBinding,
    /// A measurement is missing or not a number.
    ChallengeUnmeasured,
    /// The face leaves the picture midway.
    ChallengeFaceLost,
    /// A step of the script has no frame.
    ChallengeFramesMissing,
    /// Ambient light drowns the screen's, or nothing answers it.
    ChallengeAmbientLight,
    /// No background is seen beside the head.
    ChallengeBackground,
    /// The face does not answer the light clearly.
    ChallengeLightUnclear,
    /// The face answers other colours than the script's.
    ChallengeLightMismatch,
    /// The face answers the light as what is behind it does.
    ChallengeLightFlat,
    /// A head target was not reached.
    ChallengeHeadNotReached,
    /// The head went to another target.
    ChallengeHeadMismatch,
    /// The face moves as a plane.
    ChallengePlanarMotion,
    /// The gate was not part of the release that signed this; older receipts say so, and stay evidence.
    NotImplemented,
    /// The policy goes without this gate.
    NotRequired,
    /// The pack has no model for this gate.
    NoModel,
    /// An earlier gate did not pass, so this one was not run.
    EarlierGate,
    /// The frames do not show one and the same face.
    ComparisonFrameMismatch,
    /// The comparison score is below the threshold.
    ComparisonNonMatch,
    /// Nothing to compare with at enrollment but the frames themselves.
    ComparisonEnrollment,
    /// The frames give no usable features.
    ComparisonNoFeatures,
}

/// One gate's result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateResult {
    /// Which gate.
    pub gate: Gate,
    /// What it found.
    pub status: GateStatus,
    /// Why, in stable codes; empty on PASS.
    pub reasons: Vec<GateReason>,
    /// Version of the gate's method.
    pub version: Cow<'static, str>,
}

/// The decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Verdict {
    /// Every required gate passed.
    Accept,
    /// Not so.
    Refuse,
}

/// Decides over all five results: every gate in `required` must PASS and none may FAIL.
///
/// A result list that is not exactly the five gates in order refuses.
#[must_use]
pub fn decide(results: &[GateResult], required: &[Gate]) -> Verdict {
    let complete = results.len() == Gate::ALL.len() && results.iter().map(|r| r.gate).eq(Gate::ALL);
    let met = |r: &GateResult| match r.status {
        GateStatus::Pass => true,
        GateStatus::NotRun => !required.contains(&r.gate),
        GateStatus::Fail | GateStatus::Inconclusive => false,
    };
    if complete && results.iter().all(met) { Verdict::Accept } else { Verdict::Refuse }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUSES: [GateStatus; 4] =
        [GateStatus::Pass, GateStatus::Fail, GateStatus::Inconclusive, GateStatus::NotRun];

    fn results(statuses: [GateStatus; 5]) -> Vec<GateResult> {
        let result = |(gate, status)| GateResult { gate, status, reasons: vec![], version: Cow::Borrowed("1") };
        Gate::ALL.into_iter().zip(statuses).map(result).collect()
    }

    #[test]
    fn of_all_findings_only_five_passes_are_accepted_when_all_gates_are_required() {
        let mut accepted = 0;
        for code in 0..4_usize.pow(5) {
            let statuses = std::array::from_fn(|gate| STATUSES[code / 4_usize.pow(gate as u32) % 4]);
            if decide(&results(statuses), &Gate::ALL) == Verdict::Accept {
                accepted += 1;
                assert_eq!(statuses, [GateStatus::Pass; 5]);
            }
        }
        assert_eq!(accepted, 1);
    }

    #[test]
    fn a_gate_that_is_not_required_may_stay_out_but_not_fail() {
        let required = [Gate::CaptureIntegrity, Gate::Quality, Gate::Comparison];
        let mut statuses = [GateStatus::Pass; 5];
        for (status, verdict) in [
            (GateStatus::NotRun, Verdict::Accept),
            (GateStatus::Fail, Verdict::Refuse),
            (GateStatus::Inconclusive, Verdict::Refuse),
        ] {
            statuses[2] = status;
            assert_eq!(decide(&results(statuses), &required), verdict, "{status:?}");
        }
    }

    #[test]
    fn a_list_that_is_not_the_five_gates_in_order_is_refused() {
        let all = results([GateStatus::Pass; 5]);
        let mut swapped = all.clone();
        swapped.swap(0, 1);
        let twice = [all.clone(), all.clone()].concat();
        for list in [&all[..4], &all[1..], &[], &swapped, &twice] {
            assert_eq!(decide(list, &[]), Verdict::Refuse);
        }
        assert_eq!(decide(&all, &[]), Verdict::Accept, "the positive control");
    }
}
