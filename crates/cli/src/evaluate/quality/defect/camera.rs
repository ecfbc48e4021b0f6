//! What a camera does to a whole frame: it moves while the shutter is open, or light falls into its lens.
//!
//! Must never know: faces, limits of the gate. Invariant: equal inputs give equal frames.

use image::{Rgb, RgbImage};

/// Way of the camera in pixels of a frame on which the eyes are about 80 pixels apart: a quarter of the inter-eye distance.
const WAY_PX: f32 = 20.0;
/// Contrast that a veil leaves.
const VEILED: f32 = 0.15;
/// Grey level of the veil.
const VEIL: f32 = 150.0;
/// A sensor adds its noise once light has been blurred: so many grey levels to either side.
const NOISE: i32 = 4;

/// The mean along a line in a direction that the seed draws.
pub(super) fn moved(frame: &RgbImage, seed: u64) -> RgbImage {
    let (width, height) = frame.dimensions();
    let (sin, cos) = ((seed % 180) as f32).to_radians().sin_cos();
    let steps = WAY_PX as i32 / 2;
    let mut state = seed | 1;
    RgbImage::from_fn(width, height, |x, y| {
        let mut sum = [0.0_f32; 3];
        for step in -steps..=steps {
            let at = |from: u32, way: f32, side: u32| (from as f32 + way).round().clamp(0.0, side as f32 - 1.0) as u32;
            let pixel = frame.get_pixel(at(x, cos * step as f32, width), at(y, sin * step as f32, height));
            for (sum, level) in sum.iter_mut().zip(pixel.0) {
                *sum += f32::from(level);
            }
        }
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let noise = ((state >> 33) % (2 * NOISE as u64 + 1)) as i32 - NOISE;
        Rgb(sum.map(|sum| (sum / (2 * steps + 1) as f32 + noise as f32).clamp(0.0, 255.0) as u8))
    })
}

/// Every level drawn towards that of the veil.
pub(super) fn veiled(mut frame: RgbImage) -> RgbImage {
    for level in frame.iter_mut() {
        *level = (VEIL + VEILED * (f32::from(*level) - VEIL)).round() as u8;
    }
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moving_camera_smears_in_its_direction_alone() {
        let stripes = |across: bool| {
            RgbImage::from_fn(120, 120, |x, y| {
                Rgb([if (if across { x } else { y }) / 4 % 2 == 0 { 40 } else { 200 }; 3])
            })
        };
        let spread = |frame: &RgbImage| {
            let levels = (20..100).flat_map(|y| (20..100).map(move |x| frame.get_pixel(x, y).0[0]));
            levels.clone().max().unwrap_or(0) - levels.min().unwrap_or(0)
        };
        // Seed 180 moves it to the side.
        assert!(spread(&moved(&stripes(true), 180)) < 60, "smeared");
        assert!(spread(&moved(&stripes(false), 180)) > 140, "kept");
    }

    #[test]
    fn a_veil_takes_contrast_and_leaves_its_own_level() {
        let frame = RgbImage::from_fn(2, 1, |x, _| Rgb([if x == 0 { 0 } else { 250 }; 3]));
        let veiled = veiled(frame);
        assert_eq!((veiled.get_pixel(0, 0).0[0], veiled.get_pixel(1, 0).0[0]), (128, 165));
    }
}
