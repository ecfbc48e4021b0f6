//! Sharpness and light, measured on a small grey patch with the eyes in fixed places.
//!
//! Invariant: the patch has one scale for every face, so a limit means the same on a small and on a large one.

use crate::{
    evidence::Point,
    picture::Picture,
    resample::{Similarity, Warper},
};
use zeroize::Zeroizing;

/// Side of the patch.
const SIDE: usize = 96;
/// Where the eye centres lie on it; 40 pixels apart.
const EYES: [(f64, f64); 2] = [(28.0, 38.0), (68.0, 38.0)];
/// Centre and half axes of the ellipse that holds skin on every face.
const FACE: Ellipse = Ellipse { x: 48.0, y: 52.0, across: 28.0, down: 36.0 };
/// Half the size of the patch around each eye.
const EYE_HALF: (usize, usize) = (10, 5);
/// At and above this grey level a pixel is saturated.
const SATURATED: f32 = 250.0;

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

/// Light on a face; grey levels are 0 to 255.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Light {
    /// Mean grey level.
    pub(crate) luminance: f32,
    /// Grey level that a twentieth of the face exceeds.
    pub(crate) highlight: f32,
    /// Share of saturated pixels.
    pub(crate) saturated: f32,
    /// Mean of the darker half over mean of the brighter half.
    pub(crate) uniformity: f32,
    /// Deviation at the eyes over the mean, the worse eye.
    pub(crate) eye_contrast: f32,
}

/// The grey patch.
pub(super) struct Patch(Zeroizing<Vec<f32>>);

impl Patch {
    /// Cuts the patch; `None` when the eyes coincide.
    pub(super) fn cut(eyes: [Point; 2], picture: &Picture, warper: &mut Warper) -> Option<Self> {
        let map = Similarity::fit(&eyes, &EYES)?;
        let mut colour = Picture::default();
        warper.warp(picture, &map, SIDE, &mut colour);
        let grey = |p: &[u8; 3]| 0.299 * f32::from(p[0]) + 0.587 * f32::from(p[1]) + 0.114 * f32::from(p[2]);
        Some(Self(Zeroizing::new(colour.pixels().as_chunks::<3>().0.iter().map(grey).collect())))
    }

    /// Variance of the Laplacian that noise does not explain, over the variance of the face.
    pub(super) fn sharpness(&self) -> f32 {
        let (mut count, mut detail) = (0.0, 0.0);
        let (mut sum, mut square) = (0.0, 0.0);
        let mut noise = Zeroizing::new(Vec::with_capacity(SIDE * SIDE));
        for (x, y) in face_pixels() {
            let cross = self.at(x - 1, y) + self.at(x + 1, y) + self.at(x, y - 1) + self.at(x, y + 1);
            let corners =
                self.at(x - 1, y - 1) + self.at(x + 1, y - 1) + self.at(x - 1, y + 1) + self.at(x + 1, y + 1);
            let centre = self.at(x, y);
            let laplacian = cross - 4.0 * centre;
            count += 1.0;
            detail += laplacian * laplacian;
            sum += centre;
            square += centre * centre;
            // Blind to edges and shading, keen on noise (Immerkaer 1996).
            noise.push((4.0 * centre - 2.0 * cross + corners).abs());
        }
        let middle = noise.len() / 2;
        let (_, median, _) = noise.select_nth_unstable_by(middle, f32::total_cmp);
        let sigma = *median / (6.0 * 0.6745);
        let mean = sum / count;
        let contrast = (square / count - mean * mean).max(1.0);
        (detail / count - 20.0 * sigma * sigma).max(0.0) / contrast
    }

    /// Exposure and evenness.
    pub(super) fn light(&self) -> Light {
        let mut levels = Zeroizing::new(Vec::with_capacity(SIDE * SIDE));
        let mut halves = [(0.0, 0.0); 2];
        for (x, y) in face_pixels() {
            let level = self.at(x, y);
            levels.push(level);
            let (sum, count) = &mut halves[usize::from(x >= SIDE / 2)];
            *sum += level;
            *count += 1.0;
        }
        let luminance = levels.iter().sum::<f32>() / levels.len() as f32;
        let saturated = levels.iter().filter(|&&v| v >= SATURATED).count() as f32 / levels.len() as f32;
        let at = levels.len() * 19 / 20;
        let (_, highlight, _) = levels.select_nth_unstable_by(at, f32::total_cmp);
        let [a, b] = halves.map(|(sum, count)| sum / count);
        let contrast = EYES.iter().map(|&eye| self.deviation_around(eye) / luminance.max(1.0));
        Light {
            luminance,
            highlight: *highlight,
            saturated,
            uniformity: a.min(b) / a.max(b).max(1.0),
            eye_contrast: contrast.fold(f32::INFINITY, f32::min),
        }
    }

    fn at(&self, x: usize, y: usize) -> f32 {
        self.0[y * SIDE + x]
    }

    /// Standard deviation around an eye.
    fn deviation_around(&self, eye: (f64, f64)) -> f32 {
        let (x, y) = (eye.0 as usize, eye.1 as usize);
        let (mut count, mut sum, mut square) = (0.0, 0.0, 0.0);
        for v in y - EYE_HALF.1..=y + EYE_HALF.1 {
            for u in x - EYE_HALF.0..=x + EYE_HALF.0 {
                let level = self.at(u, v);
                count += 1.0;
                sum += level;
                square += level * level;
            }
        }
        let mean: f32 = sum / count;
        (square / count - mean * mean).max(0.0).sqrt()
    }
}

/// Pixels inside the face ellipse; all have neighbours.
fn face_pixels() -> impl Iterator<Item = (usize, usize)> {
    (1..SIDE - 1).flat_map(|y| (1..SIDE - 1).map(move |x| (x, y))).filter(|&(x, y)| FACE.holds(x, y))
}
