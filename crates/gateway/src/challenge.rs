//! `CreateChallenge`: one user, one purpose, one action, one nonce of the tenant.
//!
//! Owns the request's limits and what the device is told to show and do. Must never know: frames, references. Invariant:
//! the answer is made from the stored row alone, so the same idempotency key gives the same answer.

use crate::{
    authenticate::CaptureScope,
    call::Call,
    fault::{internal, store_fault},
    gateway::Gateway,
    random,
};
use biometrics::{CaptureScript, Policy, Purpose, ScriptInputs};
use receipt::Action;
use ring::digest::{Context, SHA256};
use std::ops::RangeInclusive;
use store::{ChallengeRow, CreateResult, Idempotency, NewChallenge};
use wire::{Reason, convert, v1};

/// Bytes of the tenant's nonce.
const NONCE_BYTES: RangeInclusive<usize> = 16..=64;
/// Life of a challenge that names none, in seconds.
const DEFAULT_TTL_S: u32 = 120;
/// Longest life of a challenge, in seconds.
const MAX_TTL_S: u32 = 300;
/// Longest idempotency key, in bytes.
const MAX_KEY_BYTES: usize = 64;

impl Gateway {
    /// Opens a challenge. Tenant credential only.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` naming the field, `IDEMPOTENCY_CONFLICT`, `QUOTA_EXHAUSTED`, `UNAVAILABLE_*`.
    pub(crate) async fn create_challenge(
        &self,
        call: &Call,
        request: v1::CreateChallengeRequest,
    ) -> Result<v1::CreateChallengeResponse, Reason> {
        let tenant = self.tenant(call.caller.as_tenant()?).await?;
        let new = asked(request, &tenant.policy, tenant.id)?;
        let row = match self.store.create_challenge(new).await.map_err(store_fault)? {
            CreateResult::Created(row) | CreateResult::Replayed(row) => row,
            CreateResult::IdempotencyConflict => return Err(Reason::IdempotencyConflict),
            CreateResult::TooMany { retry_s } => return Err(Reason::QuotaExhausted { retry_s }),
        };
        let action: Action = serde_json::from_str(&row.action_json).map_err(|error| internal(&error))?;
        Ok(self.challenge_answer(&row, &action))
    }

    fn challenge_answer(&self, row: &ChallengeRow, action: &Action) -> v1::CreateChallengeResponse {
        let scope = CaptureScope {
            tenant: row.tenant,
            challenge: row.id,
            purpose: row.purpose,
            expires_at_ms: row.expires_at_ms,
        };
        v1::CreateChallengeResponse {
            challenge_id: row.id.to_string(),
            expires_at: Some(convert::timestamp(row.expires_at_ms)),
            capture_token: scope.token(&self.credentials.capture),
            display: Some(v1::Display { text: receipt::display_text(action), sha256: row.display_sha256.to_vec() }),
            script: Some(script(row, 1)),
            max_attempts: row.max_attempts,
        }
    }
}

/// What the capture of one attempt has to perform. The worker derives the same again and judges by its own.
pub(crate) fn script(row: &ChallengeRow, attempt: u32) -> v1::CaptureScript {
    let ChallengeRow { tenant, mode, .. } = *row;
    let inputs = ScriptInputs { nonce: &row.rp_nonce, tenant, action_sha256: &row.action_sha256, mode, attempt };
    convert::script_to_wire(&CaptureScript::derive(&inputs))
}

/// The challenge that a request asks for, every field checked.
fn asked(
    request: v1::CreateChallengeRequest,
    policy: &Policy,
    tenant: biometrics::TenantId,
) -> Result<NewChallenge, Reason> {
    let purpose = convert::purpose(request.purpose)?;
    let mode = convert::capture_mode_or(request.mode, policy.default_mode)?;
    let ttl_s = if request.ttl_seconds == 0 { DEFAULT_TTL_S } else { request.ttl_seconds };
    refuse_if(request.replace && purpose != Purpose::Enroll, "replace")?;
    refuse_if(!NONCE_BYTES.contains(&request.rp_nonce.len()), "rp_nonce")?;
    refuse_if(!policy.allows(mode), "mode")?;
    refuse_if(request.possession.is_some(), "possession")?;
    refuse_if(ttl_s > MAX_TTL_S, "ttl_seconds")?;
    refuse_if(request.idempotency_key.len() > MAX_KEY_BYTES, "idempotency_key")?;
    let user = convert::parsed(&request.user_id, "user_id")?;
    let digest_mode = request.mode;
    let action = convert::action(request.action)?;
    let action_sha256 = action.sha256();
    let idempotency = (!request.idempotency_key.is_empty()).then(|| Idempotency {
        key: request.idempotency_key,
        request_sha256: digest(&[
            request.user_id.as_bytes(),
            &request.purpose.to_be_bytes(),
            &[u8::from(request.replace)],
            &action_sha256,
            &request.rp_nonce,
            &digest_mode.to_be_bytes(),
            &ttl_s.to_be_bytes(),
        ]),
    });
    Ok(NewChallenge {
        id: biometrics::ChallengeId::new(random::uuid()?),
        tenant,
        user,
        purpose,
        replace: request.replace,
        action_json: serde_json::to_string(&action).map_err(|error| internal(&error))?,
        action_sha256,
        rp_nonce: request.rp_nonce,
        mode,
        max_attempts: policy.max_attempts,
        ttl_s,
        idempotency,
        display_sha256: receipt::display_sha256(&receipt::display_text(&action)),
    })
}

const fn refuse_if(wrong: bool, field: &'static str) -> Result<(), Reason> {
    if wrong { Err(Reason::InvalidArgument { field }) } else { Ok(()) }
}

/// SHA-256 over parts, each with its length before it.
fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    let mut out = [0; 32];
    out.copy_from_slice(context.finish().as_ref());
    out
}
