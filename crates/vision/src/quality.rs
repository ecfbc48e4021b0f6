//! Gate 2: the envelope inside which the calibration holds (ISO/IEC 29794-5 components).
//!
//! Owns the limits and the rule over frames. Must never know: identities. Invariant: what is outside the envelope is
//! INCONCLUSIVE, never PASS, and a number that is not finite is outside.

mod blur;
mod compression;
mod light;
mod measure;
mod mouth;
mod patch;
mod pose;

pub(crate) use measure::Measured;

use crate::{
    detector::Detection,
    evidence::{ExamineOptions, FrameEvidence, gate},
};
use biometrics::{Gate, GateReason, GateResult, GateStatus};

/// Inter-eye distance below which nothing passes, whatever the policy says (CONTRACT "Frames").
pub const MIN_INTER_EYE_PX: u32 = 30;

/// Another face competes when its width times score reaches this share of the chosen face's.
const RIVAL_SHARE: f32 = 0.5;
/// The landmark model must believe that it looks at a face.
pub(crate) const MIN_PRESENCE: f32 = 0.5;
/// ... and a little that a competing detection is one: people in backgrounds have 0.99, what the detector takes for faces in
/// blurred backgrounds has below 0.3 and mostly below 0.02.
pub(crate) const MIN_RIVAL_PRESENCE: f32 = 0.1;
/// The landmark model is asked of so many competing detections a frame, lest a picture of a crowd cost a run for each.
pub(crate) const MAX_DOUBTED_RIVALS: usize = 3;
/// Degrees.
const MAX_YAW: f32 = 30.0;
/// Degrees.
const MAX_PITCH: f32 = 25.0;
/// Degrees.
const MAX_ROLL: f32 = 30.0;
/// Reached by 98 of 100 press photographs, and by 4 of 100 of the same blurred by 5 % of the inter-eye distance.
const MIN_SHARPNESS: f32 = 0.040;
/// Below it a direction may be smeared: 98 of 100 press photographs and all sharp simulated frames have more in every direction.
const MIN_DETAIL: f32 = 0.0015;
/// ... and is smeared, when the best direction has so many times its detail: 97 of 100 frames smeared over a quarter of the
/// inter-eye distance; 18 of 3,432 press photographs, all of them a little blurred.
const MAX_DIRECTEDNESS: f32 = 1.8;
/// Grey levels of the brightest twentieth of the face. Dark skin in fair light is above 85, any skin in the dark below.
const MIN_HIGHLIGHT: f32 = 75.0;
/// Share of pixels with a saturated channel.
const MAX_SATURATED: f32 = 0.12;
/// Grey level.
const MAX_LUMINANCE: f32 = 225.0;
/// Bits. Faces in fair light have 5.5 and more, at 70 % of the exposure 5.0 and more; a veil that leaves 15 % of the contrast
/// leaves 3 to 4.8.
const MIN_DYNAMIC_RANGE: f32 = 4.7;
/// Mean step of the luminance table: the standard's tables reach it at quality 29.
const MAX_LUMA_STEP: f32 = 100.0;
/// Grey levels. Quality 60 leaves 1.2 to 2.5, quality 20 3.3 to 4.9, encoded anew or not.
const MAX_BLOCKINESS: f32 = 3.2;
/// The darker cheek over the brighter one.
const MIN_UNIFORMITY: f32 = 0.56;
/// Lid distance over eye width; wide open is about 0.3.
const MIN_EYE_OPENING: f32 = 0.13;
/// Deviation of grey levels around an eye over the mean of the face. Visible eyes have 0.084 and more, covered ones 0.00, and of
/// 3,432 press photographs only sunglasses and a blurred face have less.
const MIN_EYE_CONTRAST: f32 = 0.06;
/// Difference of ln(red / green). Cloths of other colours than skin have -0.14 and less; of 3,432 press photographs one has, where
/// tinted glasses reach over the cheeks.
const MIN_MOUTH_REDNESS: f32 = -0.135;
/// Share of the outline outside the picture.
const MAX_CROPPED: f32 = 0.05;

/// Other detections that compete with the chosen one, if they are faces.
pub(crate) fn rivals(chosen: &Detection, found: &[Detection]) -> Vec<Detection> {
    let competes = |other: &&Detection| other.weight() >= chosen.weight() * RIVAL_SHARE;
    let is_chosen = |other: &&Detection| other.rectangle == chosen.rectangle;
    found.iter().filter(competes).filter(|other| !is_chosen(other)).copied().collect()
}

