//! Strict, bounded JPEG decoding (ITU-T T.81).
//!
//! Owns the limits of a frame and the walk over its markers that happens before any decoder runs. Must never know: faces.
//! Invariant: a file is decoded only if it is one whole picture within the limits and nothing else.

use crate::{error::FrameFault, picture::Picture};
use zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions};
use zune_jpeg::JpegDecoder;

/// Longest frame file (CONTRACT "Frames").
pub const MAX_FRAME_BYTES: usize = 2 << 20;
/// Longest side of a frame (CONTRACT "Frames").
pub const MAX_SIDE_PX: u16 = 2048;
/// Cameras and browsers write 1 scan, progressive encoders about 10; each costs a pass over all coefficients.
const MAX_SCANS: usize = 32;

const SOI: u8 = 0xd8;
const EOI: u8 = 0xd9;
const SOS: u8 = 0xda;
const TEM: u8 = 0x01;

/// What the walk over the markers found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Header {
    width: u16,
    height: u16,
    progressive: bool,
    scans: usize,
}

impl Header {
    /// What the decoder is given. At an end marker it would make up the missing data of a file that was cut and closed
    /// again; at the end of its input it refuses, unless less than one row of blocks is missing. Where it needs the marker (several scans) or looks so far ahead that it
    /// would miss it in a whole file (very narrow pictures, too small for any face), the marker stays.
    fn data<'a>(&self, jpeg: &'a [u8]) -> &'a [u8] {
        let keep = self.progressive || self.scans > 1 || self.width < 64;
        if keep { jpeg } else { &jpeg[..jpeg.len() - 2] }
    }
}

/// Checks the file without decoding it.
///
/// # Errors
/// The first fault in file order.
pub(crate) fn inspect(jpeg: &[u8]) -> Result<(), FrameFault> {
    walk(jpeg).map(|_| ())
}

/// Decodes into `picture`, reusing its memory.
///
/// # Errors
/// [`FrameFault`]; the picture is then empty.
pub(crate) fn decode(jpeg: &[u8], picture: &mut Picture) -> Result<(), FrameFault> {
    let header = walk(jpeg)?;
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(MAX_SIDE_PX.into())
        .set_max_height(MAX_SIDE_PX.into())
        .jpeg_set_max_scans(MAX_SCANS)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(header.data(jpeg)), options);
    decoder.decode_headers().map_err(|_| FrameFault::Structure)?;
    let agreed = decoder.dimensions() == Some((header.width.into(), header.height.into()))
        && decoder.output_colorspace() == Some(ColorSpace::RGB);
    if !agreed {
        return Err(FrameFault::Structure);
    }
    let pixels = picture.make_room(header.width.into(), header.height.into());
    let decoded = decoder.decode_into(pixels);
    if decoded.is_err() {
        picture.wipe();
    }
    decoded.map_err(|_| FrameFault::Damaged)
}

/// Walks from SOI to EOI over every segment and scan.
fn walk(jpeg: &[u8]) -> Result<Header, FrameFault> {
    if jpeg.len() > MAX_FRAME_BYTES {
        return Err(FrameFault::TooLarge);
    }
    let Some(mut rest) = jpeg.strip_prefix(&[0xff, SOI]) else { return Err(FrameFault::NotJpeg) };
    let (mut header, mut scans) = (None, 0);
    loop {
        let (marker, after) = next_marker(rest)?;
        rest = after;
        match marker {
            EOI if scans == 0 => return Err(FrameFault::Structure),
            EOI if !rest.is_empty() => return Err(FrameFault::TrailingData),
            EOI => return header.map(|header| Header { scans, ..header }).ok_or(FrameFault::Structure),
            0x00 | TEM | 0x02..=0xbf | 0xd0..=0xd8 => return Err(FrameFault::Structure),
            _ => {}
        }
        let (body, after) = segment(rest)?;
        rest = after;
        match marker {
            0xc0..=0xc2 if header.is_some() => return Err(FrameFault::Structure),
            0xc0..=0xc2 => header = Some(Header { progressive: marker == 0xc2, ..start_of_frame(body)? }),
            // DHT lies between the start-of-frame markers; lossless, hierarchical and arithmetic coding are the rest.
            0xc3 | 0xc5..=0xcf => return Err(FrameFault::Unsupported),
            // DNL would change the height after the fact; DHP and EXP are hierarchical.
            0xdc | 0xde | 0xdf => return Err(FrameFault::Unsupported),
            SOS if header.is_none() => return Err(FrameFault::Structure),
            SOS => {
                scans += 1;
                if scans > MAX_SCANS {
                    return Err(FrameFault::Scans);
                }
                rest = entropy_coded(rest)?;
            }
            _ => {}
        }
    }
}

/// The next marker code and what follows it; fill bytes are allowed (T.81 B.1.1.2).
fn next_marker(rest: &[u8]) -> Result<(u8, &[u8]), FrameFault> {
    match rest.first() {
        None => return Err(FrameFault::Truncated),
        Some(0xff) => {}
        Some(_) => return Err(FrameFault::Structure),
    }
    let code = rest.iter().position(|&b| b != 0xff).ok_or(FrameFault::Truncated)?;
    Ok((rest[code], &rest[code + 1..]))
}

/// A segment's body, after its length.
fn segment(rest: &[u8]) -> Result<(&[u8], &[u8]), FrameFault> {
    let (length, _) = rest.split_first_chunk::<2>().ok_or(FrameFault::Truncated)?;
    let length = usize::from(u16::from_be_bytes(*length));
    if length < 2 {
        return Err(FrameFault::Structure);
    }
    if length > rest.len() {
        return Err(FrameFault::Truncated);
    }
    let (whole, after) = rest.split_at(length);
    Ok((&whole[2..], after))
}

/// Precision, size and components (T.81 B.2.2).
fn start_of_frame(body: &[u8]) -> Result<Header, FrameFault> {
    let Some((&[precision, h1, h0, w1, w0, components], _)) = body.split_first_chunk::<6>() else {
        return Err(FrameFault::Structure);
    };
    let (width, height) = (u16::from_be_bytes([w1, w0]), u16::from_be_bytes([h1, h0]));
    if precision != 8 || !matches!(components, 1 | 3) {
        return Err(FrameFault::Unsupported);
    }
    let within = |side: u16| (1..=MAX_SIDE_PX).contains(&side);
    if within(width) && within(height) {
        Ok(Header { width, height, progressive: false, scans: 0 })
    } else {
        Err(FrameFault::Dimensions { width, height })
    }
}

/// Skips entropy-coded data up to the next marker that is neither stuffing nor a restart.
fn entropy_coded(data: &[u8]) -> Result<&[u8], FrameFault> {
    let ends = |pair: &[u8]| pair[0] == 0xff && !matches!(pair[1], 0x00 | 0xd0..=0xd7 | 0xff);
    let end = data.windows(2).position(ends).ok_or(FrameFault::Truncated)?;
    Ok(&data[end..])
}

#[cfg(test)]
mod tests;
