//! The sealed room: frames, ciphertext and wrapped keys go in; ciphertext, gate outcomes and signed receipts come out.
//!
//! Owns opening, comparing, deciding and signing. Must never know: SQL, anything that outlives a call but its keys, any caller
//! but gateways. Invariants: no derived value of the gateway is trusted; no frame, feature vector or opened key reaches a log,
//! a disk or an await; an engine that failed its known-answer test serves nobody.

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "tests stop at the first surprise")
)]

mod attempt;
pub mod config;
mod decision;
mod engines;
mod error;
mod gates;
mod health;
mod keys;
pub mod memory;
mod plant;
mod queue;
mod references;
mod renewal;
mod room;
mod rotation;
mod rpc;
mod start;
mod tenant_secrets;
#[cfg(test)]
mod tests;
mod work;

pub use config::Config;
pub use error::StartError;
pub use start::{Running, run, start};
