//! Photographs on paper: flat, bent, or cut along the head.

use super::{
    AttackInputs, Species,
    sheet::{Asked, Form, Sheet, edge, triangles},
};
use crate::{
    camera::Camera,
    capture::{Shot, shoot},
    conditions::Conditions,
    error::SimulatorError,
    layout::Layout,
    portrait::Portrait,
    raster::Canvas,
    script::Script,
    stage::{Live, Stage},
    texture::{Texture, luminance},
};
use image::{RgbImage, imageops};
use rand::{RngExt, rngs::StdRng};
use std::f32::consts::TAU;

/// A4 upright.
const PAPER_CM: [f32; 2] = [21.0, 29.7];
/// The photograph before it is cut to the paper's shape.
const PHOTO_PX: [u32; 2] = [960, 720];

/// A photograph of a face with the ellipse of its head: middle and half axes in pixels.
pub(super) struct Photo {
    pub(super) picture: RgbImage,
    head: [f32; 4],
}

/// Photographs somebody who does nothing, in even light, elsewhere.
pub(super) fn photograph(portrait: &Portrait, conditions: &Conditions) -> Photo {
    let calm = Conditions {
        width: PHOTO_PX[0],
        height: PHOTO_PX[1],
        ambient: 1.0,
        noise: 0.4,
        distance_cm: 46.0,
        screen_strength: 0.0,
        ..conditions.elsewhere(41)
    };
    let live = Live::new(portrait, &Script::default(), &Script::default(), &calm);
    let mut canvas = Canvas::new(calm.width as usize, calm.height as usize);
    live.paint(&mut canvas, 0.0);
    let layout = Layout::new(portrait, &calm);
    let half = [layout.outline.half_width, layout.outline.half_height].map(|v| v * layout.px_per_cm);
    let head = [layout.face_at[0], layout.face_at[1] - 0.12 * half[1], 1.15 * half[0], 1.25 * half[1]];
    Photo { picture: Camera::new(&calm).expose(&mut canvas, 0.0), head }
}

/// Presents a print.
pub(super) fn present(species: Species, inputs: &AttackInputs<'_>) -> Result<Vec<Shot>, SimulatorError> {
    let conditions = inputs.conditions;
    let mut rng = conditions.rng(42);
    let photo = photograph(inputs.victim, conditions);
    let mut paper = ink(&photo, &mut rng);
    let gloss = if rng.random_bool(0.5) { (0.03, 30) } else { (0.008, 8) };
    if species == Species::CutOut {
        cut_out(&mut paper, photo.head);
        if let Some(attacker) = inputs.attacker {
            let live = Live::new(attacker, inputs.script, inputs.script, conditions);
            let sheet = worn(&live, &Layout::new(attacker, conditions), (&photo, &paper), gloss);
            return Ok(show(inputs, &Held { stage: &live.stage, sheet, paper, margin_cm: 0.0 }, Some(&live)));
        }
    }
    // From a sheet with margins in view to one that overfills the frame's height.
    let fills = rng.random_range(0.72..1.25);
    let form = Form {
        width_cm: PAPER_CM[0],
        height_cm: PAPER_CM[1],
        bend: if species == Species::BentPrint { 1.0 / rng.random_range(8.0..18.0) } else { 0.0 },
        distance_cm: PAPER_CM[1] * conditions.focal_px() / (fills * conditions.height as f32),
        gloss,
    };
    let sheet = Sheet::held(form, inputs.script, conditions);
    let margin_cm = if species == Species::CutOut { 0.0 } else { rng.random_range(0.3..1.5) };
    Ok(show(inputs, &Held { stage: &inputs.stage(), sheet, paper, margin_cm }, None))
}

/// Takes the pictures of a sheet, held alone or before the one who wears it.
fn show(inputs: &AttackInputs<'_>, held: &Held<'_>, live: Option<&Live>) -> Vec<Shot> {
    shoot(inputs.script, inputs.conditions, |canvas, _, ms| {
        let rows = held.stage.light.rows(ms, canvas.height);
        match live {
            Some(live) => live.paint(canvas, ms),
            None => held.stage.paint_backdrop(canvas, &rows, ms),
        }
        canvas.flatten();
        held.paint(canvas, &rows, ms);
    })
}

