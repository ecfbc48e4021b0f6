//! Observations of a simple world, for tests: a dome for a head, a wall behind it, a lamp, a screen.
//!
//! Invariant: nothing of what decides over observations is used to make them.

use super::{FaceObservation, FrameObservation, GRID_COLUMNS, GRID_ROWS, MESH_POINTS};
use crate::CaptureScript;
use zeroize::Zeroizing;

/// How a capture answers.
#[derive(Debug, Clone)]
pub(crate) struct World {
    /// Light of the screen over ambient light, on skin that faces it.
    pub(crate) screen: f32,
    /// The wall's answer over the skin's.
    pub(crate) wall: f32,
    /// How much regions differ in their answer, 0 to 1.
    pub(crate) relief: f32,
    /// From screen to frame, in milliseconds.
    pub(crate) lag_ms: u32,
    /// Colour of ambient light.
    pub(crate) ambient: [f32; 3],
    /// White balance drifts by this share towards the end.
    pub(crate) drift: f32,
    /// Share of the way to head targets.
    pub(crate) effort: f32,
    /// Height of the dome in inter-eye distances; 0 is a plane.
    pub(crate) dome: f32,
    /// Seed of sway and noise.
    pub(crate) seed: u32,
}

impl Default for World {
    fn default() -> Self {
        Self {
            screen: 0.25,
            wall: 0.1,
            relief: 0.6,
            lag_ms: 90,
            ambient: [1.1, 1.0, 0.85],
            drift: 0.03,
            effort: 0.95,
            dome: 0.6,
            seed: 1,
        }
    }
}

/// A capture that performs `performed` before a screen that shows `shown`.
pub(crate) fn capture(performed: &CaptureScript, shown: &CaptureScript, world: &World) -> Vec<FrameObservation> {
    let times = performed.frame_times_ms();
    times.iter().enumerate().map(|(i, ms)| frame(performed, shown, world, (i, *ms))).collect()
}

fn frame(performed: &CaptureScript, shown: &CaptureScript, world: &World, (i, ms): (usize, u32)) -> FrameObservation {
    let light = shown.light_at(ms.saturating_sub(world.lag_ms)).unwrap_or([0; 3]).map(|v| f32::from(v) / 255.0);
    let (yaw, pitch, scale) = pose(performed, world, ms);
    let gain = |c: usize| 1.0 + world.drift * ms as f32 / performed.duration_ms as f32 * [1.0, 0.0, -1.0][c];
    let jitter = |k: u32| (hash(world.seed, (i as u32) << 12 | k) - 0.5) * 0.004;
    let lit = |albedo: [f32; 3], answer: f32, k: u32| {
        [0, 1, 2].map(|c| {
            let light = world.ambient[c] + world.screen * answer * light[c];
            0.3 * albedo[c] * gain(c) * light * (1.0 + jitter(k + c as u32))
        })
    };
    let skin = [0.9, 0.6, 0.4];
    let answer = |r: usize| 1.0 + world.relief * ([0.1, 0.0, 0.0, -0.2, 0.8, 0.6, -0.6, -0.6][r]);
    let size = 80.0 * scale;
    let sway = [hash(world.seed, i as u32), hash(world.seed, 77 + i as u32)].map(|h| (h - 0.5) * 6.0);
    let centre = [320.0 + sway[0], 200.0 + sway[1]];
    let wall = |cell: usize| lit([0.5, 0.3 + (cell % 5) as f32 * 0.1, 0.4], world.wall, 100 + 4 * cell as u32);
    FrameObservation {
        offset_ms: ms,
        width: 640,
        height: 480,
        file: [i as u8 + 1; 32],
        picture: [i as u8 + 101; 32],
        encoding: [7; 32],
        noise: 1.0,
        unchanged: (i > 0).then_some(0.2),
        grid: (0..GRID_COLUMNS * GRID_ROWS).map(wall).collect(),
        face: Some(FaceObservation {
            regions: std::array::from_fn(|r| Some(lit(skin, answer(r), 1000 + 4 * r as u32))),
            points: Zeroizing::new(points(world, (yaw, pitch), size, centre)),
            yaw_deg: 2.0 + yaw,
            pitch_deg: -3.0 + pitch,
            centre,
            inter_eye_px: size,
        }),
    }
}

fn pose(script: &CaptureScript, world: &World, ms: u32) -> (f32, f32, f32) {
    let step = script.head_steps().filter(|(step, _)| step.at_ms + 400 <= ms && ms <= step.end_ms() + 50).last();
    step.map_or((0.0, 0.0, 1.0), |(_, head)| {
        let part = |v: i8| f32::from(v) * world.effort;
        let scale = 1.0 + (f32::from(head.approach_percent) / 100.0 - 1.0) * world.effort;
        (part(head.yaw_deg), part(head.pitch_deg), scale)
    })
}

/// Points on a dome, turned and seen from far away.
fn points(world: &World, (yaw, pitch): (f32, f32), size: f32, centre: [f32; 2]) -> Vec<[f32; 3]> {
    let (sy, cy) = yaw.to_radians().sin_cos();
    let (sp, cp) = pitch.to_radians().sin_cos();
    let point = |i: usize| {
        let (radius, angle) = ((i as f32 / MESH_POINTS as f32).sqrt(), i as f32 * 2.4);
        let (x, y) = (1.1 * radius * angle.cos(), 1.4 * radius * angle.sin());
        let z = -world.dome * (1.0 - radius * radius);
        let (x, z) = (x * cy - z * sy, x * sy + z * cy);
        let (y, z) = (y * cp + z * sp, -y * sp + z * cp);
        let noise = |k: u32| (hash(world.seed ^ 0xabc, i as u32 * 3 + k + size as u32) - 0.5) * 0.02;
        [centre[0] + size * (x + noise(0)), centre[1] + size * (y + noise(1)), size * z]
    };
    (0..MESH_POINTS).map(point).collect()
}

/// 0 to 1.
fn hash(a: u32, b: u32) -> f32 {
    let mut x = a.wrapping_mul(0x9e37_79b9) ^ b.wrapping_mul(0x85eb_ca6b);
    x = (x ^ x >> 15).wrapping_mul(0x2c1b_3c6d);
    x = (x ^ x >> 12).wrapping_mul(0x297a_2d39);
    (x ^ x >> 15) as f32 / u32::MAX as f32
}
