//! The attempt as the worker accepts it: everything the gateway said, parsed, bounded and, where it can be, recomputed.
//!
//! Must never trust a derived value: the action's hash and the capture script are computed here. Invariant: an [`Attempt`] in
//! hand obeys the policy floor (production requires all five gates and a capture that performs something) and was made by a
//! gateway whose clock agrees with ours.

use biometrics::{CaptureMode, CaptureScript, ChallengeId, Jti, ScriptInputs, TenantId, UserId, policy::Policy};
use receipt::Action;
use wire::{Reason, convert, v1};

/// Largest difference between the two clocks, in milliseconds (CONTRACT "Clocks").
const MAX_SKEW_MS: i64 = 5_000;
/// Bounds of the tenant's nonce, in bytes (CONTRACT "Challenge").
const NONCE_BYTES: std::ops::RangeInclusive<usize> = 16..=64;
/// Longest status list address, in bytes.
const MAX_STATUS_URI: usize = 512;

/// See the module.
pub(crate) struct Attempt {
    /// Whose user.
    pub(crate) tenant: TenantId,
    /// The capture subject as the tenant names them.
    pub(crate) user: UserId,
    /// The challenge this attempt answers.
    pub(crate) challenge: ChallengeId,
    /// Which attempt, from 1.
    pub(crate) number: u32,
    /// How many the challenge allows.
    pub(crate) max_attempts: u32,
    /// What the capture performed.
    pub(crate) mode: CaptureMode,
    /// The tenant's own nonce.
    pub(crate) nonce: Vec<u8>,
    /// What is approved.
    pub(crate) action: Action,
    /// Its hash, computed here.
    pub(crate) action_sha256: [u8; 32],
    /// Id of the receipt to come.
    pub(crate) jti: Jti,
    /// Where the receipt's status will stand: list address and index.
    pub(crate) status: Option<(String, u32)>,
    /// Hash of what the device was to display, on the gateway's word.
    pub(crate) display_sha256: Option<[u8; 32]>,
    /// Consent as the tenant recorded it, on the gateway's word.
    pub(crate) consent: Option<Consent>,
    /// What must be met.
    pub(crate) policy: Policy,
    /// Issued under the test issuer.
    pub(crate) test: bool,
    /// The tenant's secrets, wrapped.
    pub(crate) secrets: v1::WrappedTenantSecrets,
    /// The receipt goes to a device.
    pub(crate) for_device: bool,
    /// Another capture has shown one of the frames, on the gateway's word.
    pub(crate) replayed: bool,
}

/// Consent record (asserted).
pub(crate) struct Consent {
    /// SHA-256 of the text that was shown.
    pub(crate) text_sha256: [u8; 32],
    /// BCP 47 tag.
    pub(crate) locale: String,
    /// The tenant's version of the text.
    pub(crate) version: String,
}

impl Attempt {
    /// Checks what the gateway sent of a capture of `frames` frames, at `now_ms`.
    ///
    /// # Errors
    /// `CLOCK_SKEW`, `ACTION_CHANGED`, or `INVALID_ARGUMENT` naming the field.
    pub(crate) fn check(context: v1::AttemptContext, frames: usize, now_ms: i64) -> Result<Self, Reason> {
        check_clock(&context, now_ms)?;
        let mode = convert::capture_mode(context.mode)?;
        let (policy, test) = policy(convert::required(context.policy, "policy")?, (context.max_attempts, mode))?;
        let action = convert::action(context.action)?;
        let action_sha256 = action.sha256();
        if convert::action(context.displayed_action)?.sha256() != action_sha256 {
            return Err(Reason::ActionChanged);
        }
        if !(1..=context.max_attempts).contains(&context.attempt) {
            return Err(invalid("attempt"));
        }
        if !NONCE_BYTES.contains(&context.rp_nonce.len()) {
            return Err(invalid("rp_nonce"));
        }
        if context.asserted_replayed_frames.iter().any(|index| *index as usize >= frames) {
            return Err(invalid("asserted_replayed_frames"));
        }
        Ok(Self {
            tenant: convert::parsed(&context.tenant_id, "tenant_id")?,
            user: convert::parsed(&context.user_id, "user_id")?,
            challenge: convert::parsed(&context.challenge_id, "challenge_id")?,
            number: context.attempt,
            max_attempts: context.max_attempts,
            mode,
            nonce: context.rp_nonce,
            action,
            action_sha256,
            jti: convert::parsed(&context.jti, "jti")?,
            status: status(context.status_uri, context.status_index)?,
            display_sha256: display(&context.asserted_display_sha256)?,
            consent: context.asserted_consent.map(consent).transpose()?,
            policy,
            test,
            secrets: convert::required(context.secrets, "secrets")?,
            for_device: context.for_device,
            replayed: !context.asserted_replayed_frames.is_empty(),
        })
    }

    /// What the capture has to perform; `None` where it performs nothing.
    pub(crate) fn script(&self) -> Option<CaptureScript> {
        let Self { tenant, mode, number: attempt, .. } = *self;
        let inputs = ScriptInputs { nonce: &self.nonce, tenant, action_sha256: &self.action_sha256, mode, attempt };
        (mode != CaptureMode::Passive).then(|| CaptureScript::derive(&inputs))
    }
}

const fn invalid(field: &'static str) -> Reason {
    Reason::InvalidArgument { field }
}

fn check_clock(context: &v1::AttemptContext, now_ms: i64) -> Result<(), Reason> {
    let theirs = convert::timestamp_ms(context.gateway_time.as_ref(), "gateway_time")?;
    if now_ms.abs_diff(theirs) > MAX_SKEW_MS.unsigned_abs() { Err(Reason::ClockSkew) } else { Ok(()) }
}

/// The policy with its bounds checked again, production floor included: a gateway can talk neither a gate away nor the
/// challenge.
fn policy(given: v1::InferencePolicy, (max_attempts, mode): (u32, CaptureMode)) -> Result<(Policy, bool), Reason> {
    let policy = Policy {
        version: given.version,
        required_gates: convert::gates(&given.required_gates)?,
        fmr: given.fmr,
        max_attempts,
        min_inter_eye_px: given.min_inter_eye_px,
        receipt_ttl_seconds: given.receipt_ttl_seconds,
        default_mode: mode,
        // Nothing else is asked for, and windows are the gateway's to keep: nothing is remembered here.
        modes: Vec::new(),
        ..Policy::production()
    };
    policy.check(given.test).map_err(|error| invalid(error.field()))?;
    Ok((policy, given.test))
}

fn status(uri: String, index: u32) -> Result<Option<(String, u32)>, Reason> {
    match uri.len() {
        0 => Ok(None),
        1..=MAX_STATUS_URI => Ok(Some((uri, index))),
        _ => Err(invalid("status_uri")),
    }
}

fn display(sha256: &[u8]) -> Result<Option<[u8; 32]>, Reason> {
    if sha256.is_empty() { Ok(None) } else { convert::fixed(sha256, "asserted_display_sha256").map(Some) }
}

fn consent(given: v1::Consent) -> Result<Consent, Reason> {
    let text_sha256 = convert::fixed(&given.text_sha256, "consent.text_sha256")?;
    if given.locale.len() > 35 || given.version.len() > 64 {
        return Err(invalid("consent"));
    }
    Ok(Consent { text_sha256, locale: given.locale, version: given.version })
}
