//! Verification: a capture is compared with the opened reference; acceptance or refusal, both signed.

use super::{Bench, count_gates, instruction_codes, one_face};
use crate::{
    attempt::Attempt,
    decision::{self, Found},
    gates::{Comparison, judge},
    references::{Owner, Stored},
    tenant_secrets,
    work::Capture,
};
use biometrics::{ComparisonScore, Features, GateReason, KeyedTransform, Purpose};
use wire::{Reason, v1};

impl Bench<'_> {
    /// Compares a capture with a stored reference. The reference stays sealed unless gates 1 and 2 passed, and only a
    /// reference that was opened is named in the receipt.
    pub(super) fn verify(
        &mut self,
        attempt: &Attempt,
        capture: &Capture,
        reference: v1::SealedReference,
    ) -> Result<v1::InferenceServiceVerifyResponse, Reason> {
        let threshold = self.threshold(attempt)?;
        let stored = Stored::check(reference, self.room.pack.feature_space())?;
        let pseudonym = tenant_secrets::pseudonym(&self.room.keys, (attempt.tenant, &attempt.user), &attempt.secrets)?;
        let evidence = self.examine(attempt, capture)?;
        let mut opened = None;
        let judged = judge(evidence.gates(), &attempt.policy.required_gates, || {
            let probe = match one_face(&evidence, threshold) {
                Ok(probe) => probe,
                Err(refused) => return Ok::<_, Reason>(refused),
            };
            let found = self.compare(attempt, probe, (&stored, threshold))?;
            opened = Some(stored.claim());
            Ok(found)
        })?;
        count_gates(&judged, "verify");
        let instructions = instruction_codes(&evidence);
        let found = Found { attempt, purpose: Purpose::Verify, judged, reference: opened, instructions, pseudonym };
        let issuer = self.room.keys.issuer(attempt.test);
        let decision = decision::sign(issuer, &self.room.models, found, self.room.clock.now_ms())?;
        Ok(v1::InferenceServiceVerifyResponse { decision: Some(decision) })
    }

    /// 1:1, in the transformed space of the reference.
    fn compare(
        &self,
        attempt: &Attempt,
        probe: &Features,
        (stored, threshold): (&Stored, f64),
    ) -> Result<Comparison, Reason> {
        let room = self.room;
        let owner = Owner { tenant: attempt.tenant, user: &attempt.user, feature_space: room.pack.feature_space() };
        let reference = stored.open(&room.keys, owner)?;
        let key = tenant_secrets::transform_key(&room.keys, attempt.tenant, &attempt.secrets)?;
        let transform = KeyedTransform::derive(key.expose(), attempt.tenant, stored.id, stored.epoch());
        let score = ComparisonScore::of(&transform.apply(probe), &reference);
        let is_match = score.is_match(threshold);
        Ok(if is_match { Comparison::PASS } else { Comparison::fail(GateReason::ComparisonNonMatch) })
    }
}
