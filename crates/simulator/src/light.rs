//! The screen as a lamp: what colour it throws at which moment, and how much of it arrives where.
//!
//! Must never know: faces. Invariant: light is linear and additive.

use crate::{
    conditions::Conditions,
    script::Script,
    texture::linear_rgb,
    vector::{Vector, add, dot, scale, sub, unit},
};

/// The screen's middle lies below the camera, in centimetres.
const BELOW_CAMERA_CM: f32 = 9.0;
/// `screen_strength` is stated at this distance, in centimetres.
const STATED_AT_CM: f32 = 40.0;
/// An emitter as large as a screen lights past the terminator.
const WRAP: f32 = 0.12;
/// How the camera sees the screen's primaries after colour correction: they are not quite its own.
const CROSSTALK: [[f32; 3]; 3] = [[0.93, 0.06, 0.01], [0.04, 0.91, 0.05], [0.01, 0.07, 0.92]];
/// Light of the page around the colour, and of black, as a share of white.
const GLOW: f32 = 0.03;
/// Exposure and readout of a rolling shutter, in milliseconds.
const EXPOSURE_MS: f32 = 20.0;
const READOUT_MS: f32 = 18.0;
/// Moments at which an exposure is evaluated.
const MOMENTS: usize = 4;

/// The screen of one capture.
pub(crate) struct ScreenLight {
    script: Script,
    lag_ms: f32,
    strength: f32,
}

impl ScreenLight {
    pub(crate) fn new(script: &Script, conditions: &Conditions) -> Self {
        Self { script: script.clone(), lag_ms: conditions.lag_ms, strength: conditions.screen_strength }
    }

    /// What the camera sees of the screen's light at a time, as it would fall on a face 40 cm away.
    pub(crate) fn at(&self, ms: f32) -> [f32; 3] {
        let shown = self.script.light_at(ms - self.lag_ms).map_or([0.0; 3], linear_rgb);
        let thrown = shown.map(|v| v * (1.0 - GLOW) + GLOW);
        CROSSTALK.map(|row| self.strength * dot(row, thrown))
    }

    /// The light of every row of a frame taken at a time: rows are read one after the other.
    pub(crate) fn rows(&self, ms: f32, height: usize) -> Vec<[f32; 3]> {
        let row = |y: usize| {
            let start = ms + READOUT_MS * y as f32 / height as f32 - EXPOSURE_MS;
            let moment = |i: usize| self.at(start + EXPOSURE_MS * (i as f32 + 0.5) / MOMENTS as f32);
            let sum = (0..MOMENTS).map(moment).fold([0.0; 3], add);
            scale(sum, 1.0 / MOMENTS as f32)
        };
        (0..height).map(row).collect()
    }
}

/// What arrives at a surface.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Arrival {
    /// Irradiance relative to a face 40 cm away that looks at the screen.
    pub(crate) diffuse: f32,
    /// The same for a surface that looks straight at the screen.
    pub(crate) fall: f32,
    /// How nearly the surface mirrors the screen into the camera: cosine between its normal and the half vector.
    pub(crate) mirror: f32,
}

impl Arrival {
    /// Light thrown back by a gloss that is the narrower, the greater the power (Blinn 1977).
    pub(crate) fn gloss(&self, power: i32) -> f32 {
        self.mirror.max(0.0).powi(power) * self.fall
    }
}

/// Light at a place with a normal, camera at the origin, centimetres: Lambert's law, the square of the distance, and the
/// emitter's own cosine.
pub(crate) fn arrival(place: Vector, normal: Vector) -> Arrival {
    let path = sub([0.0, BELOW_CAMERA_CM, 0.0], place);
    let (direction, square) = (unit(path), dot(path, path).max(25.0));
    let fall = STATED_AT_CM * STATED_AT_CM / square * (-direction[2]).max(0.0);
    let cosine = ((dot(normal, direction) + WRAP) / (1.0 + WRAP)).max(0.0);
    let half = unit(add(direction, unit(scale(place, -1.0))));
    Arrival { diffuse: cosine * fall, fall, mirror: dot(normal, half) }
}

/// Irradiance on something large that far behind, relative to a face 40 cm away.
pub(crate) fn far(distance_cm: f32) -> f32 {
    (STATED_AT_CM / distance_cm).powi(2)
}
