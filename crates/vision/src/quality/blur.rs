//! Blur: how much fine detail is left, and whether it is missing in one direction only.
//!
//! Must never know: limits. Invariant: all is relative to coarser detail of the same face, so contrast and exposure cancel out.

use super::patch::{Patch, SIDE, face_pixels};
use zeroize::Zeroizing;

/// Distances of second differences.
const FINE: usize = 2;
const COARSE: usize = 6;
/// Half the distance of the slopes that fine ones are held against.
const COARSE_SLOPE: usize = 3;
/// Faces have more fine slopes downwards (lids, brows, lips) than across: the root of the mean ratio on sharp frames.
const DOWNWARD: f32 = 1.11;

/// Fine detail left on a face.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Blur {
    /// Fine differences over coarse ones in the worse of the two directions of the patch.
    pub(crate) sharpness: f32,
    /// Energy of fine slopes over that of coarse ones, in whatever direction it is least.
    pub(crate) least_detail: f32,
    /// The same in the direction in which it is most, over the least: motion smears one direction and leaves the other.
    pub(crate) directedness: f32,
}

impl Blur {
    /// Measures the patch.
    pub(super) fn of(patch: &Patch) -> Self {
        let smooth = neighbourhoods(&patch.grey);
        let coarser = neighbourhoods(&smooth);
        let detail = Zeroizing::new(smooth.iter().zip(coarser.iter()).map(|(a, b)| a - b).collect::<Vec<_>>());
        let (fine, coarse) = (Tensor::of(&detail, 1, DOWNWARD), Tensor::of(&smooth, COARSE_SLOPE, 1.0));
        let [least, most] = fine.extremes_over(coarse);
        Self { sharpness: sharpness(&smooth), least_detail: least, directedness: most / least.max(f32::MIN_POSITIVE) }
    }
}

/// Energy of second differences over 2 pixels, relative to that over 6, on the lightly smoothed patch; of the two
/// directions the worse one.
///
/// Blur takes the fine differences and leaves the coarse ones, contrast and exposure cancel out, noise is mostly smoothed
/// away.
fn sharpness(smooth: &[f32]) -> f32 {
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
fn neighbourhoods(levels: &[f32]) -> Zeroizing<Vec<f32>> {
    let mut means = Zeroizing::new(vec![0.0; SIDE * SIDE]);
    for y in 1..SIDE - 1 {
        for x in 1..SIDE - 1 {
            let row = |dy: usize| levels[(y + dy - 1) * SIDE + x - 1..][..3].iter().sum::<f32>();
            means[y * SIDE + x] = (row(0) + row(1) + row(2)) / 9.0;
        }
    }
    means
}

/// Energy of slopes by direction: u' T u along the unit vector u (structure tensor).
#[derive(Clone, Copy)]
struct Tensor {
    xx: f32,
    xy: f32,
    yy: f32,
}

impl Tensor {
    /// Sums over the face; slopes downwards are divided by `downward`.
    fn of(levels: &[f32], reach: usize, downward: f32) -> Self {
        let mut sum = Self { xx: 0.0, xy: 0.0, yy: 0.0 };
        for at in face_pixels() {
            let x = levels[at + reach] - levels[at - reach];
            let y = (levels[at + reach * SIDE] - levels[at - reach * SIDE]) / downward;
            sum.xx += x * x;
            sum.xy += x * y;
            sum.yy += y * y;
        }
        sum
    }

    /// Least and greatest ratio of this energy to another over all directions: the generalised eigenvalues.
    fn extremes_over(self, other: Self) -> [f32; 2] {
        let square = (other.xx * other.yy - other.xy * other.xy).max(1.0);
        let half = (self.xx * other.yy + self.yy * other.xx - 2.0 * self.xy * other.xy) / 2.0;
        let last = self.xx * self.yy - self.xy * self.xy;
        let root = (half * half - square * last).max(0.0).sqrt();
        [half - root, half + root].map(|value| (value / square).max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{evidence::Point, picture::Picture, quality::patch::EYES, resample::Warper};

    /// Blots of every size, smeared by the mean over `way` pixels each way along (`x`, `y`).
    fn blur(way: i32, (x, y): (i32, i32)) -> Blur {
        let mut picture = Picture::default();
        let side = SIDE as i32;
        let blots = |u: i32, v: i32| {
            let mut sum = 0.0;
            for size in [2, 3, 5, 9] {
                let (a, b) = (u.div_euclid(size) as u32, v.div_euclid(size) as u32);
                let hash = (a.wrapping_mul(73_856_093) ^ b.wrapping_mul(19_349_663)).wrapping_mul(2_654_435_761);
                sum += (hash >> 24) as f32 / 4.0;
            }
            sum
        };
        let pixels = picture.make_room(SIDE, SIDE).as_chunks_mut::<3>().0;
        for (at, pixel) in pixels.iter_mut().enumerate() {
            let (u, v) = (at as i32 % side, at as i32 / side);
            let sum: f32 = (-way..=way).map(|step| blots(u + step * x, v + step * y)).sum();
            *pixel = [(sum / (2 * way + 1) as f32) as u8; 3];
        }
        let eyes = EYES.map(|(x, y)| Point { x: x as f32, y: y as f32 });
        Blur::of(&Patch::cut(eyes, &picture, &mut Warper::default()).unwrap())
    }

    #[test]
    fn motion_in_any_direction_leaves_less_detail_in_one_than_in_the_other() {
        let still = blur(0, (1, 0));
        assert!(still.directedness < 1.6, "{still:?}");
        for direction in [(1, 0), (0, 1), (1, 1), (1, -1)] {
            let moved = blur(4, direction);
            assert!(moved.least_detail < still.least_detail / 2.0, "{direction:?}: {moved:?} {still:?}");
            assert!(moved.directedness > 2.0 * still.directedness, "{direction:?}: {moved:?} {still:?}");
        }
    }

    #[test]
    fn the_extremes_are_those_over_all_directions() {
        let (fine, coarse) = (Tensor { xx: 3.0, xy: 1.0, yy: 2.0 }, Tensor { xx: 20.0, xy: -4.0, yy: 30.0 });
        let along = |t: Tensor, (sin, cos): (f32, f32)| t.xx * cos * cos + 2.0 * t.xy * sin * cos + t.yy * sin * sin;
        let ratios = (0..3600).map(|tenth| (tenth as f32 / 20.0).to_radians().sin_cos());
        let ratios: Vec<f32> = ratios.map(|to| along(fine, to) / along(coarse, to)).collect();
        let [least, most] = fine.extremes_over(coarse);
        assert!((ratios.iter().copied().fold(f32::INFINITY, f32::min) - least).abs() < 1e-4);
        assert!((ratios.iter().copied().fold(0.0, f32::max) - most).abs() < 1e-4);
    }
}
