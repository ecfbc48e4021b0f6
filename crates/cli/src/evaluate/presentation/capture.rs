//! One capture: rendered, examined as a worker does, judged by all five gates; numbers are all that is left.
//!
//! Must never know: rates. Invariant: nothing of a face leaves this module, and nothing of it is kept from capture to capture.

use super::{
    decision::{Finding, Found},
    draw::{Job, Kind, Scripts},
};
use crate::evaluate::people::{Person, Subject};
use anyhow::{Context, Result};
use biometrics::{
    CaptureMode, ComparisonScore, Features, Gate, GateReason, GateStatus, Metric, capture_integrity, challenge_response,
};
use service::Clock;
use simulator::{AttackInputs, Conditions, Script, render, render_attack};
use vision::{Engine, Evidence, ExamineOptions, Frame};

/// What holds for all captures of an evaluation.
pub(super) struct Setting<'a> {
    /// Whom captures show.
    pub(super) people: &'a [Person],
    /// What they perform.
    pub(super) mode: CaptureMode,
    /// Whether every capture performs one and the same script.
    pub(super) constant_script: bool,
    /// What the policy asks of a capture.
    pub(super) options: ExamineOptions,
    /// How features are compared.
    pub(super) metric: Metric,
    /// The smallest score that is a match.
    pub(super) threshold: f64,
    /// For durations.
    pub(super) clock: Clock,
}

impl Setting<'_> {
    /// Makes, examines and judges one capture.
    pub(super) fn found(&self, engine: &mut Engine, job: &Job) -> Result<Found> {
        let start = self.clock.monotonic();
        let subject = |engine: &mut Engine, index: usize| {
            self.people[index].subject(engine)?.context("a portrait shows no face any more")
        };
        let victim = subject(engine, job.person)?;
        let scripts = Scripts::of(job, self.mode, self.constant_script);
        let capture = match job.kind {
            Kind::BonaFide => render(&victim.portrait, &Script::from(&scripts.live), &Conditions::typical(job.seed))?,
            Kind::Attack(species) => {
                let attacker = subject(engine, job.attacker)?;
                let inputs = AttackInputs {
                    victim: &victim.portrait,
                    attacker: Some(&attacker.portrait),
                    script: &Script::from(&scripts.live),
                    older_script: &Script::from(&scripts.older),
                    conditions: &Conditions::typical(job.seed),
                };
                render_attack(species, &inputs)?
            }
        };
        let rendered = self.clock.monotonic();
        let frames: Vec<Frame<'_>> =
            capture.frames.iter().map(|f| Frame { jpeg: &f.jpeg, offset_ms: f.offset_ms }).collect();
        let evidence = engine.examine_response(&frames, &scripts.live, self.options)?;
        let examined = self.clock.monotonic();
        let reference = self.people[job.person].reference(engine)?;
        let mut found = Found {
            kind: job.kind,
            identity: job.person as u32,
            presentation_score: evidence.presentation_attack_score,
            by_another_picture: reference.is_some(),
            took: [rendered.saturating_sub(start), examined.saturating_sub(rendered)],
            gates: self.gates(evidence, &reference, &victim),
        };
        self.hear_all(engine, (&frames, &scripts), (&reference, &victim), &mut found)?;
        Ok(found)
    }

    fn gates(&self, evidence: Evidence, reference: &Option<Features>, victim: &Subject) -> [Finding; 5] {
        let comparison = self.compare(evidence.features.as_ref(), evidence.frame_consistency, (reference, victim));
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
        (reference, victim): (&Option<Features>, &Subject),
    ) -> Finding {
        let finding = |status, reason: Option<GateReason>| Finding { status, reasons: reason.into_iter().collect() };
        let Some(probe) = probe else {
            return finding(GateStatus::Inconclusive, Some(GateReason::ComparisonNoFeatures));
        };
        if consistency.is_some_and(|score| !score.is_match(self.threshold)) {
            return finding(GateStatus::Fail, Some(GateReason::ComparisonFrameMismatch));
        }
        let reference = reference.as_ref().unwrap_or(&victim.features);
        match self.metric.score(probe, reference).is_match(self.threshold) {
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
        (reference, victim): (&Option<Features>, &Subject),
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
                comparison = Some(self.compare(Some(probe), evidence.frame_consistency, (reference, victim)));
                found.gates[Gate::PresentationAttack as usize] = evidence.presentation_attack.into();
            }
        }
        if comparison.is_none()
            && let Some(first) = frames.first()
        {
            let probe = engine.features_of(first.jpeg)?;
            comparison = Some(self.compare(probe.as_ref(), None, (reference, victim)));
        }
        if let Some(comparison) = comparison {
            found.gates[Gate::Comparison as usize] = comparison;
        }
        Ok(())
    }
}
