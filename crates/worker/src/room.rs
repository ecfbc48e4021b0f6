//! The sealed room: what every engine thread shares, and the one path from a request to a signed decision.
//!
//! Owns the order of the steps. Must never know: the network, SQL. Invariants: all of it runs on one thread without an await;
//! opened keys, features and references are wiped when the step that needed them ends; nothing of them is logged.

mod enroll;
mod previous;
mod succession;
mod verify;

use crate::{
    StartError,
    attempt::Attempt,
    config::Config,
    decision::Models,
    gates::{Comparison, Judged},
    keys::Keys,
    plant,
    work::{Answer, Capture, Work},
};
use biometrics::{Features, Gate, GateReason, GateStatus};
use service::Clock;
use std::time::Duration;
use vision::{Engine, EngineOptions, Evidence, ExamineOptions, Frame, Pack, Runtime, VisionError};
use wire::{Reason, convert, frames, v1};

pub(crate) use previous::Previous;

/// The execution provider of every session.
const PROVIDER: &str = "CPUExecutionProvider";

/// See the module.
pub(crate) struct Room {
    /// The keys.
    pub(crate) keys: Keys,
    /// The pack that every engine runs.
    pub(crate) pack: Pack,
    /// The recogniser of the pack before, where one is configured.
    pub(crate) previous: Option<Previous>,
    /// The one clock.
    pub(crate) clock: Clock,
    models: Models,
    runtime: Runtime,
    options: EngineOptions,
}

impl Room {
    /// Opens the key provider, loads the runtime and verifies the pack; no session exists before that.
    ///
    /// # Errors
    /// The first of them that fails.
    pub(crate) fn open(config: &Config, clock: Clock) -> Result<Self, StartError> {
        let keys = Keys::open(config, clock.clone())?;
        let path = &config.models.pack;
        let pack = Pack::open(path).map_err(|source| StartError::Pack { path: path.clone(), source })?;
        let previous = config.models.previous_pack.as_deref().map(|path| Previous::open(path, &pack)).transpose()?;
        let runtime = Runtime::load(&config.models.onnxruntime)?;
        let models = Models { calibration: pack.calibration_id(), digests: pack.digests() };
        Ok(Self {
            keys,
            pack,
            previous,
            clock,
            models,
            runtime,
            options: EngineOptions { arena: config.engine.arena, memory_pattern: config.engine.arena },
        })
    }

    /// One more engine over the pack.
    ///
    /// # Errors
    /// When a session cannot be made.
    pub(crate) fn make_engine(&self) -> Result<Engine, VisionError> {
        let engine = Engine::new(&self.runtime, &self.pack, self.options)?;
        let engine = engine.with_presentation_attack(&self.runtime, &self.pack, self.options)?;
        match &self.previous {
            Some(previous) => engine.with_previous(&self.runtime, &previous.pack, self.options),
            None => Ok(engine),
        }
    }

    /// The feature space of this name, where references are compared or renewed in it.
    pub(crate) fn comparable(&self, feature_space: &str) -> Option<&str> {
        self.comparable_feature_spaces().find(|ours| *ours == feature_space)
    }

    fn comparable_feature_spaces(&self) -> impl Iterator<Item = &str> {
        let previous = self.previous.as_ref().map(|previous| previous.pack.feature_space());
        [self.pack.feature_space()].into_iter().chain(previous)
    }

    /// What this worker runs, for operators and gateways.
    pub(crate) fn describe(&self) -> v1::DescribeResponse {
        let digest = |(role, hex): (&String, &String)| v1::ModelDigest {
            role: role.clone(),
            sha256: hex::decode(hex).unwrap_or_default(),
        };
        v1::DescribeResponse {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pack: self.pack.name().to_owned(),
            feature_space: self.pack.feature_space().to_owned(),
            models: self.previous.as_ref().map_or(&self.models, |both| &both.both).digests.iter().map(digest).collect(),
            provider: PROVIDER.to_owned(),
            receipt_kid: self.keys.issuer(false).kid(),
            min_fmr: self.pack.min_fmr().unwrap_or(1.0),
            worker_time: Some(convert::timestamp(self.clock.now_ms())),
            comparable_feature_spaces: self.comparable_feature_spaces().map(str::to_owned).collect(),
        }
    }

    /// Does one job, all of it.
    ///
    /// # Errors
    /// Why no decision could be made; a refusal by a gate is an answer.
    pub(crate) fn run(&self, engine: &mut Engine, work: Work, deadline: Duration) -> Result<Answer, Reason> {
        let mut bench = Bench { room: self, engine, deadline };
        match work {
            Work::Enroll { context, capture } => {
                let attempt = Attempt::check(context, capture.frames().len(), self.clock.now_ms())?;
                bench.enroll(&attempt, &capture).map(Answer::Enroll)
            }
            Work::Verify { context, capture, given } => {
                let attempt = Attempt::check(context, capture.frames().len(), self.clock.now_ms())?;
                bench.verify(&attempt, &capture, *given).map(Answer::Verify)
            }
        }
    }
}

/// Which recognisers see a capture.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Recognisers {
    /// The pack's.
    Present,
    /// That of the pack before too.
    Both,
}

/// One job on one engine.
struct Bench<'a> {
    room: &'a Room,
    engine: &'a mut Engine,
    deadline: Duration,
}

