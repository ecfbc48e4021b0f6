//! `Verify`: compares a capture with the user's reference and answers with a signed receipt or refusal.
//!
//! Owns what a caller may see of the outcome. Must never know: scores. Invariant: a device gets no gate, no reason and no
//! word of the user's state.

use crate::{attempt::Settled, call::Call, capture::Capture, challenge::script, gateway::Gateway};
use biometrics::{Purpose, Verdict};
use std::sync::Arc;
use wire::{Reason, convert, v1};

impl Gateway {
    /// Verifies the owner of an account for one action. Tenant credential or the challenge's capture token.
    ///
    /// # Errors
    /// Every row of CONTRACT "Outcomes and errors" but the first, which is an answer.
    pub(crate) async fn verify(
        self: &Arc<Self>,
        call: &Call,
        request: v1::VerifyRequest,
    ) -> Result<v1::VerifyResponse, Reason> {
        let capture = Capture::check(call, Purpose::Verify, request.into(), self.clock.now_ms())?;
        let settled = self.judge(capture).await?;
        let next = next(&settled);
        Ok(v1::VerifyResponse {
            verdict: convert::verdict_to_wire(settled.verdict).into(),
            receipt: settled.decision.receipt,
            gates: if call.caller.is_device() { Vec::new() } else { settled.decision.gates },
            next: Some(next),
        })
    }
}

/// What is allowed next. Instructions are those that the worker lets a capture subject have: what they can cure.
pub(crate) fn next(settled: &Settled) -> v1::Next {
    let directive = match (settled.verdict, settled.attempts_left) {
        (Verdict::Accept, _) => v1::Directive::Done,
        (Verdict::Refuse, 0) => v1::Directive::Stop,
        (Verdict::Refuse, _) => v1::Directive::Retry,
    };
    v1::Next {
        directive: directive.into(),
        instructions: settled.decision.instructions.clone(),
        attempts_left: settled.attempts_left,
        script: (directive == v1::Directive::Retry).then(|| script(&settled.challenge, settled.attempt + 1)),
    }
}
