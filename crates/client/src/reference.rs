//! References: describing one, deleting one.
//!
//! Must never know: what a reference holds. Invariant: a deletion is reported only with a proof over the pinned commitment.

use crate::{Client, ClientError, call::Unanswered};
use biometrics::{ReferenceId, UserId};
use receipt::{DeletionProof, ExpectedDeletion, Receipt, base64url, verify_deletion_proof};
use wire::{convert, v1};

/// What may be said of a reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Its id.
    pub id: ReferenceId,
    /// Its epoch; renewal makes a new one.
    pub epoch: u32,
    /// Its key commitment; pin it.
    pub commitment: [u8; 32],
    /// What it may be compared with.
    pub feature_space: String,
    /// When it was made, in milliseconds since 1970.
    pub created_at_ms: i64,
}

impl Reference {
    /// Whether a receipt names this very reference.
    pub(crate) fn is_named_by(&self, receipt: &Receipt) -> bool {
        receipt.claims().reference.as_ref().is_some_and(|named| {
            named.id == self.id && named.epoch == self.epoch && named.commitment == base64url(&self.commitment)
        })
    }
}

/// A deletion with its proof.
#[derive(Debug)]
pub struct Deleted {
    /// The checked proof.
    pub proof: DeletionProof,
    /// The proof as it came, for the own records.
    pub token: String,
}

impl Client {
    /// Describes a user's reference; `None` where there is none.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn reference(&self, user: &UserId) -> Result<Option<Reference>, ClientError> {
        self.described(user).await?.map(|answer| read(answer.reference)).transpose()
    }

    /// Describes what a new recogniser made beside a user's reference, and what receipts will name once a capture matched both;
    /// `None` where there is nothing. Whoever pins commitments expects either.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn successor(&self, user: &UserId) -> Result<Option<Reference>, ClientError> {
        let successor = self.described(user).await?.and_then(|answer| answer.successor);
        successor.map(|successor| read(Some(successor))).transpose()
    }

    async fn described(&self, user: &UserId) -> Result<Option<v1::GetReferenceResponse>, ClientError> {
        let request = v1::GetReferenceRequest { user_id: user.to_string() };
        let answer =
            self.call(request, Unanswered::Repeat, |mut service, request| async move {
                service.get_reference(request).await
            })
            .await;
        match answer {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if error.code() == Some("NO_REFERENCE") => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Destroys a user's reference; `cause` is at most 64 characters. Not repeated when nobody answered: the first call
    /// may have destroyed it, and only that one's answer holds the proof.
    ///
    /// # Errors
    /// [`ClientError`]; with code `NO_REFERENCE` where there is none.
    pub async fn delete_reference(
        &self,
        user: &UserId,
        cause: &str,
        expected: &ExpectedDeletion<'_>,
    ) -> Result<Deleted, ClientError> {
        let request = v1::DeleteReferenceRequest { user_id: user.to_string(), cause: cause.to_owned() };
        let answer =
            self.call(request, Unanswered::GiveUp, |mut service, request| async move {
                service.delete_reference(request).await
            })
            .await?;
        let token = answer.deletion_proof;
        let proof = verify_deletion_proof(&token, &self.ledger, expected)?;
        Ok(Deleted { proof, token })
    }
}

pub(crate) fn read(value: Option<v1::Reference>) -> Result<Reference, ClientError> {
    let value = value.ok_or(ClientError::Answer("reference"))?;
    Ok(Reference {
        id: value.reference_id.parse().map_err(|_| ClientError::Answer("reference_id"))?,
        epoch: value.epoch,
        commitment: value.commitment.as_slice().try_into().map_err(|_| ClientError::Answer("commitment"))?,
        feature_space: value.feature_space,
        created_at_ms: convert::timestamp_ms(value.created_at.as_ref(), "created_at")
            .map_err(|_| ClientError::Answer("created_at"))?,
    })
}
