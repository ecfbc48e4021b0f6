//! Where the person is on a portrait: shape of a head and shoulders about the mesh, corrected by colour.
//!
//! Must never know: what is done with the matte. Invariant: 0 is background, 1 is the person, soft between.

use crate::{layout::Layout, texture::Plane};
use image::RgbImage;

/// Cells across the matte.
const ACROSS: usize = 176;
/// Colour bins a channel.
const BINS: usize = 8;
/// Odds beyond which the shape alone decides which colour model a cell teaches.
const SURE: f32 = 1.6;
/// A person leans and comes closer: so much more is painted out of the background, in centimetres.
const GROWN_CM: f32 = 2.5;

/// The matte of what is laid out; read it with [`Plane::sample`] in cells.
pub(crate) struct Matte {
    plane: Plane,
    /// The same, grown by about [`GROWN_CM`].
    grown: Plane,
    low: [f32; 2],
    cells_per_cm: f32,
}

impl Matte {
    pub(crate) fn of(cut: &RgbImage, layout: &Layout) -> Self {
        let cells_per_cm = ACROSS as f32 / (layout.high[0] - layout.low[0]);
        let down = ((layout.high[1] - layout.low[1]) * cells_per_cm).ceil() as usize;
        let place =
            |x: usize, y: usize| [layout.low[0] + x as f32 / cells_per_cm, layout.low[1] + y as f32 / cells_per_cm];
        let mut odds = Plane::filled(ACROSS, down, |x, y| shape(place(x, y), layout));
        let bins: Vec<usize> = (0..down * ACROSS)
            .map(|i| {
                let [u, v] = layout.texel(place(i % ACROSS, i / ACROSS));
                let (u, v) = ((u as u32).min(cut.width() - 1), (v as u32).min(cut.height() - 1));
                let rgb = cut.get_pixel(u, v).0;
                // Black corners are no clothes, they come from turning the picture.
                let [x, y] = place(i % ACROSS, i / ACROSS);
                let corner = y > layout.outline.half_height && x.abs() > 0.8 * layout.outline.half_width;
                if corner && rgb.iter().all(|&level| level < 6) {
                    odds.cells[i] = -9.0;
                }
                rgb.iter().fold(0, |bin, &level| bin * BINS + usize::from(level) * BINS / 256)
            })
            .collect();
        let models = ColourModels::learn(&odds.cells, &bins);
        for (odd, &bin) in odds.cells.iter_mut().zip(&bins) {
            *odd += models.odds(bin);
        }
        odds.blur(1, 2);
        for odd in &mut odds.cells {
            *odd = 1.0 / (1.0 + (-1.7 * *odd).exp());
        }
        let mut grown = odds.clone();
        grown.blur((GROWN_CM * cells_per_cm) as usize, 2);
        Self { plane: odds, grown, low: layout.low, cells_per_cm }
    }

    /// How much of a place, in face centimetres, is the person.
    pub(crate) fn at(&self, cm: [f32; 2]) -> f32 {
        let [u, v] = self.cell(cm);
        ((self.plane.sample(u, v) - 0.04) / 0.92).clamp(0.0, 1.0)
    }

    /// Whether the person is at a place or near it: 0 to 1.
    pub(crate) fn near(&self, cm: [f32; 2]) -> f32 {
        let [u, v] = self.cell(cm);
        (5.0 * self.grown.sample(u, v) - 0.2).clamp(0.0, 1.0)
    }

    fn cell(&self, cm: [f32; 2]) -> [f32; 2] {
        [0, 1].map(|i| (cm[i] - self.low[i]) * self.cells_per_cm)
    }
}

/// Logarithmic odds of head, neck and shoulders by place alone.
fn shape([x, y]: [f32; 2], layout: &Layout) -> f32 {
    let (w, h) = (layout.outline.half_width, layout.outline.half_height);
    let head = 9.0 * (1.06 - (x / (1.2 * w)).hypot((y + 0.2 * h) / (1.28 * h)));
    let aside = x.abs() / w;
    let neck = if y > 0.6 * h { 6.0 * (0.72 - aside) } else { -4.0 };
    let shoulder_line = h * (1.45 + 0.07 * aside * aside);
    let shoulders = (9.0 * (y - shoulder_line) / h).min(7.0 * (3.1 - aside));
    head.max(neck).max(shoulders).clamp(-4.0, 4.0)
}

/// How often each colour is the person's and the background's.
struct ColourModels {
    person: Vec<f32>,
    behind: Vec<f32>,
}

impl ColourModels {
    fn learn(odds: &[f32], bins: &[usize]) -> Self {
        let count = |wanted: fn(f32) -> bool| {
            let mut counts = vec![0.0_f32; BINS * BINS * BINS];
            let mut total = 0.0;
            for (_, &bin) in odds.iter().zip(bins).filter(|(odd, _)| wanted(**odd)) {
                counts[bin] += 1.0;
                total += 1.0;
            }
            counts.iter().map(|c| (c + 0.5) / (total + 50.0)).collect()
        };
        Self { person: count(|odd| odd > SURE), behind: count(|odd| odd < -SURE) }
    }

    fn odds(&self, bin: usize) -> f32 {
        (0.9 * (self.person[bin] / self.behind[bin]).ln()).clamp(-2.2, 2.2)
    }
}
