//! Captures: enrolling with one, verifying with one.
//!
//! Must never know: pixels. Invariant: the receipt is held against the challenge and attempt that the capture answers.

use crate::{Client, ClientError, Reference, Refusal, answer, call::Unanswered, reference};
use biometrics::{ChallengeId, Verdict};
use receipt::{Expected, Receipt, Unspent, authorize, refusal, verify_enrollment};
use wire::{convert, v1};

/// One camera frame.
#[derive(Clone)]
pub struct Frame {
    /// The picture as JPEG (PNG where the policy allows it), at most 2 MiB and 2048x2048 pixels.
    pub image: Vec<u8>,
    /// When it was captured, in milliseconds after the capture's first frame.
    pub offset_ms: u32,
    /// The picture is PNG.
    pub png: bool,
}

/// Consent as the tenant recorded it.
#[derive(Debug, Clone)]
pub struct Consent {
    /// SHA-256 of the text that was shown.
    pub text_sha256: [u8; 32],
    /// BCP 47 language tag.
    pub locale: String,
    /// Version of the text.
    pub version: String,
    /// When it was given, in milliseconds since 1970.
    pub given_at_ms: i64,
}

/// A capture that answers one attempt of one challenge.
#[derive(Clone)]
pub struct Capture {
    /// The challenge.
    pub challenge: ChallengeId,
    /// The attempt, from 1. It is always stated, so that a repeated call never becomes a second attempt.
    pub attempt: u32,
    /// 1 to 16 frames, 12 MiB together.
    pub frames: Vec<Frame>,
    /// Consent of the capture subject.
    pub consent: Option<Consent>,
}

/// Outcome of a verification.
#[derive(Debug)]
pub enum Verification {
    /// Accepted; authorises the action once it is spent.
    Accepted {
        /// The checked receipt.
        receipt: Unspent<Receipt>,
        /// The receipt as it came, for the own records.
        token: String,
    },
    /// Refused, signed.
    Refused(Refusal),
}

/// Outcome of an enrollment.
#[derive(Debug)]
pub enum Enrollment {
    /// Enrolled; pin the reference's commitment.
    Enrolled {
        /// The checked enrollment receipt.
        receipt: Receipt,
        /// The receipt as it came, for the own records.
        token: String,
        /// The new reference.
        reference: Reference,
    },
    /// Refused, signed.
    Refused(Refusal),
}

impl Client {
    /// Compares a capture with the user's reference. `expected.txn` is taken from the capture.
    ///
    /// # Errors
    /// [`ClientError`] where there is no outcome, or one whose receipt does not check.
    pub async fn verify(&self, capture: &Capture, expected: &Expected<'_>) -> Result<Verification, ClientError> {
        let request = v1::VerifyRequest {
            challenge_id: capture.challenge.to_string(),
            action: Some(convert::action_to_wire(expected.action)),
            frames: frames(capture),
            consent: consent(capture),
            possession: None,
            attempt: attempt(capture)?,
        };
        let answer = self
            .call(request, Unanswered::Repeat, |mut service, request| async move { service.verify(request).await })
            .await?;
        let expected = Expected { txn: Some(capture.challenge), ..*expected };
        let token = answer.receipt;
        if answer::verdict(answer.verdict)? == Verdict::Refuse {
            let (gates, next) = (answer::gates(&answer.gates)?, answer::next(answer.next)?);
            let receipt = self.refusal(&token, &expected, receipt::Typ::Receipt)?;
            return Ok(Verification::Refused(Refusal { receipt, token, gates, next }));
        }
        let receipt = authorize(&token, &self.trusted, &expected, (self.now)())?;
        Ok(Verification::Accepted { receipt, token })
    }

    /// Makes a reference from a capture. `expected.txn` is taken from the capture.
    ///
    /// # Errors
    /// [`ClientError`] where there is no outcome, or one whose receipt does not check.
    pub async fn enroll(&self, capture: &Capture, expected: &Expected<'_>) -> Result<Enrollment, ClientError> {
        let request = v1::EnrollRequest {
            challenge_id: capture.challenge.to_string(),
            action: Some(convert::action_to_wire(expected.action)),
            frames: frames(capture),
            consent: consent(capture),
            possession: None,
            attempt: attempt(capture)?,
        };
        let answer = self
            .call(request, Unanswered::Repeat, |mut service, request| async move { service.enroll(request).await })
            .await?;
        let expected = Expected { txn: Some(capture.challenge), ..*expected };
        let token = answer.receipt;
        if answer::verdict(answer.verdict)? == Verdict::Refuse {
            let (gates, next) = (answer::gates(&answer.gates)?, answer::next(answer.next)?);
            let receipt = self.refusal(&token, &expected, receipt::Typ::EnrollmentReceipt)?;
            return Ok(Enrollment::Refused(Refusal { receipt, token, gates, next }));
        }
        let receipt = verify_enrollment(&token, &self.trusted, &expected, (self.now)())?;
        let reference = reference::read(answer.reference)?;
        if !reference.is_named_by(&receipt) {
            return Err(ClientError::Answer("reference"));
        }
        Ok(Enrollment::Enrolled { receipt, token, reference })
    }

    fn refusal(&self, token: &str, expected: &Expected<'_>, typ: receipt::Typ) -> Result<Receipt, ClientError> {
        let receipt = refusal(token, &self.trusted, expected, (self.now)())?;
        if receipt.typ() == typ { Ok(receipt) } else { Err(ClientError::Answer("receipt")) }
    }
}

fn attempt(capture: &Capture) -> Result<u32, ClientError> {
    if capture.attempt == 0 { Err(ClientError::Configuration("attempt")) } else { Ok(capture.attempt) }
}

fn frames(capture: &Capture) -> Vec<v1::Frame> {
    let format = |png| if png { v1::FrameFormat::Png } else { v1::FrameFormat::Jpeg };
    let frame = |frame: &Frame| v1::Frame {
        image: frame.image.clone(),
        offset_ms: frame.offset_ms,
        format: format(frame.png).into(),
    };
    capture.frames.iter().map(frame).collect()
}

fn consent(capture: &Capture) -> Option<v1::Consent> {
    capture.consent.as_ref().map(|consent| v1::Consent {
        text_sha256: consent.text_sha256.to_vec(),
        locale: consent.locale.clone(),
        version: consent.version.clone(),
        given_at: Some(convert::timestamp(consent.given_at_ms)),
    })
}
