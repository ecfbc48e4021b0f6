//! What is measured on one face, without judging it.

use super::{blur::Blur, compression::Compression, light::Light, mouth, patch::Patch, pose};
use crate::{
    alignment,
    evidence::{Face, FrameEvidence, Point, Pose, Rectangle},
    picture::Picture,
    resample::Warper,
};

/// Points of the face mesh along the outline of the face.
const OUTLINE: [usize; 36] = [
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150,
    136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
];
/// Outer and inner corner, then two pairs of upper and lower lid, of the right and the left eye.
const EYES: [[usize; 6]; 2] = [[33, 133, 160, 144, 158, 153], [263, 362, 387, 373, 385, 380]];

/// Measurements of one face.
pub(crate) struct Measured {
    pub(crate) rectangle: Rectangle,
    pub(crate) presence: f32,
    pub(crate) inter_eye_px: f32,
    pub(crate) pose: Pose,
    pub(crate) eye_opening: f32,
    pub(crate) cropped: f32,
    pub(crate) blur: Blur,
    pub(crate) light: Light,
    pub(crate) compression: Compression,
    pub(crate) mouth_redness: f32,
}

impl Measured {
    /// Measures a face found in a decoded picture, whose file is given too.
    pub(crate) fn of(face: &Face, (jpeg, picture): (&[u8], &Picture), warper: &mut Warper) -> Self {
        let [right, left] = alignment::eye_centres(&face.points);
        let patch = Patch::cut([right, left], picture, warper);
        Self {
            rectangle: face.rectangle,
            presence: face.presence,
            inter_eye_px: distance(right, left),
            pose: pose::estimate(face),
            eye_opening: EYES.iter().map(|eye| opening(&face.points, eye)).sum::<f32>() / 2.0,
            cropped: cropped(&face.points, picture),
            blur: patch.as_ref().map(Blur::of).unwrap_or_default(),
            light: patch.as_ref().map(Light::of).unwrap_or_default(),
            compression: Compression::of(jpeg, picture, &face.points),
            mouth_redness: patch.as_ref().map_or(0.0, |patch| mouth::redness(patch, &face.points)),
        }
    }

    pub(crate) fn write_to(&self, evidence: &mut FrameEvidence) {
        evidence.rectangle = Some(self.rectangle);
        evidence.inter_eye_px = self.inter_eye_px;
        evidence.pose = self.pose;
        evidence.sharpness = self.blur.sharpness;
        evidence.least_detail = self.blur.least_detail;
        evidence.directedness = self.blur.directedness;
        evidence.luminance = self.light.luminance;
        evidence.highlight = self.light.highlight;
        evidence.saturated = self.light.saturated;
        evidence.dynamic_range = self.light.dynamic_range;
        evidence.luma_step = self.compression.luma_step;
        evidence.blockiness = self.compression.blockiness;
        evidence.mouth_redness = self.mouth_redness;
        evidence.uniformity = self.light.uniformity;
        evidence.eye_contrast = self.light.eye_contrast;
        evidence.eye_opening = self.eye_opening;
        evidence.cropped = self.cropped;
    }
}

fn distance(a: Point, b: Point) -> f32 {
    (a.x - b.x).hypot(a.y - b.y)
}

/// Lid distance over eye width (Soukupova and Cech 2016).
fn opening(points: &[Point], eye: &[usize; 6]) -> f32 {
    let [outer, inner, up1, low1, up2, low2] = eye.map(|i| points[i]);
    (distance(up1, low1) + distance(up2, low2)) / (2.0 * distance(outer, inner))
}

/// Share of the outline outside the picture.
fn cropped(points: &[Point], picture: &Picture) -> f32 {
    let (right, bottom) = (picture.width() as f32 - 1.0, picture.height() as f32 - 1.0);
    let inside = |p: Point| (0.0..=right).contains(&p.x) && (0.0..=bottom).contains(&p.y);
    OUTLINE.iter().filter(|&&i| !inside(points[i])).count() as f32 / OUTLINE.len() as f32
}
