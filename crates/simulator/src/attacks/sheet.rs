//! A flat or bent sheet in space, held in a hand before the camera.
//!
//! Must never know: what is on it. Invariant: a flat sheet has one normal, and its picture moves as a plane does.

use crate::{
    conditions::Conditions,
    light::arrival,
    motion::Motion,
    raster::Corner,
    script::Script,
    stage::Stage,
    vector::{Rotation, Vector, add, apply, sub},
};
use rand::RngExt;

/// Cells across and down.
const ACROSS: usize = 20;
const DOWN: usize = 16;

/// A worn sheet turns about the neck, in centimetres.
const WORN_ARM: Vector = [0.0, -4.5, -13.0];

/// Measures of a sheet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form {
    pub(super) width_cm: f32,
    pub(super) height_cm: f32,
    /// One over the radius of the cylinder it is bent to, per centimetre; 0 is flat.
    pub(super) bend: f32,
    pub(super) distance_cm: f32,
    /// How its surface throws back the screen: share and power of the gloss.
    pub(super) gloss: (f32, i32),
}

/// A sheet and the hand that holds it.
pub(super) struct Sheet {
    form: Form,
    motion: Motion,
    tilt: Rotation,
    offset: [f32; 2],
    /// From the point it turns about to its middle.
    arm: Vector,
}

/// What a sheet's corners are wanted for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    /// When.
    pub(super) ms: f32,
    /// Larger by so many centimetres on every side, and behind what has none.
    pub(super) margin_cm: f32,
    /// Texels across and down that it covers.
    pub(super) texels: [f32; 2],
}

impl Sheet {
    /// A sheet that is turned and brought closer as a script asks.
    pub(super) fn held(form: Form, script: &Script, conditions: &Conditions) -> Self {
        let mut rng = conditions.rng(31);
        let tilt = Rotation {
            yaw: rng.random_range(-9.0..9.0),
            pitch: rng.random_range(-8.0..8.0),
            roll: rng.random_range(-3.0..3.0),
        };
        let reach = form.distance_cm * 0.03;
        let offset = [rng.random_range(-reach..reach), rng.random_range(-reach..reach)];
        Self { form, motion: Motion::following(script, &mut rng), tilt, offset, arm: [0.0; 3] }
    }

    /// A sheet that moves as the head does that wears it, `offset` centimetres beside the optical axis.
    pub(super) fn worn(form: Form, offset: [f32; 2], motion: Motion) -> Self {
        Self { form, motion, tilt: Rotation::default(), offset, arm: WORN_ARM }
    }

    /// The sheet as a grid of corners, whose values are texel, ambient light, light of the screen and gloss.
    pub(super) fn corners(&self, stage: &Stage, asked: &Asked) -> Vec<Corner> {
        let (margin, texels) = (asked.margin_cm, asked.texels);
        let pose = self.motion.at(asked.ms);
        let rotation = Rotation {
            yaw: self.tilt.yaw + pose.rotation.yaw,
            pitch: self.tilt.pitch + pose.rotation.pitch,
            roll: self.tilt.roll + pose.rotation.roll,
        };
        let turn = rotation.matrix(1.0);
        let [right, down] = [0, 1].map(|i| self.offset[i] + pose.offset[i]);
        let middle = sub([right, down, self.form.distance_cm / pose.scale.max(0.2)], self.arm);
        let behind = if margin > 0.0 { 0.15 } else { 0.0 };
        let corner = |i: usize| {
            let (s, t) = ((i % (ACROSS + 1)) as f32 / ACROSS as f32, (i / (ACROSS + 1)) as f32 / DOWN as f32);
            let x = (s - 0.5) * (self.form.width_cm + 2.0 * margin);
            let y = (t - 0.5) * (self.form.height_cm + 2.0 * margin);
            let (place, normal) = self.bent(x, y, behind);
            let (place, normal) = (add(apply(&turn, add(place, self.arm)), middle), apply(&turn, normal));
            let light = arrival(place, normal);
            Corner {
                at: stage.project(place),
                nearness: 1.0 / place[2].max(1.0),
                values: [
                    s * texels[0],
                    t * texels[1],
                    1.0,
                    light.diffuse,
                    self.form.gloss.0 * light.gloss(self.form.gloss.1),
                ],
            }
        };
        (0..(ACROSS + 1) * (DOWN + 1)).map(corner).collect()
    }

    /// Place and normal of a point of the sheet, about its middle.
    fn bent(&self, x: f32, y: f32, behind: f32) -> (Vector, Vector) {
        let angle = x * self.form.bend;
        if angle.abs() < 1e-6 {
            return ([x, y, behind], [0.0, 0.0, -1.0]);
        }
        let radius = 1.0 / self.form.bend;
        let (sin, cos) = angle.sin_cos();
        ([radius * sin, y, radius * (1.0 - cos) + behind], [sin, 0.0, -cos])
    }
}

/// The triangles of every sheet.
pub(super) fn triangles() -> Vec<[usize; 3]> {
    let cell = |i: usize| {
        let at = i / ACROSS * (ACROSS + 1) + i % ACROSS;
        [[at, at + 1, at + ACROSS + 1], [at + 1, at + ACROSS + 2, at + ACROSS + 1]]
    };
    (0..ACROSS * DOWN).flat_map(cell).collect()
}

/// How much of a pixel a sheet covers that ends at the origin and at `texels`, where a texel is about a pixel.
#[inline]
pub(super) fn edge(u: f32, v: f32, texels: [f32; 2]) -> f32 {
    u.min(texels[0] - u).min(v).min(texels[1] - v).clamp(0.0, 1.0)
}
