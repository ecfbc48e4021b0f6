//! How a portrait is laid out before the camera: which part of it the frame shows, and at what size.
//!
//! Invariant: "face centimetres" have their origin in the middle of the face outline, x right and y down.

use crate::{
    conditions::Conditions,
    portrait::{OVAL, Portrait},
};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer, images::Image};
use image::{Rgb, RgbImage};
use rand::RngExt;

/// How much more than the frame is laid out, as a share of its width.
const MARGIN: f32 = 0.12;
/// Texels per frame pixel: heads come closer.
const DENSITY: f32 = 1.15;

/// The face outline in face centimetres.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outline {
    pub(crate) half_width: f32,
    pub(crate) half_height: f32,
}

/// The layout.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    /// Middle of the face on the frame at the start, in pixels.
    pub(crate) face_at: [f32; 2],
    /// Frame pixels per face centimetre at the start.
    pub(crate) px_per_cm: f32,
    /// Texels per face centimetre.
    pub(crate) texels_per_cm: f32,
    /// Upper left corner of what is laid out, in face centimetres.
    pub(crate) low: [f32; 2],
    /// Lower right corner.
    pub(crate) high: [f32; 2],
    pub(crate) outline: Outline,
    centre_px: [f32; 2],
    cm_per_px: f32,
}

impl Layout {
    pub(crate) fn new(portrait: &Portrait, conditions: &Conditions) -> Self {
        let mut rng = conditions.rng(11);
        let (width, height) = (conditions.width as f32, conditions.height as f32);
        let px_per_cm = conditions.focal_px() / conditions.distance_cm.max(10.0);
        let (cm_per_px, [cx, cy, _]) = (portrait.cm_per_px(), portrait.centre());
        let below = (portrait.pixels().height() as f32 - cy) * cm_per_px * px_per_cm;
        let mut face_at =
            [width * (0.5 + rng.random_range(-0.03..0.03)), height * (0.47 + rng.random_range(-0.03..0.03))];
        // A portrait that ends above the lower edge is moved down as far as a careless capture subject would sit.
        face_at[1] += (height - below - face_at[1]).clamp(0.0, 0.1 * height);
        let margin = MARGIN * width;
        let low = [0, 1].map(|i| -(face_at[i] + margin) / px_per_cm);
        let high = [(width + margin - face_at[0]) / px_per_cm, (height + margin - face_at[1]) / px_per_cm];
        let reach = |axis: usize, centre: f32| {
            let far = OVAL.iter().map(|&p| (portrait.points()[p][axis] - centre).abs()).fold(0.0, f32::max);
            far * cm_per_px
        };
        Self {
            face_at,
            px_per_cm,
            texels_per_cm: px_per_cm * DENSITY,
            low,
            high,
            outline: Outline { half_width: reach(0, cx), half_height: reach(1, cy) },
            centre_px: [cx, cy],
            cm_per_px,
        }
    }

    /// Face centimetres to texels.
    pub(crate) fn texel(&self, cm: [f32; 2]) -> [f32; 2] {
        [0, 1].map(|i| (cm[i] - self.low[i]) * self.texels_per_cm)
    }

    /// Face centimetres to pixels of the portrait.
    pub(crate) fn portrait_px(&self, cm: [f32; 2]) -> [f32; 2] {
        [0, 1].map(|i| self.centre_px[i] + cm[i] / self.cm_per_px)
    }

    /// Pixels of the portrait to face centimetres.
    pub(crate) fn face_cm(&self, px: [f32; 2]) -> [f32; 2] {
        [0, 1].map(|i| (px[i] - self.centre_px[i]) * self.cm_per_px)
    }

    /// The part of the portrait that is laid out, resampled; beyond its sides the edge is continued, below it is mirrored.
    pub(crate) fn cut(&self, portrait: &Portrait) -> RgbImage {
        let [left, top] = self.portrait_px(self.low).map(|v| v.floor() as i64);
        let [right, bottom] = self.portrait_px(self.high).map(|v| v.ceil() as i64);
        let source = portrait.pixels();
        let (w, h) = (i64::from(source.width()), i64::from(source.height()));
        let native = RgbImage::from_fn((right - left).max(2) as u32, (bottom - top).max(2) as u32, |x, y| {
            let (x, y) = ((i64::from(x) + left).clamp(0, w - 1), (i64::from(y) + top).max(0));
            let y = if y < h { y } else { (2 * h - 1 - y).max(h / 2) };
            source.get_pixel_checked(x as u32, y as u32).copied().unwrap_or(Rgb([0; 3]))
        });
        let [width, height] = self.texel(self.high).map(|v| v.round().max(8.0) as u32);
        resample(native, width, height).unwrap_or_default()
    }
}

/// Catmull-Rom upwards; downwards it averages as far as needed.
fn resample(picture: RgbImage, width: u32, height: u32) -> Option<RgbImage> {
    let (w, h) = picture.dimensions();
    let source = Image::from_vec_u8(w, h, picture.into_raw(), PixelType::U8x3).ok()?;
    let mut target = Image::new(width, height, PixelType::U8x3);
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::CatmullRom));
    Resizer::new().resize(&source, &mut target, &options).ok()?;
    RgbImage::from_raw(width, height, target.into_vec())
}
