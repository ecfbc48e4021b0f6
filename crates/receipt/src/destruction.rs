//! Key-destruction certificates: what the ledger says of a tenant's KEK version that is gone.
//!
//! Must never know: keys. Invariant: a certificate is about one version of one tenant; from its date on nothing wrapped under
//! that version opens, wherever a copy of it lies, backups included.

use crate::{
    jws::Typ,
    refused::{Claim, Malformed, Refused},
    trusted::TrustedKeys,
};
use serde::{Deserialize, Serialize};

/// Claims of a key-destruction certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DestructionClaims {
    /// Issuer of the ledger; its keys are in the ledger key set.
    pub iss: String,
    /// The tenant's id.
    pub aud: String,
    /// Signed at, in seconds since 1970.
    pub iat: i64,
    /// Id of the certificate.
    pub jti: String,
    /// The key that is gone.
    pub kek: KekClaim,
    /// When it was destroyed, in seconds since 1970, by the key service's word.
    pub destroyed_at: i64,
    /// Names of claims that the ledger took on the word of the worker, which holds the key service's access.
    pub asserted: Vec<String>,
}

/// A KEK version that is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KekClaim {
    /// The version.
    pub version: u32,
    /// The version that took its place; absent where the tenant ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub successor: Option<u32>,
    /// The kind of key service that held it.
    pub provider: String,
}

/// What a tenant expects of a certificate.
#[derive(Debug, Clone, Copy)]
pub struct ExpectedDestruction<'a> {
    /// The own tenant id.
    pub aud: &'a str,
    /// The version that it is about.
    pub kek_version: u32,
}

/// A certificate whose signature, type, key and issuer were checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyDestruction(DestructionClaims);

impl KeyDestruction {
    /// What the certificate says.
    #[must_use]
    pub const fn claims(&self) -> &DestructionClaims {
        &self.0
    }
}

/// Checks a key-destruction certificate; `keys` are the ledger's. It never expires.
///
/// # Errors
/// [`Refused`] where it is malformed, not signed by the ledger, or about another tenant or version.
pub fn verify_key_destruction(
    token: &str,
    keys: &TrustedKeys,
    expected: &ExpectedDestruction<'_>,
) -> Result<KeyDestruction, Refused> {
    let (_, claims): (Typ, DestructionClaims) = keys.open(token, &[Typ::KeyDestruction])?;
    if claims.destroyed_at > claims.iat || claims.kek.successor.is_some_and(|next| next <= claims.kek.version) {
        return Err(Malformed::Claims.into());
    }
    if claims.aud != expected.aud {
        return Err(Claim::Audience.into());
    }
    if claims.kek.version != expected.kek_version {
        return Err(Claim::KekVersion.into());
    }
    Ok(KeyDestruction(claims))
}
