//! How a head moves when a person follows head targets: late, not exactly, and never quite still.
//!
//! Must never know: pixels. Invariant: a motion is a function of its seed, its script and time.

use crate::{script::Script, vector::Rotation};
use rand::{RngExt, rngs::StdRng};
use std::f32::consts::TAU;

/// Where a head is at one moment.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Pose {
    /// Angles in degrees.
    pub(crate) rotation: Rotation,
    /// Size relative to the start; above 1 is closer.
    pub(crate) scale: f32,
    /// Offset in centimetres: right, down.
    pub(crate) offset: [f32; 2],
    /// Opening of the jaw in centimetres, about 0.
    pub(crate) jaw: f32,
}

/// A slow random walk as a sum of sines.
#[derive(Clone, Copy)]
struct Wander([(f32, f32, f32); 3]);

impl Wander {
    fn new(rng: &mut StdRng, amplitude: f32) -> Self {
        Self([0.6, 0.4, 0.25].map(|share| {
            (share * amplitude * rng.random_range(0.5..1.3), rng.random_range(0.15..0.9), rng.random_range(0.0..TAU))
        }))
    }

    /// Relative to where it was at the start.
    fn at(&self, seconds: f32) -> f32 {
        let sine = |&(a, hz, phase): &(f32, f32, f32)| a * ((TAU * hz * seconds + phase).sin() - phase.sin());
        self.0.iter().map(sine).sum()
    }
}

/// One deliberate movement.
#[derive(Debug, Clone, Copy)]
struct Move {
    start_ms: f32,
    duration_ms: f32,
    to: [f32; 3],
    aside: [f32; 2],
}

/// The motion of one head through a capture.
#[derive(Clone)]
pub(crate) struct Motion {
    moves: Vec<Move>,
    wander: [Wander; 7],
}

impl Motion {
    /// A person who sees the head targets of a script and follows.
    pub(crate) fn following(script: &Script, rng: &mut StdRng) -> Self {
        let mut moves: Vec<Move> = Vec::new();
        let mut end = 0.0_f32;
        for (slot, [yaw, pitch, scale]) in script.head_slots() {
            let gain = rng.random_range(0.85..1.12);
            let to = [yaw * gain, pitch * gain, 1.0 + (scale - 1.0) * rng.random_range(0.85..1.15)];
            moves.push(Self::step(rng, slot.at_ms as f32, to));
            end = end.max(slot.end_ms() as f32);
        }
        if !moves.is_empty() {
            moves.push(Self::step(rng, end, [0.0, 0.0, 1.0]));
        }
        let amplitudes = [0.7, 0.5, 0.4, 0.006, 0.2, 0.15, 0.06];
        Self { moves, wander: amplitudes.map(|amplitude| Wander::new(rng, amplitude)) }
    }

    fn step(rng: &mut StdRng, at_ms: f32, to: [f32; 3]) -> Move {
        let size = (to[0].hypot(to[1]) / 20.0).max((to[2] - 1.0).abs() * 4.0);
        Move {
            start_ms: at_ms + rng.random_range(190.0..380.0),
            duration_ms: rng.random_range(330.0..520.0) * (0.7 + 0.3 * size.min(1.5)),
            to,
            aside: [rng.random_range(-1.5..1.5), rng.random_range(-1.5..1.5)],
        }
    }

    /// The pose at a time, in milliseconds after the first frame.
    pub(crate) fn at(&self, ms: f32) -> Pose {
        let mut now = [0.0, 0.0, 1.0];
        for m in &self.moves {
            let t = ((ms - m.start_ms) / m.duration_ms).clamp(0.0, 1.0);
            // The jerk-minimal path of Flash and Hogan 1985.
            let eased = t * t * t * (10.0 + t * (6.0 * t - 15.0));
            let turned = f32::from(m.to[0] != 0.0 || m.to[1] != 0.0);
            let goal = [m.to[0] + m.aside[0] * turned, m.to[1] + m.aside[1] * turned, m.to[2]];
            now = [0, 1, 2].map(|i| now[i] + (goal[i] - now[i]) * eased);
        }
        let [yaw, pitch, roll, scale, right, down, jaw] = self.wander.map(|w| w.at(ms / 1000.0));
        Pose {
            rotation: Rotation { yaw: now[0] + yaw, pitch: now[1] + pitch, roll: roll + 0.06 * now[0] },
            scale: now[2] * (1.0 + scale),
            offset: [right, down],
            jaw,
        }
    }
}
