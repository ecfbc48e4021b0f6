//! Which index of a status list the n-th receipt gets, so that an index tells neither order nor number of receipts.
//!
//! Must never know: receipts, tenants. Invariant: a permutation of 0..[`LIST_ENTRIES`]: two counters never share an index,
//! whatever the key.
//!
//! A balanced Feistel network over the 20 bits of the counter, HMAC-SHA256 as its round function. A Feistel network is a
//! permutation by its form, whatever the rounds compute; what the key has to add is that indexes look drawn at random to
//! somebody who sees many of them. The parameters keep to what NIST asks of format-preserving encryption (SP 800-38G
//! rev. 1: at least a million values, ten rounds) and add two rounds: attacks on smaller domains and fewer rounds exist.

use ring::hmac::{Context, HMAC_SHA256, Key};

/// Indexes of one list.
pub const LIST_ENTRIES: u32 = 1 << (2 * HALF_BITS);

const HALF_BITS: u32 = 10;
const HALF_MASK: u32 = (1 << HALF_BITS) - 1;
const ROUNDS: u8 = 12;
const DOMAIN: &[u8] = b"countersign/status-index/v1\0";

/// The order in which one list's indexes are given out. A list of its own key; the key is worth no more than the order.
#[derive(Debug, Clone)]
pub struct IndexOrder(Key);

impl IndexOrder {
    /// The order of the list that has this key.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        Self(Key::new(HMAC_SHA256, key))
    }

    /// The index that is given out as the `counter`-th, from 0; `None` where the list is used up.
    #[must_use]
    pub fn index(&self, counter: u32) -> Option<u32> {
        if counter >= LIST_ENTRIES {
            return None;
        }
        let (mut left, mut right) = (counter >> HALF_BITS, counter & HALF_MASK);
        for round in 0..ROUNDS {
            (left, right) = (right, left ^ self.round(round, right));
        }
        Some(left << HALF_BITS | right)
    }

    fn round(&self, round: u8, half: u32) -> u32 {
        let mut context = Context::with_key(&self.0);
        context.update(DOMAIN);
        context.update(&[round]);
        context.update(&half.to_be_bytes());
        let tag = context.sign();
        let bytes = tag.as_ref();
        u32::from_be_bytes([0, 0, bytes[0], bytes[1]]) & HALF_MASK
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(key: u8) -> IndexOrder {
        IndexOrder::new(&[key; 32])
    }

    #[test]
    fn every_index_is_given_out_exactly_once() {
        let order = order(1);
        let mut given = vec![false; LIST_ENTRIES as usize];
        for counter in 0..LIST_ENTRIES {
            let index = order.index(counter).unwrap() as usize;
            assert!(!given[index], "twice: {index}");
            given[index] = true;
        }
        assert_eq!(order.index(LIST_ENTRIES), None, "used up");
        assert_eq!(order.index(u32::MAX), None);
    }

    /// What an outsider would look for: a counter that shows through. Bounds are five standard deviations or more.
    #[test]
    fn indexes_show_neither_order_nor_number() {
        let given: Vec<f64> = (0..10_000).map(|n| f64::from(order(2).index(n).unwrap())).collect();
        let (entries, n) = (f64::from(LIST_ENTRIES), given.len() as f64);
        let mean = given.iter().sum::<f64>() / n / entries;
        assert!((mean - 0.5).abs() < 5.0 * (1.0 / 12.0 / n).sqrt(), "{mean}");
        let rises = given.windows(2).filter(|pair| pair[0] < pair[1]).count() as f64 / (n - 1.0);
        assert!((rises - 0.5).abs() < 5.0 * (1.0 / 12.0 / n).sqrt(), "{rises}");
        let mut sorted = given.clone();
        sorted.sort_by(f64::total_cmp);
        let adjacent = sorted.windows(2).filter(|pair| pair[1] - pair[0] == 1.0).count() as f64;
        let expected = n * n / entries;
        assert!((adjacent - expected).abs() < 5.0 * expected.sqrt(), "{adjacent} of {expected}");
        let counters: Vec<f64> = (0..10_000).map(f64::from).collect();
        let control = counters.windows(2).filter(|pair| pair[1] - pair[0] == 1.0).count();
        assert_eq!(control, 9_999, "control: plain counters are caught");
    }

    #[test]
    fn another_key_is_another_order() {
        let differing = (0..1000).filter(|n| order(1).index(*n) != order(2).index(*n)).count();
        assert!(differing > 990, "{differing}");
        assert_eq!(order(1).index(5), order(1).index(5));
    }
}
