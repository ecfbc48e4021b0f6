//! End-to-end tests: one file per behaviour.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "tests print what they measured")]

mod audit_tamper;
mod bad_calls;
mod bad_frames;
mod bad_starts;
mod challenge;
mod crash;
mod credentials;
mod custody;
mod deadlines;
mod deletion;
mod device;
mod drain;
mod enrollment;
mod evaluation;
mod isolation;
mod json;
mod leaks;
mod log;
mod memory;
mod moving;
mod offline;
mod production;
mod races;
mod replay;
mod revocation;
mod rotation;
mod third_party;
mod tokens;
mod transform;
mod verification;
