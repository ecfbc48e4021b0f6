//! How often a KEK version has wrapped, kept by leases: uses are counted durably before they happen, some at a time.
//!
//! AES-256-GCM with random 96-bit nonces is sound for 2^32 messages a key (NIST SP 800-38D section 8.3). A rotation is due at
//! [`ROTATE_AT_USES`], a sixteenth of that, and nothing is wrapped past [`LAST_USE`]. What a process leased and did not use when
//! it ended counts as used: the count is never too low. Leases grow from 64 to 65,536, so that neither a restart nor a
//! write is dear. Must never know: where the sum is kept.

use crate::{CustodyError, KekRef};
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Uses at which a KEK version is due for rotation.
pub const ROTATE_AT_USES: u64 = 1 << 28;
/// Uses past which a KEK version wraps nothing more.
pub const LAST_USE: u64 = 1 << 30;

const FIRST_LEASE: u64 = 64;
const LONGEST_LEASE: u64 = 65_536;

/// Leases in hand, by tenant and version.
#[derive(Default)]
pub(crate) struct Wear(Mutex<HashMap<(String, u32), Lease>>);

#[derive(Clone, Copy)]
struct Lease {
    left: u64,
    next: u64,
}

impl Wear {
    /// Takes one use, where there is none in hand from a new lease, whose sum `lease` makes durable.
    ///
    /// # Errors
    /// `WornOut`, or why there is no lease.
    pub(crate) fn take(
        &self,
        kek: KekRef<'_>,
        lease: impl FnOnce(u64) -> Result<u64, CustodyError>,
    ) -> Result<(), CustodyError> {
        let name = (kek.tenant.to_owned(), kek.version);
        let size = {
            let mut leases = self.lock();
            let held = leases.entry(name.clone()).or_insert(Lease { left: 0, next: FIRST_LEASE });
            if held.left > 0 {
                held.left -= 1;
                return Ok(());
            }
            held.next
        };
        // Not under the lock: a provider that is slow keeps no other tenant waiting. Two leases at once count too much, never too little.
        let sum = lease(size)?;
        if sum > LAST_USE {
            return Err(CustodyError::WornOut);
        }
        if sum >= ROTATE_AT_USES {
            tracing::warn!(
                alarm = true,
                tenant = kek.tenant,
                version = kek.version,
                sum,
                "a KEK version is due for rotation"
            );
        }
        let mut leases = self.lock();
        let held = leases.entry(name).or_insert(Lease { left: 0, next: FIRST_LEASE });
        held.left += size - 1;
        held.next = (size * 2).min(LONGEST_LEASE);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(String, u32), Lease>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    const KEK: KekRef<'static> = KekRef { tenant: "t", version: 1 };

    #[test]
    fn what_is_counted_is_never_less_than_what_was_used_and_little_is_written() {
        let (wear, sum, written) = (Wear::default(), Cell::new(0), Cell::new(0_u32));
        for used in 1..=1_000_000_u64 {
            wear.take(KEK, |more| {
                sum.set(sum.get() + more);
                written.set(written.get() + 1);
                Ok(sum.get())
            })
            .unwrap();
            assert!(sum.get() >= used);
        }
        assert!(sum.get() <= 1_000_000 + LONGEST_LEASE, "{}", sum.get());
        assert!(written.get() < 40, "{}", written.get());
    }

    #[test]
    fn a_worn_out_version_wraps_nothing_and_versions_wear_apart() {
        let wear = Wear::default();
        assert!(matches!(wear.take(KEK, |_| Ok(LAST_USE + 1)), Err(CustodyError::WornOut)));
        assert!(matches!(wear.take(KEK, |_| Ok(LAST_USE + 1)), Err(CustodyError::WornOut)), "it stays worn out");
        assert!(wear.take(KekRef { version: 2, ..KEK }, |_| Ok(LAST_USE)).is_ok());
    }

    #[test]
    fn without_a_durable_lease_nothing_is_used() {
        let wear = Wear::default();
        assert!(wear.take(KEK, |_| Err(CustodyError::Randomness)).is_err());
        assert!(wear.take(KEK, |_| Ok(64)).is_ok());
    }
}
