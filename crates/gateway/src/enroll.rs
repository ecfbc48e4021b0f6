//! `Enroll`: makes a reference from a capture and answers with an enrollment receipt or a signed refusal.
//!
//! Must never know: what a reference holds. Invariant: a reference is spoken of only after it is stored.

use crate::{call::Call, capture::Capture, gateway::Gateway, verify::next};
use biometrics::Purpose;
use std::sync::Arc;
use store::SealedRow;
use wire::{Reason, convert, v1};

impl Gateway {
    /// Enrolls the capture subject. Tenant credential or the challenge's capture token.
    ///
    /// # Errors
    /// Every row of CONTRACT "Outcomes and errors" but the first, which is an answer.
    pub(crate) async fn enroll(
        self: &Arc<Self>,
        call: &Call,
        request: v1::EnrollRequest,
    ) -> Result<v1::EnrollResponse, Reason> {
        let capture = Capture::check(call, Purpose::Enroll, request.into(), self.clock.now_ms())?;
        let settled = self.judge(capture).await?;
        let next = next(&settled);
        let mut reference = settled.reference.as_ref().map(reference_to_wire);
        if let Some(reference) = &mut reference {
            reference.created_at = settled.decision.issued_at;
        }
        Ok(v1::EnrollResponse {
            verdict: convert::verdict_to_wire(settled.verdict).into(),
            receipt: settled.decision.receipt,
            gates: if call.caller.is_device() { Vec::new() } else { settled.decision.gates },
            next: Some(next),
            reference,
        })
    }
}

/// What may be said of a reference without opening it.
pub(crate) fn reference_to_wire(row: &SealedRow) -> v1::Reference {
    v1::Reference {
        reference_id: row.id.to_string(),
        epoch: row.epoch,
        commitment: row.commitment.to_vec(),
        feature_space: row.feature_space.clone(),
        created_at: Some(convert::timestamp(row.created_at_ms)),
    }
}
