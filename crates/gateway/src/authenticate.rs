//! Who calls: a tenant's backend by API key, or a capture device by the token of one challenge.
//!
//! Owns the answer to that question and nothing that follows from it. Must never know: what is called. Invariants: every
//! refusal is the same `UNAUTHENTICATED`; an unknown key costs the work of a known one.

mod api_key;
mod capture_token;
mod mac;

pub(crate) use api_key::make as make_api_key;
pub(crate) use capture_token::CaptureScope;
pub(crate) use mac::{MacKey, Peppers};

use crate::fault::store_fault;
use api_key::Presented;
use biometrics::{ChallengeId, Purpose, TenantId};
use http::{HeaderMap, header::AUTHORIZATION};
use store::Store;
use wire::Reason;

/// An authenticated caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caller {
    /// The tenant's backend.
    Tenant(TenantId),
    /// A device that captures for one challenge.
    Device(CaptureScope),
}

impl Caller {
    /// Whose caller this is.
    pub(crate) const fn tenant(&self) -> TenantId {
        match self {
            Self::Tenant(tenant) => *tenant,
            Self::Device(scope) => scope.tenant,
        }
    }

    /// Whether answers must be those that a device may see.
    pub(crate) const fn is_device(&self) -> bool {
        matches!(self, Self::Device(_))
    }

    /// Allows what only a tenant's backend may do.
    ///
    /// # Errors
    /// `PERMISSION_DENIED` for a device.
    pub(crate) const fn as_tenant(&self) -> Result<TenantId, Reason> {
        match self {
            Self::Tenant(tenant) => Ok(*tenant),
            Self::Device(_) => Err(Reason::PermissionDenied),
        }
    }

    /// Allows a capture for `challenge`: any of its own for a tenant, exactly its one for a device.
    ///
    /// # Errors
    /// `PERMISSION_DENIED` for a device with the token of another challenge or purpose.
    pub(crate) fn may_capture(&self, challenge: ChallengeId, purpose: Purpose) -> Result<TenantId, Reason> {
        match self {
            Self::Device(scope) if scope.challenge != challenge || scope.purpose != purpose => {
                Err(Reason::PermissionDenied)
            }
            caller => Ok(caller.tenant()),
        }
    }
}

/// What credentials are checked with.
pub(crate) struct Credentials {
    /// Key the MAC of API keys.
    pub(crate) peppers: Peppers,
    /// Keys the MAC of capture tokens; the tenants' keys of remembered frames are derived from it.
    pub(crate) capture: MacKey,
}

impl Credentials {
    /// Finds out who sent `headers`; `now_ms` judges capture tokens, the database's time API keys.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` for anything but a genuine, unexpired, unrevoked credential; `UNAVAILABLE_DATABASE`.
    pub(crate) async fn caller(&self, store: &Store, headers: &HeaderMap, now_ms: i64) -> Result<Caller, Reason> {
        let credential = bearer(headers).ok_or(Reason::Unauthenticated)?;
        if let Some(scope) = CaptureScope::read(credential, &self.capture, now_ms) {
            return Ok(Caller::Device(scope));
        }
        let key = Presented::read(credential).ok_or(Reason::Unauthenticated)?;
        let row = store.api_key(key.key_id).await.map_err(store_fault)?;
        let genuine = key.proves(&self.peppers, row.as_ref().map(|row| &row.mac));
        match row {
            Some(row) if genuine && !row.expired && !row.revoked => Ok(Caller::Tenant(row.tenant)),
            _ => Err(Reason::Unauthenticated),
        }
    }
}

/// The bearer credential (RFC 6750 §2.1), where there is exactly one.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (first, None) = (values.next()?, values.next()) else { return None };
    let (scheme, credential) = first.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(credential)
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn device() -> Caller {
        Caller::Device(CaptureScope {
            tenant: TenantId::new(Uuid::from_u128(1)),
            challenge: ChallengeId::new(Uuid::from_u128(2)),
            purpose: Purpose::Verify,
            expires_at_ms: 0,
        })
    }

    #[test]
    fn a_device_captures_for_its_one_challenge_and_does_nothing_else() {
        let (own, other) = (ChallengeId::new(Uuid::from_u128(2)), ChallengeId::new(Uuid::from_u128(3)));
        assert!(device().may_capture(own, Purpose::Verify).is_ok());
        assert_eq!(device().may_capture(other, Purpose::Verify), Err(Reason::PermissionDenied));
        assert_eq!(device().may_capture(own, Purpose::Enroll), Err(Reason::PermissionDenied));
        assert_eq!(device().as_tenant(), Err(Reason::PermissionDenied));
    }

    #[test]
    fn two_credentials_are_none() {
        let mut headers = HeaderMap::new();
        headers.append(AUTHORIZATION, "bearer one".parse().unwrap());
        assert_eq!(bearer(&headers), Some("one"));
        headers.append(AUTHORIZATION, "Bearer two".parse().unwrap());
        assert_eq!(bearer(&headers), None);
    }
}
