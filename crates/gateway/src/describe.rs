//! `GetReference` and `RevokeReceipt`: two short use cases of the tenant's backend.
//!
//! Must never know: what a reference holds, the words of a receipt. Invariant: what is another tenant's does not exist.

use crate::{call::Call, enroll::reference_to_wire, fault::store_fault, gateway::Gateway};
use store::{AuditBody, RevokeResult};
use wire::{Reason, convert, v1};

impl Gateway {
    /// Describes a reference without opening it. Tenant credential only.
    ///
    /// # Errors
    /// `NO_REFERENCE`, `INVALID_ARGUMENT`, `PERMISSION_DENIED`, `UNAVAILABLE_DATABASE`.
    pub(crate) async fn get_reference(
        &self,
        call: &Call,
        request: v1::GetReferenceRequest,
    ) -> Result<v1::GetReferenceResponse, Reason> {
        let tenant = call.caller.as_tenant()?;
        let user = convert::parsed(&request.user_id, "user_id")?;
        let found = self.store.references(tenant, &user).await.map_err(store_fault)?.ok_or(Reason::NoReference)?;
        self.store.note_hold_access(tenant, &user, "GET_REFERENCE").await.map_err(store_fault)?;
        let reference = Some(reference_to_wire(&found.reference));
        Ok(v1::GetReferenceResponse { reference, successor: found.successor.as_ref().map(reference_to_wire) })
    }

    /// Marks a live receipt INVALID; doing it twice is no fault. Tenant credential only.
    ///
    /// # Errors
    /// `UNKNOWN_RECEIPT`, `INVALID_ARGUMENT`, `PERMISSION_DENIED`, `UNAVAILABLE_*`.
    pub(crate) async fn revoke_receipt(
        &self,
        call: &Call,
        request: v1::RevokeReceiptRequest,
    ) -> Result<v1::RevokeReceiptResponse, Reason> {
        let tenant = call.caller.as_tenant()?;
        let jti = convert::parsed(&request.jti, "jti")?;
        match self.store.revoke_receipt(tenant, jti, AuditBody::default()).await.map_err(store_fault)? {
            RevokeResult::Revoked => {
                self.status.forget();
                metrics::counter!("countersign_receipts_revoked_total").increment(1);
                Ok(v1::RevokeReceiptResponse {})
            }
            RevokeResult::AlreadyInvalid => Ok(v1::RevokeReceiptResponse {}),
            RevokeResult::Unknown => Err(Reason::UnknownReceipt),
        }
    }
}
