//! Bilinear warping by a similarity; what lies outside the picture is black (OpenCV's `warpAffine`, `INTER_LINEAR`,
//! constant border).

use super::{Grid, Reducer, Similarity};
use crate::picture::Picture;
use std::ops::Range;

/// Shrinking by more than this is preceded by a reduction by pixel area, or the warp would skip pixels.
const MOST_SHRINKING: f64 = 1.5;
/// Bits of a position between two pixels. OpenCV keeps 5.
const BITS: u32 = 6;
const ONE: u64 = 1 << BITS;

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
/// Half of the smallest position that [`BITS`] can tell apart.
const ROUND: i64 = 1 << (FRACTION - BITS - 1);

impl Line {
    /// The line from its pixel `i` on.
    fn at(self, i: usize) -> Self {
        Self { x: self.x + self.dx * i as i64, y: self.y + self.dy * i as i64, ..self }
    }

    /// How far the first position lies between two pixels, across and down.
    fn part(self) -> (u64, u64) {
        let part = |v: i64| (v >> (FRACTION - BITS)) as u64 & (ONE - 1);
        (part(self.x), part(self.y))
    }
}

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
        let line = Line { x: fixed(x) + ROUND, y: fixed(y) + ROUND, dx: fixed(back.a), dy: fixed(back.b) };
        sample_line(source, line, row);
    }
}

fn sample_line(source: &Picture, line: Line, row: &mut [u8]) {
    let pixels = row.as_chunks_mut::<3>().0;
    let across = inside(line.x, line.dx, source.width(), pixels.len());
    let down = inside(line.y, line.dy, source.height(), pixels.len());
    let (start, end) = (across.start.max(down.start), across.end.min(down.end));
    let (start, end) = if start < end { (start, end) } else { (0, 0) };
    for i in (0..start).chain(end..pixels.len()) {
        let at = line.at(i);
        pixels[i] = blend(edge(source, at.x >> FRACTION, at.y >> FRACTION), at.part());
    }
    sample_inside(source, line.at(start), &mut pixels[start..end]);
}

/// Indices of a line's pixels whose position on one axis, and the next, lie in a picture of `length`.
fn inside(first: i64, step: i64, length: usize, count: usize) -> Range<usize> {
    let limit = (length as i64 - 1) << FRACTION;
    let after = |distance: i64, step: i64| (distance + step - 1).div_euclid(step).clamp(0, count as i64) as usize;
    match step {
        0 if (0..limit).contains(&first) => 0..count,
        0 => 0..0,
        1.. => after(-first, step)..after(limit - first, step),
        _ => after(first - limit + 1, -step)..after(first + 1, -step),
    }
}

/// All positions and their right and lower neighbours are inside the picture.
fn sample_inside(source: &Picture, line: Line, pixels: &mut [[u8; 3]]) {
    let (all, stride) = (source.pixels(), source.width() * 3);
    let mut at = line;
    for pixel in pixels {
        let (x, y) = ((at.x >> FRACTION) as usize, (at.y >> FRACTION) as usize);
        let first = y.wrapping_mul(stride).wrapping_add(x.wrapping_mul(3));
        // Eight bytes are loaded where six are used; the very last pixels of the picture go the slow way.
        let words = match all.get(first..first + stride + 8) {
            Some(both) => (word(both), word(&both[stride..])),
            None => edge(source, at.x >> FRACTION, at.y >> FRACTION),
        };
        *pixel = blend(words, at.part());
        at = Line { x: at.x.wrapping_add(at.dx), y: at.y.wrapping_add(at.dy), ..at };
    }
}

fn word(bytes: &[u8]) -> u64 {
    bytes.first_chunk().map_or(0, |b| u64::from_le_bytes(*b))
}

/// Two pixels above two pixels, each pair in the low six bytes of a word, blended by position between them in 64ths.
///
/// First downwards, three channels at once in lanes of 16 bits, then across. No lane can overflow in the end; what a
/// negative difference borrows on the way from the lane above, the sum gives back.
#[inline]
fn blend((upper, lower): (u64, u64), (right, down): (u64, u64)) -> [u8; 3] {
    const LANES: u64 = 0x00ff_00ff_00ff;
    const LANE: u64 = 0xffff;
    let mix = |a: u64, b: u64, part: u64| (a << BITS).wrapping_add(b.wrapping_sub(a).wrapping_mul(part));
    let even = mix(upper & LANES, lower & LANES, down);
    let odd = mix(upper >> 8 & LANES, lower >> 8 & LANES, down);
    let red = mix(even & LANE, odd >> 16 & LANE, right);
    let green = mix(odd & LANE, even >> 32, right);
    let blue = mix(even >> 16 & LANE, odd >> 32, right);
    [red, green, blue].map(|sum| (sum.wrapping_add(ONE * ONE / 2) >> (2 * BITS)) as u8)
}

/// The four pixels at a place that is not wholly inside.
#[cold]
fn edge(source: &Picture, ix: i64, iy: i64) -> (u64, u64) {
    let fetch = |x: i64, y: i64| match (usize::try_from(x), usize::try_from(y)) {
        (Ok(x), Ok(y)) if x < source.width() && y < source.height() => {
            let row = source.row(y);
            [row[x * 3], row[x * 3 + 1], row[x * 3 + 2]]
        }
        _ => [0; 3],
    };
    let pair = |y: i64| {
        let (l, r) = (fetch(ix, y), fetch(ix.wrapping_add(1), y));
        u64::from_le_bytes([l[0], l[1], l[2], r[0], r[1], r[2], 0, 0])
    };
    (pair(iy), pair(iy.wrapping_add(1)))
}
