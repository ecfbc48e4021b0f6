//! What can be said of frames from their headers, before admission. Must never decode: that is the worker's, strictly.
//!
//! Invariant: bounded work per frame, whatever the bytes; a frame that passes has an allowed format and 1 to
//! [`MAX_SIDE`] pixels a side as its own header states them.

use crate::{Reason, v1};

/// Most frames of a request.
pub const MAX_FRAMES: usize = 16;
/// Most bytes of one frame.
pub const MAX_FRAME_BYTES: usize = 2 << 20;
/// Most bytes of all frames of a request.
pub const MAX_TOTAL_BYTES: usize = 12 << 20;
/// Most pixels a side.
pub const MAX_SIDE: usize = 2048;
/// Most bytes of a JSON body: 12 MiB of frames in base64 and the rest.
pub const MAX_JSON_BYTES: usize = 17 << 20;
/// Most bytes of a protobuf message: the frames and the rest.
pub const MAX_MESSAGE_BYTES: usize = MAX_TOTAL_BYTES + (1 << 20);

/// Where the dimensions must stand, in bytes from the start of a frame.
const HEADER_BYTES: usize = 256 << 10;

/// What a tenant's policy adds to the fixed limits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FrameLimits {
    /// PNG is allowed beside JPEG.
    pub allow_png: bool,
}

/// Checks count, sizes, format and dimensions of all frames from their headers (CONTRACT "Frames").
///
/// # Errors
/// `FRAME_COUNT`, `FRAMES_TOO_LARGE`, or the first refused frame by index: `FRAME_TOO_LARGE`, `FRAME_FORMAT`,
/// `FRAME_DIMENSIONS`.
pub fn check(frames: &[v1::Frame], limits: FrameLimits) -> Result<(), Reason> {
    if !(1..=MAX_FRAMES).contains(&frames.len()) {
        return Err(Reason::FrameCount { count: frames.len() });
    }
    for (index, frame) in frames.iter().enumerate() {
        if frame.image.len() > MAX_FRAME_BYTES {
            return Err(Reason::FrameTooLarge { index });
        }
    }
    if frames.iter().map(|frame| frame.image.len()).sum::<usize>() > MAX_TOTAL_BYTES {
        return Err(Reason::FramesTooLarge);
    }
    frames.iter().enumerate().try_for_each(|(index, frame)| check_header(index, frame, limits))
}

fn check_header(index: usize, frame: &v1::Frame, limits: FrameLimits) -> Result<(), Reason> {
    let wrong_format = Reason::FrameFormat { index };
    let is_png = match v1::FrameFormat::try_from(frame.format) {
        Ok(v1::FrameFormat::Unspecified | v1::FrameFormat::Jpeg) => false,
        Ok(v1::FrameFormat::Png) if limits.allow_png => true,
        _ => return Err(wrong_format),
    };
    let header = &frame.image[..frame.image.len().min(HEADER_BYTES)];
    let size = match (is_png, imagesize::image_type(header)) {
        (false, Ok(imagesize::ImageType::Jpeg)) => imagesize::blob_size(header),
        (true, Ok(imagesize::ImageType::Png)) if png_header(header) => imagesize::blob_size(header),
        _ => return Err(wrong_format),
    };
    let size = size.map_err(|_| wrong_format)?;
    let fits = |side: usize| (1..=MAX_SIDE).contains(&side);
    if fits(size.width) && fits(size.height) { Ok(()) } else { Err(Reason::FrameDimensions { index }) }
}

/// The whole signature and an IHDR chunk of 13 bytes, which the header library takes for granted (PNG §5.2, §11.2.1).
fn png_header(header: &[u8]) -> bool {
    header.starts_with(b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR")
}

#[cfg(test)]
mod tests;