/// A cut-out before the wearer's face, a little larger than the wearer's head.
fn worn(live: &Live, layout: &Layout, (photo, paper): (&Photo, &Texture), gloss: (f32, i32)) -> Sheet {
    let [_, middle, across, _] = photo.head;
    let cm_per_texel = 1.3 * layout.outline.half_width / across;
    let [width_cm, height_cm] = [paper.width, paper.height].map(|side| side as f32 * cm_per_texel);
    let distance_cm = live.rest[2] - 7.0;
    let nearer = distance_cm / live.rest[2];
    let lower = (middle - paper.height as f32 / 2.0) * cm_per_texel;
    let offset = [live.rest[0] * nearer, (live.rest[1] - 0.1 * layout.outline.half_height) * nearer - lower];
    let form = Form { width_cm, height_cm, bend: 0.0, distance_cm, gloss };
    Sheet::worn(form, offset, live.motion.clone())
}

struct Held<'a> {
    stage: &'a Stage,
    sheet: Sheet,
    paper: Texture,
    margin_cm: f32,
}

impl Held<'_> {
    fn paint(&self, canvas: &mut Canvas, rows: &[[f32; 3]], ms: f32) {
        let triangles = triangles();
        let texels = [self.paper.width as f32 - 1.0, self.paper.height as f32 - 1.0];
        if self.margin_cm > 0.0 {
            let border = self.sheet.corners(self.stage, &Asked { ms, margin_cm: self.margin_cm, texels });
            canvas.draw(&border, &triangles, |f| {
                let colour = self.stage.shade([0.72, 0.72, 0.7], [f.values[2], f.values[3], f.values[4]], rows[f.y]);
                (colour, edge(f.values[0], f.values[1], texels))
            });
        }
        let corners = self.sheet.corners(self.stage, &Asked { ms, margin_cm: 0.0, texels });
        canvas.draw(&corners, &triangles, |f| {
            let [r, g, b, cover] = self.paper.sample(f.values[0], f.values[1]);
            let colour = self.stage.shade([r, g, b], [f.values[2], f.values[3], f.values[4]], rows[f.y]);
            (colour, cover * edge(f.values[0], f.values[1], texels))
        });
    }
}

/// The part of a photograph that the paper holds, as paper and ink reflect it: less gamut and contrast, halftone screens of
/// three angles, uneven ink.
fn ink(photo: &Photo, rng: &mut StdRng) -> Texture {
    let height = photo.picture.height();
    let width = (height as f32 * PAPER_CM[0] / PAPER_CM[1]) as u32;
    let left = ((photo.head[0] - width as f32 / 2.0).max(0.0) as u32).min(photo.picture.width() - width);
    let part = imageops::crop_imm(&photo.picture, left, 0, width, height).to_image();
    let mut paper = Texture::opaque(&part);
    let period = rng.random_range(1.9..3.2_f32);
    let depth = rng.random_range(0.03..0.13);
    let (grey, contrast, lift) =
        (rng.random_range(0.1..0.3), rng.random_range(0.7..0.95), rng.random_range(0.004..0.03));
    let fade = rng.random_range(-0.12..0.12);
    let screens = [15.0_f32, 75.0, 0.0].map(|angle| {
        let (sin, cos) = angle.to_radians().sin_cos();
        [cos / period, sin / period]
    });
    paper.modulate(|x, y, rgb| {
        let (fx, fy) = (x as f32, y as f32);
        let mean = luminance(rgb);
        let uneven = 1.0 + fade * (fx / width as f32 - 0.5);
        std::array::from_fn(|c| {
            let [cos, sin] = screens[c];
            let dots = (TAU * (fx * cos + fy * sin)).cos() * (TAU * (fy * cos - fx * sin)).cos();
            let level = (rgb[c] + (mean - rgb[c]) * grey) * contrast + lift;
            (level * uneven * (1.0 + depth * dots * (1.3 - level))).clamp(0.02, 0.85)
        })
    });
    paper
}

/// Leaves the head only, which the paper holds in its middle.
fn cut_out(paper: &mut Texture, [_, y, across, down]: [f32; 4]) {
    let (width, x) = (paper.width, paper.width as f32 / 2.0);
    for (i, texel) in paper.texels.iter_mut().enumerate() {
        let radius = (((i % width) as f32 - x) / across).hypot(((i / width) as f32 - y) / down);
        texel[3] = ((1.0 - radius) * 60.0).clamp(0.0, 1.0);
    }
}
