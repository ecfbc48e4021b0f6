//! How likely a capture made without knowing the script answers it.
//!
//! Gate 4 reads one answer per light slot (a colour, or none) and one per head step (a target, or none) by rules that do not
//! look at the script's targets, then allows [`LIGHT_ERRORS`] wrong slots and no wrong head step. So whatever a capture
//! shows, it answers exactly those scripts that lie within that distance of its answers, and scripts are uniform.
//! Not counted, and so in favour of the defender: slot durations, correlation, parallax, every other gate.

use super::{HEAD_STEPS_ALONE, HEAD_STEPS_WITH_LIGHT, HEAD_TARGETS, LIGHT_COLOURS, LIGHT_SLOTS};
use crate::CaptureMode;

/// Light slots that may be read wrongly or not at all: one blink, one passing shadow. Two would take the bound of
/// `LIGHT_AND_MOTION` over 1e-4.
pub const LIGHT_ERRORS: usize = 1;

/// Probability that captures made without knowing their scripts pass gate 4's tolerance in one of `max_attempts`, each of
/// which has a script of its own; at most 1. `PASSIVE` binds nothing: 1.
#[must_use]
pub fn blind_guess_bound(mode: CaptureMode, max_attempts: u32) -> f64 {
    let light = || largest_light_share(LIGHT_SLOTS, LIGHT_ERRORS);
    let head = |steps| 1.0 / sequences(HEAD_TARGETS.len(), steps) as f64;
    let one = match mode {
        CaptureMode::Passive => 1.0,
        CaptureMode::Motion => head(HEAD_STEPS_ALONE),
        CaptureMode::Light => light(),
        CaptureMode::LightAndMotion => light() * head(HEAD_STEPS_WITH_LIGHT),
    };
    (one * f64::from(max_attempts)).min(1.0)
}

/// Sequences of `steps` out of `alphabet` without equal neighbours.
pub(super) fn sequences(alphabet: usize, steps: usize) -> u64 {
    match steps {
        0 => 1,
        _ => alphabet as u64 * (alphabet as u64 - 1).pow(steps as u32 - 1),
    }
}

/// Share of all scripts that the best answer meets. Best are two colours in turn: whatever slot is changed, both its
/// neighbours exclude the same colour, so most scripts lie near. A test tries every answer.
fn largest_light_share(slots: usize, errors: usize) -> f64 {
    let answer: Vec<usize> = (0..slots).map(|slot| slot % 2).collect();
    scripts_within(&answer, errors) as f64 / sequences(LIGHT_COLOURS.len(), slots) as f64
}

/// How many scripts differ from `answer` in at most `errors` slots, counted exactly, colour by colour.
pub(super) fn scripts_within(answer: &[usize], errors: usize) -> u64 {
    const COLOURS: usize = LIGHT_COLOURS.len();
    // ways[c][e]: scripts up to here that end in colour c with e differences.
    let mut ways = vec![[0_u64; COLOURS]; errors + 1];
    for (slot, &read) in answer.iter().enumerate() {
        let before = ways.clone();
        for (e, row) in ways.iter_mut().enumerate() {
            for (colour, count) in row.iter_mut().enumerate() {
                let spent = usize::from(colour != read);
                let Some(left) = e.checked_sub(spent) else {
                    *count = 0;
                    continue;
                };
                *count = if slot == 0 {
                    u64::from(left == 0)
                } else {
                    (0..COLOURS).filter(|c| *c != colour).map(|c| before[left][c]).sum()
                };
            }
        }
    }
    ways.iter().flatten().sum()
}
