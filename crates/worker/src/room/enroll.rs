//! Enrollment: a capture becomes a sealed reference, or a signed refusal.

use super::{Bench, Recognisers, count_gates, instruction_codes, one_face};
use crate::{
    attempt::Attempt,
    decision::{self, Found},
    gates::{Comparison, judge},
    references::{self, Owner},
    tenant_secrets,
    work::Capture,
};
use biometrics::{Features, GateReason, GateStatus, Purpose, Verdict};
use receipt::RefClaim;
use wire::{Reason, v1};

impl Bench<'_> {
    /// Makes a reference from a capture that passes every required gate.
    pub(super) fn enroll(
        &mut self,
        attempt: &Attempt,
        capture: &Capture,
    ) -> Result<v1::InferenceServiceEnrollResponse, Reason> {
        let threshold = self.threshold(attempt)?;
        let pseudonym = tenant_secrets::pseudonym(&self.room.keys, (attempt.tenant, &attempt.user), &attempt.secrets)?;
        let mut evidence = self.examine(attempt, capture, Recognisers::Present)?;
        let judged = judge(evidence.gates(), &attempt.policy.required_gates, || {
            Ok::<_, Reason>(one_face(&evidence, threshold).map_or_else(|refused| refused, |_| ENROLLED))
        })?;
        count_gates(&judged, "enroll");
        let instructions = instruction_codes(&evidence);
        let features = evidence.features.take().filter(|_| judged.verdict == Verdict::Accept);
        let reference = features.map(|features| self.seal(attempt, (&attempt.secrets, &features))).transpose()?;
        let claim = reference.as_ref().map(|(_, claim)| claim.clone());
        let found = Found { attempt, purpose: Purpose::Enroll, judged, reference: claim, instructions, pseudonym };
        let issuer = self.room.keys.issuer(attempt.test);
        let decision = decision::sign(issuer, &self.room.models, found, self.room.clock.now_ms())?;
        let reference = reference.map(|(sealed, _)| sealed);
        Ok(v1::InferenceServiceEnrollResponse { decision: Some(decision), reference })
    }

    /// A new reference in the pack's feature space, laid out with these secrets.
    pub(super) fn seal(
        &self,
        attempt: &Attempt,
        (secrets, features): (&v1::WrappedTenantSecrets, &Features),
    ) -> Result<(v1::SealedReference, RefClaim), Reason> {
        let room = self.room;
        let key = tenant_secrets::transform_key(&room.keys, attempt.tenant, secrets)?;
        let owner = Owner { tenant: attempt.tenant, user: &attempt.user, feature_space: room.pack.feature_space() };
        references::seal_new(&room.keys, owner, &key, features)
    }
}

/// One face through all frames; there was nothing else to compare with, and the receipt says so.
const ENROLLED: Comparison = Comparison { status: GateStatus::Pass, reason: Some(GateReason::ComparisonEnrollment) };
