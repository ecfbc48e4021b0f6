//! Answering challenges as a capture page does: attempt after attempt, each with the script that the one before brought.

use crate::{
    caller::{self, Caller},
    expect::Decision,
};
use anyhow::{Context, Result};
use wire::v1::{self, Gate, Purpose};

/// How a challenge ended.
#[derive(Debug)]
pub struct Settled {
    /// The last decision.
    pub decision: Decision,
    /// The last answer; an enrollment's without its reference.
    pub answer: v1::VerifyResponse,
    /// Every frame that was sent.
    pub frames: Vec<v1::Frame>,
    /// Those of the last attempt.
    pub last: Vec<v1::Frame>,
}

/// A request for a challenge in the mode of the tenant's policy.
#[must_use]
pub fn asked(user: &str, purpose: Purpose) -> v1::CreateChallengeRequest {
    v1::CreateChallengeRequest { mode: v1::CaptureMode::Unspecified.into(), ..caller::challenge(user, purpose) }
}

/// Opens a challenge and answers it as often as it allows, until somebody is accepted or a comparison was made.
///
/// # Errors
/// Where a call is not decided or a capture cannot be made.
pub async fn settle(
    bank: &mut Caller,
    request: v1::CreateChallengeRequest,
    perform: impl Fn(&v1::CaptureScript) -> Result<Vec<v1::Frame>>,
) -> Result<Settled> {
    let purpose = request.purpose();
    let opened = bank.create_challenge(request).await?;
    let (mut script, mut sent) = (opened.script, Vec::new());
    loop {
        let frames = perform(script.as_ref().context("an attempt without a script")?)?;
        let last = frames.clone();
        sent.extend_from_slice(&last);
        let answer = match purpose {
            Purpose::Enroll => {
                let v1::EnrollResponse { verdict, receipt, gates, next, .. } =
                    bank.enroll(&opened.challenge_id, frames).await?;
                v1::VerifyResponse { verdict, receipt, gates, next }
            }
            _ => bank.verify(&opened.challenge_id, frames).await?,
        };
        let decision = Decision::of_verify(&answer)?;
        script = answer.next.as_ref().and_then(|next| next.script.clone());
        let again = matches!(decision, Decision::Refuse(gate, ..) if gate != Gate::Comparison);
        if !again || script.is_none() {
            return Ok(Settled { decision, answer, frames: sent, last });
        }
    }
}
