//! What stands behind the person: the portrait's own background with the person painted out, or a made-up room.
//!
//! Must never know: the person's light. Invariant: covers the frame and a margin, so that the camera may sway.

mod room;

use crate::{
    conditions::{Background, Conditions},
    layout::Layout,
    matte::Matte,
    portrait::Portrait,
    texture::{Plane, linear_rgb},
};
use rand::RngExt;

/// Frame pixels per cell.
const CELL_PX: f32 = 2.0;
/// Cells beyond each edge of the frame.
const MARGIN_CELLS: usize = 24;

/// A background as the camera sees it in ambient light.
pub(crate) struct Backdrop {
    width: usize,
    height: usize,
    cells: Vec<[f32; 3]>,
    /// Distance from the camera in centimetres.
    pub(crate) distance_cm: f32,
}

/// The person to paint out.
pub(crate) struct Painted<'a> {
    pub(crate) portrait: &'a Portrait,
    pub(crate) layout: &'a Layout,
    pub(crate) matte: &'a Matte,
}

impl Backdrop {
    /// The background that the conditions ask for; without a portrait it is a room.
    pub(crate) fn new(conditions: &Conditions, painted: Option<&Painted<'_>>) -> Self {
        let across = |side: u32| (side as f32 / CELL_PX).ceil() as usize + 2 * MARGIN_CELLS;
        let (width, height) = (across(conditions.width), across(conditions.height));
        let mut rng = conditions.rng(12);
        let distance_cm = rng.random_range(110.0..190.0);
        let cells = match (conditions.background, painted) {
            (Background::Portrait, Some(painted)) => {
                let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
                soften(fill(places.map(|at| painted.cell(at)).collect(), width), width, 2)
            }
            (Background::Portrait, None) => room::paint(width, height, conditions.seed),
            (Background::Room(which), _) => room::paint(width, height, which),
        };
        Self { width, height, cells, distance_cm }
    }

    /// A row of the frame, from its left edge on, the camera swayed by so many pixels.
    pub(crate) fn row(&self, y: usize, [dx, dy]: [f32; 2], into: &mut [[f32; 3]]) {
        let v = ((y as f32 + dy) / CELL_PX + MARGIN_CELLS as f32).clamp(0.0, (self.height - 1) as f32 - 0.001);
        let (above, share) = (v as usize, v.fract());
        let line = |y: usize| &self.cells[y * self.width..][..self.width];
        let (above, below) = (line(above), line(above + 1));
        let blend =
            |(a, b): (&[f32; 3], &[f32; 3])| -> [f32; 3] { std::array::from_fn(|i| a[i] + share * (b[i] - a[i])) };
        let between: Vec<[f32; 3]> = above.iter().zip(below).map(blend).collect();
        let (start, last) = (dx / CELL_PX + MARGIN_CELLS as f32, (self.width - 1) as f32 - 0.001);
        for (x, pixel) in into.iter_mut().enumerate() {
            let u = (x as f32 / CELL_PX + start).clamp(0.0, last);
            let at = u as usize;
            let share = u - at as f32;
            let (a, b) = (between[at], between[at + 1]);
            *pixel = std::array::from_fn(|i| a[i] + share * (b[i] - a[i]));
        }
    }
}

impl Painted<'_> {
    /// Colour of a cell and how much it is to be trusted.
    fn cell(&self, (x, y): (usize, usize)) -> [f32; 4] {
        let frame = [x, y].map(|v| (v as f32 - MARGIN_CELLS as f32) * CELL_PX);
        let cm = [0, 1].map(|i| (frame[i] - self.layout.face_at[i]) / self.layout.px_per_cm);
        let [u, v] = self.layout.portrait_px(cm);
        let source = self.portrait.pixels();
        if u < 0.0 || v < 0.0 || u >= source.width() as f32 || v >= source.height() as f32 {
            return [0.0; 4];
        }
        let rgb = source.get_pixel(u as u32, v as u32).0;
        // Black corners are no scene, they come from turning the picture.
        let black = if rgb.iter().all(|&level| level < 12) { 0.0 } else { 1.0 };
        let trust = (1.0 - self.matte.near(cm)) * black;
        let [r, g, b] = linear_rgb(rgb);
        [r, g, b, trust.max(1e-5)]
    }
}

/// Fills cells of little trust from those around them, coarse to fine (pull-push after Gortler et al. 1996).
fn fill(cells: Vec<[f32; 4]>, width: usize) -> Vec<[f32; 3]> {
    let height = cells.len() / width;
    if width <= 1 || height <= 1 {
        return cells.iter().map(|&[r, g, b, _]| [r, g, b]).collect();
    }
    let (w, h) = (width.div_ceil(2), height.div_ceil(2));
    let mut coarse = vec![[0.0; 4]; w * h];
    for (i, &[r, g, b, trust]) in cells.iter().enumerate() {
        let sum = &mut coarse[i / width / 2 * w + i % width / 2];
        for (total, part) in sum.iter_mut().zip([r * trust, g * trust, b * trust, trust]) {
            *total += part;
        }
    }
    for sum in &mut coarse {
        let [r, g, b, trust] = *sum;
        *sum = if trust > 0.0 { [r / trust, g / trust, b / trust, trust.min(1.0)] } else { [0.0; 4] };
    }
    let filled = fill(coarse, w);
    let under: Vec<Plane> = (0..3).map(|c| Plane::filled(w, h, |x, y| filled[y * w + x][c])).collect();
    let blend = |(i, cell): (usize, &[f32; 4])| {
        let (u, v) = ((i % width) as f32 / 2.0 - 0.25, (i / width) as f32 / 2.0 - 0.25);
        [0, 1, 2].map(|c| {
            let below = if w > 1 && h > 1 { under[c].sample(u, v) } else { filled[0][c] };
            below + (cell[c] - below) * cell[3]
        })
    };
    cells.iter().enumerate().map(blend).collect()
}

/// Blurs a picture a little.
fn soften(cells: Vec<[f32; 3]>, width: usize, radius: usize) -> Vec<[f32; 3]> {
    let height = cells.len() / width;
    let mut planes = [0, 1, 2].map(|c| Plane::filled(width, height, |x, y| cells[y * width + x][c]));
    for plane in &mut planes {
        plane.blur(radius, 2);
    }
    (0..cells.len()).map(|i| [0, 1, 2].map(|c| planes[c].cells[i])).collect()
}
