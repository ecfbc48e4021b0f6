//! Owns admission: how often a tenant and each of its devices may call, how many calls go on at once, and how many captures
//! are in flight. Tried, never awaited.
//!
//! Must never know: users, frames, the database. Invariants: what is refused here has opened no attempt and charged no
//! strike, so the caller may send the same attempt again; a call holds its place before a byte of its body is read, so
//! memory is bounded by places; one device takes only its own share of its tenant's calls.

mod places;

use crate::{authenticate::Caller, config::Limits};
use biometrics::{ChallengeId, TenantId};
use governor::{
    DefaultKeyedRateLimiter, Quota, RateLimiter,
    clock::{Clock as _, DefaultClock},
};
use places::{Bounds, Place, Places};
use std::{hash::Hash, num::NonZeroU32, sync::Arc};
use wire::Reason;

/// Calls a second with one capture token, sustained.
const DEVICE_CALLS_PER_SECOND: u32 = 1;
/// Calls that a device may make at once: every attempt of a challenge, with retries.
const DEVICE_BURST: u32 = 32;
/// Calls of one device that go on at once.
const DEVICE_CALLS: usize = 8;

/// The gate keeper of one gateway process.
#[derive(Clone)]
pub(crate) struct Admission {
    tenants: Arc<DefaultKeyedRateLimiter<TenantId>>,
    devices: Arc<DefaultKeyedRateLimiter<ChallengeId>>,
    clock: DefaultClock,
    calls: Places<TenantId>,
    device_calls: Places<ChallengeId>,
    captures: Places<TenantId>,
}

/// One call that goes on; ends when dropped.
pub(crate) struct Going {
    _tenant: Place<TenantId>,
    _device: Option<Place<ChallengeId>>,
}

/// One capture in flight; ends when dropped.
pub(crate) type Flight = Place<TenantId>;

impl Admission {
    /// Admission within `limits`; a limit of zero is taken as one.
    pub(crate) fn new(limits: &Limits) -> Self {
        let bounds = |most, most_of_one, gauge| Bounds { most, most_of_one, gauge };
        Self {
            tenants: limiter(limits.calls_per_second, limits.burst),
            devices: limiter(DEVICE_CALLS_PER_SECOND, DEVICE_BURST),
            clock: DefaultClock::default(),
            calls: Places::new(&bounds(limits.calls, limits.calls_per_tenant, "countersign_calls_in_progress")),
            device_calls: Places::new(&bounds(limits.calls, DEVICE_CALLS, "countersign_device_calls_in_progress")),
            captures: Places::new(&bounds(
                limits.in_flight,
                limits.in_flight_per_tenant,
                "countersign_captures_in_flight",
            )),
        }
    }

    /// Counts one call and takes its place. A device is held to its own rate before its tenant's is touched.
    ///
    /// # Errors
    /// [`Reason::RateLimited`] with the seconds until the next call is allowed, [`Reason::Overloaded`].
    pub(crate) fn call(&self, caller: &Caller) -> Result<Going, Reason> {
        let device = match caller {
            Caller::Device(scope) => {
                self.within(&self.devices, &scope.challenge)?;
                Some(self.device_calls.take(scope.challenge)?)
            }
            Caller::Tenant(_) => None,
        };
        self.within(&self.tenants, &caller.tenant())?;
        Ok(Going { _tenant: self.calls.take(caller.tenant())?, _device: device })
    }

    /// Takes a place for one capture of `tenant`.
    ///
    /// # Errors
    /// [`Reason::Overloaded`] when the tenant's places or all places are taken.
    pub(crate) fn capture(&self, tenant: TenantId) -> Result<Flight, Reason> {
        self.captures.take(tenant)
    }

    /// Forgets tenants and devices that have not called for a while.
    pub(crate) fn tidy(&self) {
        self.tenants.retain_recent();
        self.tenants.shrink_to_fit();
        self.devices.retain_recent();
        self.devices.shrink_to_fit();
    }

    fn within<K: Clone + Eq + Hash>(&self, limiter: &DefaultKeyedRateLimiter<K>, key: &K) -> Result<(), Reason> {
        limiter.check_key(key).map_err(|until| {
            let wait = until.wait_time_from(self.clock.now());
            Reason::RateLimited { retry_s: u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).saturating_add(1) }
        })
    }
}

fn limiter<K: Clone + Eq + Hash>(per_second: u32, burst: u32) -> Arc<DefaultKeyedRateLimiter<K>> {
    let at_least_one = |n: u32| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN);
    Arc::new(RateLimiter::keyed(Quota::per_second(at_least_one(per_second)).allow_burst(at_least_one(burst))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authenticate::CaptureScope;
    use biometrics::Purpose;
    use uuid::Uuid;

    fn tenant(n: u128) -> Caller {
        Caller::Tenant(TenantId::new(Uuid::from_u128(n)))
    }

    fn device(challenge: u128) -> Caller {
        Caller::Device(CaptureScope {
            tenant: tenant(1).tenant(),
            challenge: ChallengeId::new(Uuid::from_u128(challenge)),
            purpose: Purpose::Verify,
            expires_at_ms: 0,
        })
    }

    #[test]
    fn a_tenant_over_its_rate_waits_and_others_do_not() {
        let admission = Admission::new(&Limits { calls_per_second: 1, burst: 2, ..Limits::default() });
        assert!(admission.call(&tenant(1)).is_ok() && admission.call(&tenant(1)).is_ok());
        assert!(matches!(admission.call(&tenant(1)), Err(Reason::RateLimited { retry_s: 1.. })));
        assert!(admission.call(&tenant(2)).is_ok());
    }

    #[test]
    fn a_device_that_calls_without_end_leaves_its_tenant_its_rate() {
        let admission = Admission::new(&Limits { calls_per_second: 1, burst: 100, ..Limits::default() });
        let served = (0..200).filter(|_| admission.call(&device(7)).is_ok()).count();
        assert!((DEVICE_BURST as usize..DEVICE_BURST as usize + 3).contains(&served), "{served}");
        assert!(matches!(admission.call(&device(7)), Err(Reason::RateLimited { retry_s: 1.. })));
        assert!(admission.call(&device(8)).is_ok(), "another device of the tenant");
        assert!(admission.call(&tenant(1)).is_ok(), "the tenant itself");
    }

    #[test]
    fn calls_that_go_on_are_bounded_for_a_device_a_tenant_and_all() {
        let admission = Admission::new(&Limits { calls: 20, calls_per_tenant: 10, ..Limits::default() });
        let slow: Vec<_> = (0..DEVICE_CALLS).map(|_| admission.call(&device(7)).unwrap()).collect();
        assert!(matches!(admission.call(&device(7)), Err(Reason::Overloaded { .. })), "one device has its share");
        let _own: Vec<_> = (0..2).map(|_| admission.call(&tenant(1)).unwrap()).collect();
        assert!(matches!(admission.call(&tenant(1)), Err(Reason::Overloaded { .. })), "one tenant has its share");
        let _other: Vec<_> = (0..10).map(|_| admission.call(&tenant(2)).unwrap()).collect();
        assert!(matches!(admission.call(&tenant(3)), Err(Reason::Overloaded { .. })), "every place is taken");
        drop(slow);
        assert!(admission.call(&tenant(1)).is_ok() && admission.call(&device(7)).is_ok());
    }
}
