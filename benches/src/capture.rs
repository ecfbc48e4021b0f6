//! All five gates over a capture of 8 frames of 640x480, in CPU time on one core, and which step takes how much of it.

use crate::{
    Common,
    captures::{self, FRAMES, Filmed, OPTIONS},
    cpu::{percentile, timed},
};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use vision::{Engine, ExamineOptions, Pack, Role, Runtime};

/// Milliseconds of CPU.
const BAR_MS: f64 = 140.0;
/// Frames that presentation attack detectors see.
const CHOSEN: usize = 3;

/// What is timed in turn, and then its median.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// All gates.
    Whole,
    /// All gates again, for the noise.
    Again,
    /// All but gate 3.
    WithoutPresentation,
    /// Decoding, detector, mesh and what gates 1 and 4 observe.
    Observe,
    /// Strict decoding.
    Decode,
    /// Transform and comparison.
    Compare,
    /// A model's bare runs, as many as a capture takes.
    Model(Role),
}

impl Part {
    const ALL: [Self; 10] = [
        Self::Whole,
        Self::Decode,
        Self::Observe,
        Self::WithoutPresentation,
        Self::Compare,
        Self::Model(Role::Detector),
        Self::Model(Role::Landmarks),
        Self::Model(Role::Recogniser),
        Self::Model(Role::PresentationAttack),
        Self::Again,
    ];

    /// CPU milliseconds of one turn on one capture.
    fn time(self, engine: &mut Engine, filmed: &Filmed) -> Result<f64> {
        let frames = filmed.frames();
        let mut examine = |options| timed(|| Ok(engine.examine_response(&frames, filmed.script(), options)?));
        let compare = |features: Option<biometrics::Features>| {
            let probe = features.context("a capture that passed once does not pass again")?;
            timed(|| Ok(filmed.compare(&probe)))
        };
        Ok(match self {
            Self::Whole | Self::Again => {
                let (examined, evidence) = examine(OPTIONS)?;
                examined + compare(evidence.features)?.0
            }
            Self::WithoutPresentation => examine(ExamineOptions { presentation_attack: false, ..OPTIONS })?.0,
            Self::Observe => timed(|| Ok(engine.observe(&frames)?))?.0,
            Self::Decode => timed(|| Ok(frames.iter().try_for_each(|f| engine.decode_only(f.jpeg).map(drop))?))?.0,
            Self::Compare => compare(examine(OPTIONS)?.1.features)?.0,
            Self::Model(role) => {
                let runs = if role == Role::PresentationAttack { CHOSEN } else { FRAMES };
                timed(|| Ok((0..runs).try_for_each(|_| engine.run_only(role))?))?.0
            }
        })
    }
}

/// Prints one JSON object; the bar is 140 ms with `standard`.
pub(crate) fn run(common: &Common) -> Result<()> {
    let (runtime, pack) = (Runtime::load(&common.onnxruntime)?, Pack::open(&common.pack)?);
    let mut engine = captures::engine(&runtime, &pack)?;
    let filmed = captures::film(common, &mut engine, &pack)?;
    let mut times: Vec<Vec<f64>> = vec![Vec::new(); Part::ALL.len()];
    for _ in 0..common.blocks {
        for capture in &filmed {
            for (part, times) in Part::ALL.into_iter().zip(&mut times) {
                times.push(part.time(&mut engine, capture)?);
            }
        }
    }
    let mut noise: Vec<f64> = times[0].iter().zip(&times[Part::ALL.len() - 1]).map(|(a, b)| a / b).collect();
    let bytes: usize = filmed.iter().flat_map(Filmed::frames).map(|f| f.jpeg.len()).sum();
    let result = json!({
        "bench": "capture", "pack": pack.name(), "frames": FRAMES, "captures": filmed.len(), "blocks": common.blocks,
        "kb_a_frame": bytes / (filmed.len() * FRAMES) / 1000,
        "cpu_ms": rounded(percentile(&mut times[0], 0.5)),
        "cpu_ms_p5": rounded(percentile(&mut times[0], 0.05)), "cpu_ms_p95": rounded(percentile(&mut times[0], 0.95)),
        "noise_a_over_a_p5": percentile(&mut noise, 0.05), "noise_a_over_a_p95": percentile(&mut noise, 0.95),
        "bar_ms": BAR_MS,
        "steps": steps(|part| {
            let at = Part::ALL.iter().position(|p| *p == part);
            at.map_or(f64::NAN, |at| percentile(&mut times[at].clone(), 0.5))
        }),
    });
    println!("{result}");
    Ok(())
}

/// Where the time goes: medians, and differences of medians where a step cannot be run alone.
fn steps(median: impl Fn(Part) -> f64) -> Value {
    let model = |role| median(Part::Model(role));
    let (decode, observe) = (median(Part::Decode), median(Part::Observe));
    let without = median(Part::WithoutPresentation);
    let presentation = median(Part::Whole) - median(Part::Compare) - without;
    let rows = [
        ("decode", decode),
        ("detector model", model(Role::Detector)),
        ("mesh model", model(Role::Landmarks)),
        (
            "reduction, warps and measurements of gates 1, 2 and 4",
            observe - decode - model(Role::Detector) - model(Role::Landmarks),
        ),
        ("recogniser model", model(Role::Recogniser)),
        ("aligned faces, gates 1, 2 and 4 judged", without - observe - model(Role::Recogniser)),
        ("presentation attack models", model(Role::PresentationAttack)),
        ("views of presentation attack detectors", presentation - model(Role::PresentationAttack)),
        ("transform and comparison", median(Part::Compare)),
    ];
    rows.into_iter().map(|(step, ms)| json!({ "step": step, "ms": rounded(ms) })).collect()
}

fn rounded(ms: f64) -> f64 {
    (ms * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_add_up_to_the_whole() {
        let all = steps(|part| match part {
            Part::Whole | Part::Again => 100.0,
            Part::WithoutPresentation => 80.0,
            Part::Observe => 50.0,
            Part::Decode => 15.0,
            Part::Compare => 1.0,
            Part::Model(Role::PresentationAttack) => 12.0,
            Part::Model(_) => 9.0,
        });
        let sum: f64 = all.as_array().unwrap().iter().filter_map(|row| row["ms"].as_f64()).sum();
        assert!((sum - 100.0).abs() < 0.1, "{all}");
    }
}
