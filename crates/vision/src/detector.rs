//! Faces in a picture: BlazeFace, short range (Bazarevsky et al. 2019), with MediaPipe's weighted non-maximum suppression.
//!
//! Must never know: landmarks beyond its own six points. Invariant: what it returns is in pixels of the picture it was given.

use crate::{
    error::VisionError,
    evidence::{Point, Rectangle},
    picture::Picture,
    resample::{Grid, Reducer, Similarity, Warper},
    session::Model,
};
use std::hint::black_box;

/// Side of the network's input.
pub(crate) const SIDE: usize = 128;
/// Numbers per anchor: centre, size and six points.
const NUMBERS: usize = 16;
/// Detections that overlap by more than this share are one face.
const OVERLAP: f32 = 0.3;
/// Anchors per cell of the two feature maps: (cells a side, anchors a cell).
const MAPS: [(usize, usize); 2] = [(16, 2), (8, 6)];

/// A face as the detector sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Detection {
    pub(crate) rectangle: Rectangle,
    pub(crate) score: f32,
    pub(crate) right_eye: Point,
    pub(crate) left_eye: Point,
}

impl Detection {
    /// How much of the picture's attention it has: width times score.
    pub(crate) fn weight(&self) -> f32 {
        self.rectangle.width() * self.score
    }
}

/// The detector.
pub(crate) struct Detector {
    model: Model,
    anchors: Vec<(f32, f32)>,
    reducer: Reducer,
    warper: Warper,
    inner: Picture,
    letterbox: Picture,
    raw: Vec<Raw>,
}

/// One anchor's answer, in units of the network's input side.
#[derive(Clone, Copy)]
struct Raw {
    score: f32,
    numbers: [f32; 8],
    taken: bool,
}

/// Where the picture lies in the letterbox.
#[derive(Clone, Copy)]
struct Placement {
    scale: f32,
    left: usize,
    top: usize,
}

impl Detector {
    pub(crate) fn new(model: Model) -> Self {
        let (reducer, warper, inner, letterbox) = Default::default();
        Self { model, anchors: anchors(), reducer, warper, inner, letterbox, raw: Vec::new() }
    }

    /// All faces with a score above `threshold`, best first.
    pub(crate) fn detect(&mut self, picture: &Picture, threshold: f32) -> Result<Vec<Detection>, VisionError> {
        let placement = self.fit(picture);
        self.model.feed(self.letterbox.pixels());
        self.model.run()?;
        self.collect(threshold);
        let mut found = Vec::new();
        for best in 0..self.raw.len() {
            if !self.raw[best].taken {
                found.push(placement.place(&merge(&mut self.raw, best)));
            }
        }
        Ok(found)
    }

    /// The letterboxed input of the last picture, for comparing pictures with each other.
    pub(crate) fn letterbox(&self) -> &[u8] {
        self.letterbox.pixels()
    }

    /// Runs the model on whatever its input holds, for benches.
    pub(crate) fn run_model_only(&mut self) -> Result<(), VisionError> {
        self.model.run()
    }

    /// Wipes what is left of the last picture.
    pub(crate) fn wipe(&mut self) {
        self.model.wipe();
        self.letterbox.wipe();
        self.inner.wipe();
        self.raw.fill(Raw { score: 0.0, numbers: [0.0; 8], taken: false });
        black_box(&self.raw);
    }

    /// Scales the picture into the middle of the black square.
    fn fit(&mut self, picture: &Picture) -> Placement {
        let (width, height) = (picture.width(), picture.height());
        let scale = SIDE as f64 / width.max(height) as f64;
        // Python's round, which the reference uses, takes halves to even.
        let (w, h) = ((width as f64 * scale).round_ties_even(), (height as f64 * scale).round_ties_even());
        let (w, h) = ((w as usize).max(1), (h as usize).max(1));
        let (left, top) = ((SIDE - w) / 2, (SIDE - h) / 2);
        if scale < 1.0 {
            let step = (width as f64 / w as f64, height as f64 / h as f64);
            self.reducer.reduce(picture, &Grid { step, first: (0, 0), size: (w, h) }, &mut self.inner);
        } else {
            let map = Similarity { a: scale, b: 0.0, tx: 0.5 * scale - 0.5, ty: 0.5 * scale - 0.5 };
            self.warper.warp(picture, &map, SIDE, &mut self.inner);
        }
        let target = self.letterbox.make_room(SIDE, SIDE);
        target.fill(0);
        for y in 0..h {
            let at = ((y + top) * SIDE + left) * 3;
            target[at..at + w * 3].copy_from_slice(&self.inner.row(y)[..w * 3]);
        }
        Placement { scale: scale as f32, left, top }
    }

