//! All five gates in their order, and the decision over them.
//!
//! Must never know: keys, ciphertext, how a comparison is made. Invariants: five results, always; no comparison is made unless
//! gates 1 and 2 passed, and 3 and 4 where they ran or are required.

use biometrics::{Gate, GateReason, GateResult, GateStatus, Verdict, gate::decide};
use std::borrow::Cow;

/// Version of gate 5's method.
const COMPARISON_VERSION: &str = "fused-2";

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

/// Runs gate 5 if nothing before stands against it, completes the list of `measured` gates 1 to 4 and decides over `required`.
///
/// # Errors
/// Those of `compare`.
pub(crate) fn judge<E>(
    measured: [GateResult; 4],
    required: &[Gate],
    compare: impl FnOnce() -> Result<Comparison, E>,
) -> Result<Judged, E> {
    let may_stay_out = |gate| gate > Gate::Quality && !required.contains(&gate);
    let clear = measured.iter().all(|result| match result.status {
        GateStatus::Pass => true,
        GateStatus::NotRun => may_stay_out(result.gate),
        GateStatus::Fail | GateStatus::Inconclusive => false,
    });
    let comparison = if clear {
        compare()?
    } else {
        Comparison { status: GateStatus::NotRun, reason: Some(GateReason::EarlierGate) }
    };
    let mut gates = Vec::from(measured);
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

    const FEWER: [Gate; 3] = [Gate::CaptureIntegrity, Gate::Quality, Gate::Comparison];
    const STATUSES: [GateStatus; 4] =
        [GateStatus::Pass, GateStatus::Fail, GateStatus::Inconclusive, GateStatus::NotRun];

    fn measured(statuses: [GateStatus; 4]) -> [GateResult; 4] {
        let result = |at: usize| GateResult {
            gate: Gate::ALL[at],
            status: statuses[at],
            reasons: Vec::new(),
            version: Cow::Borrowed("test"),
        };
        [0, 1, 2, 3].map(result)
    }

    #[test]
    fn of_all_findings_only_four_passes_lead_to_a_comparison_in_production() {
        for code in 0..4_usize.pow(4) {
            let statuses = std::array::from_fn(|gate| STATUSES[code / 4_usize.pow(gate as u32) % 4]);
            let mut compared = false;
            let Ok(judged) = judge(measured(statuses), &Gate::ALL, || {
                compared = true;
                Ok::<_, Infallible>(Comparison::PASS)
            });
            let whole = statuses == [GateStatus::Pass; 4];
            assert_eq!((compared, judged.verdict == Verdict::Accept), (whole, whole), "{statuses:?}");
            assert!(judged.gates.iter().map(|found| found.gate).eq(Gate::ALL));
            if !whole {
                let comparison = &judged.gates[4];
                assert_eq!(
                    (comparison.status, &comparison.reasons[..]),
                    (GateStatus::NotRun, &[GateReason::EarlierGate][..])
                );
            }
        }
    }

    #[test]
    fn a_test_policy_may_go_without_gates_three_and_four_but_not_against_them() {
        use GateStatus::{Fail, Inconclusive, NotRun, Pass};
        for (third, fourth) in
            [(NotRun, NotRun), (Pass, NotRun), (NotRun, Pass), (Fail, NotRun), (NotRun, Inconclusive)]
        {
            let Ok(judged) =
                judge(measured([Pass, Pass, third, fourth]), &FEWER, || Ok::<_, Infallible>(Comparison::PASS));
            let accepted = [third, fourth].iter().all(|status| matches!(status, Pass | NotRun));
            assert_eq!(judged.verdict == Verdict::Accept, accepted, "{third:?} {fourth:?}");
        }
        let sealed = || -> Result<_, Infallible> { unreachable!("the reference must stay sealed") };
        let Ok(judged) = judge(measured([NotRun, Pass, Pass, Pass]), &[Gate::Comparison], sealed);
        assert_eq!(judged.verdict, Verdict::Refuse, "gates 1 and 2 are always run");
    }

    #[test]
    fn a_non_match_refuses_at_gate_five() {
        let fail = || Ok::<_, Infallible>(Comparison::fail(GateReason::ComparisonNonMatch));
        let Ok(judged) = judge(measured([GateStatus::Pass; 4]), &Gate::ALL, fail);
        assert_eq!(judged.verdict, Verdict::Refuse);
        assert_eq!(judged.gates[4].reasons, [GateReason::ComparisonNonMatch]);
    }
}
