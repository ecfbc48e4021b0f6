//! What the capture subject is asked to perform, as a timeline of its own.
//!
//! Must never know: nonces, actions, how a script is derived. Invariant: times are milliseconds after the first frame.

use biometrics::{CaptureScript, challenge};

/// What one slot asks for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Target {
    /// Colour that fills the screen, sRGB.
    Light {
        /// Red, green, blue.
        rgb: [u8; 3],
    },
    /// Where the head goes, relative to the first frame.
    Head {
        /// Turn in degrees, positive towards the capture subject's left (the right side of the picture).
        yaw_deg: f32,
        /// Nod in degrees, positive upwards.
        pitch_deg: f32,
        /// Size relative to the first frame; above 1 is closer.
        scale: f32,
    },
}

/// One slot.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slot {
    /// When it begins, in milliseconds after the first frame.
    pub at_ms: u32,
    /// How long it lasts, in milliseconds.
    pub duration_ms: u32,
    /// What it asks for.
    pub target: Target,
}

impl Slot {
    /// When it ends, in milliseconds after the first frame.
    #[must_use]
    pub const fn end_ms(&self) -> u32 {
        self.at_ms.saturating_add(self.duration_ms)
    }
}

/// A capture's timeline.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Script {
    /// Light and head slots; each kind in time order, the two kinds side by side.
    pub slots: Vec<Slot>,
    /// When frames are to be taken, in milliseconds after the first one, which is at 0.
    pub frame_times_ms: Vec<u32>,
}

impl Script {
    /// The colour the screen shows at a time; `None` where it shows no light.
    #[must_use]
    pub fn light_at(&self, ms: f32) -> Option<[u8; 3]> {
        self.slots.iter().find_map(|slot| match slot.target {
            Target::Light { rgb } if (slot.at_ms as f32..slot.end_ms() as f32).contains(&ms) => Some(rgb),
            _ => None,
        })
    }

    /// The head slots with turn, nod and scale.
    pub fn head_slots(&self) -> impl Iterator<Item = (&Slot, [f32; 3])> {
        self.slots.iter().filter_map(|slot| match slot.target {
            Target::Head { yaw_deg, pitch_deg, scale } => Some((slot, [yaw_deg, pitch_deg, scale])),
            Target::Light { .. } => None,
        })
    }

    /// This script without its light: what software sees that answers head targets only.
    #[must_use]
    pub fn without_light(&self) -> Self {
        let slots = self.slots.iter().filter(|slot| matches!(slot.target, Target::Head { .. })).copied().collect();
        Self { slots, frame_times_ms: self.frame_times_ms.clone() }
    }
}

impl From<&CaptureScript> for Script {
    fn from(script: &CaptureScript) -> Self {
        let target = |target| match target {
            challenge::Target::Light { rgb } => Target::Light { rgb },
            challenge::Target::Head(head) => Target::Head {
                yaw_deg: head.yaw_deg.into(),
                pitch_deg: head.pitch_deg.into(),
                scale: f32::from(head.approach_percent) / 100.0,
            },
        };
        let slot = |step: &challenge::Step| Slot {
            at_ms: step.at_ms,
            duration_ms: step.duration_ms,
            target: target(step.target),
        };
        Self { slots: script.steps.iter().map(slot).collect(), frame_times_ms: script.frame_times_ms() }
    }
}
