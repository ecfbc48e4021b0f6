//! A tenant's secrets: made here, wrapped by the tenant's KEK, kept by the gateway, opened for one call.
//!
//! Invariants: a wrapped secret opens only for its tenant, KEK version and use; an opened one is wiped when the call ends.

use crate::keys::{Keys, custody_reason};
use biometrics::{TenantId, TransformKey, UserId};
use custody::KekRef;
use ring::hmac;
use wire::{Reason, v1};
use zeroize::Zeroizing;

/// What a secret is for; part of its associated data.
#[derive(Clone, Copy)]
enum Use {
    Transform,
    Pseudonym,
}

/// Makes the tenant's first KEK version, where there is none, and both secrets.
///
/// # Errors
/// `UNAVAILABLE_KMS`.
pub(crate) fn make(keys: &Keys, tenant: TenantId) -> Result<v1::WrappedTenantSecrets, Reason> {
    let name = tenant.to_string();
    let kek_version = match keys.kms.current_kek(&name) {
        Ok(version) => version,
        Err(custody::CustodyError::NoSuchKey) => keys.kms.make_kek(&name).map_err(custody_reason)?,
        Err(error) => return Err(custody_reason(error)),
    };
    let wrap = |used: Use| {
        let secret = keys.make_secret()?;
        let kek = KekRef { tenant: &name, version: kek_version };
        keys.kms.wrap(kek, &*secret, &associated_data(&name, kek_version, used)).map_err(custody_reason)
    };
    Ok(v1::WrappedTenantSecrets {
        kek_version,
        transform_key: wrap(Use::Transform)?,
        pseudonym_key: wrap(Use::Pseudonym)?,
    })
}

/// Wraps both secrets with another KEK version.
///
/// # Errors
/// `DATA_LOSS` when they are not this tenant's, `UNAVAILABLE_KMS`.
pub(crate) fn rewrap(
    keys: &Keys,
    (tenant, kek_version): (TenantId, u32),
    secrets: &v1::WrappedTenantSecrets,
) -> Result<v1::WrappedTenantSecrets, Reason> {
    let name = tenant.to_string();
    let again = |wrapped: &[u8], used: Use| {
        let secret = open(keys, tenant, (secrets.kek_version, wrapped), used)?;
        let kek = KekRef { tenant: &name, version: kek_version };
        keys.kms.wrap(kek, &secret, &associated_data(&name, kek_version, used)).map_err(custody_reason)
    };
    Ok(v1::WrappedTenantSecrets {
        kek_version,
        transform_key: again(&secrets.transform_key, Use::Transform)?,
        pseudonym_key: again(&secrets.pseudonym_key, Use::Pseudonym)?,
    })
}

/// Opens the key of the feature transform.
///
/// # Errors
/// `DATA_LOSS` when it is not this tenant's, `UNAVAILABLE_KMS`.
pub(crate) fn transform_key(
    keys: &Keys,
    tenant: TenantId,
    secrets: &v1::WrappedTenantSecrets,
) -> Result<TransformKey, Reason> {
    let opened = open(keys, tenant, (secrets.kek_version, &secrets.transform_key), Use::Transform)?;
    TransformKey::from_slice(&opened).ok_or(Reason::DataLoss)
}

/// The pairwise pseudonym of a user at a tenant (`sub`): HMAC-SHA256 under the tenant's pseudonym key, base64url.
///
/// # Errors
/// As [`transform_key`].
pub(crate) fn pseudonym(
    keys: &Keys,
    (tenant, user): (TenantId, &UserId),
    secrets: &v1::WrappedTenantSecrets,
) -> Result<String, Reason> {
    let opened = open(keys, tenant, (secrets.kek_version, &secrets.pseudonym_key), Use::Pseudonym)?;
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &opened));
    context.update(b"countersign/pseudonym/v1\0");
    context.update(user.as_str().as_bytes());
    Ok(receipt::base64url(context.sign().as_ref()))
}

fn open(
    keys: &Keys,
    tenant: TenantId,
    (version, wrapped): (u32, &[u8]),
    used: Use,
) -> Result<Zeroizing<Vec<u8>>, Reason> {
    let name = tenant.to_string();
    let kek = KekRef { tenant: &name, version };
    keys.kms.unwrap(kek, wrapped, &associated_data(&name, version, used)).map_err(custody_reason)
}

/// Length-prefixed: label, tenant, KEK version, use.
fn associated_data(tenant: &str, kek_version: u32, used: Use) -> Vec<u8> {
    let used = match used {
        Use::Transform => "transform",
        Use::Pseudonym => "pseudonym",
    };
    let mut data = Vec::with_capacity(96);
    for part in
        [b"countersign/tenant-secret/v1".as_slice(), tenant.as_bytes(), &kek_version.to_be_bytes(), used.as_bytes()]
    {
        data.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        data.extend_from_slice(part);
    }
    data
}
