//! How hard a frame was compressed: by what its file says, and by the steps between 8x8 blocks that stay in its pixels.
//!
//! Must never know: limits. Invariant: a picture that was scaled, or cut off its grid, has no steps left; that it was
//! compressed once can then not be told.

use crate::{
    evidence::{Point, Rectangle},
    picture::Picture,
    segments,
};

/// Side of a block.
const BLOCK: usize = 8;
/// So many lines across the face are enough, and large pictures are not looked at pixel by pixel.
const LINES: usize = 160;

/// What compression left of a frame.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Compression {
    /// Mean step of the file's luminance quantisation table.
    pub(crate) luma_step: f32,
    /// Grey levels by which a step from block to block on the face is greater than the steps beside it.
    pub(crate) blockiness: f32,
}

impl Compression {
    /// Measures the file and the decoded picture where the face is.
    pub(super) fn of(jpeg: &[u8], picture: &Picture, points: &[Point]) -> Self {
        Self { luma_step: segments::luma_step(jpeg), blockiness: blockiness(picture, bounds(points)) }
    }
}

fn bounds(points: &[Point]) -> Rectangle {
    let empty =
        Rectangle { left: f32::INFINITY, top: f32::INFINITY, right: f32::NEG_INFINITY, bottom: f32::NEG_INFINITY };
    points.iter().fold(empty, |r, p| Rectangle {
        left: r.left.min(p.x),
        top: r.top.min(p.y),
        right: r.right.max(p.x),
        bottom: r.bottom.max(p.y),
    })
}

/// Mean over block edges inside the area, across and down; 0 where it holds none.
fn blockiness(picture: &Picture, area: Rectangle) -> f32 {
    let within = |from: f32, to: f32, side: usize| {
        let last = side.saturating_sub(2) as f32;
        (from.clamp(1.0, last.max(1.0)) as usize, to.clamp(1.0, last.max(1.0)) as usize)
    };
    let (left, right) = within(area.left, area.right, picture.width());
    let (top, bottom) = within(area.top, area.bottom, picture.height());
    let edges = |from: usize, to: usize| (from.div_ceil(BLOCK).max(1) * BLOCK..to.saturating_sub(1)).step_by(BLOCK);
    let green = |x: usize, y: usize| i32::from(picture.row(y)[3 * x + 1]);
    let across = |x: usize, y: usize| excess([x - 2, x - 1, x, x + 1].map(|x| green(x, y)));
    let down = |x: usize, y: usize| excess([y - 2, y - 1, y, y + 1].map(|y| green(x, y)));
    let (rows, columns) =
        (bottom.saturating_sub(top).div_ceil(LINES).max(1), right.saturating_sub(left).div_ceil(LINES).max(1));
    let mut mean = Mean::default();
    for y in (top..bottom).step_by(rows) {
        edges(left, right).for_each(|x| mean.add(across(x, y)));
    }
    let mut other = Mean::default();
    for y in edges(top, bottom) {
        (left..right).step_by(columns).for_each(|x| other.add(down(x, y)));
    }
    (mean.value() + other.value()) / 2.0
}

/// Twice how much greater the middle step is than the mean of its neighbours.
fn excess([a, b, c, d]: [i32; 4]) -> i64 {
    i64::from(2 * (c - b).abs() - (b - a).abs() - (d - c).abs())
}

#[derive(Default)]
struct Mean {
    doubled: i64,
    count: i64,
}

impl Mean {
    fn add(&mut self, doubled: i64) {
        self.doubled += doubled;
        self.count += 1;
    }

    fn value(&self) -> f32 {
        self.doubled as f32 / (2 * self.count.max(1)) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode;
    use image::{RgbImage, codecs::jpeg::JpegEncoder, imageops};

    fn textured() -> RgbImage {
        let mut state = 1_u32;
        RgbImage::from_fn(160, 120, |x, y| {
            let wave = (x as f32 / 9.0).sin() + (y as f32 / 7.0 + x as f32 / 31.0).sin();
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            image::Rgb([(120.0 + 40.0 * wave) as u8 + (state >> 24) as u8 % 9; 3])
        })
    }

    fn encoded(picture: &RgbImage, quality: u8) -> Vec<u8> {
        let mut bytes = Vec::new();
        JpegEncoder::new_with_quality(&mut bytes, quality).encode_image(picture).unwrap();
        bytes
    }

    fn measured(jpeg: &[u8]) -> Compression {
        let mut picture = Picture::default();
        decode::decode(jpeg, &mut picture).unwrap();
        Compression::of(jpeg, &picture, &[Point { x: 10.0, y: 10.0 }, Point { x: 150.0, y: 110.0 }])
    }

    #[test]
    fn steps_between_blocks_outlive_another_encoding_that_hides_the_table() {
        let fair = measured(&encoded(&textured(), 90));
        let hard = encoded(&textured(), 10);
        let hidden = measured(&encoded(&image::load_from_memory(&hard).unwrap().to_rgb8(), 90));
        assert!(fair.blockiness < 1.0, "{fair:?}");
        assert!(measured(&hard).blockiness > fair.blockiness + 2.0 && hidden.blockiness > fair.blockiness + 2.0);
        assert!(measured(&hard).luma_step > 150.0 && hidden.luma_step < 20.0, "{hidden:?}");
    }

    #[test]
    fn a_picture_cut_off_its_grid_hides_its_past_as_the_limits_say() {
        let hard = image::load_from_memory(&encoded(&textured(), 10)).unwrap().to_rgb8();
        let cut = imageops::crop_imm(&hard, 3, 5, 150, 110).to_image();
        let found = measured(&encoded(&cut, 90));
        assert!(found.blockiness < 1.0, "{found:?}");
    }

    #[test]
    fn faces_outside_tiny_pictures_and_points_that_are_no_numbers_have_no_steps() {
        let mut picture = Picture::default();
        for (width, height) in [(0, 0), (1, 1), (2, 9), (9, 2), (16, 16)] {
            picture.make_room(width, height).fill(7);
            for at in [-500.0, 0.0, 9.0, 500.0, f32::NAN] {
                assert_eq!(blockiness(&picture, bounds(&[Point { x: at, y: at }, Point { x: 90.0, y: at }])), 0.0);
            }
        }
    }
}
