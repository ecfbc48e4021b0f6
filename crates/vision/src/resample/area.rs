//! Reduction by pixel area: each new pixel is the mean of the source area it covers, fractions of pixels included
//! (OpenCV's `INTER_AREA`).

use crate::picture::Picture;
use std::hint::black_box;

/// What the weights of a new pixel add up to, along one axis.
const ONE: u16 = 256;
/// What sums begin with, a 65536th of a grey level: [`nearest`] takes halves to even, but they are to go up.
const TIE: f32 = 1.0 / 65536.0;
/// Channels of a source row that are summed at a time, in registers.
const BLOCK: usize = 64;

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

/// Reduces pictures; keeps its scratch memory between calls and wipes it after each.
///
/// All sums are whole multiples of 1 / [`ONE`]² grey levels below 256, which a single float holds exactly.
#[derive(Default)]
pub(crate) struct Reducer {
    /// Weighted sums of source rows, in 256ths of a grey level.
    row: Vec<f32>,
    /// The new row before it is rounded, and one number more.
    line: Vec<f32>,
    /// First source column of each new column.
    firsts: Vec<usize>,
    /// Weights of the `taps` source columns from there on, in 256ths of a 256th, each once for every lane.
    across: Vec<[f32; 4]>,
    taps: usize,
    /// Weights of one new pixel along one axis.
    weights: Vec<u16>,
}

impl Reducer {
    /// Writes the wanted part of the reduced `source` into `target`.
    pub(crate) fn reduce(&mut self, source: &Picture, grid: &Grid, target: &mut Picture) {
        let (width, height) = grid.size;
        self.plan(source.width(), grid);
        let left = self.firsts.first().map_or(0, |&first| first);
        let right = self.firsts.last().map_or(left, |&first| first + self.taps);
        self.row.resize((right - left) * 3 + 1, 0.0);
        self.line.resize(width * 3 + 1, 0.0);
        let pixels = target.make_room(width, height);
        for (j, out) in pixels.chunks_exact_mut((width * 3).max(1)).enumerate() {
            self.add_rows(source, (grid.first.1 + j, grid.step.1), left);
            self.add_columns(left);
            out.iter_mut().zip(&self.line).for_each(|(value, &sum)| *value = nearest(sum));
        }
        self.row.fill(0.0);
        self.line.fill(0.0);
        black_box((&self.row, &self.line));
    }

    /// Weights of the source columns for each new column, as many for each.
    fn plan(&mut self, columns: usize, grid: &Grid) {
        self.firsts.clear();
        self.across.clear();
        let every = grid.first.0..grid.first.0 + grid.size.0;
        let count = |i| {
            let (from, to) = covered(i, grid.step.0, columns);
            to.ceil() as usize - from as usize
        };
        self.taps = every.clone().map(count).max().unwrap_or(0);
        for i in every {
            self.weights.clear();
            self.firsts.push(cover(i, grid.step.0, columns, &mut self.weights));
            self.weights.resize(self.taps, 0);
            let unit = f32::from(ONE) * f32::from(ONE);
            self.across.extend(self.weights.iter().map(|&weight| [f32::from(weight) / unit; 4]));
        }
    }

    /// The weighted sum of the source rows that new row `line` covers, from column `left` on.
    fn add_rows(&mut self, source: &Picture, (line, step): (usize, f64), left: usize) {
        self.weights.clear();
        let first = cover(line, step, source.height(), &mut self.weights);
        let rows = &source.pixels()[first * source.width() * 3..];
        for (block, sums) in self.row.chunks_mut(BLOCK).enumerate() {
            let at = left * 3 + block * BLOCK;
            let totals = match rows.get(at..) {
                Some(rows) => add(rows, source.width() * 3, &self.weights),
                None => [0; BLOCK],
            };
            sums.iter_mut().zip(totals).for_each(|(sum, total)| *sum = total.into());
        }
    }

    /// The weighted sums of the columns of `row`, which begins at column `left`.
    fn add_columns(&mut self, left: usize) {
        match self.taps {
            2 => self.add_taps::<2>(left),
            3 => self.add_taps::<3>(left),
            4 => self.add_taps::<4>(left),
            5 => self.add_taps::<5>(left),
            6 => self.add_taps::<6>(left),
            _ => self.add_taps::<1>(left),
        }
    }

    /// [`Reducer::add_columns`], `N` columns at a time.
    fn add_taps<const N: usize>(&mut self, left: usize) {
        let weights = self.across.chunks_exact(self.taps.max(1));
        for (i, (&first, weights)) in self.firsts.iter().zip(weights).enumerate() {
            // Four lanes where three are used: the fourth is overwritten by the next pixel.
            let mut sum = [TIE; 4];
            for (group, weights) in weights.as_chunks::<N>().0.iter().enumerate() {
                let at = (first - left + group * N) * 3;
                let covered = &self.row[at..at + N * 3 + 1];
                for (k, weight) in weights.iter().enumerate() {
                    let colour = &covered[k * 3..k * 3 + 4];
                    let lanes = weight.iter().zip(colour);
                    sum.iter_mut().zip(lanes).for_each(|(total, (weight, value))| *total += weight * value);
                }
            }
            self.line[i * 3..i * 3 + 4].copy_from_slice(&sum);
        }
    }
}

/// The nearest grey level. From 2²³ on floats are whole numbers, and their low bits count them; a conversion that has to
/// look for what is out of range cannot be vectorised.
fn nearest(level: f32) -> u8 {
    (level + 8_388_608.0).to_bits() as u8
}

/// Weighted sums of a block of grey levels and of those below it; `rows` are `stride` apart. Past the end is black.
fn add(rows: &[u8], stride: usize, weights: &[u16]) -> [u16; BLOCK] {
    let mut totals = [0; BLOCK];
    for (k, &weight) in weights.iter().enumerate() {
        let rest = rows.get(k * stride..).unwrap_or_default();
        let Some(values) = rest.first_chunk::<BLOCK>() else { return add_last(rows, stride, weights) };
        for (total, &value) in totals.iter_mut().zip(values) {
            // Weights add up to ONE, so nothing wraps; saying so lets the loop be vectorised in every profile.
            *total = u16::wrapping_add(*total, weight.wrapping_mul(value.into()));
        }
    }
    totals
}

/// [`add`] where a block is not whole.
#[cold]
fn add_last(rows: &[u8], stride: usize, weights: &[u16]) -> [u16; BLOCK] {
    let mut totals = [0; BLOCK];
    for (&weight, row) in weights.iter().zip(rows.chunks(stride)) {
        for (total, &value) in totals.iter_mut().zip(row) {
            *total = u16::wrapping_add(*total, weight.wrapping_mul(value.into()));
        }
    }
    totals
}

/// Appends the weights, summing to [`ONE`], with which new pixel `index` covers source pixels, and returns the first of
/// them. A new pixel that reaches over the end takes what is there.
fn cover(index: usize, step: f64, length: usize, weights: &mut Vec<u16>) -> usize {
    let (from, to) = covered(index, step, length);
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

/// Where the source pixels that new pixel `index` covers begin and end.
fn covered(index: usize, step: f64, length: usize) -> (f64, f64) {
    let end = length as f64;
    let from = (index as f64 * step).min(end - 1.0);
    (from, (from + step).min(end))
}
