//! Owns admission: how often a tenant may call and how many captures are in flight. Tried, never awaited.
//!
//! Must never know: users, frames, the database. Invariant: what is refused here has opened no attempt and charged no
//! strike, so the caller may send the same attempt again.

use crate::config::Limits;
use biometrics::TenantId;
use governor::{
    DefaultKeyedRateLimiter, Quota, RateLimiter,
    clock::{Clock as _, DefaultClock},
};
use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
};
use wire::Reason;

/// Seconds after which a caller refused for load is asked to come back.
const OVERLOAD_RETRY_S: u32 = 1;

/// The gate keeper of one gateway process.
#[derive(Clone)]
pub(crate) struct Admission {
    rates: Arc<DefaultKeyedRateLimiter<TenantId>>,
    clock: DefaultClock,
    flights: Arc<Mutex<Flights>>,
    total: usize,
    per_tenant: usize,
}

#[derive(Default)]
struct Flights {
    total: usize,
    by_tenant: HashMap<TenantId, usize>,
}

/// One capture in flight; ends when dropped.
pub(crate) struct Flight {
    tenant: TenantId,
    flights: Arc<Mutex<Flights>>,
}

impl Admission {
    /// Admission within `limits`; a limit of zero is taken as one.
    pub(crate) fn new(limits: &Limits) -> Self {
        let at_least_one = |n: u32| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_second(at_least_one(limits.calls_per_second)).allow_burst(at_least_one(limits.burst));
        Self {
            rates: Arc::new(RateLimiter::keyed(quota)),
            clock: DefaultClock::default(),
            flights: Arc::default(),
            total: limits.in_flight.max(1),
            per_tenant: limits.in_flight_per_tenant.max(1),
        }
    }

    /// Counts one call of `tenant`.
    ///
    /// # Errors
    /// [`Reason::RateLimited`] with the seconds until the next call is allowed.
    pub(crate) fn call(&self, tenant: TenantId) -> Result<(), Reason> {
        self.rates.check_key(&tenant).map_err(|until| {
            let wait = until.wait_time_from(self.clock.now());
            Reason::RateLimited { retry_s: u32::try_from(wait.as_secs()).unwrap_or(u32::MAX - 1) + 1 }
        })
    }

    /// Takes a place for one capture of `tenant`.
    ///
    /// # Errors
    /// [`Reason::Overloaded`] when the tenant's places or all places are taken.
    pub(crate) fn capture(&self, tenant: TenantId) -> Result<Flight, Reason> {
        let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        let own = flights.by_tenant.get(&tenant).copied().unwrap_or(0);
        if flights.total >= self.total || own >= self.per_tenant {
            return Err(Reason::Overloaded { retry_s: OVERLOAD_RETRY_S });
        }
        flights.total += 1;
        flights.by_tenant.insert(tenant, own + 1);
        metrics::gauge!("countersign_captures_in_flight").set(flights.total as f64);
        Ok(Flight { tenant, flights: Arc::clone(&self.flights) })
    }

    /// Forgets tenants that have not called for a while.
    pub(crate) fn tidy(&self) {
        self.rates.retain_recent();
        self.rates.shrink_to_fit();
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        flights.total = flights.total.saturating_sub(1);
        if let Some(own) = flights.by_tenant.get_mut(&self.tenant) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                flights.by_tenant.remove(&self.tenant);
            }
        }
        metrics::gauge!("countersign_captures_in_flight").set(flights.total as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn tenant(n: u128) -> TenantId {
        TenantId::new(Uuid::from_u128(n))
    }

    #[test]
    fn a_tenant_over_its_rate_waits_and_others_do_not() {
        let admission = Admission::new(&Limits { calls_per_second: 1, burst: 2, ..Limits::default() });
        assert!(admission.call(tenant(1)).is_ok() && admission.call(tenant(1)).is_ok());
        assert!(matches!(admission.call(tenant(1)), Err(Reason::RateLimited { retry_s: 1.. })));
        assert!(admission.call(tenant(2)).is_ok());
    }

    #[test]
    fn captures_in_flight_are_bounded_for_a_tenant_and_for_all() {
        let admission = Admission::new(&Limits { in_flight: 3, in_flight_per_tenant: 2, ..Limits::default() });
        let first = admission.capture(tenant(1)).unwrap();
        let _second = admission.capture(tenant(1)).unwrap();
        assert!(matches!(admission.capture(tenant(1)), Err(Reason::Overloaded { .. })), "the tenant's share is taken");
        let _other = admission.capture(tenant(2)).unwrap();
        assert!(matches!(admission.capture(tenant(3)), Err(Reason::Overloaded { .. })), "every place is taken");
        drop(first);
        assert!(admission.capture(tenant(3)).is_ok(), "a place that ended is free again");
    }
}
