//! End-to-end tests: one file per behaviour.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "tests print what they measured")]

mod crash;
mod credentials;
mod device;
mod drain;
mod enrollment;
mod evaluation;
mod isolation;
mod leaks;
mod memory;
mod races;
mod transform;
mod verification;
