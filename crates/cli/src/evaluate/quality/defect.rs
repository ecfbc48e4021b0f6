//! Defects of a frame, by what a camera, a place or a person does, and how a frame comes by them.
//!
//! Must never know: limits of the gate. Invariant: the frame without a defect differs from the others in that defect alone.

mod camera;
mod cover;

use crate::evaluate::{
    hash::{leading, sha256},
    jpeg::{decode, encode},
};
use anyhow::{Context, Result};
use biometrics::GateReason;
use image::{RgbImage, imageops};
use serde::Serialize;
use simulator::{Conditions, Portrait, Script, Slot, Target, render};
use vision::Engine;

/// Blur in pixels of a frame on which the eyes are about 80 pixels apart: one part in twenty.
const BLUR_PX: f32 = 4.0;
/// Stops.
const DARK: f32 = -4.0;
/// Stops.
const BRIGHT: f32 = 2.5;
/// Turn in degrees.
const TURN_DEG: f32 = 42.0;
/// From camera to face in centimetres.
const FAR_CM: f32 = 110.0;
/// The head has turned by then, in milliseconds.
const TURNED_MS: u32 = 1800;
/// JPEG quality of frames that are put together.
const QUALITY: u8 = 90;

/// What is wrong with a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Defect {
    /// Nothing: the control.
    None,
    /// Out of focus.
    Blur,
    /// Under-exposed.
    Dark,
    /// Over-exposed.
    Bright,
    /// The head is turned away.
    Pose,
    /// Another person sits beside.
    TwoFaces,
    /// A bar over the eyes.
    Occlusion,
    /// The head is far from the camera.
    Far,
    /// The camera moved while it took the frame.
    Motion,
    /// A veil over the picture: little contrast.
    Veil,
    /// Compressed hard; every other frame was encoded again, so that the file no longer says so.
    Compressed,
    /// A mask over mouth and chin.
    Mask,
}

impl Defect {
    /// All of them.
    pub(super) const ALL: [Self; 12] = [
        Self::None,
        Self::Blur,
        Self::Dark,
        Self::Bright,
        Self::Pose,
        Self::TwoFaces,
        Self::Occlusion,
        Self::Far,
        Self::Motion,
        Self::Veil,
        Self::Compressed,
        Self::Mask,
    ];

    /// A name for reports.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Blur => "blur",
            Self::Dark => "dark",
            Self::Bright => "bright",
            Self::Pose => "pose",
            Self::TwoFaces => "two_faces",
            Self::Occlusion => "occlusion",
            Self::Far => "far",
            Self::Motion => "motion",
            Self::Veil => "veil",
            Self::Compressed => "compressed",
            Self::Mask => "mask",
        }
    }

    /// The reason that names it.
    pub(super) const fn reason(self) -> Option<GateReason> {
        Some(match self {
            Self::None => return None,
            Self::Blur => GateReason::QualitySharpness,
            Self::Dark => GateReason::QualityUnderExposure,
            Self::Bright => GateReason::QualityOverExposure,
            Self::Pose => GateReason::QualityHeadPose,
            Self::TwoFaces => GateReason::QualitySeveralFaces,
            Self::Occlusion => GateReason::QualityEyesVisible,
            Self::Far => GateReason::QualityInterEyeDistance,
            Self::Motion => GateReason::QualityMotionBlur,
            Self::Veil => GateReason::QualityDynamicRange,
            Self::Compressed => GateReason::QualityCompression,
            Self::Mask => GateReason::QualityMouthOcclusion,
        })
    }

    /// A JPEG file of the first person with this defect; the second sits beside where another is wanted.
    pub(super) fn frame(
        self,
        engine: &mut Engine,
        [first, second]: [&Portrait; 2],
        (seed, number): (u64, usize),
    ) -> Result<Vec<u8>> {
        let digest = sha256(&[b"countersign/evaluate/quality/v1", &seed.to_be_bytes(), &number.to_be_bytes()]);
        let fair = Conditions::typical(leading(&digest));
        let conditions = match self {
            Self::Blur => Conditions { blur_px: BLUR_PX, ..fair },
            Self::Dark => Conditions { exposure: DARK, ..fair },
            Self::Bright => Conditions { exposure: BRIGHT, ..fair },
            Self::Far => Conditions { distance_cm: FAR_CM, ..fair },
            _ => fair,
        };
        let script = match self {
            Self::Pose => turned(if number % 2 == 0 { TURN_DEG } else { -TURN_DEG }),
            _ => Script { slots: Vec::new(), frame_times_ms: vec![0] },
        };
        let shot = |portrait| -> Result<Vec<u8>> {
            let capture = render(portrait, &script, &conditions)?;
            capture.frames.into_iter().next_back().map(|frame| frame.jpeg).context("a capture without frames")
        };
        let jpeg = shot(first)?;
        match self {
            Self::TwoFaces => encode(&beside(&decode(&jpeg)?, &decode(&shot(second)?)?), QUALITY),
            Self::Occlusion | Self::Mask => {
                let (frame, kind) = (decode(&jpeg)?, usize::from(digest[8]));
                let Some(sample) = engine.sample(&jpeg)? else { return Ok(jpeg) };
                let points = &sample.face.points;
                let covered =
                    if self == Self::Mask { cover::mask(frame, points, kind) } else { cover::eyes(frame, points) };
                encode(&covered, QUALITY)
            }
            Self::Motion => encode(&camera::moved(&decode(&jpeg)?, leading(&digest)), QUALITY),
            Self::Veil => encode(&camera::veiled(decode(&jpeg)?), QUALITY),
            Self::Compressed => {
                let hard = encode(&decode(&jpeg)?, 10 + digest[8] % 11)?;
                if number % 2 == 0 { Ok(hard) } else { encode(&decode(&hard)?, QUALITY) }
            }
            _ => Ok(jpeg),
        }
    }
}

/// One frame before and one after a turn of the head.
fn turned(yaw_deg: f32) -> Script {
    let target = Target::Head { yaw_deg, pitch_deg: 0.0, scale: 1.0 };
    let slots = vec![Slot { at_ms: 100, duration_ms: 2 * TURNED_MS, target }];
    Script { slots, frame_times_ms: vec![0, TURNED_MS] }
}

/// The middle halves of two frames side by side.
fn beside(left: &RgbImage, right: &RgbImage) -> RgbImage {
    let (width, height) = left.dimensions();
    let mut both = RgbImage::new(width, height);
    for (place, frame) in [left, right].into_iter().enumerate() {
        let half = imageops::crop_imm(frame, width / 4, 0, width / 2, height).to_image();
        imageops::replace(&mut both, &half, place as i64 * i64::from(width / 2), 0);
    }
    both
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    #[test]
    fn every_defect_has_a_reason_of_its_own() {
        let mut reasons: Vec<_> = Defect::ALL.into_iter().map(Defect::reason).collect();
        reasons.sort_unstable();
        reasons.dedup();
        assert_eq!(reasons.len(), Defect::ALL.len());
    }

    #[test]
    fn two_frames_stand_side_by_side() {
        let plain = |level| RgbImage::from_pixel(80, 60, Rgb([level; 3]));
        let both = beside(&plain(10), &plain(200));
        assert_eq!((both.get_pixel(39, 30).0[0], both.get_pixel(40, 30).0[0]), (10, 200));
    }
}
