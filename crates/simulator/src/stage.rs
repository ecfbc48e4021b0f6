//! A place with a camera and a screen in it, and a person before them.
//!
//! Owns projection and shading. Must never know: sensors, files. Invariant: radiance is linear; a frame is painted back to
//! front.

use crate::{
    backdrop::{Backdrop, Painted},
    conditions::Conditions,
    layout::Layout,
    light::{ScreenLight, arrival, far},
    motion::Motion,
    portrait::Portrait,
    raster::{Canvas, Corner},
    script::Script,
    subject::{Placed, Subject},
    vector::Vector,
};
use rand::RngExt;

/// Gloss of skin, relative to light from the front.
const SKIN_GLOSS: f32 = 0.018;

/// Camera, screen and background.
pub(crate) struct Stage {
    focal_px: f32,
    middle: [f32; 2],
    ambient: [f32; 3],
    pub(crate) light: ScreenLight,
    backdrop: Backdrop,
    sway: [f32; 3],
}

impl Stage {
    pub(crate) fn new(script: &Script, conditions: &Conditions, painted: Option<&Painted<'_>>) -> Self {
        let mut rng = conditions.rng(13);
        // A telephone in the hand sways, a laptop does not.
        let reach = if rng.random_bool(0.5) { rng.random_range(0.5..4.0) } else { 0.0 };
        Self {
            focal_px: conditions.focal_px(),
            middle: [conditions.width as f32 / 2.0, conditions.height as f32 / 2.0],
            ambient: conditions.ambient_rgb.map(|v| v * conditions.ambient),
            light: ScreenLight::new(script, conditions),
            backdrop: Backdrop::new(conditions, painted),
            sway: [reach, rng.random_range(0.8..2.5), rng.random_range(0.0..6.0)],
        }
    }

    /// A place in centimetres, camera at the origin, onto the frame.
    pub(crate) fn project(&self, place: Vector) -> [f32; 2] {
        let z = place[2].max(1.0);
        [0, 1].map(|i| self.middle[i] + self.focal_px * place[i] / z)
    }

    /// What is seen at a place on the frame at a depth, in centimetres.
    pub(crate) fn unproject(&self, at: [f32; 2], depth: f32) -> Vector {
        let [x, y] = [0, 1].map(|i| (at[i] - self.middle[i]) * depth / self.focal_px);
        [x, y, depth]
    }

    /// Light of a surface with these values: ambient light, light of the screen, gloss.
    #[inline]
    pub(crate) fn shade(&self, albedo: [f32; 3], values: [f32; 3], screen: [f32; 3]) -> [f32; 3] {
        let [ambient, diffuse, gloss] = values;
        std::array::from_fn(|i| albedo[i] * (self.ambient[i] * ambient + screen[i] * diffuse) + screen[i] * gloss)
    }

    /// Fills the frame with the background. `rows` is the screen's light in each row.
    pub(crate) fn paint_backdrop(&self, canvas: &mut Canvas, rows: &[[f32; 3]], ms: f32) {
        let [reach, hz, phase] = self.sway;
        let angle = hz * ms / 1000.0 + phase;
        let (dx, dy) = (reach * angle.sin(), 0.7 * reach * (1.3 * angle).cos());
        let diffuse = far(self.backdrop.distance_cm);
        let width = canvas.width;
        for (y, (line, &screen)) in canvas.pixels.chunks_exact_mut(width).zip(rows).enumerate() {
            let lamp: [f32; 3] = std::array::from_fn(|i| self.ambient[i] + screen[i] * diffuse);
            self.backdrop.row(y, [dx, dy], line);
            for pixel in line {
                *pixel = std::array::from_fn(|i| pixel[i] * lamp[i]);
            }
        }
        canvas.flatten();
    }

    /// Projects and lights a posed surface.
    pub(crate) fn corner(&self, placed: &Placed, texel: [f32; 2]) -> Corner {
        let light = arrival(placed.place, placed.normal);
        Corner {
            at: self.project(placed.place),
            nearness: 1.0 / placed.place[2].max(1.0),
            values: [texel[0], texel[1], placed.ambient, light.diffuse * placed.albedo, SKIN_GLOSS * light.gloss(14)],
        }
    }
}

/// A person before camera and screen.
pub(crate) struct Live {
    pub(crate) stage: Stage,
    pub(crate) subject: Subject,
    pub(crate) motion: Motion,
    /// Where the middle of the face is at the start, in centimetres.
    pub(crate) rest: Vector,
}

impl Live {
    /// A person who performs a script before a screen that shows `shown`.
    pub(crate) fn new(portrait: &Portrait, performed: &Script, shown: &Script, conditions: &Conditions) -> Self {
        let layout = Layout::new(portrait, conditions);
        let (subject, matte) = Subject::new(portrait, &layout);
        let stage = Stage::new(shown, conditions, Some(&Painted { portrait, layout: &layout, matte: &matte }));
        let rest = stage.unproject(layout.face_at, conditions.distance_cm.max(10.0));
        Self { stage, subject, motion: Motion::following(performed, &mut conditions.rng(14)), rest }
    }

    /// The surface at a time.
    pub(crate) fn posed(&self, ms: f32) -> Vec<Placed> {
        self.subject.pose(&self.motion.at(ms), self.rest)
    }

    /// Background and person at a time.
    pub(crate) fn paint(&self, canvas: &mut Canvas, ms: f32) {
        let rows = self.stage.light.rows(ms, canvas.height);
        self.stage.paint_backdrop(canvas, &rows, ms);
        let placed = self.posed(ms);
        let corner = |(placed, anchor): (&Placed, &crate::subject::Anchor)| self.stage.corner(placed, anchor.texel);
        let corners: Vec<Corner> = placed.iter().zip(&self.subject.anchors).map(corner).collect();
        canvas.draw(&corners, &self.subject.triangles, |fragment| {
            let [u, v, ambient, diffuse, gloss] = fragment.values;
            let [r, g, b, cover] = self.subject.texture.sample(u, v);
            (self.stage.shade([r, g, b], [ambient, diffuse, gloss], rows[fragment.y]), cover)
        });
    }
}
