//! What the five gates found on a capture, and how it ends for the capture subject.
//!
//! Must never know: pixels, features, scores of a comparison. Invariant: as in the product, no gate is heard after one that
//! did not pass, and what cannot be judged is not accepted.

use super::draw::Kind;
use biometrics::{Gate, GateReason, GateResult, GateStatus};
use std::time::Duration;

/// What one gate found by itself, whether or not an earlier one had stopped the capture.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Finding {
    /// Its status.
    pub(super) status: GateStatus,
    /// Why it did not pass.
    pub(super) reasons: Vec<GateReason>,
}

impl From<GateResult> for Finding {
    fn from(result: GateResult) -> Self {
        Self { status: result.status, reasons: result.reasons }
    }
}

/// Everything that is kept of a capture: numbers.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Found {
    /// What it was.
    pub(super) kind: Kind,
    /// Index of the person whose reference it was compared with.
    pub(super) identity: u32,
    /// Gates 1 to 5.
    pub(super) gates: [Finding; 5],
    /// What gate 3 compared with its threshold.
    pub(super) presentation_score: Option<f32>,
    /// Whether it was compared with another picture than the one that it was rendered from.
    pub(super) by_another_picture: bool,
    /// Time to render and to examine it.
    pub(super) took: [Duration; 2],
}

/// How a capture ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Every gate that ran passed.
    Accepted,
    /// The gate that said no.
    Refused(Gate),
    /// The gate that could not judge: another attempt.
    NoResponse(Gate),
}

/// Gates in the order in which the product hears them: those of one row all run, and all must pass before the next row runs.
const ROWS: [&[Gate]; 3] = [
    &[Gate::CaptureIntegrity, Gate::Quality],
    &[Gate::PresentationAttack, Gate::ChallengeResponse],
    &[Gate::Comparison],
];

impl Found {
    /// The finding of one gate.
    pub(super) fn of(&self, gate: Gate) -> &Finding {
        &self.gates[gate as usize]
    }

    /// How the capture ends when only the gates of `heard` are. A gate that did not run has no say.
    pub(super) fn end(&self, heard: &[Gate]) -> End {
        for row in ROWS {
            let first =
                |status| row.iter().copied().find(|gate| heard.contains(gate) && self.of(*gate).status == status);
            if let Some(gate) = first(GateStatus::Fail) {
                return End::Refused(gate);
            }
            if let Some(gate) = first(GateStatus::Inconclusive) {
                return End::NoResponse(gate);
            }
        }
        End::Accepted
    }

    /// Whether none of `gates` objects, each heard by itself.
    pub(super) fn passes(&self, gates: &[Gate]) -> bool {
        gates.iter().all(|&gate| matches!(self.of(gate).status, GateStatus::Pass | GateStatus::NotRun))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use GateStatus::{Fail, Inconclusive, NotRun, Pass};

    /// A capture on which the gates found this.
    pub(crate) fn found(kind: Kind, identity: u32, statuses: [GateStatus; 5]) -> Found {
        let gates = statuses.map(|status| Finding {
            status,
            reasons: if status == Pass { vec![] } else { vec![GateReason::ChallengeLightFlat] },
        });
        let took = [Duration::from_millis(10); 2];
        Found { kind, identity, gates, presentation_score: None, by_another_picture: false, took }
    }

    fn end(statuses: [GateStatus; 5], heard: &[Gate]) -> End {
        found(Kind::BonaFide, 0, statuses).end(heard)
    }

    #[test]
    fn the_first_row_of_gates_that_does_not_pass_decides() {
        assert_eq!(end([Pass; 5], &Gate::ALL), End::Accepted);
        assert_eq!(end([Inconclusive, Pass, Fail, Fail, Fail], &Gate::ALL), End::NoResponse(Gate::CaptureIntegrity));
        assert_eq!(end([Inconclusive, Fail, Pass, Pass, Pass], &Gate::ALL), End::Refused(Gate::Quality));
        assert_eq!(end([Pass, Pass, NotRun, Fail, Fail], &Gate::ALL), End::Refused(Gate::ChallengeResponse));
        assert_eq!(end([Pass, Pass, NotRun, Pass, Fail], &Gate::ALL), End::Refused(Gate::Comparison));
    }

    #[test]
    fn a_gate_that_is_not_heard_stops_nobody() {
        let statuses = [Fail, Pass, Pass, Pass, Pass];
        assert_eq!(end(statuses, &Gate::ALL[1..]), End::Accepted);
        assert_eq!(end(statuses, &Gate::ALL), End::Refused(Gate::CaptureIntegrity));
    }
}
