//! What a detector sees: a part of the picture around the face, brought to the side of its input.
//!
//! Must never know: models. Invariant: a view is cut as the detector's makers cut theirs, to a pixel: whole source pixels,
//! moved inside or mirrored at the edge, then scaled; a view that would have to be invented is refused.

use crate::{
    evidence::{Face, Point, Rectangle},
    pack::manifest::{Crop, CropBox, CropEdge, CropFilter, CropShape},
    picture::Picture,
    resample::{Grid, Reducer},
};

/// A view that would be enlarged more than this shows nothing that a detector could judge.
const MOST_ENLARGING: f32 = 1.6;

/// A crop as it is wanted now.
pub(crate) struct Wanted<'a> {
    pub(crate) crop: &'a Crop,
    /// Multiplies the crop's own scale.
    pub(crate) zoom: f32,
    /// Side of the view in pixels.
    pub(crate) side: usize,
}

/// Whole source pixels; may reach over the edges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Region {
    pub(crate) left: i64,
    pub(crate) top: i64,
    pub(crate) width: usize,
    pub(crate) height: usize,
}

/// Cuts views; keeps its scratch memory between calls and wipes it after each.
#[derive(Default)]
pub(crate) struct Cutter {
    part: Picture,
    reducer: Reducer,
}

impl Cutter {
    /// Writes the view into `target`; `false` when the face is too small or in no usable place.
    pub(crate) fn cut(&mut self, picture: &Picture, face: &Face, wanted: &Wanted<'_>, target: &mut Picture) -> bool {
        let Some(region) = region(wanted, face, (picture.width(), picture.height())) else { return false };
        copy(picture, region, &mut self.part);
        let side = wanted.side;
        let step = (region.width as f64 / side as f64, region.height as f64 / side as f64);
        if wanted.crop.filter == CropFilter::Area && step.0 >= 1.0 && step.1 >= 1.0 {
            self.reducer.reduce(&self.part, &Grid { step, first: (0, 0), size: (side, side) }, target);
        } else {
            stretch(&self.part, side, target);
        }
        self.part.wipe();
        true
    }

    /// Wipes what is left of the last picture.
    pub(crate) fn wipe(&mut self) {
        self.part.wipe();
    }
}

/// Where the crop lies in a picture of this size.
pub(crate) fn region(wanted: &Wanted<'_>, face: &Face, (width, height): (usize, usize)) -> Option<Region> {
    let crop = wanted.crop;
    let source = match crop.rectangle {
        CropBox::Detector => face.rectangle,
        CropBox::Mesh => bounds(&face.points)?,
    };
    let (w, h) = match crop.shape {
        CropShape::Box => (source.width(), source.height()),
        CropShape::Square => (source.width().max(source.height()), source.width().max(source.height())),
    };
    let scale = crop.scale * wanted.zoom;
    let sound = [w, h, scale].into_iter().all(|v| v.is_finite() && v > 0.0);
    let region = (sound && width > 1 && height > 1).then(|| match crop.edge {
        CropEdge::Shift => shifted(source.centre(), (w, h, scale), (width, height)),
        CropEdge::Reflect => centred(source.centre(), (w * scale, h * scale)),
    })?;
    let inside = region.left.abs() < width as i64 && region.top.abs() < height as i64;
    let fits = region.width < 3 * width && region.height < 3 * height;
    let least = wanted.side as f32 / MOST_ENLARGING;
    let large = region.width.min(region.height) as f32 >= least;
    (inside && fits && large).then_some(region)
}

/// Shrunk to fit the picture, then moved inside (as MiniFASNet's makers crop).
fn shifted(centre: Point, (w, h, scale): (f32, f32, f32), (width, height): (usize, usize)) -> Region {
    let (most_x, most_y) = (width as f32 - 1.0, height as f32 - 1.0);
    let scale = scale.min(most_x / w).min(most_y / h);
    let place = |middle: f32, length: f32, most: f32| {
        let (mut from, mut to) = (middle - length / 2.0, middle + length / 2.0);
        if from < 0.0 {
            (from, to) = (0.0, to - from);
        }
        if to > most {
            (from, to) = (from - (to - most), most);
        }
        let from = from.max(0.0) as i64;
        (from, (to as i64 - from + 1).max(1) as usize)
    };
    let (left, across) = place(centre.x, w * scale, most_x);
    let (top, down) = place(centre.y, h * scale, most_y);
    Region { left, top, width: across, height: down }
}

