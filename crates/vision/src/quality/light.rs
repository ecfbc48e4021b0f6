//! Sharpness and light, measured on a small grey patch with the eyes in fixed places.
//!
//! Invariant: the patch has one scale for every face, so a limit means the same on a small and on a large one.

use crate::{
    evidence::Point,
    picture::Picture,
    resample::{Similarity, Warper},
};
use std::ops::Range;
use zeroize::Zeroizing;

/// Side of the patch.
const SIDE: usize = 96;
/// Where the eye centres lie on it; 40 pixels apart.
const EYES: [(f64, f64); 2] = [(28.0, 38.0), (68.0, 38.0)];
/// Centre and half axes of the ellipse that holds skin on every face.
const FACE: Ellipse = Ellipse { x: 48.0, y: 52.0, across: 28.0, down: 36.0 };
/// Columns and rows of the outer cheeks.
const CHEEKS: [Range<usize>; 2] = [20..32, 64..76];
const CHEEK_ROWS: Range<usize> = 44..68;
/// Distances of second differences.
const FINE: usize = 2;
const COARSE: usize = 6;
/// Half the size of the patch around each eye.
const EYE_HALF: (usize, usize) = (10, 5);
/// A pixel is saturated when one of its channels reaches this level: skin clips in red long before its grey level does.
const SATURATED: u8 = 253;

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
    /// Share of pixels with a saturated channel.
    pub(crate) saturated: f32,
    /// Mean of the darker cheek over mean of the brighter one.
    pub(crate) uniformity: f32,
    /// Deviation at the eyes over the mean, the worse eye.
    pub(crate) eye_contrast: f32,
}

/// The grey patch.
pub(super) struct Patch {
    grey: Zeroizing<Vec<f32>>,
    /// Share of the face's pixels with a saturated channel.
    saturated: f32,
}

impl Patch {
    /// Cuts the patch; `None` when the eyes coincide.
    pub(super) fn cut(eyes: [Point; 2], picture: &Picture, warper: &mut Warper) -> Option<Self> {
        let map = Similarity::fit(&eyes, &EYES)?;
        let mut colour = Picture::default();
        warper.warp(picture, &map, SIDE, &mut colour);
        let grey = |p: &[u8; 3]| 0.299 * f32::from(p[0]) + 0.587 * f32::from(p[1]) + 0.114 * f32::from(p[2]);
        let pixels = colour.pixels().as_chunks::<3>().0;
        let clips = |at: &usize| pixels[*at].iter().any(|level| *level >= SATURATED);
        let saturated = face_pixels().filter(clips).count() as f32 / face_pixels().count() as f32;
        Some(Self { grey: Zeroizing::new(pixels.iter().map(grey).collect()), saturated })
    }

    /// Energy of second differences over 2 pixels, relative to that over 6, on the lightly smoothed patch; of the two
    /// directions the worse one.
    ///
    /// Blur takes the fine differences and leaves the coarse ones, contrast and exposure cancel out, noise is mostly
    /// smoothed away, and the worse direction tells blur by motion.
    pub(super) fn sharpness(&self) -> f32 {
        let smooth = self.smoothed();
        let mut energy = [[0.0_f32; 2]; 2];
        for at in face_pixels() {
            for (energy, stride) in energy.iter_mut().zip([1, SIDE]) {
                for (sum, reach) in energy.iter_mut().zip([FINE, COARSE]) {
                    let centre = 2.0 * smooth[at];
                    let difference = centre - smooth[at - reach * stride] - smooth[at + reach * stride];
                    *sum += difference * difference;
                }
            }
        }
        energy.iter().map(|[fine, coarse]| fine / coarse.max(1.0)).fold(f32::INFINITY, f32::min)
    }

    /// The mean of each pixel and its neighbours; the border is left black.
    fn smoothed(&self) -> Zeroizing<Vec<f32>> {
        let mut smooth = Zeroizing::new(vec![0.0; SIDE * SIDE]);
        for y in 1..SIDE - 1 {
            for x in 1..SIDE - 1 {
                let row = |dy: usize| self.grey[(y + dy - 1) * SIDE + x - 1..][..3].iter().sum::<f32>();
                smooth[y * SIDE + x] = (row(0) + row(1) + row(2)) / 9.0;
            }
        }
        smooth
    }

    /// Exposure and evenness.
    pub(super) fn light(&self) -> Light {
        let mut levels = Zeroizing::new(Vec::with_capacity(SIDE * SIDE));
        levels.extend(face_pixels().map(|at| self.grey[at]));
        let luminance = levels.iter().sum::<f32>() / levels.len() as f32;
        let at = levels.len() * 19 / 20;
        let (_, highlight, _) = levels.select_nth_unstable_by(at, f32::total_cmp);
        let [a, b] = CHEEKS.map(|columns| self.mean(columns));
        let contrast = EYES.iter().map(|&eye| self.deviation_around(eye) / luminance.max(1.0));
        Light {
            luminance,
            highlight: *highlight,
            saturated: self.saturated,
            uniformity: a.min(b) / a.max(b).max(1.0),
            eye_contrast: contrast.fold(f32::INFINITY, f32::min),
        }
    }

    /// Mean grey level of a cheek.
    fn mean(&self, columns: Range<usize>) -> f32 {
        let count = (columns.len() * CHEEK_ROWS.len()) as f32;
        CHEEK_ROWS.flat_map(|y| columns.clone().map(move |x| self.at(x, y))).sum::<f32>() / count
    }

    fn at(&self, x: usize, y: usize) -> f32 {
        self.grey[y * SIDE + x]
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

/// Indices of the pixels inside the face ellipse; all have neighbours as far as [`COARSE`].
fn face_pixels() -> impl Iterator<Item = usize> {
    (0..SIDE * SIDE).filter(|at| FACE.holds(at % SIDE, at / SIDE))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is measured of a face that is all of one colour.
    fn saturated(colour: [u8; 3]) -> f32 {
        let mut picture = Picture::default();
        picture.make_room(200, 200).as_chunks_mut::<3>().0.fill(colour);
        let eyes = [Point { x: 70.0, y: 80.0 }, Point { x: 130.0, y: 80.0 }];
        Patch::cut(eyes, &picture, &mut Warper::default()).unwrap().light().saturated
    }

    #[test]
    fn one_clipped_channel_saturates_a_pixel() {
        assert_eq!(saturated([SATURATED - 1; 3]), 0.0);
        for channel in 0..3 {
            let mut colour = [140, 150, 160];
            colour[channel] = SATURATED;
            assert_eq!(saturated(colour), 1.0, "{channel}");
        }
    }
}
