//! Gates 1 and 4 by themselves: on captures for the live script, on captures that answer another one, and on true captures held
//! against scripts that nobody performed.
//!
//! Must never know: the other gates. Invariant: what the bound of a blind guess is held against was counted on captures that
//! do answer their own script.

use crate::evaluate::{
    capture::Scene,
    crew::Crew,
    decision::{Finding, Found},
    draw::{self, Job, Wanted},
    tally::{Hearing, Row, Tally},
};
use anyhow::{Context, Result};
use biometrics::{
    CaptureMode, Gate, GateReason, GateStatus, capture_integrity,
    challenge::blind_guess_bound,
    challenge_response,
    error_rates::{Rate, at_least},
    observation::FrameObservation,
};
use serde::Serialize;
use simulator::{Conditions, Species};
use vision::Engine;

/// Captures for another script: those of TARGETS B5, and an older recording filmed off a display.
pub(super) const SPECIES: [Species; 8] = [
    Species::WrongNonce,
    Species::OtherAction,
    Species::Looped,
    Species::Spliced,
    Species::Reordered,
    Species::Assembled,
    Species::TakingTurns,
    Species::ReplayFillingFrame,
];

/// Counts that chance would bring about less often than this refute a bound.
const LEAST_CHANCE: f64 = 1e-3;

/// What became of the captures of one mode.
#[derive(Debug, Serialize)]
pub(super) struct Answers {
    /// The mode.
    pub(super) mode: CaptureMode,
    /// Bona fide captures and species; gates 2, 3 and 5 did not run.
    pub(super) tally: Tally,
    /// True captures against scripts that they were not made for.
    pub(super) blind: Blind,
    /// Control: captures for another nonce where every script is the same.
    pub(super) constant_script: Option<Row>,
}

/// True captures that answer their own script, held against others drawn at random.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Blind {
    /// Captures.
    pub(super) captures: u64,
    /// Scripts that they were held against, all together.
    pub(super) scripts: u64,
    /// Passed by gate 4.
    pub(super) gate_4: u64,
    /// Passed by gates 1 and 4.
    pub(super) gates_1_and_4: u64,
    /// Share that gate 4 passes, and Clopper and Pearson's 95 % bounds.
    pub(super) share: f64,
    /// Lower bound.
    pub(super) lower: f64,
    /// Upper bound.
    pub(super) upper: f64,
    /// What receipts say of one attempt: no capture answers a larger share of all scripts.
    pub(super) bound: f64,
    /// How likely so many passes or more would be if every script passed with the bound's probability. Scripts are drawn anew
    /// for each capture, and whatever a capture shows, each passes with no more, so that all of them together are bounded by
    /// a binomial.
    pub(super) chance: f64,
    /// Whether the counts leave the bound possible: chance would bring so many about at least once in a thousand such counts.
    pub(super) holds: bool,
}

/// Passes of one capture against scripts that it was not made for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Guesses {
    /// Scripts.
    scripts: u64,
    /// Passed by gate 4.
    gate_4: u64,
    /// Passed by gates 1 and 4.
    gates_1_and_4: u64,
}

impl Blind {
    /// Sums up; `bound` is the claim.
    pub(super) fn new(guesses: impl Iterator<Item = Guesses>, bound: f64) -> Self {
        let (mut captures, mut sum) = (0, Guesses::default());
        for one in guesses.filter(|one| one.scripts > 0) {
            captures += 1;
            sum.scripts += one.scripts;
            sum.gate_4 += one.gate_4;
            sum.gates_1_and_4 += one.gates_1_and_4;
        }
        let rate = Rate { errors: sum.gate_4, trials: sum.scripts };
        let interval = rate.interval();
        let chance = at_least(sum.gate_4, sum.scripts, bound);
        Self {
            captures,
            scripts: sum.scripts,
            gate_4: sum.gate_4,
            gates_1_and_4: sum.gates_1_and_4,
            share: if sum.scripts > 0 { rate.value() } else { 0.0 },
            lower: interval.lower,
            upper: interval.upper,
            bound,
            chance,
            holds: chance >= LEAST_CHANCE,
        }
    }
}

