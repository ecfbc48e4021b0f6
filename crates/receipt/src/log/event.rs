//! What the log tells of: the bodies of its leaves, kind by kind.
//!
//! Must never know: users, features, frames, salts. Invariant: a body names ids, digests and times, nothing that a person
//! could be found by without the tenant's own records.

use crate::claims::RefClaim;
use biometrics::Jti;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What the log tells of. Members that a reader does not know are ignored, and covered by the hash all the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum LogEvent {
    /// A receipt, of either verdict, left for the tenant.
    Receipt {
        /// Issuer of the receipt.
        iss: String,
        /// The tenant.
        aud: String,
        /// The receipt's id.
        jti: Jti,
        /// SHA-256 of the receipt's compact form, base64url.
        sha256: String,
        /// When, in seconds since 1970.
        at: i64,
    },
    /// A reference was destroyed.
    Deletion {
        /// The tenant.
        aud: String,
        /// Id of the deletion, as the proof's `jti` names it.
        jti: String,
        /// The reference, as the proof names it.
        #[serde(rename = "ref")]
        reference: RefClaim,
        /// When, in seconds since 1970.
        at: i64,
    },
    /// A key took the place of another.
    KeyRotation {
        /// Which key.
        key: KeyName,
        /// The version or thumbprint that retires; absent for the first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<String>,
        /// The version or thumbprint that takes over.
        to: String,
        /// When, in seconds since 1970.
        at: i64,
    },
    /// A key was destroyed.
    KeyDestruction {
        /// Which key.
        key: KeyName,
        /// Its version or thumbprint.
        version: String,
        /// When, in seconds since 1970.
        at: i64,
    },
    /// A tenant's policy changed.
    PolicyChange {
        /// The tenant.
        aud: String,
        /// The new policy's version.
        version: String,
        /// SHA-256 of the new policy in RFC 8785 form, base64url.
        sha256: String,
        /// When, in seconds since 1970.
        at: i64,
    },
    /// Workers run other models.
    PackChange {
        /// Digests of the models, by role, as 64 hexadecimal digits.
        model: BTreeMap<String, String>,
        /// When, in seconds since 1970.
        at: i64,
    },
    /// How far a tenant's audit chain had come: everything up to there is committed.
    AuditHead {
        /// The tenant.
        aud: String,
        /// Position of the last entry, from 1.
        seq: i64,
        /// Hash of that entry, base64url.
        head: String,
        /// When, in seconds since 1970.
        at: i64,
    },
}

/// A key, without its version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyName {
    /// What it is for.
    pub r#use: KeyUse,
    /// The tenant, where each tenant has its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aud: Option<String>,
}

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyUse {
    /// Wraps a tenant's data keys.
    Kek,
    /// Signs receipts.
    Receipts,
    /// Signs receipts of test tenants.
    TestReceipts,
    /// Signs proofs, lists and checkpoints.
    Ledger,
    /// Signs key sets.
    Root,
    /// Keys the MAC of API keys.
    Pepper,
}
