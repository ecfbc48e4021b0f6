//! Deletion proofs: what the ledger says of a destroyed reference.
//!
//! Must never know: receipts. Invariant: a proof is about one commitment, the one given at enrollment.

use crate::{
    base64url,
    claims::RefClaim,
    jws::Typ,
    refused::{Claim, Malformed, Refused},
    trusted::TrustedKeys,
};
use serde::{Deserialize, Serialize};

/// Claims of a deletion proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeletionClaims {
    /// Issuer of the ledger; its keys are in the ledger key set.
    pub iss: String,
    /// The tenant's id.
    pub aud: String,
    /// Signed at, in seconds since 1970.
    pub iat: i64,
    /// Id of the deletion.
    pub jti: String,
    /// Pairwise pseudonym of the user at this tenant, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub: Option<String>,
    /// The reference that was destroyed.
    #[serde(rename = "ref")]
    pub reference: RefClaim,
    /// What the proof covers.
    pub covers: CoversClaim,
    /// Why it was destroyed, in the tenant's words.
    pub cause: String,
    /// When it was destroyed, in seconds since 1970.
    pub deleted_at: i64,
}

/// What a deletion proof covers, and until when copies may exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CoversClaim {
    /// State of the live store.
    pub live_store: LiveStore,
    /// When the last backup that may hold the sealed reference is worthless, in seconds since 1970.
    pub backups_until: i64,
    /// What keeps a copy in a backup from becoming worthless by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exception: Option<Exception>,
}

/// A legal exception from the promise about backups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exception {
    /// The tenant's law demands that old KEK versions be kept: no rotation destroys them while that lasts.
    OldKeysKept,
}

/// State of the live store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LiveStore {
    /// The wrapped key is destroyed and the ciphertext overwritten.
    Erased,
    /// The wrapped key and the ciphertext are deleted; a database server may keep dead copies of both until it recycles
    /// them. They cannot be opened once the KEK version that wrapped the key is destroyed, as with backups.
    SealedRemnants,
}

/// What a tenant expects of a deletion proof.
#[derive(Debug, Clone, Copy)]
pub struct ExpectedDeletion<'a> {
    /// The own tenant id.
    pub aud: &'a str,
    /// The commitment given at enrollment.
    pub commitment: [u8; 32],
}

/// A deletion proof whose signature, type, key and issuer were checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeletionProof(DeletionClaims);

impl DeletionProof {
    /// What the proof says.
    #[must_use]
    pub const fn claims(&self) -> &DeletionClaims {
        &self.0
    }
}

/// Checks a deletion proof; `keys` are the ledger's. It never expires.
///
/// # Errors
/// [`Refused`] where it is malformed, not signed by the ledger, or about another tenant or reference.
pub fn verify_deletion_proof(
    token: &str,
    keys: &TrustedKeys,
    expected: &ExpectedDeletion<'_>,
) -> Result<DeletionProof, Refused> {
    let claims = authentic(token, keys, expected.aud)?;
    if claims.reference.commitment != base64url(&expected.commitment) {
        return Err(Claim::Reference.into());
    }
    Ok(DeletionProof(claims))
}

/// A proof of this tenant, about whatever reference.
pub(crate) fn authentic(token: &str, keys: &TrustedKeys, aud: &str) -> Result<DeletionClaims, Refused> {
    let (_, claims): (Typ, DeletionClaims) = keys.open(token, &[Typ::DeletionProof])?;
    if claims.deleted_at > claims.iat || claims.covers.backups_until < claims.deleted_at {
        return Err(Malformed::Claims.into());
    }
    if claims.aud != aud {
        return Err(Claim::Audience.into());
    }
    Ok(claims)
}
