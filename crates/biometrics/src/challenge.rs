//! The capture script: what light the screen shows and where the head turns in one attempt, derived from the tenant's nonce
//! and the action, so that a capture made for one action or attempt cannot answer another.
//!
//! Must never know: pixels, clocks, who shows the script. Invariant: a script is a function of its inputs alone, on every
//! machine, and its light changes at most three times in any second (WCAG 2.2, 2.3.1, counting each change as a flash).
//!
//! Derivation, version 1 (recomputed from `tests/vectors/script.json`):
//! - seed = HMAC-SHA256(nonce, L(`countersign/script/v1`) ‖ L(tenant) ‖ L(action SHA-256) ‖ L(mode) ‖ L(attempt)), where L(x)
//!   is the length of x as four bytes big endian and x; tenant and mode are their texts (`tn_...`, `LIGHT`), attempt is
//!   four bytes big endian;
//! - stream = HMAC-SHA256(seed, i) for i = 0, 1, 2 ... as four bytes big endian;
//! - a choice among n takes the next stream byte below the largest multiple of n up to 256, modulo n;
//! - light: for each of [`LIGHT_SLOTS`] slots its colour among those of [`LIGHT_COLOURS`] that the slot before did not show,
//!   in order, then its duration, [`LIGHT_SLOT_MS`] by number; the first slot begins after [`LEAD_MS`];
//! - motion: then each target among those of [`HEAD_TARGETS`] that are not the one before, in order.

mod bound;
mod stream;
#[cfg(test)]
mod tests;

pub use bound::{LIGHT_ERRORS, blind_guess_bound};

use crate::{CaptureMode, TenantId};
use serde::Serialize;
use stream::Stream;

/// Version of the derivation.
pub const VERSION: u32 = 1;
/// Light slots of a script with light.
pub const LIGHT_SLOTS: usize = 8;
/// Colours that light slots show: full saturation, because the measurement is of chroma, and a wide gap between any two.
pub const LIGHT_COLOURS: [[u8; 3]; 6] =
    [[255, 0, 0], [0, 255, 0], [0, 0, 255], [0, 255, 255], [255, 0, 255], [255, 255, 0]];
/// Durations of a light slot in milliseconds. The shortest keeps three changes to a second; all together stay short enough
/// to be borne.
pub const LIGHT_SLOT_MS: [u32; 6] = [350, 360, 370, 380, 390, 400];
/// Head targets: left, right, up, down, closer. Far enough for a parallax that no flat picture shows, near enough to keep
/// looking at the screen and inside the quality envelope.
pub const HEAD_TARGETS: [Head; 5] = [
    Head { yaw_deg: 20, pitch_deg: 0, approach_percent: 100 },
    Head { yaw_deg: -20, pitch_deg: 0, approach_percent: 100 },
    Head { yaw_deg: 0, pitch_deg: 15, approach_percent: 100 },
    Head { yaw_deg: 0, pitch_deg: -15, approach_percent: 100 },
    Head { yaw_deg: 0, pitch_deg: 0, approach_percent: 125 },
];
/// Head targets of a script with motion alone: two would be guessed by one capture in twenty.
pub const HEAD_STEPS_ALONE: usize = 4;
/// Head targets of a script with light and motion.
pub const HEAD_STEPS_WITH_LIGHT: usize = 2;
/// How long one head target lasts where there is no light, in milliseconds: read, turn, hold.
pub const HEAD_STEP_MS: u32 = 1200;
/// Before the first step: the capture's first frame shows the face looking straight ahead in ambient light.
pub const LEAD_MS: u32 = 400;
/// After the last step: the last frame shows ambient light again, once display and camera have caught up.
pub const TAIL_MS: u32 = 300;
/// Duration of a capture that performs nothing.
const PASSIVE_MS: u32 = 1200;
/// Frames of a capture that performs nothing.
const PASSIVE_FRAMES: u32 = 4;

/// What a script is derived from.
#[derive(Clone, Copy)]
pub struct ScriptInputs<'a> {
    /// The tenant's nonce, 16 bytes or more, unknown to the device.
    pub nonce: &'a [u8],
    /// Whose challenge it is.
    pub tenant: TenantId,
    /// SHA-256 of the canonical action.
    pub action_sha256: &'a [u8; 32],
    /// What is performed.
    pub mode: CaptureMode,
    /// Which attempt, from 1.
    pub attempt: u32,
}

/// A head pose to reach, relative to the first frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub struct Head {
    /// Turn in degrees, positive towards the capture subject's left.
    pub yaw_deg: i8,
    /// Nod in degrees, positive upwards.
    pub pitch_deg: i8,
    /// Inter-eye distance in percent of the first frame's.
    pub approach_percent: u16,
}

/// What one step performs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// Colour that fills the screen: red, green, blue, 0 to 255.
    Light {
        /// Red, green, blue.
        rgb: [u8; 3],
    },
    /// Where the head goes.
    Head(Head),
}

/// One step. Light steps follow each other without a gap, and so do head steps; the two run side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub struct Step {
    /// When it begins, in milliseconds after the first frame.
    pub at_ms: u32,
    /// How long it lasts, in milliseconds.
    pub duration_ms: u32,
    /// What is performed.
    pub target: Target,
}

