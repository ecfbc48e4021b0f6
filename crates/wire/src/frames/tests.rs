//! Limits one pixel, one byte and one frame too far, and garbage.

use super::*;
use proptest::prelude::*;

/// The header of a JPEG of these dimensions: SOI, an APP0 segment, SOF0.
fn jpeg(width: u16, height: u16) -> Vec<u8> {
    let mut bytes = b"\xff\xd8\xff\xe0\x00\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0\xff\xc0\x00\x0b\x08".to_vec();
    bytes.extend(height.to_be_bytes());
    bytes.extend(width.to_be_bytes());
    bytes.extend(b"\x01\x01\x11\x00");
    bytes
}

/// The header of a PNG of these dimensions.
fn png(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
    bytes.extend(width.to_be_bytes());
    bytes.extend(height.to_be_bytes());
    bytes
}

fn frame(image: Vec<u8>, format: v1::FrameFormat) -> v1::Frame {
    v1::Frame { image, offset_ms: 0, format: format.into() }
}

fn one(image: Vec<u8>, format: v1::FrameFormat, limits: FrameLimits) -> Result<(), Reason> {
    check(&[frame(image, format)], limits)
}

fn as_jpeg(image: Vec<u8>) -> Result<(), Reason> {
    one(image, v1::FrameFormat::Jpeg, FrameLimits::default())
}

#[test]
fn a_jpeg_within_the_limits_passes_with_or_without_its_format_stated() {
    assert_eq!(as_jpeg(jpeg(640, 480)), Ok(()));
    assert_eq!(as_jpeg(jpeg(2048, 2048)), Ok(()));
    assert_eq!(one(jpeg(1, 1), v1::FrameFormat::Unspecified, FrameLimits::default()), Ok(()));
}

#[test]
fn a_frame_of_2049_pixels_or_of_none_is_refused() {
    for (width, height) in [(2049, 480), (640, 2049), (65535, 65535), (0, 480), (640, 0)] {
        assert_eq!(as_jpeg(jpeg(width, height)), Err(Reason::FrameDimensions { index: 0 }), "{width}x{height}");
    }
}

#[test]
fn zero_frames_and_a_17th_frame_are_refused() {
    assert_eq!(check(&[], FrameLimits::default()), Err(Reason::FrameCount { count: 0 }));
    let frames = vec![frame(jpeg(64, 64), v1::FrameFormat::Jpeg); 17];
    assert_eq!(check(&frames[..16], FrameLimits::default()), Ok(()));
    assert_eq!(check(&frames, FrameLimits::default()), Err(Reason::FrameCount { count: 17 }));
}

#[test]
fn one_byte_over_a_size_limit_is_refused_and_the_frame_named() {
    let padded = |length: usize| {
        let mut image = jpeg(64, 64);
        image.resize(length, 0);
        frame(image, v1::FrameFormat::Jpeg)
    };
    let small = padded(100);
    assert_eq!(check(&[small.clone(), padded(MAX_FRAME_BYTES)], FrameLimits::default()), Ok(()));
    let too_large = check(&[small.clone(), padded(MAX_FRAME_BYTES + 1)], FrameLimits::default());
    assert_eq!(too_large, Err(Reason::FrameTooLarge { index: 1 }));
    let mut six = vec![padded(MAX_FRAME_BYTES); 6];
    assert_eq!(check(&six, FrameLimits::default()), Ok(()));
    six.push(small);
    assert_eq!(check(&six, FrameLimits::default()), Err(Reason::FramesTooLarge));
}

#[test]
fn a_png_passes_by_policy_only_and_never_as_a_jpeg() {
    let by_policy = FrameLimits { allow_png: true };
    assert_eq!(one(png(64, 64), v1::FrameFormat::Png, by_policy), Ok(()));
    let refused = Err(Reason::FrameFormat { index: 0 });
    assert_eq!(one(png(64, 64), v1::FrameFormat::Png, FrameLimits::default()), refused);
    assert_eq!(one(png(64, 64), v1::FrameFormat::Jpeg, by_policy), refused);
    assert_eq!(one(jpeg(64, 64), v1::FrameFormat::Png, by_policy), refused);
    assert_eq!(one(png(4096, 64), v1::FrameFormat::Png, by_policy), Err(Reason::FrameDimensions { index: 0 }));
    let mut not_ihdr = png(64, 64);
    not_ihdr[12..16].copy_from_slice(b"tEXt");
    assert_eq!(one(not_ihdr, v1::FrameFormat::Png, by_policy), refused);
}

#[test]
fn what_is_no_picture_is_refused_by_format() {
    let endless = [b"\xff\xd8".to_vec(), b"\xff\xfe\x00\x00".repeat(HEADER_BYTES / 2)].concat();
    for image in [Vec::new(), b"GIF89a".to_vec(), jpeg(64, 64)[..20].to_vec(), vec![0xff; 4096], endless] {
        assert_eq!(as_jpeg(image), Err(Reason::FrameFormat { index: 0 }));
    }
    let unknown = v1::Frame { image: jpeg(64, 64), offset_ms: 0, format: 99 };
    assert_eq!(check(&[unknown], FrameLimits::default()), Err(Reason::FrameFormat { index: 0 }));
}

proptest! {
    #[test]
    fn garbage_never_panics(
        start in prop::sample::select(vec![&b""[..], b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR"]),
        rest in prop::collection::vec(any::<u8>(), 0..512),
        format in -1..4_i32,
        allow_png: bool,
    ) {
        let frame = v1::Frame { image: [start, &rest].concat(), offset_ms: 0, format };
        let _ = check(&[frame], FrameLimits { allow_png });
    }
}
