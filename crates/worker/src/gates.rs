//! All five gates in their order, and the decision over them.
//!
//! Must never know: keys, ciphertext, how a comparison is made. Invariants: five results, always; after a gate that did not
//! pass nothing later is run; gates 3 and 4 are listed NOT_RUN until their release.

use biometrics::{Gate, GateReason, GateResult, GateStatus, Verdict, gate::decide};
use std::borrow::Cow;

/// Version of gate 5's method.
const COMPARISON_VERSION: &str = "fused-1";
/// Version of a gate that this release does not run.
const NO_VERSION: &str = "none";

/// What gate 5 found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Comparison {
    /// Its status.
    pub(crate) status: GateStatus,
    /// Why; on PASS only [`GateReason::ComparisonEnrollment`] may stand here.
    pub(crate) reason: Option<GateReason>,
}

impl Comparison {
    /// The gate's requirement is met.
    pub(crate) const PASS: Self = Self { status: GateStatus::Pass, reason: None };

    /// The gate's requirement is not met.
    pub(crate) const fn fail(reason: GateReason) -> Self {
        Self { status: GateStatus::Fail, reason: Some(reason) }
    }
}

/// The decision and the results it stands on.
pub(crate) struct Judged {
    /// All five, in order.
    pub(crate) gates: Vec<GateResult>,
    /// Over those that the policy requires.
    pub(crate) verdict: Verdict,
}

/// Runs gate 5 if gates 1 and 2 passed, completes the list and decides over `required`.
///
/// # Errors
/// Those of `compare`.
pub(crate) fn judge<E>(
    measured: [GateResult; 2],
    required: &[Gate],
    compare: impl FnOnce() -> Result<Comparison, E>,
) -> Result<Judged, E> {
    let clear = measured.iter().all(|result| result.status == GateStatus::Pass);
    let absent = if clear { GateReason::NotImplemented } else { GateReason::EarlierGate };
    let comparison = if clear {
        compare()?
    } else {
        Comparison { status: GateStatus::NotRun, reason: Some(GateReason::EarlierGate) }
    };
    let not_run = |gate| GateResult {
        gate,
        status: GateStatus::NotRun,
        reasons: vec![absent],
        version: Cow::Borrowed(NO_VERSION),
    };
    let mut gates = Vec::from(measured);
    gates.push(not_run(Gate::PresentationAttack));
    gates.push(not_run(Gate::ChallengeResponse));
    gates.push(GateResult {
        gate: Gate::Comparison,
        status: comparison.status,
        reasons: comparison.reason.into_iter().collect(),
        version: Cow::Borrowed(COMPARISON_VERSION),
    });
    let verdict = decide(&gates, required);
    Ok(Judged { gates, verdict })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    const NOW: [Gate; 3] = [Gate::CaptureIntegrity, Gate::Quality, Gate::Comparison];

    fn result(gate: Gate, status: GateStatus) -> GateResult {
        GateResult { gate, status, reasons: Vec::new(), version: Cow::Borrowed("test") }
    }

    fn measured(quality: GateStatus) -> [GateResult; 2] {
        [result(Gate::CaptureIntegrity, GateStatus::Pass), result(Gate::Quality, quality)]
    }

    #[test]
    fn three_passing_gates_accept_only_where_the_policy_asks_no_more() {
        let compare = || Ok::<_, Infallible>(Comparison::PASS);
        let Ok(judged) = judge(measured(GateStatus::Pass), &NOW, compare);
        assert_eq!(judged.verdict, Verdict::Accept);
        let Ok(judged) = judge(measured(GateStatus::Pass), &Gate::ALL, compare);
        assert_eq!(judged.verdict, Verdict::Refuse, "gates 3 and 4 are not run, and production requires them");
    }

    #[test]
    fn poor_quality_stops_before_the_comparison() {
        let Ok(judged) = judge(measured(GateStatus::Inconclusive), &NOW, || -> Result<_, Infallible> {
            unreachable!("the reference must stay sealed")
        });
        assert_eq!(judged.verdict, Verdict::Refuse);
        for later in &judged.gates[2..] {
            assert_eq!((later.status, later.reasons.as_slice()), (GateStatus::NotRun, &[GateReason::EarlierGate][..]));
        }
        assert!(judged.gates.iter().map(|found| found.gate).eq(Gate::ALL));
    }

    #[test]
    fn a_non_match_refuses_at_gate_five() {
        let fail = || Ok::<_, Infallible>(Comparison::fail(GateReason::ComparisonNonMatch));
        let Ok(judged) = judge(measured(GateStatus::Pass), &NOW, fail);
        assert_eq!(judged.verdict, Verdict::Refuse);
        assert_eq!(judged.gates[4].reasons, [GateReason::ComparisonNonMatch]);
    }
}