impl Step {
    /// When it ends, in milliseconds after the first frame.
    #[must_use]
    pub const fn end_ms(&self) -> u32 {
        self.at_ms.saturating_add(self.duration_ms)
    }
}

/// What one attempt's capture performs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CaptureScript {
    /// The mode.
    pub mode: CaptureMode,
    /// The attempt this script belongs to, from 1.
    pub attempt: u32,
    /// Light steps in time order, then head steps in time order; empty for `PASSIVE`.
    pub steps: Vec<Step>,
    /// How many frames the capture should hold: as many as [`CaptureScript::frame_times_ms`] names.
    pub frames: u32,
    /// From the first frame to the last, in milliseconds.
    pub duration_ms: u32,
}

impl CaptureScript {
    /// Derives the script of one attempt.
    #[must_use]
    pub fn derive(inputs: &ScriptInputs<'_>) -> Self {
        let mut stream = Stream::of(inputs);
        let (light, head_steps) = match inputs.mode {
            CaptureMode::Passive => (Vec::new(), 0),
            CaptureMode::Light => (light_steps(&mut stream), 0),
            CaptureMode::Motion => (Vec::new(), HEAD_STEPS_ALONE),
            CaptureMode::LightAndMotion => (light_steps(&mut stream), HEAD_STEPS_WITH_LIGHT),
        };
        // Beside light the head targets share its time, so that a frame in each light slot serves both.
        let head_ms = match light.last() {
            Some(last) => (last.end_ms() - LEAD_MS) / HEAD_STEPS_WITH_LIGHT as u32,
            None => HEAD_STEP_MS,
        };
        let head = head_targets(&mut stream, head_steps).into_iter().zip(0..).map(|(target, i)| Step {
            at_ms: LEAD_MS + i * head_ms,
            duration_ms: head_ms,
            target: Target::Head(target),
        });
        let steps = light.iter().copied().chain(head).collect();
        Self::of_steps(inputs.mode, inputs.attempt, steps)
    }

    /// A script from its steps, for what came over the wire; frames and duration follow from the steps.
    #[must_use]
    pub fn of_steps(mode: CaptureMode, attempt: u32, steps: Vec<Step>) -> Self {
        let mut script = Self { mode, attempt, steps, frames: 0, duration_ms: 0 };
        let end = script.steps.iter().map(Step::end_ms).max();
        script.duration_ms = end.map_or(PASSIVE_MS, |end| end.saturating_add(TAIL_MS));
        script.frames = script.frame_times_ms().len() as u32;
        script
    }

    /// When frames are best taken, in milliseconds after the first one: the first at 0; one late in every light step, or two
    /// late in every head step where there is no light, so that display, camera and capture subject have caught up; the last
    /// one after all steps.
    #[must_use]
    pub fn frame_times_ms(&self) -> Vec<u32> {
        let part =
            |step: &Step, percent: u64| step.at_ms.saturating_add((u64::from(step.duration_ms) * percent / 100) as u32);
        let mut times = vec![0];
        if self.light_steps().next().is_some() {
            times.extend(self.light_steps().map(|(step, _)| part(step, 68)));
        } else if self.head_steps().next().is_some() {
            times.extend(self.head_steps().flat_map(|(step, _)| [part(step, 65), part(step, 92)]));
        } else {
            times.extend((1..PASSIVE_FRAMES - 1).map(|i| i * PASSIVE_MS / (PASSIVE_FRAMES - 1)));
        }
        times.push(self.duration_ms);
        times
    }

    /// Light steps in time order, with their colour.
    pub fn light_steps(&self) -> impl Iterator<Item = (&Step, [u8; 3])> {
        self.steps.iter().filter_map(|step| match step.target {
            Target::Light { rgb } => Some((step, rgb)),
            Target::Head(_) => None,
        })
    }

    /// Head steps in time order, with their target.
    pub fn head_steps(&self) -> impl Iterator<Item = (&Step, Head)> {
        self.steps.iter().filter_map(|step| match step.target {
            Target::Head(head) => Some((step, head)),
            Target::Light { .. } => None,
        })
    }

    /// The colour that the screen shows at a time; `None` where it shows no light.
    #[must_use]
    pub fn light_at(&self, ms: u32) -> Option<[u8; 3]> {
        self.light_steps().find(|(step, _)| (step.at_ms..step.end_ms()).contains(&ms)).map(|(_, rgb)| rgb)
    }
}

fn light_steps(stream: &mut Stream) -> Vec<Step> {
    let (mut at_ms, mut before) = (LEAD_MS, None);
    let mut steps = Vec::with_capacity(LIGHT_SLOTS);
    for _ in 0..LIGHT_SLOTS {
        let rgb = stream.choose_other(&LIGHT_COLOURS, before);
        let duration_ms = stream.choose_other(&LIGHT_SLOT_MS, None);
        steps.push(Step { at_ms, duration_ms, target: Target::Light { rgb } });
        at_ms += duration_ms;
        before = Some(rgb);
    }
    steps
}

fn head_targets(stream: &mut Stream, count: usize) -> Vec<Head> {
    let mut targets: Vec<Head> = Vec::with_capacity(count);
    for _ in 0..count {
        let target = stream.choose_other(&HEAD_TARGETS, targets.last().copied());
        targets.push(target);
    }
    targets
}
