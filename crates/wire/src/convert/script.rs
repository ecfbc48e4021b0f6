//! The capture script.

use super::{capture_mode, capture_mode_to_wire, invalid, required};
use crate::{Reason, v1};
use biometrics::{CaptureScript, Head, Step, Target};

/// Most steps that any script has room for: more are refused before anything is computed from them.
const MAX_STEPS: usize = 32;
/// A script's end, in milliseconds: no capture lasts longer.
const MAX_END_MS: u32 = 60_000;

/// Writes a script.
#[must_use]
pub fn script_to_wire(value: &CaptureScript) -> v1::CaptureScript {
    v1::CaptureScript {
        mode: capture_mode_to_wire(value.mode).into(),
        attempt: value.attempt,
        steps: value.steps.iter().map(step_to_wire).collect(),
        frames: value.frames,
    }
}

/// Reads a script, for a client that performs it. (The worker derives its own and never reads one.)
///
/// # Errors
/// `INVALID_ARGUMENT` naming the field: unknown mode, attempt 0, a step without a target or out of range, a number of frames
/// that does not follow from the steps.
pub fn script(value: &v1::CaptureScript) -> Result<CaptureScript, Reason> {
    if value.attempt == 0 {
        return Err(invalid("attempt"));
    }
    if value.steps.len() > MAX_STEPS {
        return Err(invalid("steps"));
    }
    let steps = value.steps.iter().map(step).collect::<Result<_, _>>()?;
    let script = CaptureScript::of_steps(capture_mode(value.mode)?, value.attempt, steps);
    if script.frames == value.frames { Ok(script) } else { Err(invalid("frames")) }
}

fn step_to_wire(step: &Step) -> v1::ScriptStep {
    let target = match step.target {
        Target::Light { rgb: [r, g, b] } => v1::script_step::Target::LightRgb(u32::from_be_bytes([0, r, g, b])),
        Target::Head(head) => v1::script_step::Target::Head(v1::HeadTarget {
            yaw_deg: head.yaw_deg.into(),
            pitch_deg: head.pitch_deg.into(),
            approach_percent: head.approach_percent.into(),
        }),
    };
    v1::ScriptStep { at_ms: step.at_ms, duration_ms: step.duration_ms, target: Some(target) }
}

fn step(value: &v1::ScriptStep) -> Result<Step, Reason> {
    let target = match required(value.target.as_ref(), "target")? {
        v1::script_step::Target::LightRgb(rgb) => match rgb.to_be_bytes() {
            [0, r, g, b] => Target::Light { rgb: [r, g, b] },
            _ => return Err(invalid("light_rgb")),
        },
        v1::script_step::Target::Head(head) => Target::Head(Head {
            yaw_deg: narrow(head.yaw_deg, "yaw_deg")?,
            pitch_deg: narrow(head.pitch_deg, "pitch_deg")?,
            approach_percent: narrow(head.approach_percent, "approach_percent")?,
        }),
    };
    let step = Step { at_ms: value.at_ms, duration_ms: value.duration_ms, target };
    if step.end_ms() <= MAX_END_MS { Ok(step) } else { Err(invalid("duration_ms")) }
}

fn narrow<W, N: TryFrom<W>>(value: W, field: &'static str) -> Result<N, Reason> {
    N::try_from(value).map_err(|_| invalid(field))
}

#[cfg(test)]
mod tests {
    use super::*;
    use biometrics::{CaptureMode, ScriptInputs, TenantId};
    use proptest::prelude::*;

    fn derived(mode: CaptureMode, attempt: u32) -> CaptureScript {
        let tenant: TenantId = "tn_00000000000000000000000000000001".parse().unwrap();
        CaptureScript::derive(&ScriptInputs { nonce: &[1; 16], tenant, action_sha256: &[2; 32], mode, attempt })
    }

    #[test]
    fn a_script_reads_back_and_names_the_field_that_is_wrong() {
        for mode in [CaptureMode::Passive, CaptureMode::Motion, CaptureMode::Light, CaptureMode::LightAndMotion] {
            for attempt in 1..20 {
                let value = derived(mode, attempt);
                assert_eq!(script(&script_to_wire(&value)), Ok(value));
            }
        }
        let wire = script_to_wire(&derived(CaptureMode::LightAndMotion, 1));
        let refused = |change: fn(&mut v1::CaptureScript)| {
            let mut wire = wire.clone();
            change(&mut wire);
            match script(&wire) {
                Err(Reason::InvalidArgument { field }) => field,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(refused(|w| w.mode = 0), "mode");
        assert_eq!(refused(|w| w.attempt = 0), "attempt");
        assert_eq!(refused(|w| w.frames += 1), "frames");
        assert_eq!(refused(|w| w.steps = vec![w.steps[0]; 33]), "steps");
        assert_eq!(refused(|w| w.steps[0].target = None), "target");
        assert_eq!(refused(|w| w.steps[0].duration_ms = u32::MAX), "duration_ms");
        let light = |w: &mut v1::CaptureScript| {
            w.steps[0].target = Some(v1::script_step::Target::LightRgb(0x0100_0000));
        };
        assert_eq!(refused(light), "light_rgb");
        let head = |w: &mut v1::CaptureScript| {
            let far = v1::HeadTarget { yaw_deg: 200, ..Default::default() };
            w.steps[0].target = Some(v1::script_step::Target::Head(far));
        };
        assert_eq!(refused(head), "yaw_deg");
    }

    proptest! {
        #[test]
        fn garbage_never_panics(mode: i32, attempt: u32, at_ms: u32, duration_ms: u32, rgb: u32, frames: u32) {
            let target = Some(v1::script_step::Target::LightRgb(rgb));
            let steps = vec![v1::ScriptStep { at_ms, duration_ms, target }];
            let _ = script(&v1::CaptureScript { mode, attempt, steps, frames });
        }
    }
}
