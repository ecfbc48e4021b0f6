//! Keys that outlive a call: tenants' key-encryption keys (KEKs) and Ed25519 signing keys, kept in files, on a PKCS#11 token or
//! by Vault transit.
//!
//! Must never know: what a key protects or what a signature says. Invariant: no key is read from a file that others may
//! read, none is ever overwritten, and one that was destroyed never comes back.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise"))]

mod breaker;
mod config;
mod epitaph;
mod error;
mod file;
mod kms;
mod pkcs11;
mod provider;
mod refused;
mod signer;
mod vault;
mod wear;

pub use config::{KmsConfig, Pkcs11Config, VaultAuth, VaultConfig};
pub use error::{CustodyError, Outage};
pub use file::{PemKey, SecretFile};
pub use kms::{Batch, KekDestroyed, Kms, Place};
pub use provider::{KekRef, KekVersion, KeyUse, SigningVersion, UnknownUse};
pub use signer::{KeyState, PUBLISH_S, Signer, states};
pub use wear::{LAST_USE, ROTATE_AT_USES};
