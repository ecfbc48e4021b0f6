//! Verification: a capture is compared with the opened reference; acceptance or refusal, both signed.

use super::{Bench, Recognisers, count_gates, instruction_codes, one_face};
use crate::{
    attempt::Attempt,
    decision::{self, Found},
    gates::{Comparison, judge},
    references::{Owner, Stored},
    tenant_secrets,
    work::{Capture, Given},
};
use biometrics::{ComparisonScore, Features, GateReason, KeyedTransform, Purpose};
use wire::{Reason, v1};

/// A reference and all that a comparison with it takes.
pub(super) struct Compared<'a> {
    pub(super) stored: &'a Stored,
    /// Of the recogniser that made it.
    pub(super) feature_space: &'a str,
    /// What it was laid out with.
    pub(super) secrets: &'a v1::WrappedTenantSecrets,
    /// The smallest score that is a match.
    pub(super) threshold: f64,
}

impl Bench<'_> {
    /// Compares a capture with a stored reference. The reference stays sealed unless gates 1 and 2 passed, and only a
    /// reference that was opened is named in the receipt.
    pub(super) fn verify(
        &mut self,
        attempt: &Attempt,
        capture: &Capture,
        given: Given,
    ) -> Result<v1::InferenceServiceVerifyResponse, Reason> {
        let room = self.room;
        if let Some(previous) = &room.previous
            && given.reference.feature_space == previous.pack.feature_space()
        {
            return self.verify_as_before(attempt, capture, (given, previous));
        }
        let threshold = self.threshold(attempt)?;
        let stored = Stored::check(given.reference, room.pack.feature_space())?;
        let pseudonym = tenant_secrets::pseudonym(&room.keys, (attempt.tenant, &attempt.user), &attempt.secrets)?;
        let evidence = self.examine(attempt, capture, Recognisers::Present)?;
        let mut opened = None;
        let judged = judge(evidence.gates(), &attempt.policy.required_gates, || {
            let probe = match one_face(&evidence, threshold) {
                Ok(probe) => probe,
                Err(refused) => return Ok::<_, Reason>(refused),
            };
            let feature_space = room.pack.feature_space();
            let with = Compared { stored: &stored, feature_space, secrets: &attempt.secrets, threshold };
            let found = self.compare(attempt, probe, &with)?;
            opened = Some(stored.claim());
            Ok(found)
        })?;
        count_gates(&judged, "verify");
        let instructions = instruction_codes(&evidence);
        let found = Found { attempt, purpose: Purpose::Verify, judged, reference: opened, instructions, pseudonym };
        let issuer = room.keys.issuer(attempt.test);
        let decision = decision::sign(issuer, &room.models, found, room.clock.now_ms())?;
        Ok(v1::InferenceServiceVerifyResponse { decision: Some(decision), successor: None, succeeded: false })
    }

    /// 1:1, in the transformed space of the reference.
    pub(super) fn compare(
        &self,
        attempt: &Attempt,
        probe: &Features,
        with: &Compared<'_>,
    ) -> Result<Comparison, Reason> {
        let (room, stored) = (self.room, with.stored);
        let owner = Owner { tenant: attempt.tenant, user: &attempt.user, feature_space: with.feature_space };
        let reference = stored.open(&room.keys, owner)?;
        let key = tenant_secrets::transform_key(&room.keys, attempt.tenant, with.secrets)?;
        let transform = KeyedTransform::derive(key.expose(), attempt.tenant, stored.id, stored.epoch());
        let score = ComparisonScore::of(&transform.apply(probe), &reference);
        let is_match = score.is_match(with.threshold);
        Ok(if is_match { Comparison::PASS } else { Comparison::fail(GateReason::ComparisonNonMatch) })
    }
}
