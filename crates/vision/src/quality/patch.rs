//! A small patch of the face with the eyes in fixed places, from which light, blur and covers are measured.
//!
//! Invariant: the patch has one scale for every face, so a limit means the same on a small and on a large one.

use crate::{
    evidence::Point,
    picture::Picture,
    resample::{Similarity, Warper},
};
use zeroize::Zeroizing;

/// Side of the patch.
pub(super) const SIDE: usize = 96;
/// Where the eye centres lie on it; 40 pixels apart.
pub(super) const EYES: [(f64, f64); 2] = [(28.0, 38.0), (68.0, 38.0)];
/// Centre and half axes of the ellipse that holds skin on every face.
const FACE: Ellipse = Ellipse { x: 48.0, y: 52.0, across: 28.0, down: 36.0 };

struct Ellipse {
    x: f32,
    y: f32,
    across: f32,
    down: f32,
}

impl Ellipse {
    fn holds(&self, x: usize, y: usize) -> bool {
        let (dx, dy) = ((x as f32 - self.x) / self.across, (y as f32 - self.y) / self.down);
        dx * dx + dy * dy <= 1.0
    }
}

/// The patch in colour and in grey.
pub(super) struct Patch {
    pub(super) colour: Picture,
    pub(super) grey: Zeroizing<Vec<f32>>,
    map: Similarity,
}

impl Patch {
    /// Cuts the patch; `None` when the eyes coincide.
    pub(super) fn cut(eyes: [Point; 2], picture: &Picture, warper: &mut Warper) -> Option<Self> {
        let map = Similarity::fit(&eyes, &EYES)?;
        let mut colour = Picture::default();
        warper.warp(picture, &map, SIDE, &mut colour);
        let grey = |p: &[u8; 3]| 0.299 * f32::from(p[0]) + 0.587 * f32::from(p[1]) + 0.114 * f32::from(p[2]);
        let grey = Zeroizing::new(colour.pixels().as_chunks::<3>().0.iter().map(grey).collect());
        Some(Self { colour, grey, map })
    }

    /// Where a point of the picture lies on the patch; it may be outside.
    pub(super) fn place(&self, point: Point) -> Point {
        let (x, y) = self.map.apply(point.x.into(), point.y.into());
        Point { x: x as f32, y: y as f32 }
    }
}

/// Indices of the pixels inside the face ellipse; all have neighbours 7 pixels off.
pub(super) fn face_pixels() -> impl Iterator<Item = usize> {
    (0..SIDE * SIDE).filter(|at| FACE.holds(at % SIDE, at / SIDE))
}
