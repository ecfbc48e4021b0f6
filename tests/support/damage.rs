//! Pictures that are wrong on purpose, made from a good one: each is wrong in one way.
//!
//! Invariant: what [`padded`] makes is a good picture of exactly the size that was asked for.

use anyhow::{Context, Result, ensure};

/// Where the scan begins: comments and further tables may stand before it.
fn scan_at(jpeg: &[u8]) -> Result<usize> {
    marker_at(jpeg, |code| code == 0xda)
}

/// Offset of the first segment marker that `wanted` takes.
fn marker_at(jpeg: &[u8], wanted: impl Fn(u8) -> bool) -> Result<usize> {
    let mut at = 2;
    loop {
        let head = jpeg.get(at..at + 4).context("no such segment")?;
        ensure!(head[0] == 0xff, "not at a marker");
        if wanted(head[1]) {
            return Ok(at);
        }
        at += 2 + usize::from(u16::from_be_bytes([head[2], head[3]]));
    }
}

/// The same picture with comments before its scan, so that the file has exactly `size` bytes.
///
/// # Errors
/// Where the file is larger already, or too near to it.
pub fn padded(jpeg: &[u8], size: usize) -> Result<Vec<u8>> {
    let mut missing = size.checked_sub(jpeg.len()).context("larger already")?;
    let at = scan_at(jpeg)?;
    let mut comments = Vec::with_capacity(missing);
    while missing > 0 {
        // A comment costs 4 bytes of its own; the last but one leaves enough for the last.
        let whole = if missing > 2 * 65_000 { 65_000 } else { missing.min(65_000) };
        let whole = if (1..4).contains(&(missing - whole)) { whole - 4 } else { whole };
        ensure!(whole >= 4, "too near");
        let length = u16::try_from(whole - 2)?;
        comments.extend([0xff, 0xfe]);
        comments.extend(length.to_be_bytes());
        comments.resize(comments.len() + whole - 4, b' ');
        missing -= whole;
    }
    Ok([&jpeg[..at], &comments, &jpeg[at..]].concat())
}

/// The same file whose header claims another size in pixels.
///
/// # Errors
/// Where there is no frame header.
pub fn claiming(jpeg: &[u8], (width, height): (u16, u16)) -> Result<Vec<u8>> {
    let at = marker_at(jpeg, |code| (0xc0..=0xc2).contains(&code))?;
    let mut bomb = jpeg.to_vec();
    bomb[at + 5..at + 7].copy_from_slice(&height.to_be_bytes());
    bomb[at + 7..at + 9].copy_from_slice(&width.to_be_bytes());
    Ok(bomb)
}

/// The same picture whose scan stands in the file `times` times, as a bomb for the time that each costs.
///
/// # Errors
/// Where there is no scan.
pub fn scans(jpeg: &[u8], times: usize) -> Result<Vec<u8>> {
    let (at, end) = (scan_at(jpeg)?, jpeg.len() - 2);
    Ok([&jpeg[..at], &jpeg[at..end].repeat(times), &jpeg[end..]].concat())
}

/// The same file with the entropy-coded data overwritten from its middle on.
#[must_use]
pub fn scrambled(jpeg: &[u8]) -> Vec<u8> {
    let mut bytes = jpeg.to_vec();
    let (middle, end) = (bytes.len() / 2, bytes.len() - 2);
    bytes[middle..end].fill(0xa5);
    bytes
}
