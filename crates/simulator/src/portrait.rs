//! A picture of one person with the points of the face mesh on it.
//!
//! Must never know: how the points were found. Invariant: 468 finite points, eyes apart.

use crate::error::SimulatorError;
use image::RgbImage;

/// Points of the face mesh.
pub const MESH_POINTS: usize = 468;

/// The outline of the face mesh, clockwise in the picture from the middle of the forehead.
pub(crate) const OVAL: [usize; 36] = [
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150,
    136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
];
/// Corners of the subject's right and left eye.
const EYES: [[usize; 2]; 2] = [[33, 133], [362, 263]];
/// The middle of the chin.
pub(crate) const CHIN: usize = 152;
/// Distance between the eye centres of an adult, in centimetres.
const INTER_EYE_CM: f32 = 6.3;

/// A picture of one person, looking about straight at the camera.
#[derive(Clone)]
pub struct Portrait {
    pixels: RgbImage,
    points: Vec<[f32; 3]>,
}

impl Portrait {
    /// Joins a picture and its mesh: 468 points, x and y in pixels, depth in pixels, smaller is nearer.
    ///
    /// # Errors
    /// [`SimulatorError::Points`] or [`SimulatorError::Geometry`].
    pub fn new(pixels: RgbImage, points: Vec<[f32; 3]>) -> Result<Self, SimulatorError> {
        if points.len() != MESH_POINTS {
            return Err(SimulatorError::Points { found: points.len() });
        }
        let finite = points.iter().flatten().all(|v| v.is_finite() && v.abs() < 1e5);
        let portrait = Self { pixels, points };
        let wide = portrait.pixels.width() > 8 && portrait.pixels.height() > 8;
        if finite && wide && portrait.inter_eye_px() > 8.0 { Ok(portrait) } else { Err(SimulatorError::Geometry) }
    }

    /// The picture.
    #[must_use]
    pub fn pixels(&self) -> &RgbImage {
        &self.pixels
    }

    /// The mesh.
    #[must_use]
    pub fn points(&self) -> &[[f32; 3]] {
        &self.points
    }

    /// Distance between the eye centres in space, in pixels.
    #[must_use]
    pub fn inter_eye_px(&self) -> f32 {
        let [a, b] = EYES.map(|corners| self.mean(&corners));
        (0..3).map(|i| (a[i] - b[i]).powi(2)).sum::<f32>().sqrt()
    }

    /// Centimetres on the face per pixel of the picture.
    pub(crate) fn cm_per_px(&self) -> f32 {
        INTER_EYE_CM / self.inter_eye_px()
    }

    /// The middle of the face outline.
    pub(crate) fn centre(&self) -> [f32; 3] {
        self.mean(&OVAL)
    }

    fn mean(&self, indices: &[usize]) -> [f32; 3] {
        let sum = |i: usize| indices.iter().map(|&p| self.points[p][i]).sum::<f32>();
        [0, 1, 2].map(|i| sum(i) / indices.len() as f32)
    }
}
