//! A picture in memory: interleaved RGB, eight bits a channel.
//!
//! Must never know: where it came from. Invariant: its memory is wiped before it is freed or handed on.

use std::hint::black_box;
use zeroize::Zeroize;

/// Interleaved RGB pixels, row by row.
#[derive(Default)]
pub(crate) struct Picture {
    pixels: Vec<u8>,
    width: usize,
    height: usize,
}

impl Picture {
    /// Sets the size and returns the pixels to be written; they may still hold what was there before.
    pub(crate) fn make_room(&mut self, width: usize, height: usize) -> &mut [u8] {
        let (before, length) = (self.used(), width * height * 3);
        if length > self.pixels.len() {
            // Growing in place would leave the old content behind in freed memory.
            self.pixels.zeroize();
            self.pixels = vec![0; length];
        } else if length < before {
            self.pixels[length..before].fill(0);
        }
        (self.width, self.height) = (width, height);
        &mut self.pixels[..length]
    }

    /// Overwrites the content and makes the picture empty; the memory is kept for the next one.
    pub(crate) fn wipe(&mut self) {
        // The buffer lives on, so plain stores cannot be optimised away; `zeroize` writes byte by byte.
        let used = self.used();
        self.pixels[..used].fill(0);
        black_box(&self.pixels);
        (self.width, self.height) = (0, 0);
    }

    /// All pixels.
    pub(crate) fn pixels(&self) -> &[u8] {
        &self.pixels[..self.used()]
    }

    fn used(&self) -> usize {
        self.width * self.height * 3
    }

    pub(crate) fn width(&self) -> usize {
        self.width
    }

    pub(crate) fn height(&self) -> usize {
        self.height
    }

    /// One row of pixels.
    pub(crate) fn row(&self, y: usize) -> &[u8] {
        &self.pixels[y * self.width * 3..(y + 1) * self.width * 3]
    }
}

impl Drop for Picture {
    fn drop(&mut self) {
        self.pixels.zeroize();
    }
}