fn centred(centre: Point, (w, h): (f32, f32)) -> Region {
    let from = |middle: f32, length: f32| (middle - length / 2.0) as i64;
    Region { left: from(centre.x, w), top: from(centre.y, h), width: w as usize, height: h as usize }
}

/// The rectangle around all points; `None` when one of them is nowhere.
fn bounds(points: &[Point]) -> Option<Rectangle> {
    let first = points.first().filter(|_| points.iter().all(|p| p.x.is_finite() && p.y.is_finite()))?;
    let start = Rectangle { left: first.x, top: first.y, right: first.x, bottom: first.y };
    Some(points.iter().fold(start, |r, p| Rectangle {
        left: r.left.min(p.x),
        top: r.top.min(p.y),
        right: r.right.max(p.x),
        bottom: r.bottom.max(p.y),
    }))
}

/// Copies the region; outside, the picture is mirrored about its last pixel (OpenCV's `BORDER_REFLECT_101`).
fn copy(picture: &Picture, region: Region, target: &mut Picture) {
    let (width, height) = (picture.width() as i64, picture.height() as i64);
    let across = region.left..region.left + region.width as i64;
    let out = target.make_room(region.width, region.height);
    for (j, line) in out.chunks_exact_mut(region.width * 3).enumerate() {
        let row = picture.row(mirror(region.top + j as i64, height));
        if across.start >= 0 && across.end <= width {
            line.copy_from_slice(&row[across.start as usize * 3..across.end as usize * 3]);
            continue;
        }
        for (x, pixel) in across.clone().zip(line.as_chunks_mut::<3>().0) {
            let at = mirror(x, width) * 3;
            pixel.copy_from_slice(&row[at..at + 3]);
        }
    }
}

/// An index inside 0..length, mirrored at both ends as often as needed.
fn mirror(index: i64, length: i64) -> usize {
    let period = 2 * (length - 1).max(1);
    let folded = index.rem_euclid(period);
    folded.min(period - folded).min(length - 1) as usize
}

/// Where a new pixel lies between two old ones, along one axis.
#[derive(Clone, Copy)]
struct Between {
    /// Indices of the two.
    first: usize,
    second: usize,
    /// How far it is from the first, 0 to 1.
    part: f32,
}

/// All new pixels of an axis; the edge pixels continue outwards.
fn axis(length: usize, side: usize) -> impl Iterator<Item = Between> {
    let (step, last) = (length as f32 / side as f32, length - 1);
    (0..side).map(move |i| {
        let at = ((i as f32 + 0.5) * step - 0.5).clamp(0.0, last as f32);
        let first = (at as usize).min(last);
        Between { first, second: (first + 1).min(last), part: at - first as f32 }
    })
}

/// Scales to a square by bilinear samples at pixel centres (OpenCV's `INTER_LINEAR`).
fn stretch(source: &Picture, side: usize, target: &mut Picture) {
    let across: Vec<Between> = axis(source.width(), side).collect();
    let out = target.make_room(side, side);
    for (down, line) in axis(source.height(), side).zip(out.chunks_exact_mut(side * 3)) {
        let [above, below] = [down.first, down.second].map(|y| source.row(y).as_chunks::<3>().0);
        for (at, pixel) in across.iter().zip(line.as_chunks_mut::<3>().0) {
            let mix = |row: &[[u8; 3]]| {
                let [left, right] = [row[at.first], row[at.second]].map(|pixel| pixel.map(f32::from));
                [0, 1, 2].map(|c| left[c] + (right[c] - left[c]) * at.part)
            };
            let (upper, lower) = (mix(above), mix(below));
            *pixel = [0, 1, 2].map(|c| (upper[c] + (lower[c] - upper[c]) * down.part + 0.5) as u8);
        }
    }
}

#[cfg(test)]
mod tests;