impl Bench<'_> {
    /// The threshold that keeps the policy's false match rate with this pack. A policy that this pack cannot keep is not
    /// tried: every attempt would be refused after its work, and its user charged with it.
    fn threshold(&self, attempt: &Attempt) -> Result<f64, Reason> {
        let asks_detection = attempt.policy.required_gates.contains(&Gate::PresentationAttack);
        if asks_detection && !self.engine.detects_presentation_attacks() {
            return Err(Reason::PolicyUnsupported);
        }
        self.room.pack.calibration().threshold_at(attempt.policy.fmr).ok_or(Reason::PolicyUnsupported)
    }

    /// Decodes the frames and runs the models; counts only captures on which they ran.
    fn examine(&mut self, attempt: &Attempt, capture: &Capture, by: Recognisers) -> Result<Evidence, Reason> {
        frames::check(capture.frames(), frames::FrameLimits { allow_png: false })?;
        self.check_deadline()?;
        let views: Vec<_> =
            capture.frames().iter().map(|one| Frame { jpeg: &one.image, offset_ms: one.offset_ms }).collect();
        let options = ExamineOptions {
            min_inter_eye_px: attempt.policy.min_inter_eye_px,
            presentation_attack: attempt.policy.required_gates.contains(&Gate::PresentationAttack),
            previous: by == Recognisers::Both,
        };
        let evidence = match attempt.script() {
            Some(script) => self.engine.examine_response(&views, &script, options),
            None => self.engine.examine(&views, options),
        };
        let evidence = evidence.map_err(vision_reason)?;
        if let Some(features) = &evidence.features {
            plant::keep("features", || features.to_le_bytes().to_vec());
        }
        plant::keep("frame", || capture.frames().first().map_or_else(Vec::new, |frame| frame.image.clone()));
        if evidence.quality.status != GateStatus::NotRun {
            metrics::counter!("inference_runs_total").increment(1);
        }
        // Nothing is opened, sealed or signed for a caller that has gone.
        self.check_deadline()?;
        // Only now: a replay that is refused sooner than other captures would tell a device what refused it.
        Ok(if attempt.replayed { evidence.replayed() } else { evidence })
    }

    fn check_deadline(&self) -> Result<(), Reason> {
        if self.room.clock.monotonic() < self.deadline { Ok(()) } else { Err(Reason::DeadlineExceeded) }
    }
}

/// Gate 5's first half: usable features, and one face through all frames, the turned ones too.
fn one_face(evidence: &Evidence, threshold: f64) -> Result<&Features, Comparison> {
    let Some(features) = &evidence.features else {
        return Err(Comparison { status: GateStatus::Inconclusive, reason: Some(GateReason::ComparisonNoFeatures) });
    };
    match evidence.frame_consistency {
        Some(score) if !score.is_match(threshold) => Err(Comparison::fail(GateReason::ComparisonFrameMismatch)),
        _ => Ok(features),
    }
}

fn instruction_codes(evidence: &Evidence) -> Vec<&'static str> {
    evidence.instructions.iter().map(|instruction| instruction.code()).collect()
}

fn count_gates(judged: &Judged, purpose: &'static str) {
    for result in &judged.gates {
        let gate = convert::gate_to_wire(result.gate).as_str_name();
        let status = convert::gate_status_to_wire(result.status).as_str_name();
        metrics::counter!("worker_gate_results_total", "purpose" => purpose, "gate" => gate, "status" => status)
            .increment(1);
    }
}

fn vision_reason(error: VisionError) -> Reason {
    match error {
        VisionError::NoFrames => Reason::FrameCount { count: 0 },
        VisionError::BadFrame { index, .. } => Reason::FrameUndecodable { index },
        error => {
            tracing::error!(error = %error, "engine");
            Reason::Internal
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use biometrics::{ComparisonScore, Gate, GateResult};
    use std::borrow::Cow;

    fn evidence(frame_consistency: Option<f32>, features: bool) -> Evidence {
        let pass =
            |gate| GateResult { gate, status: GateStatus::Pass, reasons: Vec::new(), version: Cow::Borrowed("test") };
        Evidence {
            integrity: pass(Gate::CaptureIntegrity),
            quality: pass(Gate::Quality),
            presentation_attack: pass(Gate::PresentationAttack),
            presentation_attack_score: None,
            challenge_response: pass(Gate::ChallengeResponse),
            frame_consistency: frame_consistency.map(ComparisonScore::new),
            features: features.then(|| Features::new(&[0.5; 128]).unwrap()),
            previous_features: None,
            per_frame: Vec::new(),
            instructions: Vec::new(),
        }
    }

    #[test]
    fn frames_of_two_faces_fail_gate_five() {
        let outcome = |score| one_face(&evidence(score, true), 0.4).map(|_| ()).map_err(|found| found.reason);
        assert_eq!(outcome(Some(0.5)), Ok(()));
        assert_eq!(outcome(None), Ok(()), "a single frame agrees with itself");
        assert_eq!(outcome(Some(0.39)), Err(Some(GateReason::ComparisonFrameMismatch)));
        assert_eq!(outcome(Some(f32::NAN)), Err(Some(GateReason::ComparisonFrameMismatch)));
    }

    #[test]
    fn frames_without_features_are_inconclusive_and_never_pass() {
        let found = one_face(&evidence(None, false), 0.4).map(|_| ()).unwrap_err();
        assert_eq!((found.status, found.reason), (GateStatus::Inconclusive, Some(GateReason::ComparisonNoFeatures)));
    }
}
