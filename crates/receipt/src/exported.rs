//! Exported deletion proofs held against a termination certificate: is it over exactly these?
//!
//! Must never know: files, private keys. Invariant: a certificate agrees only with distinct proofs that the ledger signed for its
//! tenant and that come to its number and hash; whatever else was given is named.

use crate::{
    deletion, from_base64url,
    refused::{Malformed, Refused},
    termination::{self, ProofsClaim, ProofsHash, TerminationClaims},
    trusted::TrustedKeys,
};
use std::collections::BTreeMap;

/// Why a certificate does not agree with what was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disagreement {
    /// No proof that this ledger signed for this tenant: another deployment's, another tenant's, altered, or no proof at all.
    Refused {
        /// Which of those given, from 1.
        at: u64,
        /// Why.
        why: Refused,
    },
    /// A deletion that was given before.
    Doubled {
        /// Which of those given, from 1.
        at: u64,
        /// Which it repeats.
        first: u64,
    },
    /// A deletion from after the tenant ended, so the certificate cannot be over it.
    Later {
        /// Which of those given, from 1.
        at: u64,
    },
    /// So many fewer distinct proofs than the certificate is over.
    Missing(u64),
    /// So many more distinct proofs than the certificate is over.
    Additional(u64),
    /// As many, and at least one of them is another than those that the certificate is over.
    Others,
}

impl Disagreement {
    /// Stable code: that of the refusal, else of its own.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Refused { why, .. } => why.reason(),
            Self::Doubled { .. } => "PROOF_DOUBLED",
            Self::Later { .. } => "PROOF_LATER",
            Self::Missing(_) => "PROOFS_MISSING",
            Self::Additional(_) => "PROOFS_ADDITIONAL",
            Self::Others => "PROOFS",
        }
    }
}

/// A proof that was taken.
struct Held {
    at: u64,
    commitment: [u8; 32],
    deleted_at: i64,
}

/// Proofs in whatever order, taken one by one.
pub struct ExportedProofs<'a> {
    keys: &'a TrustedKeys,
    aud: &'a str,
    given: u64,
    held: BTreeMap<String, Held>,
    found: Vec<Disagreement>,
}

impl<'a> ExportedProofs<'a> {
    /// None yet; `keys` are the ledger's, `aud` is the tenant's id.
    #[must_use]
    pub const fn new(keys: &'a TrustedKeys, aud: &'a str) -> Self {
        Self { keys, aud, given: 0, held: BTreeMap::new(), found: Vec::new() }
    }

    /// Takes the next proof, a compact JWS.
    pub fn add(&mut self, token: &str) {
        self.given += 1;
        if let Err(found) = self.take(token) {
            self.found.push(found);
        }
    }

    fn take(&mut self, token: &str) -> Result<(), Disagreement> {
        let at = self.given;
        let refused = |why| Disagreement::Refused { at, why };
        let claims = deletion::authentic(token, self.keys, self.aud).map_err(refused)?;
        let commitment = from_base64url(&claims.reference.commitment).and_then(|bytes| bytes.try_into().ok());
        let commitment = commitment.ok_or(Malformed::Claims).map_err(|fault| refused(fault.into()))?;
        if let Some(Held { at: first, .. }) = self.held.get(&claims.jti) {
            return Err(Disagreement::Doubled { at, first: *first });
        }
        self.held.insert(claims.jti, Held { at, commitment, deleted_at: claims.deleted_at });
        Ok(())
    }

    /// The certificate's claims, and everything in which it does not agree with what was given; nothing: it is over exactly
    /// these proofs.
    ///
    /// # Errors
    /// [`Refused`] where the certificate itself is malformed, not signed by the ledger, or another tenant's.
    pub fn check(self, certificate: &str) -> Result<(TerminationClaims, Vec<Disagreement>), Refused> {
        let claims = termination::authentic(certificate, self.keys, self.aud)?;
        let (mut found, mut hash) = (self.found, ProofsHash::default());
        for (jti, held) in &self.held {
            // In the order of their ids and each once: the map sees to it.
            hash.add(jti, &held.commitment);
            if held.deleted_at > claims.ended_at {
                found.push(Disagreement::Later { at: held.at });
            }
        }
        let (wanted, given) = (claims.proofs.count, self.held.len() as u64);
        if given < wanted {
            found.push(Disagreement::Missing(wanted - given));
        } else if given > wanted {
            found.push(Disagreement::Additional(given - wanted));
        } else if claims.proofs != ProofsClaim::of(hash.finish()) {
            found.push(Disagreement::Others);
        }
        Ok((claims, found))
    }
}