/// Judges one frame and writes its measurements and reasons into `evidence`.
pub(crate) fn judge_frame(
    measured: Option<&Measured>,
    alone: bool,
    options: ExamineOptions,
    evidence: &mut FrameEvidence,
) {
    let Some(m) = measured else {
        evidence.reasons = vec![GateReason::QualityNoFace];
        return;
    };
    m.write_to(evidence);
    let floor = options.min_inter_eye_px.max(MIN_INTER_EYE_PX) as f32;
    let posed = m.pose.yaw.abs() <= MAX_YAW && m.pose.pitch.abs() <= MAX_PITCH && m.pose.roll.abs() <= MAX_ROLL;
    let still = m.blur.least_detail >= MIN_DETAIL || m.blur.directedness <= MAX_DIRECTEDNESS;
    let spared = m.compression.luma_step <= MAX_LUMA_STEP && m.compression.blockiness <= MAX_BLOCKINESS;
    let met = [
        (m.presence >= MIN_PRESENCE, GateReason::QualityNoFace),
        (alone, GateReason::QualitySeveralFaces),
        (m.inter_eye_px >= floor, GateReason::QualityInterEyeDistance),
        (posed, GateReason::QualityHeadPose),
        (m.blur.sharpness >= MIN_SHARPNESS, GateReason::QualitySharpness),
        (still, GateReason::QualityMotionBlur),
        (m.light.highlight >= MIN_HIGHLIGHT, GateReason::QualityUnderExposure),
        (m.light.saturated <= MAX_SATURATED && m.light.luminance <= MAX_LUMINANCE, GateReason::QualityOverExposure),
        (m.light.dynamic_range >= MIN_DYNAMIC_RANGE, GateReason::QualityDynamicRange),
        (m.light.uniformity >= MIN_UNIFORMITY, GateReason::QualityIlluminationUniformity),
        (spared, GateReason::QualityCompression),
        (m.eye_opening >= MIN_EYE_OPENING && m.light.eye_contrast >= MIN_EYE_CONTRAST, GateReason::QualityEyesVisible),
        (m.mouth_redness >= MIN_MOUTH_REDNESS, GateReason::QualityMouthOcclusion),
        (m.cropped <= MAX_CROPPED, GateReason::QualityFaceCropped),
    ];
    evidence.reasons = met.into_iter().filter(|(met, _)| !met).map(|(_, reason)| reason).collect();
}

/// The rule over frames: frames outside the envelope are left out; at least half of all frames, and one, must be inside,
/// and no frame may show a competing face. The reasons of all frames are told when the capture does not pass.
pub(crate) fn judge_capture(reasons: &[&[GateReason]]) -> GateResult {
    let good = reasons.iter().filter(|r| r.is_empty()).count();
    let mut all: Vec<GateReason> = reasons.iter().flat_map(|r| r.iter().copied()).collect();
    all.sort_unstable();
    all.dedup();
    let alone = !all.contains(&GateReason::QualitySeveralFaces);
    if good > 0 && 2 * good >= reasons.len() && alone {
        gate(Gate::Quality, GateStatus::Pass, Vec::new())
    } else {
        gate(Gate::Quality, GateStatus::Inconclusive, all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DARK: &[GateReason] = &[GateReason::QualityUnderExposure];
    const CROWD: &[GateReason] = &[GateReason::QualitySeveralFaces];

    #[test]
    fn only_detections_of_half_the_weight_compete_and_none_with_itself() {
        let at = |left: f32, width: f32, score: f32| Detection {
            rectangle: crate::Rectangle { left, top: 0.0, right: left + width, bottom: width },
            score,
            right_eye: Default::default(),
            left_eye: Default::default(),
        };
        let chosen = at(0.0, 100.0, 0.9);
        let found = [chosen, at(200.0, 60.0, 0.8), at(300.0, 50.0, 0.8)];
        let rivals = rivals(&chosen, &found);
        assert_eq!(rivals.iter().map(|rival| rival.rectangle.left).collect::<Vec<_>>(), [200.0]);
    }

    #[test]
    fn half_of_the_frames_and_one_must_be_good() {
        let status = |reasons: &[&[GateReason]]| judge_capture(reasons).status;
        assert_eq!(status(&[&[]]), GateStatus::Pass);
        assert_eq!(status(&[&[], DARK]), GateStatus::Pass);
        assert_eq!(status(&[&[], DARK, DARK]), GateStatus::Inconclusive);
        assert_eq!(status(&[DARK]), GateStatus::Inconclusive);
        assert_eq!(status(&[]), GateStatus::Inconclusive);
    }

    #[test]
    fn one_frame_with_a_competing_face_spoils_the_capture() {
        let result = judge_capture(&[&[], &[], &[], CROWD]);
        assert_eq!((result.status, &result.reasons[..]), (GateStatus::Inconclusive, CROWD));
    }

    #[test]
    fn reasons_are_told_once_each_and_in_order() {
        let both = judge_capture(&[CROWD, DARK, DARK]).reasons;
        assert_eq!(both, [GateReason::QualitySeveralFaces, GateReason::QualityUnderExposure]);
    }

    #[test]
    fn measurements_that_are_not_finite_are_outside() {
        let lost = Measured {
            rectangle: Default::default(),
            presence: f32::NAN,
            inter_eye_px: f32::NAN,
            pose: crate::Pose { yaw: f32::NAN, pitch: 0.0, roll: 0.0 },
            eye_opening: f32::NAN,
            cropped: f32::NAN,
            blur: blur::Blur { sharpness: f32::NAN, least_detail: f32::NAN, directedness: f32::NAN },
            compression: compression::Compression { luma_step: f32::NAN, blockiness: f32::NAN },
            mouth_redness: f32::NAN,
            light: light::Light {
                dynamic_range: f32::NAN,
                luminance: f32::NAN,
                highlight: f32::NAN,
                saturated: f32::NAN,
                uniformity: f32::NAN,
                eye_contrast: f32::NAN,
            },
        };
        let mut evidence = FrameEvidence::default();
        judge_frame(
            Some(&lost),
            true,
            ExamineOptions { min_inter_eye_px: 60, presentation_attack: false, previous: false },
            &mut evidence,
        );
        assert_eq!(evidence.reasons.len(), 13, "every limit but the number of faces: {:?}", evidence.reasons);
    }
}
