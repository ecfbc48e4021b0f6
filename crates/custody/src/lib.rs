//! Keys that outlive a call: tenants' key-encryption keys (KEKs) and Ed25519 signing keys, kept in files.
//!
//! Must never know: what a key protects or what a signature says. Invariant: no key is read from a file that others may
//! read, none is ever overwritten, and one that was destroyed never comes back.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise"))]

mod error;
mod files;
mod kek_file;
mod kms;
mod secret_file;
mod signer;
mod wrapping;

pub use error::CustodyError;
pub use kms::{FileKms, KekRef};
pub use secret_file::SecretFile;
pub use signer::Signer;
