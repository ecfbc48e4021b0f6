//! A capture as `Enroll` and `Verify` bring it: the same fields under two names, checked once.
//!
//! Must never know: what becomes of it. Invariant: a capture in hand has well-formed ids, a well-formed displayed action and
//! sound consent, an enrollment always one; its frames are judged against the tenant's policy later, and overwritten when it ends.

use crate::{authenticate::Caller, call::Call, origin::Origin};
use biometrics::{ChallengeId, Purpose, TenantId};
use receipt::Action;
use std::{mem, time::Duration};
use store::AuditBody;
use wire::{Reason, convert, v1, wipe};

/// Most characters of a BCP 47 language tag (RFC 5646 §4.4.1).
const MAX_LOCALE_BYTES: usize = 35;
/// Most characters of the tenant's version of a consent text.
const MAX_VERSION_BYTES: usize = 64;
/// How far the tenant's clock may be ahead of ours.
const CLOCKS_APART_MS: i64 = 300_000;

/// What the camera saw; overwritten on drop.
pub(crate) struct Frames(Vec<v1::Frame>);

impl Frames {
    /// The frames as they came off the wire.
    pub(crate) fn as_slice(&self) -> &[v1::Frame] {
        &self.0
    }

    /// The frames themselves, for a message that overwrites them in its turn.
    pub(crate) fn take(&mut self) -> Vec<v1::Frame> {
        mem::take(&mut self.0)
    }
}

impl Drop for Frames {
    fn drop(&mut self) {
        wipe::frames(&mut self.0);
    }
}

/// See the module.
pub(crate) struct Capture {
    /// Whose challenge.
    pub(crate) tenant: TenantId,
    /// The challenge that is answered.
    pub(crate) challenge: ChallengeId,
    /// What the call is for.
    pub(crate) purpose: Purpose,
    /// The attempt that is answered; 0 takes the next one.
    pub(crate) attempt: u32,
    /// The action as the device displayed it.
    pub(crate) displayed: Action,
    /// What the camera saw.
    pub(crate) frames: Frames,
    /// The tenant's consent record.
    pub(crate) consent: Option<v1::Consent>,
    /// Where the call comes from.
    pub(crate) origin: Origin,
    /// The answer goes to a device.
    pub(crate) for_device: bool,
    /// When the caller stops waiting, on the monotonic clock.
    pub(crate) deadline: Duration,
}

/// The fields that an enrollment and a verification share.
pub(crate) struct Fields {
    pub(crate) challenge_id: String,
    pub(crate) action: Option<v1::Action>,
    pub(crate) frames: Frames,
    pub(crate) consent: Option<v1::Consent>,
    pub(crate) possession: Option<v1::Possession>,
    pub(crate) attempt: u32,
}

impl From<v1::EnrollRequest> for Fields {
    fn from(request: v1::EnrollRequest) -> Self {
        let v1::EnrollRequest { challenge_id, action, frames, consent, possession, attempt } = request;
        Self { challenge_id, action, frames: Frames(frames), consent, possession, attempt }
    }
}

impl From<v1::VerifyRequest> for Fields {
    fn from(request: v1::VerifyRequest) -> Self {
        let v1::VerifyRequest { challenge_id, action, frames, consent, possession, attempt } = request;
        Self { challenge_id, action, frames: Frames(frames), consent, possession, attempt }
    }
}

impl Capture {
    /// Checks what a caller sent at `now_ms` and whether the caller may send it.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` naming the field, `PERMISSION_DENIED`.
    pub(crate) fn check(call: &Call, purpose: Purpose, fields: Fields, now_ms: i64) -> Result<Self, Reason> {
        let challenge = convert::parsed(&fields.challenge_id, "challenge_id")?;
        let tenant = call.caller.may_capture(challenge, purpose)?;
        let displayed = convert::action(fields.action)?;
        match &fields.consent {
            Some(consent) => check_consent(consent, now_ms)?,
            None if purpose == Purpose::Enroll => return Err(Reason::InvalidArgument { field: "consent" }),
            None => {}
        }
        // Possession is checked by the worker in a later release; until then a proof of it must not look accepted.
        if fields.possession.is_some() {
            return Err(Reason::InvalidArgument { field: "possession" });
        }
        Ok(Self {
            tenant,
            challenge,
            purpose,
            attempt: fields.attempt,
            displayed,
            frames: fields.frames,
            consent: fields.consent,
            origin: call.origin,
            for_device: matches!(call.caller, Caller::Device(_)),
            deadline: call.deadline,
        })
    }

    /// What the audit is told of the caller: address, country and consent.
    pub(crate) fn told(&self) -> AuditBody {
        let body = self.origin.told(AuditBody::default());
        let Some(consent) = &self.consent else { return body };
        let given_at_ms = convert::timestamp_ms(consent.given_at.as_ref(), "consent.given_at").ok();
        let consent = serde_json::json!({
            "text_sha256": hex::encode(&consent.text_sha256), "locale": consent.locale, "version": consent.version,
            "given_at_ms": given_at_ms,
        });
        body.with("consent", consent)
    }
}

/// All four parts: what was shown, in which language and version, and when it was agreed to.
fn check_consent(consent: &v1::Consent, now_ms: i64) -> Result<(), Reason> {
    convert::fixed::<32>(&consent.text_sha256, "consent.text_sha256")?;
    let given_at_ms = convert::timestamp_ms(consent.given_at.as_ref(), "consent.given_at")?;
    let word = |text: &str, longest| (1..=longest).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
    let wrong = [
        ("consent.locale", !word(&consent.locale, MAX_LOCALE_BYTES)),
        ("consent.version", !word(&consent.version, MAX_VERSION_BYTES)),
        ("consent.given_at", !(1..=now_ms.saturating_add(CLOCKS_APART_MS)).contains(&given_at_ms)),
    ];
    let field = wrong.into_iter().find_map(|(field, wrong)| wrong.then_some(field));
    field.map_or(Ok(()), |field| Err(Reason::InvalidArgument { field }))
}
