//! Renewal: a reference is opened, taken out of its transformed space and laid out anew under the next epoch, by the tenant's
//! new transform key where there is one.
//!
//! Must never know: pixels. Invariant: no sample is needed and scores stay what they were; the old and the new row cannot be
//! linked without the tenant's transform key.

use crate::{
    references::{self, Owner, Stored},
    room::Room,
    tenant_secrets,
};
use biometrics::{KeyedTransform, TenantId, UserId};
use wire::{Reason, convert, v1};

/// Renews one reference.
///
/// # Errors
/// `INVALID_ARGUMENT` naming the field, `FEATURE_SPACE`, `DATA_LOSS`, `UNAVAILABLE_KMS`.
pub(crate) fn renew(room: &Room, request: v1::RenewRequest) -> Result<v1::SealedReference, Reason> {
    let tenant: TenantId = convert::parsed(&request.tenant_id, "tenant_id")?;
    let user: UserId = convert::parsed(&request.user_id, "user_id")?;
    let secrets = convert::required(request.secrets, "secrets")?;
    let reference = convert::required(request.reference, "reference")?;
    let feature_space = room.comparable(&reference.feature_space).ok_or(Reason::FeatureSpace)?;
    let stored = Stored::check(reference, feature_space)?;
    let next = stored.epoch().checked_add(1).ok_or(Reason::InvalidArgument { field: "epoch" })?;
    let owner = Owner { tenant, user: &user, feature_space };
    let opened = stored.open(&room.keys, owner)?;
    let key = tenant_secrets::transform_key(&room.keys, tenant, &secrets)?;
    let features = KeyedTransform::derive(key.expose(), tenant, stored.id, stored.epoch()).invert(&opened);
    let key = match request.new_secrets {
        Some(secrets) => tenant_secrets::transform_key(&room.keys, tenant, &secrets)?,
        None => key,
    };
    references::seal(&room.keys, owner, (stored.id, next), (&key, &features)).map(|(sealed, _)| sealed)
}
