//! Bilinear warping by a similarity; what lies outside the picture is black (OpenCV's `warpAffine`, `INTER_LINEAR`,
//! constant border).

use super::{Grid, Reducer, Similarity};
use crate::picture::Picture;

/// Shrinking by more than this is preceded by a reduction by pixel area, or the warp would skip pixels.
const MOST_SHRINKING: f64 = 1.5;
/// Bits of a weight, and of a position between two pixels.
const BITS: u32 = 10;
const ONE: i64 = 1 << BITS;

/// Warps pictures; keeps its scratch memory between calls and wipes it after each.
#[derive(Default)]
pub(crate) struct Warper {
    reducer: Reducer,
    reduced: Picture,
}

/// Fixed-point source position of the first pixel of a row, and the step to the next.
#[derive(Clone, Copy)]
struct Line {
    x: i64,
    y: i64,
    dx: i64,
    dy: i64,
}

/// Fraction bits of a [`Line`].
const FRACTION: u32 = 32;

impl Warper {
    /// Fills the square `target` of `side` pixels with what `map` takes there from `source`.
    pub(crate) fn warp(&mut self, source: &Picture, map: &Similarity, side: usize, target: &mut Picture) {
        let back = map.inverse();
        let step = back.scale();
        if step <= MOST_SHRINKING {
            sample(source, &back, side, target);
            return;
        }
        let Some(grid) = reach(source, &back, side) else {
            target.make_room(side, side).fill(0);
            return;
        };
        self.reducer.reduce(source, &grid, &mut self.reduced);
        // Source pixel centre x lies at (x + 1/2) / step - 1/2 on the reduced grid, less the grid's first pixel.
        let shift = |t: f64, first: usize| (t + 0.5) / step - 0.5 - first as f64;
        let on_grid = Similarity {
            a: back.a / step,
            b: back.b / step,
            tx: shift(back.tx, grid.first.0),
            ty: shift(back.ty, grid.first.1),
        };
        sample(&self.reduced, &on_grid, side, target);
        self.reduced.wipe();
    }
}

/// The part of the reduced picture that the square can see; `None` when it sees nothing.
fn reach(source: &Picture, back: &Similarity, side: usize) -> Option<Grid> {
    let step = back.scale();
    let far = side as f64 - 1.0;
    let corners = [(0.0, 0.0), (far, 0.0), (0.0, far), (far, far)].map(|(x, y)| back.apply(x, y));
    let range = |values: [f64; 4], length: usize| {
        let least = values.iter().fold(f64::INFINITY, |m, &v| m.min(v));
        let most = values.iter().fold(f64::NEG_INFINITY, |m, &v| m.max(v));
        let count = ((length as f64 / step).round()).max(1.0);
        let first = (least / step - 2.0).floor().clamp(0.0, count);
        let last = (most / step + 3.0).ceil().clamp(0.0, count);
        (last > first).then_some((first as usize, (last - first) as usize))
    };
    let (x, w) = range(corners.map(|c| c.0), source.width())?;
    let (y, h) = range(corners.map(|c| c.1), source.height())?;
    Some(Grid { step: (step, step), first: (x, y), size: (w, h) })
}

/// Fills the square with bilinear samples at `back` of each of its pixels.
fn sample(source: &Picture, back: &Similarity, side: usize, target: &mut Picture) {
    let fixed = |v: f64| (v * (1u64 << FRACTION) as f64).round() as i64;
    let out = target.make_room(side, side);
    for (j, row) in out.chunks_exact_mut(side * 3).enumerate() {
        let (x, y) = back.apply(0.0, j as f64);
        let line = Line { x: fixed(x), y: fixed(y), dx: fixed(back.a), dy: fixed(back.b) };
        sample_line(source, line, row);
    }
}

fn sample_line(source: &Picture, line: Line, row: &mut [u8]) {
    let (width, pixels) = (source.width(), source.pixels());
    // A pixel and its right and lower neighbours are inside when its index is below these.
    let inside = ((width as i64 - 1).max(0) as u64, (source.height() as i64 - 1).max(0) as u64);
    let (mut x, mut y) = (line.x, line.y);
    for pixel in row.as_chunks_mut::<3>().0 {
        let (ix, iy) = (x >> FRACTION, y >> FRACTION);
        let fx = ((x >> (FRACTION - BITS)) & (ONE - 1)) as u32;
        let fy = ((y >> (FRACTION - BITS)) & (ONE - 1)) as u32;
        *pixel = if (ix as u64) < inside.0 && (iy as u64) < inside.1 {
            let at = (iy as usize * width + ix as usize) * 3;
            let below = at + width * 3;
            match (pixels[at..].first_chunk::<6>(), pixels[below..].first_chunk::<6>()) {
                (Some(upper), Some(lower)) => blend(upper, lower, fx, fy),
                _ => [0; 3],
            }
        } else {
            let (upper, lower) = edge(source, ix, iy);
            blend(&upper, &lower, fx, fy)
        };
        x += line.dx;
        y += line.dy;
    }
}

/// Two pixels above two pixels; weights add up to `2^(2 BITS)`.
#[inline]
fn blend(upper: &[u8; 6], lower: &[u8; 6], fx: u32, fy: u32) -> [u8; 3] {
    let one = ONE as u32;
    let (w00, w01) = ((one - fx) * (one - fy), fx * (one - fy));
    let (w10, w11) = ((one - fx) * fy, fx * fy);
    let channel = |c: usize| {
        let sum = u32::from(upper[c]) * w00
            + u32::from(upper[c + 3]) * w01
            + u32::from(lower[c]) * w10
            + u32::from(lower[c + 3]) * w11;
        ((sum + (1 << (2 * BITS - 1))) >> (2 * BITS)) as u8
    };
    [channel(0), channel(1), channel(2)]
}

/// The four pixels at a place that is not wholly inside.
#[cold]
fn edge(source: &Picture, ix: i64, iy: i64) -> ([u8; 6], [u8; 6]) {
    let fetch = |x: i64, y: i64| match (usize::try_from(x), usize::try_from(y)) {
        (Ok(x), Ok(y)) if x < source.width() && y < source.height() => {
            let row = source.row(y);
            [row[x * 3], row[x * 3 + 1], row[x * 3 + 2]]
        }
        _ => [0; 3],
    };
    let pair = |y: i64| {
        let (l, r) = (fetch(ix, y), fetch(ix + 1, y));
        [l[0], l[1], l[2], r[0], r[1], r[2]]
    };
    (pair(iy), pair(iy + 1))
}
