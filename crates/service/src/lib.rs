//! What both processes share at boot: clock, config, telemetry with redaction, TLS, the accept loop, deadlines, request
//! ids, the admin port, readiness, drain and the heap's settings.
//!
//! Must never know: what is served (no wire types, no tenants, no keys but its own TLS key). Invariant: a connection that
//! was not allowed, a peer that was not named and a call without a deadline never reach a service.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise"))]

pub mod admin_port;
pub mod clock;
pub mod config;
pub mod deadline;
pub mod drain;
pub mod heap;
pub mod readiness;
pub mod request_id;
pub mod serve;
pub mod telemetry;
pub mod tls;

pub use clock::Clock;
pub use readiness::Readiness;
