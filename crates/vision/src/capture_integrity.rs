//! Measurements for gate 1: how a file is coded, how noisy a picture is, and what of it stands still.
//!
//! Must never know: offsets, the script. Invariant: nothing here judges.

use crate::{
    evidence::{Point, Rectangle},
    picture::Picture,
    segments::{DQT, SOF, Segments},
};
use ring::digest::{Context, SHA256};
use std::{f32::consts::PI, ops::Range};

/// Application segments.
const APP: Range<u8> = 0xe0..0xf0;
/// Bytes of an application segment that name its kind.
const APP_NAME: usize = 5;

/// Digest of how a JPEG file is coded: the order of its segments, quantisation tables, component sampling, and the kinds of
/// its application segments. Not the picture's size, Huffman tables (some encoders fit them to each picture) or text.
pub(crate) fn encoding(jpeg: &[u8]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    for (marker, body) in Segments::of(jpeg) {
        context.update(&[marker]);
        match marker {
            DQT => context.update(body),
            // Precision and size lead; the components follow.
            m if SOF.contains(&m) => context.update(body.get(5..).unwrap_or_default()),
            m if APP.contains(&m) => context.update(body.get(..APP_NAME).unwrap_or(body)),
            _ => {}
        }
    }
    let mut digest = [0; 32];
    digest.copy_from_slice(context.finish().as_ref());
    digest
}

/// Every that many rows noise is measured.
const ROW_STEP: usize = 3;
/// Blocks of that many pixels a side are measured one by one.
const BLOCK: usize = 32;
/// The flatter blocks, which hold noise rather than texture, end at this share of all.
const FLAT_SHARE: f32 = 0.3;
/// Means outside are clipped or crushed, and so is their noise.
const MEASURABLE: Range<f32> = 20.0..235.0;

/// Standard deviation of noise in grey levels: Immerkær's operator (CVIU 64, 1996), which no plane or edge of constant slope
/// excites, over the flatter blocks. 0 where no block can be measured.
pub(crate) fn noise(picture: &Picture) -> f32 {
    let mut levels = Vec::new();
    for top in (1..picture.height().saturating_sub(BLOCK)).step_by(BLOCK) {
        for left in (1..picture.width().saturating_sub(BLOCK)).step_by(BLOCK) {
            levels.extend(block_noise(picture, left, top));
        }
    }
    if levels.is_empty() {
        return 0.0;
    }
    let at = ((levels.len() - 1) as f32 * FLAT_SHARE) as usize;
    *levels.select_nth_unstable_by(at, f32::total_cmp).1
}

fn block_noise(picture: &Picture, left: usize, top: usize) -> Option<f32> {
    let (mut sum, mut mean, mut count) = (0_u32, 0_u32, 0_u32);
    for y in (top..top + BLOCK - 1).step_by(ROW_STEP) {
        let [above, here, below] =
            [y - 1, y, y + 1].map(|y| &picture.row(y).as_chunks::<3>().0[left - 1..left + BLOCK]);
        for x in 1..BLOCK {
            let second =
                |row: &[[u8; 3]]| i32::from(row[x - 1][1]) - 2 * i32::from(row[x][1]) + i32::from(row[x + 1][1]);
            sum += (second(above) - 2 * second(here) + second(below)).unsigned_abs();
            mean += u32::from(here[x][1]);
            count += 1;
        }
    }
    let mean = mean as f32 / count as f32;
    MEASURABLE.contains(&mean).then(|| (PI / 2.0).sqrt() / 6.0 * sum as f32 / count as f32)
}

/// A reduced picture kept to compare the next one with.
pub(crate) struct Still {
    pixels: Picture,
    /// What the face and what moves with it covers, in pixels of the reduced picture.
    face: Option<Rectangle>,
}

/// Around the face by this share of its size stands what moves with the head.
const FACE_MARGIN: f32 = 0.8;
/// Levels that may change when they change at all: black bars and clipped lamps are the same in every frame.
const MOVING: Range<u8> = 8..248;
/// Fewer pixels than this say nothing.
const MIN_COMPARED: u32 = 500;

