//! Termination certificates: what the ledger says of a tenant that ended, over every deletion proof that the tenant ever had.
//!
//! Must never know: keys, references. Invariant: the certificate is over exactly the proofs that [`ProofsHash`] was given, in the
//! order of their ids; whoever holds the proofs computes the same hash.

use crate::{
    base64url,
    jws::Typ,
    refused::{Claim, Malformed, Refused},
    trusted::TrustedKeys,
};
use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

const DOMAIN: &[u8] = b"countersign/termination/v1\n";

/// Claims of a termination certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TerminationClaims {
    /// Issuer of the ledger; its keys are in the ledger key set.
    pub iss: String,
    /// The tenant's id.
    pub aud: String,
    /// Signed at, in seconds since 1970.
    pub iat: i64,
    /// Id of the certificate.
    pub jti: String,
    /// The deletion proofs that it is over.
    pub proofs: ProofsClaim,
    /// Versions of the tenant's KEK that are gone: all of them. From then on no backup opens.
    pub keks: Vec<u32>,
    /// When the last key was gone, in seconds since 1970.
    pub ended_at: i64,
    /// When the tenant's audit is gone too, in seconds since 1970.
    pub audit_until: i64,
    /// Names of claims that the ledger took on the word of the worker, which holds the key service's access.
    pub asserted: Vec<String>,
}

/// Deletion proofs, by their number and hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProofsClaim {
    /// How many.
    pub count: u64,
    /// [`ProofsHash`] over them, base64url.
    pub sha256: String,
}

impl ProofsClaim {
    /// Number and hash as [`ProofsHash::finish`] gives them.
    #[must_use]
    pub fn of((count, sha256): (u64, [u8; 32])) -> Self {
        Self { count, sha256: base64url(&sha256) }
    }
}

/// SHA-256 over the domain `countersign/termination/v1\n` and, for each deletion proof in the order of its `jti`, the line
/// `jti SP ref.commitment LF`.
pub struct ProofsHash {
    context: Context,
    last: String,
    count: u64,
}

impl Default for ProofsHash {
    fn default() -> Self {
        let mut context = Context::new(&SHA256);
        context.update(DOMAIN);
        Self { context, last: String::new(), count: 0 }
    }
}

impl ProofsHash {
    /// Takes the next proof. False: it does not come after the one before.
    pub fn add(&mut self, jti: &str, commitment: &[u8; 32]) -> bool {
        if jti <= self.last.as_str() {
            return false;
        }
        jti.clone_into(&mut self.last);
        self.count += 1;
        self.context.update(format!("{jti} {}\n", base64url(commitment)).as_bytes());
        true
    }

    /// How many proofs there were, and the hash over them.
    #[must_use]
    pub fn finish(self) -> (u64, [u8; 32]) {
        let mut hash = [0; 32];
        hash.copy_from_slice(self.context.finish().as_ref());
        (self.count, hash)
    }
}

/// What a tenant expects of a termination certificate.
#[derive(Debug, Clone, Copy)]
pub struct ExpectedTermination<'a> {
    /// The own tenant id.
    pub aud: &'a str,
    /// Number and hash of the proofs that it holds, from [`ProofsHash`].
    pub proofs: (u64, [u8; 32]),
}

/// A certificate whose signature, type, key and issuer were checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantTermination(TerminationClaims);

impl TenantTermination {
    /// What the certificate says.
    #[must_use]
    pub const fn claims(&self) -> &TerminationClaims {
        &self.0
    }
}

/// Checks a termination certificate; `keys` are the ledger's. It never expires.
///
/// # Errors
/// [`Refused`] where it is malformed, not signed by the ledger, or about another tenant or other proofs.
pub fn verify_termination(
    token: &str,
    keys: &TrustedKeys,
    expected: &ExpectedTermination<'_>,
) -> Result<TenantTermination, Refused> {
    let claims = authentic(token, keys, expected.aud)?;
    if claims.proofs != ProofsClaim::of(expected.proofs) {
        return Err(Claim::Proofs.into());
    }
    Ok(TenantTermination(claims))
}

/// A certificate of this tenant, over whatever proofs.
pub(crate) fn authentic(token: &str, keys: &TrustedKeys, aud: &str) -> Result<TerminationClaims, Refused> {
    let (_, claims): (Typ, TerminationClaims) = keys.open(token, &[Typ::Termination])?;
    if claims.ended_at > claims.iat || claims.audit_until < claims.ended_at || claims.keks.is_empty() {
        return Err(Malformed::Claims.into());
    }
    if claims.aud != aud {
        return Err(Claim::Audience.into());
    }
    Ok(claims)
}
