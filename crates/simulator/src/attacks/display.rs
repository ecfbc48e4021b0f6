//! Displays that show a recording: they glow by themselves and hardly answer the light that falls on them.

use super::{
    AttackInputs, Species, digital,
    sheet::{Asked, Form, Sheet, edge, triangles},
};
use crate::{
    capture::{Shot, film, shoot},
    error::SimulatorError,
    raster::{Canvas, Corner, Fragment},
    stage::Stage,
    texture::Texture,
};
use image::{RgbImage, imageops};
use rand::{RngExt, rngs::StdRng};
use std::{f32::consts::TAU, sync::LazyLock};

const WAVE: usize = 1024;
/// Diffuse reflectance of a display's face and of its bezel.
const FACE: f32 = 0.012;
const BEZEL: f32 = 0.03;

static COSINE: LazyLock<[f32; WAVE]> = LazyLock::new(|| std::array::from_fn(|i| (TAU * i as f32 / WAVE as f32).cos()));

/// Cosine of so many turns, 0 or more.
fn cosine(turns: f32) -> f32 {
    COSINE[(turns * WAVE as f32) as usize % WAVE]
}

/// A kind of display and how it is held.
struct Display {
    /// Width of the bezel; none in view where it fills the frame.
    bezel_cm: f32,
    /// Sub-pixel columns and rows per texel, and how deep their pattern is after the camera's aperture.
    grid: [f32; 2],
    depth: f32,
    /// Emission of white and of black, in the unit of ambient light on white.
    white: [f32; 3],
    black: f32,
    gamma: f32,
    flicker: f32,
    flicker_turns: f32,
}

/// Presents a display.
pub(super) fn present(species: Species, inputs: &AttackInputs<'_>) -> Result<Vec<Shot>, SimulatorError> {
    let recorded = match species {
        Species::PhotoAnimation => digital::animation(inputs)?,
        _ => film(inputs.victim, [inputs.older_script; 2], &inputs.conditions.elsewhere(51))?,
    };
    let mut rng = inputs.conditions.rng(52);
    // Width over height of the active area, its width in centimetres and pixels, and frame pixels per recorded pixel.
    let (aspect, width_cm, pixels, scale) = match species {
        Species::PhoneReplay => (0.5625, rng.random_range(6.6..7.4), 1080.0, rng.random_range(0.75..0.92)),
        Species::MonitorReplay => (1.5, rng.random_range(38.0..54.0), 1920.0, rng.random_range(0.84..0.94)),
        _ if rng.random_bool(0.5) => (4.0 / 3.0, rng.random_range(19.0..25.0), 2160.0, rng.random_range(1.16..1.32)),
        _ => (4.0 / 3.0, rng.random_range(45.0..56.0), 1600.0, rng.random_range(1.16..1.32)),
    };
    let parts: Vec<Texture> = recorded.iter().map(|shot| Texture::opaque(&part(&shot.picture, aspect))).collect();
    let Some(texels) = parts.first().map(|part| [part.width as f32 - 1.0, part.height as f32 - 1.0]) else {
        return Ok(Vec::new());
    };
    let across_px = texels[0] * scale;
    let form = Form {
        width_cm,
        height_cm: width_cm / aspect,
        bend: 0.0,
        distance_cm: width_cm * inputs.conditions.focal_px() / across_px,
        gloss: (rng.random_range(0.02..0.3), 160),
    };
    let display = Display::draw(form, [texels[0], across_px, pixels], &mut rng);
    let (stage, sheet) = (inputs.stage(), Sheet::held(form, inputs.script, inputs.conditions));
    Ok(shoot(inputs.script, inputs.conditions, |canvas, i, ms| {
        let rows = stage.light.rows(ms, canvas.height);
        stage.paint_backdrop(canvas, &rows, ms);
        let bezel = sheet.corners(&stage, &Asked { ms, margin_cm: display.bezel_cm, texels });
        canvas.draw(&bezel, &triangles(), |f| {
            let colour = stage.shade([BEZEL; 3], [f.values[2], f.values[3], 0.1 * f.values[4]], rows[f.y]);
            (colour, edge(f.values[0], f.values[1], texels))
        });
        let corners = sheet.corners(&stage, &Asked { ms, margin_cm: 0.0, texels });
        display.paint(canvas, &parts[i.min(parts.len() - 1)], &Lit { stage: &stage, corners, rows, ms });
    }))
}

/// A display's place and light at one moment.
struct Lit<'a> {
    stage: &'a Stage,
    corners: Vec<Corner>,
    rows: Vec<[f32; 3]>,
    ms: f32,
}

impl Display {
    fn draw(form: Form, [texels, across_px, pixels]: [f32; 3], rng: &mut StdRng) -> Self {
        // Display pixels per camera pixel; a camera pixel averages over itself, which leaves so much of the pattern.
        let frequency = std::f32::consts::PI * pixels / across_px;
        let left = (frequency.sin() / frequency).abs();
        let cool = rng.random_range(0.96..1.12);
        let level = rng.random_range(1.0..3.5);
        Self {
            bezel_cm: if form.width_cm < 10.0 { 0.4 } else { 1.4 },
            grid: [pixels / texels, pixels / texels],
            depth: (0.5 * left).clamp(0.012, 0.12),
            white: [level * 0.97, level, level * cool],
            black: rng.random_range(0.002..0.01),
            gamma: rng.random_range(0.92..1.1),
            flicker: rng.random_range(0.0..0.025),
            flicker_turns: rng.random_range(0.7..2.3),
        }
    }

    fn paint(&self, canvas: &mut Canvas, shown: &Texture, lit: &Lit<'_>) {
        let texels = [shown.width as f32 - 1.0, shown.height as f32 - 1.0];
        let height = canvas.height as f32;
        let bands: Vec<f32> = (0..canvas.height)
            .map(|y| 1.0 + self.flicker * cosine(self.flicker_turns * y as f32 / height + lit.ms * 0.0173))
            .collect();
        let tone: Vec<f32> = (0..=1024).map(|i| (i as f32 / 1024.0).powf(self.gamma) + self.black).collect();
        canvas.draw(&lit.corners, &triangles(), |f: &Fragment| {
            let [u, v, ambient, diffuse, gloss] = f.values;
            let texel = shown.sample(u, v);
            let across = u.max(0.0) * self.grid[0];
            let row = bands[f.y] * (1.0 + self.depth * 0.6 * cosine(v.max(0.0) * self.grid[1]));
            let back = lit.stage.shade([FACE; 3], [ambient, diffuse, gloss], lit.rows[f.y]);
            let colour = std::array::from_fn(|c| {
                let emitted = self.white[c] * tone[((texel[c] * 1024.0) as usize).min(1024)];
                emitted * row * (1.0 + self.depth * cosine(across + c as f32 / 3.0)) + back[c]
            });
            (colour, edge(u, v, texels))
        });
    }
}

/// The middle of a recorded picture in the display's shape.
fn part(picture: &RgbImage, aspect: f32) -> RgbImage {
    let (w, h) = (picture.width() as f32, picture.height() as f32);
    let (width, height) = if w / h > aspect { (h * aspect, h) } else { (w, w / aspect) };
    let (left, top) = ((w - width) / 2.0, (h - height) / 2.0);
    imageops::crop_imm(picture, left as u32, top as u32, width as u32, height as u32).to_image()
}
