//! Reduction by pixel area: each new pixel is the mean of the source area it covers, fractions of pixels included
//! (OpenCV's `INTER_AREA`).

use crate::picture::Picture;
use std::hint::black_box;

/// What the weights of a new pixel add up to.
const ONE: u32 = 256;

/// Which part of a reduced picture is wanted. New pixel (i, j) covers `step` source pixels from `i * step.0`, `j * step.1`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Grid {
    /// Source pixels per new pixel, at least 1, across and down.
    pub(crate) step: (f64, f64),
    /// First new pixel.
    pub(crate) first: (usize, usize),
    /// Number of new pixels.
    pub(crate) size: (usize, usize),
}

/// Source columns that one new column covers.
struct Span {
    first: usize,
    weights: std::ops::Range<usize>,
}

/// Reduces pictures; keeps its scratch memory between calls and wipes it after each.
#[derive(Default)]
pub(crate) struct Reducer {
    /// Weighted sums of source rows, in 256ths of a grey level: at most 255 * 256.
    row: Vec<u16>,
    spans: Vec<Span>,
    weights: Vec<u16>,
}

impl Reducer {
    /// Writes the wanted part of the reduced `source` into `target`.
    pub(crate) fn reduce(&mut self, source: &Picture, grid: &Grid, target: &mut Picture) {
        let (width, height) = grid.size;
        self.plan(source.width(), grid);
        let left = self.spans.first().map_or(0, |s| s.first);
        let right = self.spans.last().map_or(left, |s| s.first + s.weights.len());
        self.row.resize((right - left) * 3, 0);
        let pixels = target.make_room(width, height);
        for (j, out) in pixels.chunks_exact_mut((width * 3).max(1)).enumerate() {
            self.add_rows(source, (grid.first.1 + j, grid.step.1), left..right);
            for (span, pixel) in self.spans.iter().zip(out.as_chunks_mut::<3>().0) {
                let weights = &self.weights[span.weights.clone()];
                let covered = self.row[(span.first - left) * 3..].as_chunks::<3>().0;
                let mut sum = [ONE * ONE / 2; 3];
                for (&weight, colour) in weights.iter().zip(covered) {
                    for (total, &value) in sum.iter_mut().zip(colour) {
                        *total = total.wrapping_add(u32::from(weight).wrapping_mul(value.into()));
                    }
                }
                *pixel = sum.map(|v| (v / (ONE * ONE)) as u8);
            }
        }
        self.row.fill(0);
        black_box(&self.row);
    }

    /// Weights of the source columns for each new column.
    fn plan(&mut self, columns: usize, grid: &Grid) {
        self.spans.clear();
        self.weights.clear();
        for i in 0..grid.size.0 {
            let start = self.weights.len();
            let first = cover(grid.first.0 + i, grid.step.0, columns, &mut self.weights);
            self.spans.push(Span { first, weights: start..self.weights.len() });
        }
    }

    /// The weighted mean of the source rows that new row `line` covers.
    fn add_rows(&mut self, source: &Picture, (line, step): (usize, f64), columns: std::ops::Range<usize>) {
        let start = self.weights.len();
        let first = cover(line, step, source.height(), &mut self.weights);
        self.row.fill(0);
        for (k, &weight) in self.weights[start..].iter().enumerate() {
            let row = &source.row(first + k)[columns.start * 3..columns.end * 3];
            for (total, &value) in self.row.iter_mut().zip(row) {
                // Weights add up to ONE, so nothing wraps; saying so lets the loop be vectorised in every profile.
                *total = total.wrapping_add(weight.wrapping_mul(value.into()));
            }
        }
        self.weights.truncate(start);
    }
}

/// Appends the weights, summing to [`ONE`], with which new pixel `index` covers source pixels, and returns the first of
/// them. A new pixel that reaches over the end takes what is there.
fn cover(index: usize, step: f64, length: usize, weights: &mut Vec<u16>) -> usize {
    let end = length as f64;
    let from = (index as f64 * step).min(end - 1.0);
    let to = (from + step).min(end);
    let first = from as usize;
    // Rounding the running total instead of each share keeps the sum exact.
    let (mut total, mut given) = (0.0, 0);
    for at in first..to.ceil() as usize {
        total += (to.min(at as f64 + 1.0) - from.max(at as f64)).max(0.0);
        let due = (total / (to - from) * f64::from(ONE)).round() as u16;
        weights.push(due - given);
        given = due;
    }
    first
}
