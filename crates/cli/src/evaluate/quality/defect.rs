//! Defects of a frame, by what a camera, a place or a person does, and how a frame comes by them.
//!
//! Must never know: limits of the gate. Invariant: the frame without a defect differs from the others in that defect alone.

use crate::evaluate::{
    hash::{leading, sha256},
    jpeg::{decode, encode},
};
use anyhow::{Context, Result};
use biometrics::GateReason;
use image::{Rgb, RgbImage, imageops};
use serde::Serialize;
use simulator::{Conditions, Portrait, Script, Slot, Target, render};
use vision::{Engine, Point};

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
/// Corners of both eyes in the mesh.
const EYES: [usize; 4] = [33, 133, 362, 263];

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
}

impl Defect {
    /// All of them.
    pub(super) const ALL: [Self; 8] =
        [Self::None, Self::Blur, Self::Dark, Self::Bright, Self::Pose, Self::TwoFaces, Self::Occlusion, Self::Far];

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
            Self::Occlusion => Ok(match engine.sample(&jpeg)? {
                Some(sample) => encode(&covered(decode(&jpeg)?, EYES.map(|at| sample.face.points[at])), QUALITY)?,
                None => jpeg,
            }),
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

/// A dark bar over the eyes, as wide as the face between the temples.
fn covered(mut frame: RgbImage, eyes: [Point; 4]) -> RgbImage {
    let across = (eyes[3].x - eyes[0].x).abs().max(1.0);
    let (x, y) = (eyes.iter().map(|p| p.x).sum::<f32>() / 4.0, eyes.iter().map(|p| p.y).sum::<f32>() / 4.0);
    let (half_width, half_height) = (0.75 * across, 0.24 * across);
    for (u, v, pixel) in frame.enumerate_pixels_mut() {
        if (u as f32 - x).abs() < half_width && (v as f32 - y).abs() < half_height {
            *pixel = Rgb([38, 34, 32]);
        }
    }
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_defect_has_a_reason_of_its_own() {
        let mut reasons: Vec<_> = Defect::ALL.into_iter().map(Defect::reason).collect();
        reasons.sort_unstable();
        reasons.dedup();
        assert_eq!(reasons.len(), Defect::ALL.len());
    }

    #[test]
    fn two_frames_stand_side_by_side_and_a_bar_covers_the_eyes() {
        let plain = |level| RgbImage::from_pixel(80, 60, Rgb([level; 3]));
        let both = beside(&plain(10), &plain(200));
        assert_eq!((both.get_pixel(39, 30).0[0], both.get_pixel(40, 30).0[0]), (10, 200));
        let eyes = [30.0, 36.0, 44.0, 50.0].map(|x| Point { x, y: 20.0 });
        let covered = covered(plain(200), eyes);
        assert_eq!((covered.get_pixel(40, 20).0[0], covered.get_pixel(40, 40).0[0]), (38, 200));
    }
}
