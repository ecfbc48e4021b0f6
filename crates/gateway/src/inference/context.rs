//! What a worker is told of an attempt: rows of the store in the words of the wire.
//!
//! Must never know: frames. Invariant: every field is the stored one or the caller's own; nothing is derived here, as the
//! worker derives for itself.

use crate::capture::Capture;
use biometrics::Purpose;
use store::{Opened, SealedRow, Tenant};
use wire::{convert, v1};

/// The context of an opened attempt; `status_uri` is where its position's list is published.
pub(super) fn of(opened: &Opened, capture: &Capture, (now_ms, status_uri): (i64, String)) -> v1::AttemptContext {
    let challenge = &opened.challenge;
    let compared = opened.reference.as_ref().filter(|_| challenge.purpose == Purpose::Verify);
    let generation = compared.map_or(opened.tenant.transform_generation, |row| row.transform_generation);
    v1::AttemptContext {
        tenant_id: challenge.tenant.to_string(),
        user_id: challenge.user.to_string(),
        challenge_id: challenge.id.to_string(),
        attempt: opened.attempt,
        max_attempts: challenge.max_attempts,
        mode: convert::capture_mode_to_wire(challenge.mode).into(),
        rp_nonce: challenge.rp_nonce.clone(),
        action: serde_json::from_str(&challenge.action_json).ok().map(|action| convert::action_to_wire(&action)),
        displayed_action: Some(convert::action_to_wire(&capture.displayed)),
        jti: opened.jti.to_string(),
        status_index: opened.status.index,
        status_uri,
        asserted_display_sha256: challenge.display_sha256.to_vec(),
        asserted_consent: capture.consent.clone(),
        asserted_ip: String::new(),
        possession: None,
        policy: Some(policy(&opened.tenant)),
        secrets: Some(secrets(&opened.tenant, generation)),
        gateway_time: Some(convert::timestamp(now_ms)),
        for_device: capture.for_device,
        asserted_replayed_frames: opened.replayed.clone(),
    }
}

/// A verification with all that lies there of the user.
pub(super) fn verification(
    opened: &Opened,
    (context, frames): (Option<v1::AttemptContext>, Vec<v1::Frame>),
) -> v1::InferenceServiceVerifyRequest {
    let tenant = &opened.tenant;
    let successor = opened.successor.as_ref();
    v1::InferenceServiceVerifyRequest {
        context,
        frames,
        reference: opened.reference.as_ref().map(sealed_reference),
        successor: successor.map(sealed_reference),
        successor_secrets: successor.map(|row| secrets(tenant, row.transform_generation)),
        present_secrets: Some(secrets(tenant, tenant.transform_generation)),
    }
}

fn policy(tenant: &Tenant) -> v1::InferencePolicy {
    v1::InferencePolicy {
        version: tenant.policy.version.clone(),
        required_gates: convert::gates_to_wire(&tenant.policy.required_gates),
        fmr: tenant.policy.fmr,
        min_inter_eye_px: tenant.policy.min_inter_eye_px,
        receipt_ttl_seconds: tenant.policy.receipt_ttl_seconds,
        test: tenant.test,
    }
}

/// The tenant's secrets, with the transform key that a reference of the given generation was laid out with.
pub(crate) fn secrets(tenant: &Tenant, generation: u32) -> v1::WrappedTenantSecrets {
    v1::WrappedTenantSecrets {
        kek_version: tenant.secrets.kek_version,
        transform_key: tenant.transform_key_of(generation).to_vec(),
        pseudonym_key: tenant.secrets.pseudonym_key.clone(),
    }
}

/// A stored reference for the wire.
pub(crate) fn sealed_reference(row: &SealedRow) -> v1::SealedReference {
    v1::SealedReference {
        reference_id: row.id.to_string(),
        epoch: row.epoch,
        feature_space: row.feature_space.clone(),
        transform_version: row.transform_version,
        schema: row.schema,
        kek_version: row.kek_version,
        wrapped_dek: row.wrapped_dek.clone(),
        ciphertext: row.ciphertext.clone(),
        commitment: row.commitment.to_vec(),
    }
}
