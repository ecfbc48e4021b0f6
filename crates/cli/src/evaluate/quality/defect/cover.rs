//! What a person wears: a bar over the eyes, a mask over mouth and chin.
//!
//! Must never know: limits of the gate. Invariant: pixels outside the cover stay as they are.

use image::{Rgb, RgbImage, imageops};
use vision::Point;

/// Corners of both eyes in the mesh.
const EYES: [usize; 4] = [33, 133, 362, 263];
/// Outline of a mask in the mesh: along the jaw from ear to ear, and back over cheeks and nose.
const MASK: [usize; 22] =
    [93, 132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361, 323, 280, 195, 50];
/// Surgical blue, white, black, sage, navy.
const CLOTHS: [[f32; 3]; 5] =
    [[150.0, 190.0, 212.0], [225.0, 226.0, 222.0], [36.0, 36.0, 40.0], [120.0, 140.0, 118.0], [48.0, 58.0, 96.0]];
/// Mean grey level of a face in the light in which cloths have these levels.
const FAIR_LIGHT: f32 = 140.0;
/// Folds from nose to chin, and how much darker their bottoms are.
const FOLDS: (f32, f32) = (4.0, 0.12);

/// A dark bar over the eyes, as wide as the face between the temples.
pub(super) fn eyes(mut frame: RgbImage, points: &[Point]) -> RgbImage {
    let eyes = EYES.map(|at| points[at]);
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

/// A cloth with folds, in the light that falls on the face below it.
pub(super) fn mask(mut frame: RgbImage, points: &[Point], kind: usize) -> RgbImage {
    let outline = MASK.map(|at| points[at]);
    let (top, bottom) = (points[195].y, points[152].y);
    let light = imageops::fast_blur(&imageops::grayscale(&frame), (bottom - top).abs().max(8.0) / 4.0);
    let cloth = CLOTHS[kind % CLOTHS.len()];
    for (u, v, pixel) in frame.enumerate_pixels_mut() {
        let (x, y) = (u as f32, v as f32);
        if holds(&outline, x, y) {
            let fold =
                1.0 - FOLDS.1 * (0.5 + 0.5 * ((y - top) / (bottom - top) * FOLDS.0 * std::f32::consts::TAU).cos());
            let light = f32::from(light.get_pixel(u, v).0[0]) / FAIR_LIGHT * fold;
            *pixel = Rgb(cloth.map(|level| (level * light).clamp(0.0, 255.0) as u8));
        }
    }
    frame
}

/// Whether a point lies inside an outline (even-odd rule).
fn holds(outline: &[Point], x: f32, y: f32) -> bool {
    let mut inside = false;
    for (at, a) in outline.iter().enumerate() {
        let b = outline[(at + 1) % outline.len()];
        if (a.y > y) != (b.y > y) && x < (b.x - a.x) * (y - a.y) / (b.y - a.y) + a.x {
            inside = !inside;
        }
    }
    inside
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A mesh whose named points stand as on a face 100 pixels wide.
    fn points() -> Vec<Point> {
        let mut points = vec![Point { x: 50.0, y: 40.0 }; 468];
        for (at, x) in EYES.into_iter().zip([20.0, 40.0, 60.0, 80.0]) {
            points[at] = Point { x, y: 40.0 };
        }
        for (place, at) in MASK.into_iter().enumerate() {
            let angle = (place as f32 / MASK.len() as f32 * 360.0 + 180.0).to_radians();
            points[at] = Point { x: 50.0 + 30.0 * angle.cos(), y: 80.0 - 20.0 * angle.sin() };
        }
        points
    }

    #[test]
    fn covers_hide_what_is_below_and_nothing_else() {
        let plain = RgbImage::from_pixel(100, 120, Rgb([200; 3]));
        let bar = eyes(plain.clone(), &points());
        assert_eq!((bar.get_pixel(50, 40).0[0], bar.get_pixel(50, 80).0[0]), (38, 200));
        for kind in 0..CLOTHS.len() {
            let mask = mask(plain.clone(), &points(), kind);
            assert_eq!(mask.get_pixel(50, 40).0, [200; 3]);
            assert_ne!(mask.get_pixel(50, 80).0, [200; 3], "{kind}");
        }
    }
}
