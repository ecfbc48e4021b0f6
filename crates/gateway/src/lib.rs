//! The exposed process: authenticate, admit, challenge, route to a worker, record, answer.
//!
//! Owns both fronts (gRPC and JSON on one port), the use cases of `VerificationService`, the way to the workers and the
//! ledger signing key. Must never know: a KEK or DEK in the clear, a decoded image, features, scores. Invariant: no outcome
//! leaves before the transaction that records it has committed.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise"))]

mod admit;
mod answer;
mod attempt;
mod authenticate;
mod call;
mod capture;
mod challenge;
pub mod config;
mod describe;
pub mod desk;
mod documents;
mod enroll;
mod erase;
mod error;
mod events;
mod fault;
mod frame_memory;
mod gateway;
mod grpc;
mod inference;
mod janitor;
mod jobs;
pub mod journal;
mod json;
mod layers;
mod ledger;
mod log;
mod measure;
mod origin;
mod random;
pub mod restore;
mod start;
mod status_lists;
pub mod tenants;
mod verify;

#[cfg(test)]
mod tests;

pub use config::Config;
pub use error::GatewayError;
pub use log::audit::AuditCheck;
pub use start::{Running, start};
