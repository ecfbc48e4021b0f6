//! Opening a challenge.
//!
//! Must never know: captures. Invariant: the text to show is the one that this side derives from the action.

use crate::{CaptureScript, Client, ClientError, call::Unanswered};
use biometrics::{CaptureMode, ChallengeId, Purpose, UserId};
use receipt::{Action, display_sha256, display_text};
use secrecy::SecretString;
use wire::{convert, v1};

/// A challenge to open.
#[derive(Debug, Clone)]
pub struct NewChallenge<'a> {
    /// The tenant's own name of the user.
    pub user: &'a UserId,
    /// What it is for.
    pub purpose: Purpose,
    /// Whether an enrollment may replace an existing reference.
    pub replace: bool,
    /// What is to be approved.
    pub action: &'a Action,
    /// 16 to 64 fresh random bytes; keep them, and keep them from the device.
    pub rp_nonce: &'a [u8],
    /// `None` takes the policy's mode.
    pub mode: Option<CaptureMode>,
    /// 1 to 64 characters, the same for repetitions of the same request. With `None` a call that nobody answered is not
    /// repeated.
    pub idempotency_key: Option<&'a str>,
    /// `None` takes 120 s; 300 s at most.
    pub ttl_seconds: Option<u32>,
}

/// An open challenge.
#[derive(Debug)]
pub struct Challenge {
    /// Its id; the receipt's `txn`.
    pub id: ChallengeId,
    /// When it ends, in milliseconds since 1970, by the service's database.
    pub expires_at_ms: i64,
    /// Credential of the capture device, for this challenge alone.
    pub capture_token: SecretString,
    /// What the page must show.
    pub display: String,
    /// SHA-256 of that text; expect it in the receipt.
    pub display_sha256: [u8; 32],
    /// Script of attempt 1; absent where nothing is to be performed.
    pub script: Option<CaptureScript>,
    /// How many attempts there are.
    pub max_attempts: u32,
}

impl Client {
    /// Opens a challenge.
    ///
    /// # Errors
    /// [`ClientError`]; `Answer("display")` where the service would show another text than the action's.
    pub async fn create_challenge(&self, challenge: &NewChallenge<'_>) -> Result<Challenge, ClientError> {
        let request = v1::CreateChallengeRequest {
            user_id: challenge.user.to_string(),
            purpose: convert::purpose_to_wire(challenge.purpose).into(),
            replace: challenge.replace,
            action: Some(convert::action_to_wire(challenge.action)),
            rp_nonce: challenge.rp_nonce.to_vec(),
            mode: challenge.mode.map_or(0, |mode| convert::capture_mode_to_wire(mode).into()),
            possession: None,
            idempotency_key: challenge.idempotency_key.unwrap_or_default().to_owned(),
            ttl_seconds: challenge.ttl_seconds.unwrap_or_default(),
        };
        let unanswered = if challenge.idempotency_key.is_some() { Unanswered::Repeat } else { Unanswered::GiveUp };
        let answer = self
            .call(request, unanswered, |mut service, request| async move { service.create_challenge(request).await })
            .await?;
        read(answer, challenge.action)
    }
}

fn read(answer: v1::CreateChallengeResponse, action: &Action) -> Result<Challenge, ClientError> {
    let display = answer.display.ok_or(ClientError::Answer("display"))?;
    let sha256 = display_sha256(&display.text);
    if display.text != display_text(action) || display.sha256[..] != sha256 {
        return Err(ClientError::Answer("display"));
    }
    Ok(Challenge {
        id: answer.challenge_id.parse().map_err(|_| ClientError::Answer("challenge_id"))?,
        expires_at_ms: convert::timestamp_ms(answer.expires_at.as_ref(), "expires_at")
            .map_err(|_| ClientError::Answer("expires_at"))?,
        capture_token: answer.capture_token.into(),
        display: display.text,
        display_sha256: sha256,
        script: answer.script,
        max_attempts: answer.max_attempts,
    })
}
