//! A leak on purpose: keeps copies that nothing wipes, so that the scan that looks for leaks can be seen to find them.
//!
//! Owns the reading of `COUNTERSIGN_PLANT`. Must never know: what the bytes are. Invariant: a release build holds none of
//! this; a test of the built programs looks for the name.

/// Keeps a copy of `bytes` until the process ends, where `COUNTERSIGN_PLANT` is `what`.
#[cfg(debug_assertions)]
pub(crate) fn keep(what: &str, bytes: impl FnOnce() -> Vec<u8>) {
    use std::sync::{Mutex, PoisonError};
    static KEPT: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());
    if std::env::var("COUNTERSIGN_PLANT").is_ok_and(|planted| planted == what) {
        KEPT.lock().unwrap_or_else(PoisonError::into_inner).push(bytes());
    }
}

/// Does nothing: this is a release build.
#[cfg(not(debug_assertions))]
pub(crate) fn keep(_what: &str, _bytes: impl FnOnce() -> Vec<u8>) {}
