//! Captures for tests and the demo: portraits as frames, downscaled as a browser would, and pictures that are wrong on purpose.

use crate::places;
use anyhow::Result;
use image::{DynamicImage, ImageEncoder, RgbImage, codecs::jpeg::JpegEncoder, imageops::FilterType};
use std::path::Path;
use wire::v1;

/// Longest side of a frame that a well-behaved capture page sends.
const LONGEST: u32 = 1280;

/// Encodes a picture as JPEG.
///
/// # Errors
/// Where the encoder refuses.
pub fn jpeg(picture: &RgbImage, quality: u8) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut bytes, quality);
    encoder.write_image(picture, picture.width(), picture.height(), image::ExtendedColorType::Rgb8)?;
    Ok(bytes)
}

/// Reads a picture and shrinks it so that neither side is over 1280 pixels.
///
/// # Errors
/// Where the file cannot be read or decoded.
pub fn picture(path: &Path) -> Result<RgbImage> {
    let picture = image::open(path)?;
    let fits = picture.width().max(picture.height()) <= LONGEST;
    let picture = if fits { picture } else { picture.resize(LONGEST, LONGEST, FilterType::Triangle) };
    Ok(picture.to_rgb8())
}

/// The named portraits as one capture, 200 ms apart.
///
/// # Errors
/// Where a portrait is missing.
pub fn portraits(names: &[&str]) -> Result<Vec<v1::Frame>> {
    let encoded = names.iter().map(|name| jpeg(&picture(&places::portrait(name)?)?, 92));
    Ok(frames(encoded.collect::<Result<Vec<_>>>()?))
}

/// Encoded pictures as one capture, 200 ms apart.
#[must_use]
pub fn frames(encoded: Vec<Vec<u8>>) -> Vec<v1::Frame> {
    let frame = |(index, image): (usize, Vec<u8>)| v1::Frame {
        image,
        offset_ms: u32::try_from(index).unwrap_or(0) * 200,
        format: v1::FrameFormat::Jpeg.into(),
    };
    encoded.into_iter().enumerate().map(frame).collect()
}

/// Two portraits side by side: two people in one frame.
///
/// # Errors
/// Where a portrait is missing.
pub fn two_people(first: &str, second: &str) -> Result<Vec<v1::Frame>> {
    // Of a standing figure only the upper end has the face.
    let side = |name: &str| -> Result<DynamicImage> {
        let whole = DynamicImage::from(picture(&places::portrait(name)?)?);
        let upper = whole.crop_imm(0, 0, whole.width(), whole.width().min(whole.height()));
        Ok(upper.resize_exact(600, 600, FilterType::Triangle))
    };
    let mut both = RgbImage::new(1200, 600);
    image::imageops::overlay(&mut both, &side(first)?.to_rgb8(), 0, 0);
    image::imageops::overlay(&mut both, &side(second)?.to_rgb8(), 600, 0);
    Ok(frames(vec![jpeg(&both, 92)?]))
}

/// A smooth picture without a face.
///
/// # Errors
/// Where the encoder refuses.
pub fn no_face() -> Result<Vec<v1::Frame>> {
    let blank = RgbImage::from_fn(640, 480, |x, y| image::Rgb([(x / 3) as u8, (y / 2) as u8, 120]));
    Ok(frames(vec![jpeg(&blank, 90)?]))
}

/// A portrait shrunk so far that the face is too small, on a grey ground.
///
/// # Errors
/// Where the portrait is missing.
pub fn far_away(name: &str) -> Result<Vec<v1::Frame>> {
    let small = DynamicImage::from(picture(&places::portrait(name)?)?).resize(60, 80, FilterType::Triangle).to_rgb8();
    let mut frame = RgbImage::from_pixel(640, 480, image::Rgb([128, 128, 128]));
    image::imageops::overlay(&mut frame, &small, 290, 200);
    Ok(frames(vec![jpeg(&frame, 92)?]))
}

/// A portrait in which the eyes are about `inter_eye_px` apart and the face still fills a good part of the picture.
///
/// # Errors
/// Where the portrait is missing.
pub fn tiny_face(name: &str, inter_eye_px: u32) -> Result<Vec<v1::Frame>> {
    let whole = DynamicImage::from(picture(&places::portrait(name)?)?);
    // In the official portraits the eyes are about a tenth of the picture's width apart.
    let small = whole.resize(inter_eye_px * 10, inter_eye_px * 20, FilterType::Triangle).to_rgb8();
    Ok(frames(vec![jpeg(&small, 95)?]))
}

/// A portrait with every pixel times `factor`.
///
/// # Errors
/// Where the portrait is missing.
pub fn exposed(name: &str, factor: f32) -> Result<Vec<v1::Frame>> {
    let mut whole = picture(&places::portrait(name)?)?;
    whole.pixels_mut().flat_map(|pixel| &mut pixel.0).for_each(|level| *level = (f32::from(*level) * factor) as u8);
    Ok(frames(vec![jpeg(&whole, 92)?]))
}

/// A portrait out of focus.
///
/// # Errors
/// Where the portrait is missing.
pub fn blurred(name: &str) -> Result<Vec<v1::Frame>> {
    let whole = picture(&places::portrait(name)?)?;
    let (width, height) = whole.dimensions();
    let coarse = DynamicImage::from(whole).resize_exact(width / 24, height / 24, FilterType::Triangle);
    Ok(frames(vec![jpeg(&coarse.resize_exact(width, height, FilterType::CatmullRom).to_rgb8(), 92)?]))
}

/// The upper square of a portrait, `side` pixels a side.
///
/// # Errors
/// Where the portrait is missing.
pub fn square(name: &str, side: u32) -> Result<Vec<v1::Frame>> {
    let whole = DynamicImage::from(picture(&places::portrait(name)?)?);
    let shorter = whole.width().min(whole.height());
    let upper = whole.crop_imm(0, 0, shorter, shorter).resize_exact(side, side, FilterType::Triangle);
    Ok(frames(vec![jpeg(&upper.to_rgb8(), 85)?]))
}

/// One portrait as `count` frames, each shifted by a pixel or two as in a hand that is not quite still.
///
/// # Errors
/// Where the portrait is missing.
pub fn jitter(name: &str, count: u32) -> Result<Vec<v1::Frame>> {
    let whole = DynamicImage::from(picture(&places::portrait(name)?)?);
    let (width, height) = (whole.width() - count, whole.height() - count);
    let shifted = |by: u32| jpeg(&whole.crop_imm(by, count - by, width, height).to_rgb8(), 90);
    Ok(frames((0..count).map(shifted).collect::<Result<_>>()?))
}
