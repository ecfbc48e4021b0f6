use super::*;
use image::{ExtendedColorType, ImageEncoder, codecs::jpeg::JpegEncoder};

/// A colour gradient of 80 by 48 pixels in ten progressive scans.
const PROGRESSIVE: &[u8] = include_bytes!("progressive.jpg");

/// A picture with detail everywhere, so that every part of the file matters.
fn file(width: u16, height: u16) -> Vec<u8> {
    let pixel = |i: usize| (i.wrapping_mul(2_654_435_761) >> 13) as u8;
    let pixels: Vec<u8> = (0..usize::from(width) * usize::from(height) * 3).map(pixel).collect();
    let mut bytes = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut bytes, 80);
    encoder.write_image(&pixels, width.into(), height.into(), ExtendedColorType::Rgb8).unwrap();
    bytes
}

fn fault(bytes: &[u8]) -> FrameFault {
    let mut picture = Picture::default();
    let fault = decode(bytes, &mut picture).unwrap_err();
    assert!(picture.pixels().is_empty());
    fault
}

/// Where the start-of-frame marker lies.
fn frame_header(bytes: &[u8]) -> usize {
    bytes.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap()
}

fn with_dimensions(mut bytes: Vec<u8>, width: u16, height: u16) -> Vec<u8> {
    let at = frame_header(&bytes) + 5;
    bytes[at..at + 2].copy_from_slice(&height.to_be_bytes());
    bytes[at + 2..at + 4].copy_from_slice(&width.to_be_bytes());
    bytes
}

#[test]
fn whole_pictures_decode() {
    let mut picture = Picture::default();
    for (width, height) in [(64, 48), (1, 1), (17, 9), (2048, 8), (8, 2048)] {
        decode(&file(width, height), &mut picture).unwrap();
        assert_eq!((picture.width(), picture.height()), (width.into(), height.into()));
        assert_eq!(picture.pixels().len(), usize::from(width) * usize::from(height) * 3);
    }
}

#[test]
fn grey_pictures_decode_to_colour() {
    let mut bytes = Vec::new();
    let grey: Vec<u8> = (0..=255).collect();
    JpegEncoder::new_with_quality(&mut bytes, 95).write_image(&grey, 16, 16, ExtendedColorType::L8).unwrap();
    let mut picture = Picture::default();
    decode(&bytes, &mut picture).unwrap();
    assert!(picture.pixels().as_chunks::<3>().0.iter().all(|[r, g, b]| r == g && g == b));
}

#[test]
fn progressive_pictures_decode() {
    let mut picture = Picture::default();
    decode(PROGRESSIVE, &mut picture).unwrap();
    assert_eq!((picture.width(), picture.height()), (80, 48));
    assert!(walk(PROGRESSIVE).unwrap().scans > 3, "the sample has several scans");
}

#[test]
fn every_truncation_is_refused() {
    for bytes in [&file(48, 40)[..], PROGRESSIVE] {
        assert_eq!(inspect(bytes), Ok(()));
        for length in 0..bytes.len() {
            fault(&bytes[..length]);
        }
    }
}

#[test]
fn truncation_with_a_new_end_marker_is_refused() {
    let bytes = file(96, 80);
    let data = bytes.windows(2).position(|pair| pair == [0xff, 0xda]).unwrap() + 14;
    let mut picture = Picture::default();
    // The decoder looks for missing data at each row of blocks; this picture has ten (or five) of them.
    for length in data..bytes.len() - bytes.len() / 4 {
        let mut cut = bytes[..length].to_vec();
        cut.extend([0xff, 0xd9]);
        let refused = decode(&cut, &mut picture);
        assert!(matches!(refused, Err(FrameFault::Damaged | FrameFault::Structure)), "{length} of {}", bytes.len());
    }
}

