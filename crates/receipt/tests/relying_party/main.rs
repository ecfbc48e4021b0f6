//! The receipt crate from outside, as a relying party or an attacker meets it.
//!
//! Owns no production code. Invariant: every refusal test also shows that the unchanged token passes.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod authorize;
mod destruction;
mod fuzz;
mod keys;
mod ledger_vectors;
mod log;
mod log_tamper;
mod status;
mod support;
mod tamper;
mod termination;
mod vectors;
