//! What a KEK rotation asks of the room: a new version, everything wrapped under it, the old versions destroyed.
//!
//! Must never know: which rows are stored. Invariants: a version that was made is not made again because its answer was lost;
//! the newest version of a tenant is destroyed only by a call that says that the tenant ends.

use crate::{
    keys::{Keys, custody_reason},
    references,
    room::Room,
    tenant_secrets,
};
use biometrics::TenantId;
use custody::{CustodyError, KekRef, ROTATE_AT_USES};
use wire::{Reason, convert, v1};

/// Most references of one `Rewrap`.
const MAX_REWRAPS: usize = 1024;

/// Says how worn the tenant's newest KEK version is.
///
/// # Errors
/// `INVALID_ARGUMENT` for a tenant without any version, `UNAVAILABLE_KMS`.
pub(crate) fn describe_kek(keys: &Keys, request: &v1::DescribeKekRequest) -> Result<v1::DescribeKekResponse, Reason> {
    let tenant: TenantId = convert::parsed(&request.tenant_id, "tenant_id")?;
    let versions = keys.kms.keks(&tenant.to_string()).map_err(custody_reason)?;
    let newest = versions.iter().rfind(|kek| kek.destroyed_at_s.is_none());
    let newest = newest.ok_or(Reason::InvalidArgument { field: "tenant_id" })?;
    Ok(v1::DescribeKekResponse {
        kek_version: newest.version,
        worn: newest.uses.is_some_and(|uses| uses >= ROTATE_AT_USES),
        made_at: newest.made_at_s.map(|at| convert::timestamp(at.saturating_mul(1000))),
    })
}

/// Makes the tenant's next KEK version, unless one newer than `newer_than` is there.
///
/// # Errors
/// `INVALID_ARGUMENT` for a tenant without any version, `UNAVAILABLE_KMS`.
pub(crate) fn make_kek(keys: &Keys, request: &v1::MakeKekRequest) -> Result<v1::MakeKekResponse, Reason> {
    let tenant: TenantId = convert::parsed(&request.tenant_id, "tenant_id")?;
    let name = tenant.to_string();
    let newest = match keys.kms.current_kek(&name) {
        Err(CustodyError::NoSuchKey) => return Err(Reason::InvalidArgument { field: "tenant_id" }),
        other => other.map_err(custody_reason)?,
    };
    let kek_version =
        if newest > request.newer_than { newest } else { keys.kms.make_kek(&name).map_err(custody_reason)? };
    Ok(v1::MakeKekResponse { kek_version })
}

/// Destroys an old KEK version, or any where the tenant ends.
///
/// # Errors
/// `INVALID_ARGUMENT` for the newest version of a tenant that goes on, or one that never was, `UNAVAILABLE_KMS`.
pub(crate) fn destroy_kek(room: &Room, request: &v1::DestroyKekRequest) -> Result<v1::DestroyKekResponse, Reason> {
    let tenant: TenantId = convert::parsed(&request.tenant_id, "tenant_id")?;
    let name = tenant.to_string();
    let kek = KekRef { tenant: &name, version: request.kek_version };
    let kms = &room.keys.kms;
    if !request.tenant_ends && request.kek_version >= kms.current_kek(&name).map_err(custody_reason)? {
        return Err(Reason::InvalidArgument { field: "kek_version" });
    }
    let gone = match kms.destroy_kek(kek) {
        Err(CustodyError::NoSuchKey) => return Err(Reason::InvalidArgument { field: "kek_version" }),
        other => other.map_err(custody_reason)?,
    };
    tracing::info!(tenant = name, version = request.kek_version, "a KEK version is destroyed");
    let destroyed_at = Some(convert::timestamp(gone.destroyed_at_s.saturating_mul(1000)));
    Ok(v1::DestroyKekResponse { provider: gone.provider.to_owned(), destroyed_at })
}

/// Wraps DEKs and secrets with one KEK version. One DEK that does not authenticate is named and does not hold up the others.
///
/// # Errors
/// `INVALID_ARGUMENT`, `DATA_LOSS` where the secrets do not authenticate, `UNAVAILABLE_KMS`.
pub(crate) fn rewrap(keys: &Keys, request: v1::RewrapRequest) -> Result<v1::RewrapResponse, Reason> {
    let tenant: TenantId = convert::parsed(&request.tenant_id, "tenant_id")?;
    if request.references.len() > MAX_REWRAPS {
        return Err(Reason::InvalidArgument { field: "references" });
    }
    let name = tenant.to_string();
    let to = match request.kek_version {
        0 => keys.kms.current_kek(&name).map_err(custody_reason)?,
        given => given,
    };
    let secrets = request.secrets.map(|secrets| tenant_secrets::rewrap(keys, (tenant, to), &secrets)).transpose()?;
    let (mut answer, mut batch) = (v1::RewrapResponse { secrets, ..Default::default() }, keys.kms.batch(&name));
    for row in request.references {
        let id = row.reference_id.clone();
        match references::rewrap(&mut batch, (&name, to), row) {
            Ok(wrapped) => answer.references.push(wrapped),
            Err(Reason::DataLoss) => answer.not_authentic.push(id),
            Err(reason) => return Err(reason),
        }
    }
    Ok(answer)
}
