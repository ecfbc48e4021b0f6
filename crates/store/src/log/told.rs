//! What happens in the store, as leaves. Must never know: how a leaf is kept. Invariant: a leaf names what the artefact names that
//! it is about, so that its holder can match the two.

use super::{About, append, seconds};
use crate::{
    Erased, KekDestruction, StoreError,
    conn::{Conn, now_ms},
    jobs::Job,
    leases::OpenLease,
    outcomes::LiveReceipt,
};
use biometrics::{Policy, TenantId};
use receipt::{KeyName, KeyUse, LogEvent, RefClaim, base64url};
use ring::digest::{SHA256, digest};

/// A receipt, of either verdict, leaves for the tenant.
pub(crate) async fn issued(conn: &mut Conn, lease: &OpenLease, receipt: &LiveReceipt) -> Result<(), StoreError> {
    let event = LogEvent::Receipt {
        iss: receipt.iss.clone(),
        aud: lease.tenant.to_string(),
        jti: receipt.jti,
        sha256: base64url(&receipt.sha256),
        at: seconds(now_ms(conn).await?),
    };
    let about = About { tenant: Some(lease.tenant), user: Some(&lease.user), subject: &receipt.jti.to_string() };
    append(conn, about, &event).await
}

/// A reference is gone.
pub(crate) async fn erased(conn: &mut Conn, erased: &Erased) -> Result<(), StoreError> {
    let jti = erased.proof_id();
    let event = LogEvent::Deletion {
        aud: erased.tenant.to_string(),
        jti: jti.clone(),
        reference: RefClaim { id: erased.reference_id, epoch: erased.epoch, commitment: base64url(&erased.commitment) },
        at: seconds(erased.deleted_at_ms),
    };
    append(conn, About { tenant: Some(erased.tenant), user: Some(&erased.user), subject: &jti }, &event).await
}

fn kek(tenant: TenantId) -> KeyName {
    KeyName { r#use: KeyUse::Kek, aud: Some(tenant.to_string()) }
}

/// A rotation made a KEK version.
pub(crate) async fn kek_made(conn: &mut Conn, job: &Job, version: u32) -> Result<(), StoreError> {
    let (key, from) = (kek(job.tenant), job.kek_from.map(|from| from.to_string()));
    let event = LogEvent::KeyRotation { key, from, to: version.to_string(), at: seconds(now_ms(conn).await?) };
    append(conn, About { tenant: Some(job.tenant), user: None, subject: &job.id.to_string() }, &event).await
}

/// A KEK version is gone.
pub(crate) async fn kek_destroyed(conn: &mut Conn, gone: &KekDestruction) -> Result<(), StoreError> {
    let (key, version) = (kek(gone.tenant), gone.kek_version.to_string());
    let event = LogEvent::KeyDestruction { key, version, at: seconds(gone.destroyed_at_ms) };
    append(conn, About { tenant: Some(gone.tenant), user: None, subject: &gone.certificate_id() }, &event).await
}

/// A tenant has another policy.
pub(crate) async fn policy_changed(conn: &mut Conn, tenant: TenantId, policy: &Policy) -> Result<(), StoreError> {
    let text =
        serde_json_canonicalizer::to_string(policy).map_err(|_| StoreError::Misuse("policy that has no JSON form"))?;
    let event = LogEvent::PolicyChange {
        aud: tenant.to_string(),
        version: policy.version.clone(),
        sha256: base64url(digest(&SHA256, text.as_bytes()).as_ref()),
        at: seconds(now_ms(conn).await?),
    };
    append(conn, About { tenant: Some(tenant), user: None, subject: "policy" }, &event).await
}
