//! Light on a face: exposure, evenness, how many grey levels there are, and contrast where the eyes are.
//!
//! Must never know: limits. Invariant: dividing by the face's mean or by the other cheek, evenness and contrast do not change
//! with exposure.

use super::patch::{EYES, Patch, SIDE, face_pixels};
use std::ops::Range;
use zeroize::Zeroizing;

/// Columns and rows of the outer cheeks.
const CHEEKS: [Range<usize>; 2] = [20..32, 64..76];
const CHEEK_ROWS: Range<usize> = 44..68;
/// Half the size of the window around each eye.
const EYE_HALF: (usize, usize) = (10, 6);
/// The window is looked at in its place and so far above: on covered eyes the landmarks slip to the cover's lower edge.
const EYE_LIFTS: [usize; 2] = [0, 8];
/// A pixel is saturated when one of its channels reaches this level: skin clips in red long before its grey level does.
const SATURATED: u8 = 253;

/// Light on a face; grey levels are 0 to 255.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Light {
    /// Mean grey level.
    pub(crate) luminance: f32,
    /// Grey level that a twentieth of the face exceeds.
    pub(crate) highlight: f32,
    /// Share of pixels with a saturated channel.
    pub(crate) saturated: f32,
    /// Entropy of the grey levels in bits (ISO/IEC 29794-5 dynamic range).
    pub(crate) dynamic_range: f32,
    /// Mean of the darker cheek over mean of the brighter one.
    pub(crate) uniformity: f32,
    /// Deviation at the eyes over the mean, the worse eye.
    pub(crate) eye_contrast: f32,
}

impl Light {
    /// Measures the patch.
    pub(super) fn of(patch: &Patch) -> Self {
        let mut levels = Zeroizing::new(Vec::with_capacity(SIDE * SIDE));
        levels.extend(face_pixels().map(|at| patch.grey[at]));
        let luminance = levels.iter().sum::<f32>() / levels.len() as f32;
        let at = levels.len() * 19 / 20;
        let dynamic_range = entropy(&levels);
        let (_, highlight, _) = levels.select_nth_unstable_by(at, f32::total_cmp);
        let [a, b] = CHEEKS.map(|columns| mean(patch, columns));
        let windows = EYES.iter().flat_map(|&eye| EYE_LIFTS.map(|lift| deviation_around(patch, eye, lift)));
        Self {
            luminance,
            highlight: *highlight,
            saturated: saturated(patch),
            dynamic_range,
            uniformity: a.min(b) / a.max(b).max(1.0),
            eye_contrast: windows.fold(f32::INFINITY, f32::min) / luminance.max(1.0),
        }
    }
}

/// Share of the face's pixels with a saturated channel.
fn saturated(patch: &Patch) -> f32 {
    let pixels = patch.colour.pixels().as_chunks::<3>().0;
    let clips = |at: &usize| pixels[*at].iter().any(|level| *level >= SATURATED);
    face_pixels().filter(clips).count() as f32 / face_pixels().count() as f32
}

/// Entropy of the histogram of 256 levels, in bits.
fn entropy(levels: &[f32]) -> f32 {
    let mut histogram = [0_u32; 256];
    for level in levels {
        histogram[level.round().clamp(0.0, 255.0) as usize] += 1;
    }
    let share = |count: &u32| *count as f32 / levels.len() as f32;
    histogram.iter().filter(|count| **count > 0).map(share).map(|share| -share * share.log2()).sum()
}

/// Mean grey level of a cheek.
fn mean(patch: &Patch, columns: Range<usize>) -> f32 {
    let count = (columns.len() * CHEEK_ROWS.len()) as f32;
    CHEEK_ROWS.flat_map(|y| columns.clone().map(move |x| patch.grey[y * SIDE + x])).sum::<f32>() / count
}

/// Standard deviation in the window around an eye.
fn deviation_around(patch: &Patch, eye: (f64, f64), lift: usize) -> f32 {
    let (x, y) = (eye.0 as usize, eye.1 as usize - lift);
    let (mut count, mut sum, mut square) = (0.0, 0.0, 0.0);
    for v in y - EYE_HALF.1..=y + EYE_HALF.1 {
        for level in &patch.grey[v * SIDE + x - EYE_HALF.0..=v * SIDE + x + EYE_HALF.0] {
            count += 1.0;
            sum += level;
            square += level * level;
        }
    }
    let mean: f32 = sum / count;
    (square / count - mean * mean).max(0.0).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{evidence::Point, picture::Picture, resample::Warper};

    /// What is measured of a face whose pixels are painted; the patch's own pixels, as eyes are 40 pixels apart.
    fn light(paint: impl Fn(usize, usize) -> [u8; 3]) -> Light {
        let mut picture = Picture::default();
        let pixels = picture.make_room(SIDE, SIDE).as_chunks_mut::<3>().0;
        for (at, pixel) in pixels.iter_mut().enumerate() {
            *pixel = paint(at % SIDE, at / SIDE);
        }
        let eyes = EYES.map(|(x, y)| Point { x: x as f32, y: y as f32 });
        Light::of(&Patch::cut(eyes, &picture, &mut Warper::default()).unwrap())
    }

    #[test]
    fn one_clipped_channel_saturates_a_pixel() {
        assert_eq!(light(|_, _| [SATURATED - 1; 3]).saturated, 0.0);
        for channel in 0..3 {
            let mut colour = [140, 150, 160];
            colour[channel] = SATURATED;
            assert_eq!(light(|_, _| colour).saturated, 1.0, "{channel}");
        }
    }

    #[test]
    fn dynamic_range_is_the_entropy_of_grey_levels_in_bits() {
        assert_eq!(light(|_, _| [90; 3]).dynamic_range, 0.0);
        let columns = |levels: usize| light(|x, _| [(x % levels * (128 / levels)) as u8; 3]).dynamic_range;
        for bits in 1..=4 {
            let found = columns(1 << bits);
            assert!((found - bits as f32).abs() < 0.05, "{bits}: {found}");
        }
    }

    #[test]
    fn eyes_below_a_cover_have_no_contrast_even_where_landmarks_lie_on_its_edge() {
        let eye = |x: usize, y: usize| EYES.iter().any(|e| (e.0 - x as f64).hypot(e.1 - y as f64) < 5.0);
        let brow = |y: usize| (24..28).contains(&y);
        let open = |x, y| if eye(x, y) || brow(y) { [40; 3] } else { [150; 3] };
        assert!(light(open).eye_contrast > 0.15);
        for edge in [37, 40, 60] {
            let covered = light(|x, y| if (10..edge).contains(&y) { [38; 3] } else { open(x, y) });
            assert!(covered.eye_contrast < 0.01, "{edge}: {}", covered.eye_contrast);
        }
    }
}