    /// Anchors that see a face, best first.
    fn collect(&mut self, threshold: f32) {
        self.raw.clear();
        let (numbers, logits) = (self.model.output(0), self.model.output(1));
        let anchors = numbers.chunks_exact(NUMBERS).zip(logits).zip(&self.anchors);
        let floor = (threshold / (1.0 - threshold)).ln();
        for ((n, &logit), anchor) in anchors {
            if logit > floor {
                let at = |i: usize| (n[i] / SIDE as f32 + anchor.0, n[i + 1] / SIDE as f32 + anchor.1);
                let ((x, y), (w, h)) = (at(0), (n[2] / SIDE as f32, n[3] / SIDE as f32));
                let ((rx, ry), (lx, ly)) = (at(4), at(6));
                let numbers = [x - w / 2.0, y - h / 2.0, x + w / 2.0, y + h / 2.0, rx, ry, lx, ly];
                self.raw.push(Raw { score: sigmoid(logit), numbers, taken: false });
            }
        }
        self.raw.sort_by(|a, b| b.score.total_cmp(&a.score));
    }
}

impl Placement {
    fn place(self, raw: &Raw) -> Detection {
        let point = |i: usize| Point {
            x: (raw.numbers[i] * SIDE as f32 - self.left as f32) / self.scale,
            y: (raw.numbers[i + 1] * SIDE as f32 - self.top as f32) / self.scale,
        };
        let (a, b) = (point(0), point(2));
        Detection {
            rectangle: Rectangle { left: a.x, top: a.y, right: b.x, bottom: b.y },
            score: raw.score,
            right_eye: point(4),
            left_eye: point(6),
        }
    }
}

/// Centres of the anchors, in units of the input side, in the network's order.
fn anchors() -> Vec<(f32, f32)> {
    let cell = |cells: usize, i: usize| (i as f32 + 0.5) / cells as f32;
    let map = |&(cells, each): &(usize, usize)| {
        (0..cells * cells * each).map(move |i| (cell(cells, i / each % cells), cell(cells, i / each / cells)))
    };
    MAPS.iter().flat_map(map).collect()
}

/// The mean of all free detections that overlap with the one at `best`, weighted by score; they are taken.
fn merge(raw: &mut [Raw], best: usize) -> Raw {
    let chosen = raw[best];
    let (mut total, mut numbers) = (0.0, [0.0; 8]);
    for other in raw.iter_mut().filter(|r| !r.taken) {
        if overlap(&chosen.numbers, &other.numbers) > OVERLAP {
            other.taken = true;
            total += other.score;
            numbers.iter_mut().zip(&other.numbers).for_each(|(sum, v)| *sum += v * other.score);
        }
    }
    raw[best].taken = true;
    if total > 0.0 {
        numbers.iter_mut().for_each(|v| *v /= total);
        Raw { numbers, ..chosen }
    } else {
        chosen
    }
}

/// Intersection over union.
fn overlap(a: &[f32; 8], b: &[f32; 8]) -> f32 {
    let area = |r: &[f32; 8]| (r[2] - r[0]) * (r[3] - r[1]);
    let width = (a[2].min(b[2]) - a[0].max(b[0])).max(0.0);
    let height = (a[3].min(b[3]) - a[1].max(b[1])).max(0.0);
    width * height / (area(a) + area(b) - width * height + 1e-9)
}

/// The logistic function.
pub(crate) fn sigmoid(logit: f32) -> f32 {
    1.0 / (1.0 + (-logit.clamp(-100.0, 100.0)).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(score: f32, left: f32) -> Raw {
        Raw { score, numbers: [left, 0.0, left + 1.0, 1.0, left, 0.5, left + 1.0, 0.5], taken: false }
    }

    #[test]
    fn anchors_cover_both_maps_row_by_row() {
        let all = anchors();
        assert_eq!(all.len(), 896);
        assert_eq!((all[0], all[1], all[2]), ((0.03125, 0.03125), (0.03125, 0.03125), (0.09375, 0.03125)));
        assert_eq!((all[512], all[895]), ((0.0625, 0.0625), (0.9375, 0.9375)));
    }

    #[test]
    fn overlapping_detections_become_one_weighted_mean() {
        let mut all = [raw(0.9, 0.0), raw(0.6, 0.25), raw(0.8, 3.0)];
        let merged = merge(&mut all, 0);
        assert!((merged.numbers[0] - 0.1).abs() < 1e-6, "{:?}", merged.numbers);
        assert_eq!((merged.score, all.map(|r| r.taken)), (0.9, [true, true, false]));
        assert_eq!(merge(&mut all, 2).numbers[0], 3.0);
    }

    #[test]
    fn degenerate_rectangles_do_not_merge_with_others() {
        let mut all = [Raw { numbers: [0.0; 8], ..raw(0.9, 0.0) }, raw(0.8, 0.0)];
        assert!(merge(&mut all, 0).numbers.iter().all(|v| v.is_finite()));
        assert!(!all[1].taken);
    }
}