impl Still {
    /// Copies the detector's reduced picture, `side` pixels square. `face` is in pixels of the full picture.
    pub(crate) fn of(reduced: &[u8], side: usize, face: Option<Rectangle>, full: &Picture) -> Self {
        let mut pixels = Picture::default();
        pixels.make_room(side, side).copy_from_slice(reduced);
        let (width, height) = (full.width() as f32, full.height() as f32);
        let scale = side as f32 / width.max(height);
        let shift = Point { x: (side as f32 - width * scale) / 2.0, y: (side as f32 - height * scale) / 2.0 };
        let face = face.map(|f| {
            let (w, h) = (f.width() * FACE_MARGIN, f.height() * FACE_MARGIN);
            Rectangle {
                left: (f.left - w) * scale + shift.x,
                top: (f.top - h) * scale + shift.y,
                right: (f.right + w) * scale + shift.x,
                // Neck and shoulders move too.
                bottom: side as f32,
            }
        });
        Self { pixels, face }
    }

    /// Share of the pixels around the face that are exactly alike in both; `None` where too few can be compared.
    pub(crate) fn unchanged(&self, before: &Self) -> Option<f32> {
        let side = self.pixels.width();
        let (mut alike, mut compared) = (0_u32, 0_u32);
        for y in 0..side {
            let rows = self.pixels.row(y).as_chunks::<3>().0.iter().zip(before.pixels.row(y).as_chunks::<3>().0);
            for (x, (now, then)) in rows.enumerate() {
                let moves = now.iter().any(|level| MOVING.contains(level));
                if moves && !self.covers(x, y) && !before.covers(x, y) {
                    compared += 1;
                    alike += u32::from(now == then);
                }
            }
        }
        (compared >= MIN_COMPARED).then(|| alike as f32 / compared as f32)
    }

    fn covers(&self, x: usize, y: usize) -> bool {
        let (x, y) = (x as f32, y as f32);
        self.face.is_some_and(|f| (f.left..=f.right).contains(&x) && (f.top..=f.bottom).contains(&y))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{RgbImage, codecs::jpeg::JpegEncoder};

    fn noisy(amplitude: u32, seed: u32) -> Picture {
        let mut picture = Picture::default();
        let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
        for level in picture.make_room(256, 192) {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *level = (100 + (state >> 16) % (2 * amplitude + 1) - amplitude) as u8;
        }
        picture
    }

    #[test]
    fn noise_is_measured_in_grey_levels() {
        for amplitude in [0, 3, 6] {
            let expected = (amplitude as f32 * (amplitude as f32 + 1.0) / 3.0).sqrt();
            let found = noise(&noisy(amplitude, 1));
            assert!((found - expected).abs() < 0.15 * expected + 0.01, "{amplitude}: {found} {expected}");
        }
        assert_eq!(noise(&Picture::default()), 0.0);
    }

    #[test]
    fn a_slope_is_not_noise() {
        let mut picture = Picture::default();
        for (at, pixel) in picture.make_room(256, 192).as_chunks_mut::<3>().0.iter_mut().enumerate() {
            *pixel = [(30 + at % 256 / 2 + at / 256 / 2) as u8; 3];
        }
        assert!(noise(&picture) < 0.6, "{}", noise(&picture));
    }

    #[test]
    fn the_encoding_names_the_encoder_and_not_the_picture() {
        let jpeg = |quality, shade, side| {
            let mut bytes = Vec::new();
            let picture = RgbImage::from_fn(side, side, |x, y| image::Rgb([shade, x as u8, y as u8]));
            JpegEncoder::new_with_quality(&mut bytes, quality).encode_image(&picture).unwrap();
            bytes
        };
        assert_eq!(encoding(&jpeg(90, 1, 64)), encoding(&jpeg(90, 200, 128)));
        assert_ne!(encoding(&jpeg(90, 1, 64)), encoding(&jpeg(89, 1, 64)));
        for cut in 0..700 {
            encoding(&jpeg(90, 1, 64)[..cut]);
        }
    }

    #[test]
    fn a_frozen_background_is_seen_and_a_live_one_is_not() {
        let still = |picture: &Picture, face| {
            let mut reduced = Picture::default();
            reduced.make_room(128, 128).copy_from_slice(&picture.pixels()[..128 * 128 * 3]);
            Still::of(reduced.pixels(), 128, face, picture)
        };
        let (one, other) = (noisy(4, 1), noisy(4, 2));
        assert_eq!(still(&one, None).unchanged(&still(&one, None)), Some(1.0));
        assert!(still(&one, None).unchanged(&still(&other, None)).unwrap() < 0.05);
        let all = Rectangle { left: -300.0, top: -300.0, right: 600.0, bottom: 600.0 };
        assert_eq!(still(&one, Some(all)).unchanged(&still(&one, None)), None);
    }
}
