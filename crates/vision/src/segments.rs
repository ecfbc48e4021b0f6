//! The segments of a JPEG file in front of its first scan, and what its quantisation tables say (ITU-T T.81 B.2).
//!
//! Must never know: pixels. Invariant: any bytes end the walk sooner or later, none make it panic.

use std::ops::Range;

pub(crate) const SOS: u8 = 0xda;
pub(crate) const DQT: u8 = 0xdb;
/// Start-of-frame markers of the codings that are decoded.
pub(crate) const SOF: Range<u8> = 0xc0..0xc3;
/// Steps in a quantisation table.
const STEPS: usize = 64;

/// Markers with their segments' bodies, the first start of scan being the last of them.
pub(crate) struct Segments<'a> {
    rest: &'a [u8],
}

impl<'a> Segments<'a> {
    pub(crate) fn of(jpeg: &'a [u8]) -> Self {
        Self { rest: jpeg.get(2..).unwrap_or_default() }
    }
}

impl<'a> Iterator for Segments<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        while let [0xff, 0xff, ..] = self.rest {
            self.rest = &self.rest[1..];
        }
        let [0xff, marker, after @ ..] = self.rest else { return None };
        let (length, _) = after.split_first_chunk::<2>()?;
        let body = after.get(2..usize::from(u16::from_be_bytes(*length)))?;
        self.rest = if *marker == SOS { &[] } else { after.get(body.len() + 2..).unwrap_or_default() };
        Some((*marker, body))
    }
}

/// Mean step of the luminance's quantisation table: 11 at the quality 90 of the standard's tables, 58 at 50, 144 at 20. 0 where
/// the file names no table that could be read.
pub(crate) fn luma_step(jpeg: &[u8]) -> f32 {
    let (mut tables, mut luma) = ([0.0; 4], None);
    for (marker, body) in Segments::of(jpeg) {
        match marker {
            DQT => read_tables(body, &mut tables),
            // Precision, size and number of components lead; then the first component's name, sampling and table.
            marker if SOF.contains(&marker) => luma = body.get(8).map(|table| usize::from(*table)),
            _ => {}
        }
    }
    luma.and_then(|luma| tables.get(luma)).copied().unwrap_or_default()
}

/// Mean step of each table of a segment; steps have 8 or 16 bits (T.81 B.2.4.1).
fn read_tables(mut body: &[u8], tables: &mut [f32; 4]) {
    while let [kind, after @ ..] = body {
        let width = if kind >> 4 == 0 { 1 } else { 2 };
        let Some((steps, rest)) = after.split_at_checked(STEPS * width) else { return };
        let sum: u32 =
            steps.chunks(width).map(|step| step.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte))).sum();
        if let Some(table) = tables.get_mut(usize::from(kind & 15)) {
            *table = sum as f32 / STEPS as f32;
        }
        body = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{RgbImage, codecs::jpeg::JpegEncoder};

    fn jpeg(quality: u8) -> Vec<u8> {
        let mut bytes = Vec::new();
        let picture = RgbImage::from_fn(64, 64, |x, y| image::Rgb([7, x as u8, y as u8]));
        JpegEncoder::new_with_quality(&mut bytes, quality).encode_image(&picture).unwrap();
        bytes
    }

    #[test]
    fn the_luminances_step_is_that_of_the_standards_table() {
        // T.81 table K.1: its 64 steps sum to 3,688.
        assert_eq!(luma_step(&jpeg(50)), 3688.0 / 64.0);
        let steps = [95, 60, 30, 15].map(|quality| luma_step(&jpeg(quality)));
        assert!(steps.is_sorted(), "{steps:?}");
    }

    #[test]
    fn wide_steps_and_several_tables_in_one_segment_are_read() {
        let mut body = vec![0x10];
        body.extend([1, 0].repeat(STEPS));
        body.push(0x01);
        body.extend([3].repeat(STEPS));
        let mut tables = [0.0; 4];
        read_tables(&body, &mut tables);
        assert_eq!(tables, [256.0, 3.0, 0.0, 0.0]);
    }

    #[test]
    fn bytes_that_are_no_whole_file_have_no_step_and_no_end_of_trouble() {
        let whole = jpeg(50);
        for cut in 0..700 {
            luma_step(&whole[..cut]);
        }
        assert_eq!(luma_step(&[]), 0.0);
        assert_eq!(luma_step(&[0xff; 40]), 0.0);
    }
}