/// Makes and judges the captures of one mode, each bona fide one against so many further scripts.
pub(super) fn measure(crew: &Crew<'_>, scene: &Scene<'_>, wanted: &Wanted<'_>, scripts: u64) -> Result<Answers> {
    let hearing = Hearing::without(&[]);
    let judged = each(crew, scene, &wanted.jobs(scene.people.len()), scripts)?;
    let (found, guesses): (Vec<Found>, Vec<Guesses>) = judged.into_iter().unzip();
    let control = Wanted { bona_fide: 0, species: &[Species::WrongNonce], ..*wanted }.jobs(scene.people.len());
    let constant = each(crew, &Scene { constant_script: true, ..scene.clone() }, &control, 0)?;
    let constant: Vec<&Found> = constant.iter().map(|(found, _)| found).collect();
    Ok(Answers {
        mode: scene.mode,
        tally: Tally::new(&found, &hearing),
        blind: Blind::new(guesses.into_iter(), blind_guess_bound(scene.mode, 1)),
        constant_script: (!constant.is_empty()).then(|| hearing.row("wrong_nonce", &constant)),
    })
}

fn each(crew: &Crew<'_>, scene: &Scene<'_>, jobs: &[Job], scripts: u64) -> Result<Vec<(Found, Guesses)>> {
    crew.each(("captures", jobs.len()), |engine, index| {
        let job = &jobs[index];
        let scripts = if job.kind == draw::Kind::BonaFide { scripts } else { 0 };
        judged(engine, (scene, job), scripts).with_context(|| format!("capture {index}, {}", job.kind.name()))
    })
}

/// Makes one capture and hears gates 1 and 4.
fn judged(engine: &mut Engine, (scene, job): (&Scene<'_>, &Job), scripts: u64) -> Result<(Found, Guesses)> {
    let made = scene.made(engine, job, &Conditions::typical(job.seed))?;
    let start = scene.clock.monotonic();
    let observations = engine.observe(&made.frames())?;
    let not_run = || Finding { status: GateStatus::NotRun, reasons: vec![GateReason::NotRequired] };
    let found = Found {
        kind: job.kind,
        identity: job.person as u32,
        gates: [
            capture_integrity::judge(&made.scripts.live, &observations).into(),
            not_run(),
            not_run(),
            challenge_response::judge(&made.scripts.live, &observations).result.into(),
            not_run(),
        ],
        presentation_score: None,
        by_another_picture: false,
        took: [made.took, scene.clock.monotonic().saturating_sub(start)],
    };
    let answers = found.of(Gate::ChallengeResponse).status == GateStatus::Pass;
    let guesses = if answers { guesses(scene.mode, job, &observations, scripts) } else { Guesses::default() };
    Ok((found, guesses))
}

/// Holds a capture against scripts that it was not made for.
fn guesses(mode: CaptureMode, job: &Job, observations: &[FrameObservation], scripts: u64) -> Guesses {
    let mut guesses = Guesses { scripts, ..Guesses::default() };
    for number in 0..scripts {
        let script = draw::another(job, mode, number);
        if challenge_response::judge(&script, observations).result.status == GateStatus::Pass {
            guesses.gate_4 += 1;
            let whole = capture_integrity::judge(&script, observations).status == GateStatus::Pass;
            guesses.gates_1_and_4 += u64::from(whole);
        }
    }
    guesses
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blind(scripts: u64, gate_4: u64, bound: f64) -> Blind {
        let one = Guesses { scripts, gate_4, gates_1_and_4: 0 };
        Blind::new([one, Guesses::default(), one].into_iter(), bound)
    }

    #[test]
    fn a_bound_that_counts_contradict_does_not_hold() {
        let counted = blind(50_000, 160, 1.0 / 320.0);
        assert_eq!((counted.captures, counted.scripts, counted.gate_4), (2, 100_000, 320));
        assert!(counted.holds, "about as many as the bound allows: {counted:?}");
        assert!(!blind(50_000, 320, 1.0 / 320.0).holds, "twice as many");
        assert!(blind(50_000, 0, 1e-9).holds);
    }

    #[test]
    fn nothing_counted_shows_nothing() {
        let none = Blind::new(std::iter::empty(), 1e-4);
        assert_eq!((none.scripts, none.share, none.upper), (0, 0.0, 1.0));
        assert!(none.holds);
    }
}
