//! Measurements for gate 4: linear light on the face and around it, and where the head is.
//!
//! Must never know: the script. Invariant: nothing here judges, and no region is measured where the sensor clips.

use crate::{
    evidence::{Face, Point, Pose},
    picture::Picture,
};
use biometrics::observation::{Colour, FaceObservation, GRID_COLUMNS, GRID_ROWS};
use std::sync::LazyLock;
use zeroize::Zeroizing;

/// Mesh points at the middle of each region, in the order of `Region::ALL`.
const REGION_POINTS: [usize; 8] = [151, 50, 280, 195, 4, 199, 123, 352];
/// Half the side of a region's square, in inter-eye distances; the sides of the face are seen at a slant.
const REGION_HALF: [f32; 8] = [0.14, 0.14, 0.14, 0.08, 0.08, 0.10, 0.08, 0.08];
/// Samples per side of a region's square.
const REGION_SAMPLES: usize = 12;
/// Levels outside which a pixel says little about light.
const USABLE: std::ops::RangeInclusive<u8> = 3..=250;
/// A region counts when at least this share of its samples is usable.
const MIN_USABLE: f32 = 0.6;
/// Every that many pixels a grid cell is sampled, in both directions. Odd, so as not to fall in step with 8x8 blocks.
const GRID_STRIDE: usize = 5;
/// Corners of the right and the left eye.
const EYES: [[usize; 2]; 2] = [[33, 133], [362, 263]];

/// sRGB (IEC 61966-2-1) levels as linear light.
static LINEAR: LazyLock<[f32; 256]> = LazyLock::new(|| {
    let decode = |v: f32| if v <= 0.040_45 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) };
    std::array::from_fn(|level| decode(level as f32 / 255.0))
});

/// Measures a face.
pub(crate) fn observe_face(face: &Face, pose: Pose, picture: &Picture) -> FaceObservation {
    let points: Vec<[f32; 3]> = face.points.iter().zip(&face.depth).map(|(p, &z)| [p.x, p.y, z]).collect();
    let points = Zeroizing::new(points);
    let [right, left] = EYES.map(|[a, b]| [0, 1, 2].map(|i| (points[a][i] + points[b][i]) / 2.0));
    let inter_eye_px = (0..3).map(|i| (left[i] - right[i]) * (left[i] - right[i])).sum::<f32>().sqrt();
    let region = |i: usize| mean_light(picture, face.points[REGION_POINTS[i]], REGION_HALF[i] * inter_eye_px);
    FaceObservation {
        regions: std::array::from_fn(region),
        yaw_deg: pose.yaw,
        pitch_deg: pose.pitch,
        centre: [(right[0] + left[0]) / 2.0, (right[1] + left[1]) / 2.0],
        inter_eye_px,
        points,
    }
}

/// Mean linear light of a square around a point; `None` where too much of it is clipped or outside.
fn mean_light(picture: &Picture, centre: Point, half: f32) -> Option<Colour> {
    let table = &*LINEAR;
    let (mut sum, mut usable) = ([0.0_f32; 3], 0_u32);
    let place = |i: usize| ((i as f32 + 0.5) / REGION_SAMPLES as f32 * 2.0 - 1.0) * half;
    for j in 0..REGION_SAMPLES {
        for i in 0..REGION_SAMPLES {
            let Some(pixel) = pixel_at(picture, centre.x + place(i), centre.y + place(j)) else { continue };
            if pixel.iter().all(|level| USABLE.contains(level)) {
                usable += 1;
                sum.iter_mut().zip(pixel).for_each(|(total, level)| *total += table[usize::from(level)]);
            }
        }
    }
    let enough = usable as f32 >= MIN_USABLE * (REGION_SAMPLES * REGION_SAMPLES) as f32;
    enough.then(|| sum.map(|total| total / usable as f32))
}

fn pixel_at(picture: &Picture, x: f32, y: f32) -> Option<[u8; 3]> {
    let inside = x >= 0.0 && y >= 0.0 && x + 0.5 < picture.width() as f32 && y + 0.5 < picture.height() as f32;
    if !inside {
        return None;
    }
    let row = picture.row((y + 0.5) as usize);
    row.as_chunks::<3>().0.get((x + 0.5) as usize).copied()
}

/// Mean linear light of the cells of a grid over the whole picture, row by row.
pub(crate) fn observe_grid(picture: &Picture) -> Vec<Colour> {
    let table = &*LINEAR;
    let cells = GRID_COLUMNS * GRID_ROWS;
    let (mut sums, mut counts) = (vec![[0.0_f32; 3]; cells], vec![0_u32; cells]);
    let (width, height) = (picture.width(), picture.height());
    for y in (GRID_STRIDE / 2..height).step_by(GRID_STRIDE) {
        let line = y * GRID_ROWS / height * GRID_COLUMNS;
        let row = picture.row(y).as_chunks::<3>().0;
        for x in (GRID_STRIDE / 2..width).step_by(GRID_STRIDE) {
            let cell = line + x * GRID_COLUMNS / width;
            counts[cell] += 1;
            let pixel = row[x];
            sums[cell].iter_mut().zip(pixel).for_each(|(total, level)| *total += table[usize::from(level)]);
        }
    }
    sums.iter().zip(&counts).map(|(sum, &n)| sum.map(|total| total / n.max(1) as f32)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(width: usize, height: usize, colour: impl Fn(usize, usize) -> [u8; 3]) -> Picture {
        let mut picture = Picture::default();
        let pixels = picture.make_room(width, height);
        for (at, pixel) in pixels.as_chunks_mut::<3>().0.iter_mut().enumerate() {
            *pixel = colour(at % width, at / width);
        }
        picture
    }

    #[test]
    fn light_is_linear_and_clipped_regions_are_not_measured() {
        let half = picture(64, 48, |_, _| [188, 188, 188]);
        let light = mean_light(&half, Point { x: 30.0, y: 20.0 }, 5.0).unwrap();
        assert!(light.iter().all(|v| (v - 0.503).abs() < 0.002), "{light:?}");
        let white = picture(64, 48, |_, _| [255, 100, 100]);
        assert_eq!(mean_light(&white, Point { x: 30.0, y: 20.0 }, 5.0), None);
        assert_eq!(mean_light(&half, Point { x: 0.0, y: 0.0 }, 5.0), None, "three quarters lie outside");
        assert_eq!(mean_light(&half, Point { x: f32::NAN, y: 0.0 }, 5.0), None);
    }

    #[test]
    fn grid_cells_follow_the_picture_row_by_row() {
        let right_is_white = picture(160, 120, |x, _| if x < 80 { [0; 3] } else { [255; 3] });
        let grid = observe_grid(&right_is_white);
        assert_eq!(grid.len(), GRID_COLUMNS * GRID_ROWS);
        for (at, cell) in grid.iter().enumerate() {
            assert_eq!(*cell, if at % GRID_COLUMNS < GRID_COLUMNS / 2 { [0.0; 3] } else { [1.0; 3] });
        }
        assert_eq!(observe_grid(&picture(3, 3, |_, _| [9; 3])).len(), GRID_COLUMNS * GRID_ROWS);
    }
}
