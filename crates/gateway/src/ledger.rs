//! The ledger: signs what the gateway sees happen in the database: deletion proofs, key-destruction and termination certificates.
//!
//! Must never know: receipts; they have another issuer and another key, in the worker. Invariant: a proof is signed only
//! with a [`Checkpoint`] in hand.

use crate::fault::{custody_fault, internal};
use biometrics::Policy;
use custody::Signer;
use receipt::{
    CoversClaim, DeletionClaims, DestructionClaims, EncodeError, Exception, KekClaim, LiveStore, ProofsClaim, RefClaim,
    TerminationClaims, Typ,
};
use serde::Serialize;
use std::sync::Arc;
use store::{Checkpoint, Erased, KekDestruction, TERMINATED_AUDIT_DAYS, Termination};
use tokio::task::spawn_blocking;
use wire::Reason;

/// How long a backup may still hold the sealed reference, in seconds: 30 days (ARCHITECTURE "Keys").
const BACKUPS_S: i64 = 30 * 24 * 3600;

/// The ledger's key under its issuer.
pub(crate) struct Ledger {
    signer: Arc<Signer>,
    issuer: String,
}

impl Ledger {
    /// The ledger of the deployment at `public_url`.
    pub(crate) fn new(signer: Signer, public_url: &str) -> Self {
        Self { signer: Arc::new(signer), issuer: format!("{}/ledger", public_url.trim_end_matches('/')) }
    }

    /// Signs the proof of one deletion that `checkpoint` covers.
    ///
    /// # Errors
    /// `INTERNAL` where the claims do not encode, `UNAVAILABLE_KMS`.
    pub(crate) async fn deletion_proof(
        &self,
        erased: &Erased,
        checkpoint: Checkpoint,
        (now_ms, policy): (i64, &Policy),
    ) -> Result<String, Reason> {
        let exception = policy.keep_old_keys.then_some(Exception::OldKeysKept);
        let deleted_at = erased.deleted_at_ms.div_euclid(1000);
        let live_store = if checkpoint.leaves_remnants() { LiveStore::SealedRemnants } else { LiveStore::Erased };
        let claims = DeletionClaims {
            iss: self.issuer.clone(),
            aud: erased.tenant.to_string(),
            iat: now_ms.max(checkpoint.at_ms()).max(erased.deleted_at_ms).div_euclid(1000),
            jti: proof_id(erased),
            sub: None,
            reference: RefClaim {
                id: erased.reference_id,
                epoch: erased.epoch,
                commitment: receipt::base64url(&erased.commitment),
            },
            covers: CoversClaim { live_store, backups_until: deleted_at + BACKUPS_S, exception },
            cause: erased.cause.clone(),
            deleted_at,
        };
        self.encode(Typ::DeletionProof, claims).await
    }

    /// Signs the certificate of one KEK version that is recorded as gone; `now_ms` is when.
    ///
    /// # Errors
    /// `INTERNAL` where the claims do not encode, `UNAVAILABLE_KMS`.
    pub(crate) async fn destruction(&self, gone: &KekDestruction, now_ms: i64) -> Result<String, Reason> {
        let claims = DestructionClaims {
            iss: self.issuer.clone(),
            aud: gone.tenant.to_string(),
            iat: now_ms.max(gone.destroyed_at_ms).div_euclid(1000),
            jti: format!("kd_{}", gone.id.simple()),
            kek: KekClaim { version: gone.kek_version, successor: gone.successor, provider: gone.provider.clone() },
            destroyed_at: gone.destroyed_at_ms.div_euclid(1000),
            asserted: vec!["destroyed_at".to_owned(), "kek".to_owned()],
        };
        self.encode(Typ::KeyDestruction, claims).await
    }

    /// Signs the certificate of a tenant that ended, whose KEK versions `keks` are gone.
    ///
    /// # Errors
    /// `INTERNAL` where the claims do not encode, `UNAVAILABLE_KMS`.
    pub(crate) async fn termination(&self, end: &Termination, keks: Vec<u32>) -> Result<String, Reason> {
        let ended_at = end.ended_at_ms.div_euclid(1000);
        let claims = TerminationClaims {
            iss: self.issuer.clone(),
            aud: end.tenant.to_string(),
            iat: ended_at,
            jti: format!("tc_{}", end.id.simple()),
            proofs: ProofsClaim { count: end.proofs, sha256: receipt::base64url(&end.proofs_sha256) },
            keks,
            ended_at,
            audit_until: ended_at + i64::from(TERMINATED_AUDIT_DAYS) * 24 * 3600,
            asserted: vec!["keks".to_owned()],
        };
        self.encode(Typ::Termination, claims).await
    }

    async fn encode(&self, typ: Typ, claims: impl Serialize + Send + 'static) -> Result<String, Reason> {
        let signer = Arc::clone(&self.signer);
        // A token or key service may keep us waiting.
        let signed = spawn_blocking(move || sign(&signer, typ, &claims)).await;
        signed.unwrap_or_else(|error| Err(internal(&error)))
    }
}

/// The id of a deletion's proof.
pub(crate) fn proof_id(erased: &Erased) -> String {
    format!("dl_{}", erased.deletion_id.simple())
}

fn sign(signer: &Signer, typ: Typ, claims: &impl Serialize) -> Result<String, Reason> {
    let key = signer.key().map_err(custody_fault)?;
    let kid = receipt::thumbprint(&key.public);
    receipt::encode(typ, &kid, claims, |message| signer.sign(&key, message)).map_err(|error| match error {
        EncodeError::Claims => Reason::Internal,
        EncodeError::Sign(error) => custody_fault(error),
    })
}
