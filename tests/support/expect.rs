//! What tests say about answers: verdict and gates in one value, a refusal to decide in another, so that one comparison holds
//! the status, the reason and the gate.

use crate::caller;
use anyhow::{Context, Result, bail};
use receipt::{Action, Expected};
use std::collections::BTreeMap;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use wire::v1::{self, Gate, GateStatus, Verdict};

/// Gates that the default policy of test tenants goes without; a relying party names them to accept such receipts.
pub const NOT_RUN: [biometrics::Gate; 2] = [biometrics::Gate::PresentationAttack, biometrics::Gate::ChallengeResponse];

/// A verdict and, for a refusal, the first gate that did not pass: gate, status, reasons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// ACCEPT with gates 1, 2 and 5 PASS and the others NOT_RUN.
    Accept,
    /// ACCEPT with all but gate 3 PASS and that one NOT_RUN.
    AcceptAnswer,
    /// ACCEPT with all five PASS.
    AcceptAll,
    /// REFUSE.
    Refuse(Gate, GateStatus, Vec<String>),
}

impl Decision {
    /// REFUSE at a gate for one reason.
    #[must_use]
    pub fn refuse(gate: Gate, status: GateStatus, reason: &str) -> Self {
        Self::Refuse(gate, status, vec![reason.to_owned()])
    }

    /// Reads an enrollment's answer.
    ///
    /// # Errors
    /// As `read`.
    pub fn of_enroll(answer: &v1::EnrollResponse) -> Result<Self> {
        Self::read(answer.verdict(), &answer.gates)
    }

    /// Reads a verification's answer.
    ///
    /// # Errors
    /// As `read`.
    pub fn of_verify(answer: &v1::VerifyResponse) -> Result<Self> {
        Self::read(answer.verdict(), &answer.gates)
    }

    /// # Errors
    /// Where the list is not the five gates in order, or contradicts the verdict.
    fn read(verdict: Verdict, gates: &[v1::GateResult]) -> Result<Self> {
        use GateStatus::{Fail, Inconclusive, NotRun, Pass};
        let names: Vec<_> = gates.iter().map(v1::GateResult::gate).collect();
        let all = [
            Gate::CaptureIntegrity,
            Gate::Quality,
            Gate::PresentationAttack,
            Gate::ChallengeResponse,
            Gate::Comparison,
        ];
        if names != all {
            bail!("gates {names:?}");
        }
        let statuses: Vec<_> = gates.iter().map(v1::GateResult::status).collect();
        let stopped = gates.iter().find(|gate| matches!(gate.status(), Fail | Inconclusive));
        match (verdict, stopped) {
            (Verdict::Accept, None) if statuses == [Pass, Pass, NotRun, NotRun, Pass] => Ok(Self::Accept),
            (Verdict::Accept, None) if statuses == [Pass, Pass, NotRun, Pass, Pass] => Ok(Self::AcceptAnswer),
            (Verdict::Accept, None) if statuses == [Pass; 5] => Ok(Self::AcceptAll),
            (Verdict::Refuse, Some(gate)) => Ok(Self::Refuse(gate.gate(), gate.status(), gate.reasons.clone())),
            _ => bail!("verdict {verdict:?} with {statuses:?}"),
        }
    }
}

/// The status and the stable reason of a call that was not decided.
///
/// # Errors
/// Where it was answered.
pub fn refused<T>(answer: Result<T, Box<Status>>) -> Result<(Code, String)> {
    let status = undecided(answer)?;
    Ok((status.code(), caller::reason(&status)))
}

/// The whole status of a call that was not decided.
///
/// # Errors
/// Where it was answered.
pub fn undecided<T>(answer: Result<T, Box<Status>>) -> Result<Status> {
    match answer {
        Ok(_) => bail!("the call was answered"),
        Err(status) => Ok(*status),
    }
}

/// ErrorInfo metadata of a status.
#[must_use]
pub fn metadata(status: &Status) -> BTreeMap<String, String> {
    let info = status.get_details_error_info();
    info.map(|info| info.metadata.into_iter().collect()).unwrap_or_default()
}

/// Everything of a status that a caller gets and that is not about this one call: code, words, details, headers.
#[must_use]
pub fn bytes(status: &Status) -> (Code, String, Vec<u8>, BTreeMap<String, String>) {
    let headers = status.metadata().clone().into_headers();
    let own = |name: &str| matches!(name, "date" | "x-request-id");
    let kept = headers.iter().filter(|(name, _)| !own(name.as_str()));
    let kept = kept.map(|(name, value)| (name.to_string(), format!("{value:?}"))).collect();
    (status.code(), status.message().to_owned(), status.details().to_vec(), kept)
}

/// The domain action of [`caller::action`].
///
/// # Errors
/// Never, unless the action of the tests is malformed.
pub fn action() -> Result<Action> {
    wire::convert::action(Some(caller::action())).context("the tests' own action")
}

/// What a relying party of the tests expects of a receipt.
#[must_use]
pub fn expected<'a>(aud: &'a str, action: &'a Action) -> Expected<'a> {
    Expected { accepted_not_run: &NOT_RUN, ..Expected::new(aud, &caller::NONCE, action) }
}
