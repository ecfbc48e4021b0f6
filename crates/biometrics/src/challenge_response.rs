//! Gate 4: does what was measured answer the script?
//!
//! Owns the decision and its limits. Must never know: pixels. Invariants: the answer that a capture gives (a colour per light
//! slot, a target per head step) is read by rules that do not look at the script's targets, so that the bound of
//! [`crate::challenge::blind_guess_bound`] holds; what could not be measured is INCONCLUSIVE; a number that is not finite
//! never passes.

mod least_squares;
mod light;
mod motion;
mod plane;
#[cfg(test)]
mod tests;

pub use light::LightFigures;
pub use motion::MotionFigures;

use crate::{CaptureMode, CaptureScript, Gate, GateReason, GateResult, GateStatus, observation::FrameObservation};
use std::borrow::Cow;

/// Version of the method.
pub const VERSION: &str = "light-motion-3";

/// What gate 4 found, with the figures behind it. The figures are for evaluation and never leave a worker.
#[derive(Debug, Clone, PartialEq)]
pub struct ChallengeResponse {
    /// The result.
    pub result: GateResult,
    /// Figures of the light part, where the script has light and enough could be read.
    pub light: Option<LightFigures>,
    /// Figures of the motion part, where the script has motion and enough could be read.
    pub motion: Option<MotionFigures>,
}

/// Reasons found by one part.
type Reasons = Vec<GateReason>;

/// Judges a capture against its script.
#[must_use]
pub fn judge(script: &CaptureScript, frames: &[FrameObservation]) -> ChallengeResponse {
    if script.mode == CaptureMode::Passive {
        return ChallengeResponse {
            result: result(GateStatus::NotRun, vec![GateReason::ChallengeNotBinding]),
            light: None,
            motion: None,
        };
    }
    let mut reasons = Reasons::new();
    if frames.is_empty() || !frames.iter().all(FrameObservation::is_finite) {
        reasons.push(GateReason::ChallengeUnmeasured);
    } else if frames.iter().any(|frame| frame.face.is_none()) {
        reasons.push(GateReason::ChallengeFaceLost);
    }
    let whole = reasons.is_empty();
    let has_light = script.light_steps().next().is_some();
    let has_motion = script.head_steps().next().is_some();
    let light = (whole && has_light).then(|| light::judge(script, frames, &mut reasons)).flatten();
    let motion = (whole && has_motion).then(|| motion::judge(script, frames, &mut reasons)).flatten();
    if reasons.is_empty()
        && (light.is_none() && has_light || motion.is_none() && has_motion || !has_light && !has_motion)
    {
        reasons.push(GateReason::ChallengeUnmeasured);
    }
    reasons.sort_unstable();
    reasons.dedup();
    ChallengeResponse { result: result(status(&reasons), reasons), light, motion }
}

/// A contradiction is a FAIL; what could not be read is INCONCLUSIVE.
fn status(reasons: &[GateReason]) -> GateStatus {
    let contradicts = |reason: &GateReason| {
        matches!(
            reason,
            GateReason::ChallengeLightMismatch
                | GateReason::ChallengeLightFlat
                | GateReason::ChallengeHeadMismatch
                | GateReason::ChallengePlanarMotion
        )
    };
    match reasons {
        [] => GateStatus::Pass,
        some if some.iter().any(contradicts) => GateStatus::Fail,
        _ => GateStatus::Inconclusive,
    }
}

/// A result of this gate, for whoever did not run it.
#[must_use]
pub fn result(status: GateStatus, reasons: Vec<GateReason>) -> GateResult {
    GateResult { gate: Gate::ChallengeResponse, status, reasons, version: Cow::Borrowed(VERSION) }
}
