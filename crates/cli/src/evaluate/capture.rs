//! One capture: rendered, examined as a worker does, judged by all five gates; numbers are all that is left.
//!
//! Must never know: rates. Invariant: nothing of a face leaves this module, and nothing of it is kept from capture to capture.

use super::{
    decision::{Finding, Found},
    draw::{Job, Kind, Scripts},
    people::{Person, Reference},
};
use anyhow::{Context, Result};
use biometrics::{
    CaptureMode, ComparisonScore, Features, Gate, GateReason, GateStatus, capture_integrity, challenge_response,
};
use service::Clock;
use simulator::{AttackInputs, Capture, Conditions, Script, render, render_attack};
use std::time::Duration;
use vision::{Engine, Evidence, ExamineOptions, Frame, Pack};

/// Inter-eye distance that the default policy asks for, in pixels.
const MIN_INTER_EYE_PX: u32 = 60;

/// What captures are made of.
#[derive(Clone)]
pub(super) struct Scene<'a> {
    /// Whom captures show.
    pub(super) people: &'a [Person],
    /// What they perform.
    pub(super) mode: CaptureMode,
    /// Whether every capture performs one and the same script.
    pub(super) constant_script: bool,
    /// For durations.
    pub(super) clock: Clock,
}

/// A capture that nobody has looked at yet.
pub(super) struct Made {
    /// What it was made for.
    pub(super) scripts: Scripts,
    /// Its frames.
    pub(super) capture: Capture,
    /// Time to load portraits and to render.
    pub(super) took: Duration,
}

impl Made {
    /// The frames as a worker gets them.
    pub(super) fn frames(&self) -> Vec<Frame<'_>> {
        self.capture.frames.iter().map(|f| Frame { jpeg: &f.jpeg, offset_ms: f.offset_ms }).collect()
    }
}

impl Scene<'_> {
    /// Renders one capture.
    pub(super) fn made(&self, engine: &mut Engine, job: &Job, conditions: &Conditions) -> Result<Made> {
        let start = self.clock.monotonic();
        let portrait = |engine: &mut Engine, index: usize| {
            self.people[index].portrait(engine)?.context("a portrait shows no face any more")
        };
        let victim = portrait(engine, job.person)?;
        let scripts = Scripts::of(job, self.mode, self.constant_script);
        let capture = match job.kind {
            Kind::BonaFide => render(&victim, &Script::from(&scripts.live), conditions)?,
            Kind::Attack(species) => {
                let attacker = portrait(engine, job.attacker)?;
                let inputs = AttackInputs {
                    victim: &victim,
                    attacker: Some(&attacker),
                    script: &Script::from(&scripts.live),
                    older_script: &Script::from(&scripts.older),
                    conditions,
                };
                render_attack(species, &inputs)?
            }
        };
        Ok(Made { scripts, capture, took: self.clock.monotonic().saturating_sub(start) })
    }
}

/// What holds for all captures that all gates judge.
pub(super) struct Setting<'a> {
    /// What they are made of.
    pub(super) scene: Scene<'a>,
    options: ExamineOptions,
    /// The smallest score that is a match.
    threshold: f64,
}

impl<'a> Setting<'a> {
    /// Judged at the pack's threshold for this false match rate and at this inter-eye distance, or the default policy's.
    pub(super) fn new(pack: &Pack, scene: Scene<'a>, fmr: f64, min_inter_eye_px: Option<u32>) -> Result<Self> {
        let threshold = pack.calibration().threshold_at(fmr);
        Ok(Self {
            scene,
            options: ExamineOptions {
                min_inter_eye_px: min_inter_eye_px.unwrap_or(MIN_INTER_EYE_PX),
                presentation_attack: true,
                previous: false,
            },
            threshold: threshold.with_context(|| format!("the pack's calibration does not reach an FMR of {fmr}"))?,
        })
    }

    /// Examines and judges a capture.
    pub(super) fn judged(&self, engine: &mut Engine, job: &Job, made: &Made) -> Result<Found> {
        let start = self.scene.clock.monotonic();
        let (frames, scripts) = (made.frames(), &made.scripts);
        let evidence = engine.examine_response(&frames, &scripts.live, self.options)?;
        let took = [made.took, self.scene.clock.monotonic().saturating_sub(start)];
        let reference = self.scene.people[job.person].reference(engine)?;
        let mut found = Found {
            kind: job.kind,
            identity: job.person as u32,
            presentation_score: evidence.presentation_attack_score,
            by_another_picture: reference.of_another_picture,
            took,
            gates: self.gates(evidence, &reference),
        };
        self.hear_all(engine, (&frames, scripts), &reference, &mut found)?;
        Ok(found)
    }

    fn gates(&self, evidence: Evidence, reference: &Reference) -> [Finding; 5] {
        let comparison = self.compare(evidence.features.as_ref(), evidence.frame_consistency, reference);
        [
            evidence.integrity.into(),
            evidence.quality.into(),
            evidence.presentation_attack.into(),
            evidence.challenge_response.into(),
            comparison,
        ]
    }

    /// Gate 5 as a worker judges it: one face through all frames, then the reference's.
    fn compare(
        &self,
        probe: Option<&Features>,
        consistency: Option<ComparisonScore>,
        reference: &Reference,
    ) -> Finding {
        let finding = |status, reason: Option<GateReason>| Finding { status, reasons: reason.into_iter().collect() };
        let Some(probe) = probe else {
            return finding(GateStatus::Inconclusive, Some(GateReason::ComparisonNoFeatures));
        };
        if consistency.is_some_and(|score| !score.is_match(self.threshold)) {
            return finding(GateStatus::Fail, Some(GateReason::ComparisonFrameMismatch));
        }
        match ComparisonScore::of(probe, &reference.features).is_match(self.threshold) {
            true => finding(GateStatus::Pass, None),
            false => finding(GateStatus::Fail, Some(GateReason::ComparisonNonMatch)),
        }
    }

    /// Where an earlier gate stopped the capture, the later ones are asked all the same, as far as they can be: gate 4 over
    /// observations, gate 3 over the frames without their script, gate 5 over the first frame where all else fails.
    fn hear_all(
        &self,
        engine: &mut Engine,
        (frames, scripts): (&[Frame<'_>], &Scripts),
        reference: &Reference,
        found: &mut Found,
    ) -> Result<()> {
        let passed = |found: &Found, gate| found.of(gate).status == GateStatus::Pass;
        if passed(found, Gate::CaptureIntegrity) && passed(found, Gate::Quality) {
            return Ok(());
        }
        let observations = engine.observe(frames)?;
        let answer = challenge_response::judge(&scripts.live, &observations).result;
        debug_assert_eq!(capture_integrity::judge(&scripts.live, &observations).status, found.gates[0].status);
        found.gates[Gate::ChallengeResponse as usize] = answer.into();
        let mut comparison = None;
        if passed(found, Gate::Quality) {
            let evidence = engine.examine(frames, self.options)?;
            found.presentation_score = evidence.presentation_attack_score;
            if let Some(probe) = &evidence.features {
                comparison = Some(self.compare(Some(probe), evidence.frame_consistency, reference));
                found.gates[Gate::PresentationAttack as usize] = evidence.presentation_attack.into();
            }
        }
        if comparison.is_none()
            && let Some(first) = frames.first()
        {
            let probe = engine.features_of(first.jpeg)?;
            comparison = Some(self.compare(probe.as_ref(), None, reference));
        }
        if let Some(comparison) = comparison {
            found.gates[Gate::Comparison as usize] = comparison;
        }
        Ok(())
    }
}
