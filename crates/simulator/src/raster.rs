//! Triangles onto a frame: scan conversion with a depth test.
//!
//! Must never know: what a triangle means. Invariant: triangles that share an edge leave no gap and paint no pixel twice.

#[cfg(test)]
mod tests;

/// A corner of a triangle.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Corner {
    /// Place on the frame in pixels.
    pub(crate) at: [f32; 2],
    /// One over the distance; greater is nearer.
    pub(crate) nearness: f32,
    /// What is interpolated: two texture coordinates, ambient and screen light, gloss.
    pub(crate) values: [f32; 5],
}

/// A frame in linear light.
pub(crate) struct Canvas {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) pixels: Vec<[f32; 3]>,
    nearness: Vec<f32>,
}

/// One pixel of a triangle.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fragment {
    /// Row of the frame.
    pub(crate) y: usize,
    /// The interpolated values.
    pub(crate) values: [f32; 5],
}

impl Canvas {
    pub(crate) fn new(width: usize, height: usize) -> Self {
        Self { width, height, pixels: vec![[0.0; 3]; width * height], nearness: vec![0.0; width * height] }
    }

    /// Forgets depth, so that what follows lies over what is there.
    pub(crate) fn flatten(&mut self) {
        self.nearness.fill(0.0);
    }

    /// Paints triangles. The shader gives a colour and how much of it covers the pixel.
    pub(crate) fn draw(
        &mut self,
        corners: &[Corner],
        triangles: &[[usize; 3]],
        shade: impl Fn(&Fragment) -> ([f32; 3], f32),
    ) {
        for triangle in triangles {
            let [a, b, c] = triangle.map(|i| corners[i]);
            self.triangle([a, b, c], &shade);
        }
    }

    fn triangle(&mut self, corners: [Corner; 3], shade: &impl Fn(&Fragment) -> ([f32; 3], f32)) {
        let Some(slope) = Slope::of(&corners) else { return };
        let [a, b, c] = corners.map(|corner| corner.at);
        let low = a[1].min(b[1]).min(c[1]);
        let high = a[1].max(b[1]).max(c[1]);
        for y in first(low, self.height)..first(high, self.height) {
            let line = y as f32;
            let (mut left, mut right) = (f32::INFINITY, f32::NEG_INFINITY);
            for (p, q) in [(a, b), (b, c), (c, a)] {
                // Both triangles at an edge must find the same crossing, so the edge is always walked downwards.
                let (p, q) = if p[1] <= q[1] { (p, q) } else { (q, p) };
                if p[1] <= line && line < q[1] {
                    let x = p[0] + (q[0] - p[0]) * ((line - p[1]) / (q[1] - p[1]));
                    left = left.min(x);
                    right = right.max(x);
                }
            }
            let (from, to) = (first(left, self.width), first(right, self.width));
            if from < to {
                self.span(y, from..to, &slope, shade);
            }
        }
    }

    fn span(
        &mut self,
        y: usize,
        columns: std::ops::Range<usize>,
        slope: &Slope,
        shade: &impl Fn(&Fragment) -> ([f32; 3], f32),
    ) {
        let mut all = slope.at(columns.start as f32, y as f32);
        let start = y * self.width;
        let range = start + columns.start..start + columns.end;
        let cells = self.pixels[range.clone()].iter_mut().zip(&mut self.nearness[range]);
        for (pixel, nearness) in cells {
            if all[5] >= *nearness {
                let (colour, cover) = shade(&Fragment { y, values: [all[0], all[1], all[2], all[3], all[4]] });
                if cover > 0.02 {
                    *nearness = all[5];
                    for (under, over) in pixel.iter_mut().zip(colour) {
                        *under += (over - *under) * cover;
                    }
                }
            }
            for (value, step) in all.iter_mut().zip(slope.across) {
                *value += step;
            }
        }
    }
}

/// The first whole coordinate at or after a place, inside 0 to `end`.
fn first(place: f32, end: usize) -> usize {
    place.ceil().clamp(0.0, end as f32) as usize
}

/// Values as linear functions of the place: the five values and the nearness.
struct Slope {
    origin: [f32; 2],
    base: [f32; 6],
    across: [f32; 6],
    down: [f32; 6],
}

impl Slope {
    fn of(corners: &[Corner; 3]) -> Option<Self> {
        let [a, b, c] = corners.map(|corner| corner.at);
        let (u, v) = ([b[0] - a[0], b[1] - a[1]], [c[0] - a[0], c[1] - a[1]]);
        let area = u[0] * v[1] - u[1] * v[0];
        if !area.is_finite() || area.abs() < 1e-4 {
            return None;
        }
        let all = corners.map(|p| [p.values[0], p.values[1], p.values[2], p.values[3], p.values[4], p.nearness]);
        let (mut across, mut down) = ([0.0; 6], [0.0; 6]);
        for i in 0..6 {
            let (p, q) = (all[1][i] - all[0][i], all[2][i] - all[0][i]);
            across[i] = (p * v[1] - q * u[1]) / area;
            down[i] = (q * u[0] - p * v[0]) / area;
        }
        Some(Self { origin: a, base: all[0], across, down })
    }

    fn at(&self, x: f32, y: f32) -> [f32; 6] {
        let (dx, dy) = (x - self.origin[0], y - self.origin[1]);
        std::array::from_fn(|i| self.base[i] + self.across[i] * dx + self.down[i] * dy)
    }
}
