//! Typed client of the verification service: what a tenant's Rust backend depends on.
//!
//! Owns deadlines, retries and the checking of every answer. Must never know: SQL, models, private keys of the service.
//! Invariant: no acceptance, enrollment or deletion leaves this crate whose signature and binding were not checked.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking"))]

mod answer;
mod call;
mod capture;
mod challenge;
mod config;
mod error;
mod reference;
#[cfg(test)]
mod tests;

pub use answer::{Directive, Next, Refusal};
pub use capture::{Capture, Consent, Enrollment, Frame, Verification};
pub use challenge::{Challenge, NewChallenge};
pub use config::{Client, ClientConfig, Identity, Now};
pub use error::{ClientError, Failure};
pub use reference::{Deleted, Reference};

/// The wire's capture script, passed on to the capture device as it came.
pub use wire::v1::CaptureScript;
