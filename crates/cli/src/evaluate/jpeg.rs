//! Rendered frames out of their files and back into some, for what is done to a frame after a camera took it.
//!
//! Must never know: why. Invariant: equal pictures and qualities give equal bytes.

use anyhow::Result;
use image::{RgbImage, codecs::jpeg::JpegEncoder};

/// The picture in a file.
pub(super) fn decode(jpeg: &[u8]) -> Result<RgbImage> {
    Ok(image::load_from_memory(jpeg)?.to_rgb8())
}

/// A file with this picture; quality 1 to 100.
pub(super) fn encode(frame: &RgbImage, quality: u8) -> Result<Vec<u8>> {
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, quality).encode_image(frame)?;
    Ok(jpeg)
}
