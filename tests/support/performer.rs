//! People who perform capture scripts, and attackers who pretend to: rendered by the simulator from portraits of public figures.
//!
//! Must never know: what a gate looks for. Invariant: equal seeds give equal captures.

use crate::{captures, places};
use anyhow::{Context, Result};
use simulator::{AttackInputs, Capture, Conditions, Portrait, Script, Species};
use std::path::Path;
use vision::{Engine, EngineOptions, Pack, Runtime};
use wire::{convert, v1};

/// One person.
pub struct Performer(Portrait);

impl Performer {
    /// The persons of the named portraits, their face meshes found by the pack's own models.
    ///
    /// # Errors
    /// Where a portrait, the pack or ONNX Runtime is missing, or shows no face.
    pub fn cast<const N: usize>(pack: &Path, portraits: [&str; N]) -> Result<[Self; N]> {
        let (runtime, pack) = (Runtime::load(&places::onnxruntime()?)?, Pack::open(pack)?);
        let mut engine = Engine::new(&runtime, &pack, EngineOptions::default())?;
        let found = portraits.map(|name| {
            let picture = captures::picture(&places::portrait(name)?)?;
            let sample =
                engine.sample(&captures::jpeg(&picture, 95)?)?.with_context(|| format!("no face in {name}"))?;
            let face = &sample.face;
            let points = face.points.iter().zip(&face.depth).map(|(point, &depth)| [point.x, point.y, depth]).collect();
            Ok(Self(Portrait::new(picture, points)?))
        });
        let all: Result<Vec<Self>> = found.into_iter().collect();
        all?.try_into().ok().context("one person for each portrait")
    }

    /// The person performs the script.
    ///
    /// # Errors
    /// Where the script does not read or the frames cannot be rendered.
    pub fn perform(&self, script: &v1::CaptureScript, conditions: &Conditions) -> Result<Vec<v1::Frame>> {
        Ok(frames(simulator::render(&self.0, &timeline(script)?, conditions)?))
    }

    /// Somebody attacks the person's account while `live` is asked for, with a recording made for `older`.
    ///
    /// # Errors
    /// As [`Performer::perform`].
    pub fn attacked(
        &self,
        (species, attacker): (Species, &Self),
        [live, older]: [&v1::CaptureScript; 2],
        conditions: &Conditions,
    ) -> Result<Vec<v1::Frame>> {
        let (script, older_script) = (&timeline(live)?, &timeline(older)?);
        let inputs = AttackInputs { victim: &self.0, attacker: Some(&attacker.0), script, older_script, conditions };
        Ok(frames(simulator::render_attack(species, &inputs)?))
    }
}

/// A fair indoor place and a common laptop camera.
#[must_use]
pub fn indoors(seed: u64) -> Conditions {
    Conditions { seed, ..Conditions::default() }
}

fn timeline(script: &v1::CaptureScript) -> Result<Script> {
    Ok(Script::from(&convert::script(script)?))
}

fn frames(capture: Capture) -> Vec<v1::Frame> {
    let format = v1::FrameFormat::Jpeg.into();
    let frame = |frame: simulator::Frame| v1::Frame { image: frame.jpeg, offset_ms: frame.offset_ms, format };
    capture.frames.into_iter().map(frame).collect()
}