#[test]
fn whole_pictures_of_every_shape_decode() {
    let mut picture = Picture::default();
    for side in 60..140 {
        for (width, height) in [(side, 65), (65, side), (side, side)] {
            assert_eq!(decode(&file(width, height), &mut picture), Ok(()), "{width}x{height}");
            let mut flat = Vec::new();
            let black = vec![0; usize::from(width) * usize::from(height) * 3];
            let encoder = JpegEncoder::new_with_quality(&mut flat, 30);
            encoder.write_image(&black, width.into(), height.into(), ExtendedColorType::Rgb8).unwrap();
            assert_eq!(decode(&flat, &mut picture), Ok(()), "black {width}x{height}");
        }
    }
}

#[test]
fn trailing_data_is_refused() {
    for tail in [&[0][..], &[0xff, 0xd9], b"#!/bin/sh", &file(8, 8)] {
        let mut bytes = file(32, 32);
        bytes.extend(tail);
        assert_eq!(fault(&bytes), FrameFault::TrailingData);
    }
}

#[test]
fn header_bombs_and_one_pixel_too_many_are_refused_before_decoding() {
    for (width, height) in [(16_384, 16_384), (65_535, 1), (2049, 8), (8, 2049), (0, 8), (8, 0)] {
        let bytes = with_dimensions(file(32, 32), width, height);
        assert_eq!(inspect(&bytes), Err(FrameFault::Dimensions { width, height }));
        assert_eq!(fault(&bytes), FrameFault::Dimensions { width, height });
    }
}

#[test]
fn dimensions_larger_than_the_data_are_refused() {
    assert_eq!(fault(&with_dimensions(file(64, 64), 2048, 2048)), FrameFault::Damaged);
}

#[test]
fn too_many_scans_are_refused_before_decoding() {
    let bytes = file(32, 32);
    let scan = bytes.windows(2).position(|pair| pair == [0xff, 0xda]).unwrap();
    let (head, body) = bytes[..bytes.len() - 2].split_at(scan);
    let repeated = |count: usize| [head, &body.repeat(count), &[0xff, 0xd9]].concat();
    assert_eq!(inspect(&repeated(MAX_SCANS)), Ok(()));
    assert_eq!(inspect(&repeated(MAX_SCANS + 1)), Err(FrameFault::Scans));
}

#[test]
fn other_formats_and_codings_are_refused() {
    assert_eq!(fault(b""), FrameFault::NotJpeg);
    assert_eq!(fault(b"\x89PNG\r\n\x1a\n"), FrameFault::NotJpeg);
    assert_eq!(fault(&[0xff, 0xd8]), FrameFault::Truncated);
    assert_eq!(fault(&[0xff, 0xd8, 0xff, 0xd9]), FrameFault::Structure);
    for coding in [0xc3, 0xc9, 0xca, 0xcf] {
        let mut bytes = file(32, 32);
        let at = frame_header(&bytes);
        bytes[at + 1] = coding;
        assert_eq!(fault(&bytes), FrameFault::Unsupported, "{coding:x}");
    }
    let mut four = file(32, 32);
    let at = frame_header(&four) + 9;
    four[at] = 4;
    assert_eq!(fault(&four), FrameFault::Unsupported);
    assert_eq!(fault(&vec![0xff; MAX_FRAME_BYTES + 1]), FrameFault::TooLarge);
}

#[test]
fn damaged_files_never_panic_and_never_leave_a_picture() {
    let sound = [file(40, 24), PROGRESSIVE.to_vec()];
    let mut state = 1_u64;
    let mut next = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize
    };
    let mut picture = Picture::default();
    let mut refused = 0;
    for round in 0..20_000 {
        let mut bytes = sound[round % 2].clone();
        for _ in 0..=next() % 4 {
            let at = next() % bytes.len();
            bytes[at] = next() as u8;
        }
        match decode(&bytes, &mut picture) {
            Ok(()) => assert!(!picture.pixels().is_empty()),
            Err(_) => refused += 1,
        }
        picture.wipe();
    }
    assert!(refused > 4_000, "{refused}");
}
