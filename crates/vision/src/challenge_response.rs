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

/// Mesh points at the corners of each region, in the order of `Region::ALL`: left and right above, right and left below as
/// the picture shows them. The mesh follows the skin, so a region holds the same skin in every frame.
const REGIONS: [[usize; 4]; 8] = [
    [108, 337, 336, 107],
    [117, 101, 205, 187],
    [330, 346, 411, 425],
    [196, 419, 275, 45],
    [45, 275, 274, 44],
    [201, 421, 396, 171],
    [116, 117, 187, 147],
    [346, 345, 376, 411],
];
/// Samples per side of a region.
const REGION_SAMPLES: usize = 12;
/// Levels from here on are clipped or nearly so. They stay in the mean, or a region would lose its brightest samples as
/// light rises and seem to darken; the answer to light is then smaller, but not another.
const CLIPPED: u8 = 250;
/// A region counts when at least this share of its samples is not clipped.
const MIN_USABLE: f32 = 0.5;
/// ... and this share is inside the picture.
const MIN_INSIDE: f32 = 0.6;
/// Mean linear light of a channel from which it can be measured: 5 grey levels.
const MIN_LIGHT: f32 = 0.0015;
/// Every that many pixels a grid cell is sampled, in both directions. Odd, so as not to fall in step with 8x8 blocks.
const GRID_STRIDE: usize = 5;
/// A turn by this many degrees puts a region out of sight or at a slant too flat to measure: towards the subject's left the
/// left cheek and side, and the other way round. In the order of `Region::ALL`.
const LARGEST_TURN: [f32; 8] = [90.0, -12.0, 12.0, 90.0, 90.0, 90.0, -6.0, 6.0];
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
    let in_sight = |i: usize| pose.yaw * LARGEST_TURN[i].signum() <= LARGEST_TURN[i].abs();
    let region = |i: usize| {
        let measured = || mean_light(picture, REGIONS[i].map(|point| face.points[point]));
        in_sight(i).then(measured).flatten()
    };
    FaceObservation {
        regions: std::array::from_fn(region),
        yaw_deg: pose.yaw,
        pitch_deg: pose.pitch,
        centre: [(right[0] + left[0]) / 2.0, (right[1] + left[1]) / 2.0],
        inter_eye_px,
        points,
    }
}

/// Mean linear light inside four corners; `None` where too much of it is clipped, dark or outside.
fn mean_light(picture: &Picture, [a, b, c, d]: [Point; 4]) -> Option<Colour> {
    let table = &*LINEAR;
    let (mut sum, mut seen, mut usable) = ([0.0_f32; 3], 0_u32, 0_u32);
    let part = |i: usize| (i as f32 + 0.5) / REGION_SAMPLES as f32;
    let blend = |p: f32, q: f32, t: f32| p + (q - p) * t;
    for down in (0..REGION_SAMPLES).map(part) {
        let from = (blend(a.x, d.x, down), blend(a.y, d.y, down));
        let to = (blend(b.x, c.x, down), blend(b.y, c.y, down));
        for right in (0..REGION_SAMPLES).map(part) {
            let (x, y) = (blend(from.0, to.0, right), blend(from.1, to.1, right));
            let Some(pixel) = pixel_at(picture, x, y) else { continue };
            seen += 1;
            usable += u32::from(pixel.iter().all(|level| *level < CLIPPED));
            sum.iter_mut().zip(pixel).for_each(|(total, level)| *total += table[usize::from(level)]);
        }
    }
    let all = (REGION_SAMPLES * REGION_SAMPLES) as f32;
    let enough = seen as f32 >= MIN_INSIDE * all && usable as f32 >= MIN_USABLE * all;
    let mean = sum.map(|total| total / seen.max(1) as f32);
    (enough && mean.iter().all(|light| *light >= MIN_LIGHT)).then_some(mean)
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

    fn square(x: f32, y: f32, side: f32) -> [Point; 4] {
        [(0.0, 0.0), (side, 0.0), (side, side), (0.0, side)].map(|(dx, dy)| Point { x: x + dx, y: y + dy })
    }

    #[test]
    fn light_is_linear_and_clipped_dark_or_outer_regions_are_not_measured() {
        let half = picture(64, 48, |_, _| [188, 188, 188]);
        let light = mean_light(&half, square(20.0, 20.0, 10.0)).unwrap();
        assert!(light.iter().all(|v| (v - 0.503).abs() < 0.002), "{light:?}");
        assert_eq!(mean_light(&picture(64, 48, |_, _| [255, 100, 100]), square(20.0, 20.0, 10.0)), None);
        assert_eq!(mean_light(&picture(64, 48, |_, _| [100, 100, 2]), square(20.0, 20.0, 10.0)), None);
        assert_eq!(mean_light(&half, square(-6.0, 20.0, 10.0)), None, "more than half lies outside");
        assert_eq!(mean_light(&half, square(f32::NAN, 20.0, 10.0)), None);
        let left_is_dark = picture(64, 48, |x, _| if x < 24 { [0; 3] } else { [188; 3] });
        let mean = mean_light(&left_is_dark, square(20.0, 20.0, 10.0)).unwrap();
        assert!((mean[0] - 0.503 * 0.6).abs() < 0.06, "{mean:?}");
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
