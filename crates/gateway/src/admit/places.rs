//! Places that are taken or not: a bound on how many of something go on at once, for each key and in all.
//!
//! Must never know: what goes on in a place. Invariant: a place that was taken is free again when it is dropped, however
//! its holder ended.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};
use wire::Reason;

/// Seconds after which a caller refused for load is asked to come back.
const RETRY_S: u32 = 1;

/// How many places there are, and the gauge that shows how many are taken.
pub(super) struct Bounds {
    /// In all.
    pub(super) most: usize,
    /// Of one key.
    pub(super) most_of_one: usize,
    /// Name of the gauge.
    pub(super) gauge: &'static str,
}

/// See the module. Clones share the places; a bound of zero is taken as one.
#[derive(Clone)]
pub(super) struct Places<K> {
    taken: Arc<Mutex<Taken<K>>>,
    most: usize,
    most_of_one: usize,
}

struct Taken<K> {
    all: usize,
    of: HashMap<K, usize>,
    gauge: &'static str,
}

impl<K> Taken<K> {
    fn shown(&self) {
        metrics::gauge!(self.gauge).set(self.all as f64);
    }
}

/// A place; free again when dropped.
pub(crate) struct Place<K: Copy + Eq + Hash> {
    key: K,
    taken: Arc<Mutex<Taken<K>>>,
}

impl<K: Copy + Eq + Hash> Places<K> {
    /// All places free.
    pub(super) fn new(bounds: &Bounds) -> Self {
        Self {
            taken: Arc::new(Mutex::new(Taken { all: 0, of: HashMap::new(), gauge: bounds.gauge })),
            most: bounds.most.max(1),
            most_of_one: bounds.most_of_one.max(1),
        }
    }

    /// Takes a place of `key`.
    ///
    /// # Errors
    /// [`Reason::Overloaded`] when its own places or all places are taken.
    pub(super) fn take(&self, key: K) -> Result<Place<K>, Reason> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let own = taken.of.get(&key).copied().unwrap_or(0);
        if taken.all >= self.most || own >= self.most_of_one {
            return Err(Reason::Overloaded { retry_s: RETRY_S });
        }
        taken.all += 1;
        taken.of.insert(key, own + 1);
        taken.shown();
        Ok(Place { key, taken: Arc::clone(&self.taken) })
    }
}

impl<K: Copy + Eq + Hash> Drop for Place<K> {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all = taken.all.saturating_sub(1);
        if let Some(own) = taken.of.get_mut(&self.key) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                taken.of.remove(&self.key);
            }
        }
        taken.shown();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_for_one_key_and_for_all() {
        let places = Places::new(&Bounds { most: 3, most_of_one: 2, gauge: "test_places" });
        let first = places.take(1).unwrap();
        let _second = places.take(1).unwrap();
        assert!(matches!(places.take(1), Err(Reason::Overloaded { .. })), "the key's share is taken");
        let _other = places.take(2).unwrap();
        assert!(matches!(places.take(3), Err(Reason::Overloaded { .. })), "every place is taken");
        drop(first);
        assert!(places.take(3).is_ok(), "a place that ended is free again");
    }
}
