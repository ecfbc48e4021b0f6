//! Small changes of camera, light and frame under which a decision should stand, and one that should not be borne.
//!
//! Must never know: gates. Invariant: a varied capture differs from the unvaried one of the same seed in its variation alone.

use crate::evaluate::{
    hash::sha256,
    jpeg::{decode, encode},
};
use anyhow::Result;
use image::{RgbImage, imageops};
use simulator::{Capture, Conditions};

/// Cut off the frame, of either side, in percent.
const CROP_PERCENT: u32 = 5;

/// One change.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Variation {
    /// As it is: what the others are compared with.
    None,
    /// A window that is 5 % narrower and lower, at one place in all frames.
    CropAlike,
    /// The same, at a place of its own in every frame.
    CropShaken,
    /// As alike, then enlarged to the frame's size.
    CropZoomed,
    /// JPEG quality.
    Jpeg(u8),
    /// The camera exposes so many percent more or less.
    Brightness(i8),
    /// So many percent more or less light in the room.
    Room(i8),
    /// Frames a second.
    Rate(u8),
}

impl Variation {
    /// All of them, the unvaried capture first; the last is a control that must be seen to flip decisions.
    pub(super) const ALL: [Self; 17] = [
        Self::None,
        Self::CropAlike,
        Self::CropShaken,
        Self::CropZoomed,
        Self::Jpeg(60),
        Self::Jpeg(75),
        Self::Jpeg(85),
        Self::Jpeg(95),
        Self::Brightness(-30),
        Self::Brightness(30),
        Self::Room(-30),
        Self::Room(30),
        Self::Rate(15),
        Self::Rate(20),
        Self::Rate(25),
        Self::Rate(30),
        Self::Brightness(-90),
    ];

    /// A name for reports.
    pub(super) fn name(self) -> String {
        match self {
            Self::None => "as it is".to_owned(),
            Self::CropAlike => format!("crop {CROP_PERCENT} %, alike"),
            Self::CropShaken => format!("crop {CROP_PERCENT} %, each anew"),
            Self::CropZoomed => format!("crop {CROP_PERCENT} %, enlarged"),
            Self::Jpeg(quality) => format!("JPEG quality {quality}"),
            Self::Brightness(percent) => format!("exposure {percent:+} %"),
            Self::Room(percent) => format!("room light {percent:+} %"),
            Self::Rate(fps) => format!("{fps} frames a second"),
        }
    }

    /// Whether it is a control, far beyond what is to be borne.
    pub(super) const fn is_control(self) -> bool {
        matches!(self, Self::Brightness(percent) if percent < -50)
    }

    /// The conditions of a seed, so changed.
    pub(super) fn conditions(self, seed: u64) -> Conditions {
        let fair = Conditions::typical(seed);
        let factor = |percent: i8| 1.0 + f32::from(percent) / 100.0;
        match self {
            Self::None => fair,
            // Encoded as the seed says once they are cropped.
            Self::CropAlike | Self::CropShaken | Self::CropZoomed => Conditions { jpeg_quality: 100, ..fair },
            Self::Jpeg(quality) => Conditions { jpeg_quality: quality, ..fair },
            Self::Brightness(percent) => Conditions { exposure: fair.exposure + factor(percent).log2(), ..fair },
            Self::Room(percent) => Conditions { ambient: fair.ambient * factor(percent), ..fair },
            Self::Rate(fps) => Conditions { fps: f32::from(fps), ..fair },
        }
    }

    /// Changes the frames of a capture that was rendered under [`Variation::conditions`].
    pub(super) fn apply(self, capture: &mut Capture, seed: u64) -> Result<()> {
        if !matches!(self, Self::CropAlike | Self::CropShaken | Self::CropZoomed) {
            return Ok(());
        }
        let quality = Conditions::typical(seed).jpeg_quality;
        for (frame, number) in capture.frames.iter_mut().zip(0_u64..) {
            let number = if self == Self::CropShaken { number } else { 0 };
            let drawn = sha256(&[b"countersign/evaluate/crop/v1", &seed.to_be_bytes(), &number.to_be_bytes()]);
            let whole = decode(&frame.jpeg)?;
            let (width, height) = whole.dimensions();
            let mut cut = window(&whole, [drawn[0], drawn[1]]);
            if self == Self::CropZoomed {
                cut = imageops::resize(&cut, width, height, imageops::FilterType::CatmullRom);
            }
            frame.jpeg = encode(&cut, quality)?;
        }
        Ok(())
    }
}

/// What is left of a frame; 0 to 255 from left and top to right and bottom.
fn window(frame: &RgbImage, at: [u8; 2]) -> RgbImage {
    let (width, height) = frame.dimensions();
    let [right, down] = [width, height].map(|side| side * CROP_PERCENT / 100);
    let (x, y) = (right * u32::from(at[0]) / 255, down * u32::from(at[1]) / 255);
    imageops::crop_imm(frame, x, y, width - right, height - down).to_image()
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    #[test]
    fn a_variation_changes_one_thing() {
        let fair = Conditions::typical(7);
        assert_eq!(Variation::None.conditions(7), fair);
        assert_eq!(Conditions { jpeg_quality: fair.jpeg_quality, ..Variation::Jpeg(60).conditions(7) }, fair);
        assert_eq!(Conditions { ambient: fair.ambient, ..Variation::Room(-30).conditions(7) }, fair);
        assert_eq!(Conditions { fps: fair.fps, ..Variation::Rate(15).conditions(7) }, fair);
        let darker = Variation::Brightness(-30).conditions(7);
        assert!((2.0_f32.powf(darker.exposure - fair.exposure) - 0.7).abs() < 1e-4);
        assert_eq!(Conditions { exposure: fair.exposure, ..darker }, fair);
    }

    #[test]
    fn a_window_reaches_from_edge_to_edge() {
        let frame = RgbImage::from_fn(200, 100, |x, y| Rgb([x as u8, y as u8, 0]));
        let corners = |cut: &RgbImage| {
            let (width, height) = cut.dimensions();
            [cut.get_pixel(0, 0).0, cut.get_pixel(width - 1, height - 1).0]
        };
        assert_eq!(corners(&window(&frame, [0, 0])), [[0, 0, 0], [189, 94, 0]]);
        assert_eq!(corners(&window(&frame, [255, 255])), [[10, 5, 0], [199, 99, 0]]);
    }

    #[test]
    fn names_differ_and_the_unvaried_capture_comes_first() {
        let mut names: Vec<String> = Variation::ALL.into_iter().map(Variation::name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Variation::ALL.len());
        assert_eq!(Variation::ALL[0], Variation::None);
        assert_eq!(Variation::ALL.into_iter().filter(|v| v.is_control()).count(), 1);
    }
}
