//! The ledger: signs what the gateway sees happen in the database: deletion proofs, key-destruction and termination certificates,
//! status lists, the log's checkpoints.
//!
//! Must never know: receipts; they have another issuer and another key, in the worker. Invariant: a proof is signed only
//! with a [`Checkpoint`] in hand.

use crate::{
    fault::{custody_fault, internal},
    status_lists::Listed,
};
use biometrics::Policy;
use custody::{CustodyError, Signer};
use receipt::{
    CoversClaim, DeletionClaims, DestructionClaims, EncodeError, Exception, Growth, KekClaim, LiveStore, LogFault,
    ProofsClaim, RefClaim, StatusListClaims, StatusListPlace, TerminationClaims, Typ,
};
use serde::Serialize;
use std::sync::Arc;
use store::{Checkpoint, Erased, KekDestruction, LogWork, TERMINATED_AUDIT_DAYS, Termination};
use tokio::task::spawn_blocking;
use wire::Reason;

/// How long a backup may still hold the sealed reference, in seconds: 30 days (ARCHITECTURE "Keys").
pub(crate) const BACKUPS_S: i64 = 30 * 24 * 3600;

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
            jti: erased.proof_id(),
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
            jti: gone.certificate_id(),
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

    /// Packs and signs one status list.
    ///
    /// # Errors
    /// `INTERNAL` where it does not pack, `UNAVAILABLE_KMS`.
    pub(crate) async fn status_list(&self, listed: Listed) -> Result<String, Reason> {
        let iss = self.issuer.clone();
        self.blocking(move |signer| {
            let Listed { uri, revoked, iat, ttl, life } = listed;
            let place = StatusListPlace { iss: &iss, uri: &uri, iat, ttl, life };
            let claims = StatusListClaims::new(place, revoked).map_err(|_| Reason::Internal)?;
            sign(signer, Typ::StatusList, &claims)
        })
        .await
    }

    /// Lets the log's tree grow by what waits and signs the checkpoint of the new root. Tiles that do not lead to the old root
    /// are a value: nothing is signed over them.
    ///
    /// # Errors
    /// `INTERNAL` where the checkpoint does not encode, `UNAVAILABLE_KMS`.
    pub(crate) async fn grow(&self, work: LogWork) -> Result<(LogWork, Result<(Growth, String), LogFault>), Reason> {
        let iss = self.issuer.clone();
        self.blocking(move |signer| {
            let growth = match receipt::grow(&work.head, &work.edge, &work.queue) {
                Ok(growth) => growth,
                Err(fault) => return Ok((work, Err(fault))),
            };
            let key = signer.key().map_err(custody_fault)?;
            let note = receipt::checkpoint_note(&growth.head, &iss, &key.public, |text| signer.sign(&key, text));
            Ok((work, Ok((growth, note.map_err(unsigned)?))))
        })
        .await
    }

    /// Thumbprint of the key that signs now.
    ///
    /// # Errors
    /// `UNAVAILABLE_KMS`.
    pub(crate) async fn key_id(&self) -> Result<String, Reason> {
        let key = self.blocking(|signer| signer.key().map_err(custody_fault)).await?;
        Ok(receipt::thumbprint(&key.public))
    }

    async fn encode(&self, typ: Typ, claims: impl Serialize + Send + 'static) -> Result<String, Reason> {
        self.blocking(move |signer| sign(signer, typ, &claims)).await
    }

    /// A token or key service may keep us waiting.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Signer) -> Result<T, Reason> + Send + 'static,
    ) -> Result<T, Reason> {
        let signer = Arc::clone(&self.signer);
        spawn_blocking(move || work(&signer)).await.unwrap_or_else(|error| Err(internal(&error)))
    }
}

fn sign(signer: &Signer, typ: Typ, claims: &impl Serialize) -> Result<String, Reason> {
    let key = signer.key().map_err(custody_fault)?;
    let kid = receipt::thumbprint(&key.public);
    receipt::encode(typ, &kid, claims, |message| signer.sign(&key, message)).map_err(unsigned)
}

fn unsigned(error: EncodeError<CustodyError>) -> Reason {
    match error {
        EncodeError::Claims => Reason::Internal,
        EncodeError::Sign(error) => custody_fault(error),
    }
}
