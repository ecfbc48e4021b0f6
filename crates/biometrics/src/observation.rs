//! What was measured on the frames of a capture, free of pixels: the input of the decisions of gates 1 and 4.
//!
//! Must never know: how it was measured, the script. Invariant: plain numbers; whoever decides over them checks that they are
//! finite.

#[cfg(test)]
pub(crate) mod synthetic;

use zeroize::Zeroizing;

/// Linear light: red, green, blue, each 0 to 1.
pub type Colour = [f32; 3];

/// Columns of [`FrameObservation::grid`].
pub const GRID_COLUMNS: usize = 16;
/// Rows of [`FrameObservation::grid`].
pub const GRID_ROWS: usize = 12;
/// Points of the face mesh.
pub const MESH_POINTS: usize = 468;

/// Where light is measured on the face. The normals of these places differ, which is what tells a head from a picture of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Region {
    /// Middle of the forehead.
    Forehead,
    /// Cheek below the subject's right eye.
    RightCheek,
    /// Cheek below the subject's left eye.
    LeftCheek,
    /// Bridge of the nose.
    NoseBridge,
    /// Tip of the nose.
    NoseTip,
    /// Chin.
    Chin,
    /// Outer side of the subject's right cheek.
    RightSide,
    /// Outer side of the subject's left cheek.
    LeftSide,
}

impl Region {
    /// All of them, in the order of [`FaceObservation::regions`].
    pub const ALL: [Self; 8] = [
        Self::Forehead,
        Self::RightCheek,
        Self::LeftCheek,
        Self::NoseBridge,
        Self::NoseTip,
        Self::Chin,
        Self::RightSide,
        Self::LeftSide,
    ];
}

/// The face of one frame.
#[derive(Debug, Clone, PartialEq)]
pub struct FaceObservation {
    /// Mean linear light of each region, in the order of [`Region::ALL`]; `None` where it is saturated, black or outside.
    pub regions: [Option<Colour>; 8],
    /// The face mesh in pixels: right, down, and depth away from the camera.
    pub points: Zeroizing<Vec<[f32; 3]>>,
    /// Turn in degrees, positive towards the capture subject's left.
    pub yaw_deg: f32,
    /// Nod in degrees, positive upwards.
    pub pitch_deg: f32,
    /// Middle between the eyes in pixels.
    pub centre: [f32; 2],
    /// Distance between the eye centres in space, depth included, in pixels: turning does not change it.
    pub inter_eye_px: f32,
}

/// One frame.
#[derive(Debug, Clone, PartialEq)]
pub struct FrameObservation {
    /// Claimed capture time after the first frame, in milliseconds.
    pub offset_ms: u32,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// SHA-256 of the file.
    pub file: [u8; 32],
    /// SHA-256 of the reduced picture.
    pub picture: [u8; 32],
    /// Digest of how the file is coded: tables, sampling, order of segments. One camera and encoder give one value.
    pub encoding: [u8; 32],
    /// Noise of the flatter parts of the picture in grey levels.
    pub noise: f32,
    /// Share of the picture around the face that is exactly as in the frame before, 0 to 1; `None` for the first frame.
    pub unchanged: Option<f32>,
    /// Mean linear light of the cells of a grid over the picture, row by row.
    pub grid: Vec<Colour>,
    /// The face, where there is one.
    pub face: Option<FaceObservation>,
}

impl FaceObservation {
    /// Whether every number is one.
    #[must_use]
    pub fn is_finite(&self) -> bool {
        let shape = self.points.len() == MESH_POINTS && self.inter_eye_px > 0.0;
        let numbers = [self.yaw_deg, self.pitch_deg, self.inter_eye_px].into_iter().chain(self.centre);
        let light = self.regions.iter().flatten().flatten().copied();
        shape && numbers.chain(light).chain(self.points.iter().flatten().copied()).all(f32::is_finite)
    }
}

impl FrameObservation {
    /// Whether every number is one and the grid is whole.
    #[must_use]
    pub fn is_finite(&self) -> bool {
        self.grid.len() == GRID_COLUMNS * GRID_ROWS
            && self.noise.is_finite()
            && self.unchanged.is_none_or(f32::is_finite)
            && self.grid.iter().flatten().all(|v| v.is_finite())
            && self.face.as_ref().is_none_or(FaceObservation::is_finite)
    }
}
