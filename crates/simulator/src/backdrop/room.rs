//! A made-up room, out of focus: wall, floor line, shelves, pictures, perhaps a window.

use super::soften;
use rand::{RngExt, SeedableRng, rngs::StdRng};

/// Something flat on the wall.
struct Patch {
    left: f32,
    top: f32,
    right: f32,
    bottom: f32,
    colour: [f32; 3],
}

impl Patch {
    fn draw(rng: &mut StdRng, window: bool) -> Self {
        let (w, h) = (rng.random_range(0.06..0.32), rng.random_range(0.1..0.5));
        let (x, y) = (rng.random_range(-0.05..1.0), rng.random_range(-0.1..0.9));
        let level = if window { rng.random_range(0.7..1.0) } else { 0.5 * rng.random::<f32>().powi(2) + 0.01 };
        let tint = if window { 0.06 } else { 0.3 };
        let colour = [0; 3].map(|_: i32| level * (1.0 + rng.random_range(-tint..tint)));
        Self { left: x, top: y, right: x + w, bottom: y + h, colour }
    }

    fn holds(&self, u: f32, v: f32) -> bool {
        self.left <= u && u < self.right && self.top <= v && v < self.bottom
    }
}

/// Paints the room that a number names.
pub(super) fn paint(width: usize, height: usize, which: u64) -> Vec<[f32; 3]> {
    let mut rng = StdRng::seed_from_u64(which ^ 0xB00C_5E1F);
    let level = rng.random_range(0.08..0.5_f32);
    let wall = [0; 3].map(|_: i32| level * rng.random_range(0.85..1.15));
    let (across, down) = (rng.random_range(-0.5..0.5_f32), rng.random_range(-0.35..0.15_f32));
    let mut patches: Vec<Patch> = (0..rng.random_range(2..8)).map(|_| Patch::draw(&mut rng, false)).collect();
    if rng.random_bool(0.25) {
        patches.push(Patch::draw(&mut rng, true));
    }
    let radius = rng.random_range(2..7);
    let cell = |i: usize| {
        let (u, v) = ((i % width) as f32 / width as f32, (i / width) as f32 / height as f32);
        let shade = 1.0 + across * (u - 0.5) + down * (v - 0.5);
        let colour = patches.iter().rev().find(|patch| patch.holds(u, v)).map_or(wall, |patch| patch.colour);
        colour.map(|c| (c * shade).max(0.004))
    };
    soften((0..width * height).map(cell).collect(), width, radius)
}
