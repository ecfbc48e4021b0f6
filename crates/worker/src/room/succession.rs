//! Verification of a user whose reference the recogniser before made, and the successor of that reference.
//!
//! Owns which reference decides. Invariants: nobody is accepted whom the reference does not match at the threshold that its own
//! recogniser was calibrated for, so a second reference adds no false match; a successor is made of accepted frames alone, and
//! confirmed only by a capture that both match.

use super::{Bench, Previous, Recognisers, count_gates, instruction_codes, one_face, verify::Compared};
use crate::{
    attempt::Attempt,
    decision::{self, Found},
    gates::{Comparison, Judged, judge},
    references::Stored,
    tenant_secrets,
    work::{Capture, Given},
};
use biometrics::{Features, GateReason, GateStatus, Purpose, Verdict};
use vision::Evidence;
use wire::{Reason, v1};

/// What a capture is compared with.
struct Two<'a> {
    reference: Compared<'a>,
    successor: Option<Compared<'a>>,
}

/// What gate 5 found, and what was opened for it.
struct Outcome {
    matched: bool,
    confirmed: bool,
}

/// What an answer is made of, beside what was decided.
struct Answered<'a> {
    previous: &'a Previous,
    two: Two<'a>,
    evidence: Evidence,
    pseudonym: String,
    /// What a new successor is laid out with.
    present_secrets: Option<v1::WrappedTenantSecrets>,
}

/// Gate 5 without features to compare.
const NO_FEATURES: Comparison =
    Comparison { status: GateStatus::Inconclusive, reason: Some(GateReason::ComparisonNoFeatures) };

impl Bench<'_> {
    /// As [`Bench::verify`], in the previous feature space.
    pub(super) fn verify_as_before(
        &mut self,
        attempt: &Attempt,
        capture: &Capture,
        (given, previous): (Given, &Previous),
    ) -> Result<v1::InferenceServiceVerifyResponse, Reason> {
        let room = self.room;
        let threshold = self.threshold(attempt)?;
        let before = previous.pack.calibration().threshold_at(attempt.policy.fmr).ok_or(Reason::PolicyUnsupported)?;
        let reference = Stored::check(given.reference, previous.pack.feature_space())?;
        // One that some third recogniser made, or a layout that this release does not read, is of no use here.
        let feature_space = room.pack.feature_space();
        let usable = |(row, secrets)| Stored::check(row, feature_space).ok().map(|stored| (stored, secrets));
        let successor = given.successor.and_then(usable);
        let two = Two {
            reference: Compared {
                stored: &reference,
                feature_space: previous.pack.feature_space(),
                secrets: &attempt.secrets,
                threshold: before,
            },
            successor: successor.as_ref().map(|(stored, secrets)| Compared {
                stored,
                feature_space,
                secrets,
                threshold,
            }),
        };
        let pseudonym = tenant_secrets::pseudonym(&room.keys, (attempt.tenant, &attempt.user), &attempt.secrets)?;
        let evidence = self.examine(attempt, capture, Recognisers::Both)?;
        let mut outcome = None;
        let judged = judge(evidence.gates(), &attempt.policy.required_gates, || {
            let (found, opened) = self.compare_both(attempt, (&evidence, threshold), &two)?;
            outcome = opened;
            Ok::<_, Reason>(found)
        })?;
        count_gates(&judged, "verify");
        let present_secrets = given.present_secrets;
        self.answered(attempt, (judged, outcome), Answered { previous, two, evidence, pseudonym, present_secrets })
    }

    /// Signs, and makes a successor where one is due.
    fn answered(
        &self,
        attempt: &Attempt,
        (judged, outcome): (Judged, Option<Outcome>),
        with: Answered<'_>,
    ) -> Result<v1::InferenceServiceVerifyResponse, Reason> {
        let Answered { previous, two, evidence, pseudonym, present_secrets } = with;
        let room = self.room;
        let accepted = judged.verdict == Verdict::Accept;
        let confirmed = accepted && outcome.as_ref().is_some_and(|outcome| outcome.confirmed);
        let decided_by = if confirmed { two.successor.as_ref() } else { None }.unwrap_or(&two.reference);
        let claim = outcome.as_ref().map(|_| decided_by.stored.claim());
        let matched = accepted && outcome.is_some_and(|outcome| outcome.matched);
        let instructions = instruction_codes(&evidence);
        let found = Found { attempt, purpose: Purpose::Verify, judged, reference: claim, instructions, pseudonym };
        let models = if confirmed { &previous.both } else { &previous.alone };
        let decision = decision::sign(room.keys.issuer(attempt.test), models, found, room.clock.now_ms())?;
        let new = present_secrets.filter(|_| matched && !confirmed).zip(evidence.features.as_ref());
        let successor = new.and_then(|(secrets, features)| self.make_successor(attempt, (&secrets, features)));
        Ok(v1::InferenceServiceVerifyResponse { decision: Some(decision), successor, succeeded: confirmed })
    }

    /// Gate 5: the reference decides, and the successor is asked only where it matched. `None` where nothing was opened.
    fn compare_both(
        &self,
        attempt: &Attempt,
        (evidence, threshold): (&Evidence, f64),
        two: &Two<'_>,
    ) -> Result<(Comparison, Option<Outcome>), Reason> {
        let probe = match one_face(evidence, threshold) {
            Ok(probe) => probe,
            Err(refused) => return Ok((refused, None)),
        };
        let Some(before) = &evidence.previous_features else { return Ok((NO_FEATURES, None)) };
        let found = self.compare(attempt, before, &two.reference)?;
        let matched = found == Comparison::PASS;
        let confirmed = match two.successor.as_ref().filter(|_| matched) {
            Some(successor) => self.confirms(attempt, probe, successor)?,
            None => false,
        };
        Ok((found, Some(Outcome { matched, confirmed })))
    }

    /// A successor that does not open is made anew, as one that does not match; its user has done nothing wrong.
    fn confirms(&self, attempt: &Attempt, probe: &Features, successor: &Compared<'_>) -> Result<bool, Reason> {
        match self.compare(attempt, probe, successor) {
            Ok(found) => Ok(found == Comparison::PASS),
            Err(Reason::DataLoss) => Ok(false),
            Err(reason) => Err(reason),
        }
    }

    /// `None` where it cannot be sealed: the decision stands, and the next one tries again.
    fn make_successor(
        &self,
        attempt: &Attempt,
        (secrets, features): (&v1::WrappedTenantSecrets, &Features),
    ) -> Option<v1::SealedReference> {
        match self.seal(attempt, (secrets, features)) {
            Ok((sealed, _)) => Some(sealed),
            Err(reason) => {
                tracing::warn!(reason = reason.code(), "no successor of a reference was made");
                None
            }
        }
    }
}
