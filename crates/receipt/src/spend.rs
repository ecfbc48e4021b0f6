//! A thing that may be used once, until somebody has recorded its use.
//!
//! Must never know: the relying party's database. Invariant: the inside is reached only over a recorded insertion.

use crate::verify::Receipt;
use biometrics::Jti;

/// An accepted receipt that may not have been used before: spend it in the transaction that does the action.
#[derive(Debug)]
#[must_use = "an accepted receipt authorises nothing until it is spent"]
pub struct Unspent<T>(T);

/// The key of single use: insert both under `UNIQUE(iss, jti)`. Never key on the token's bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SpendKey {
    /// Issuer of the receipt.
    pub iss: String,
    /// Id of the receipt.
    pub jti: Jti,
}

/// The receipt was used before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the receipt was spent before")]
pub struct AlreadySpent;

/// A receipt could not be spent.
#[derive(Debug, thiserror::Error)]
pub enum SpendError<E> {
    /// It was used before.
    #[error("the receipt was spent before")]
    AlreadySpent,
    /// The use could not be recorded.
    #[error("the use of the receipt could not be recorded")]
    Record(#[source] E),
}

impl Unspent<Receipt> {
    pub(crate) const fn new(receipt: Receipt) -> Self {
        Self(receipt)
    }

    /// What makes this receipt one and the same.
    #[must_use]
    pub fn spend_key(&self) -> SpendKey {
        SpendKey { iss: self.0.claims().iss.clone(), jti: self.0.claims().jti }
    }

    /// Spends the receipt; `insert` records its key and says whether it was new (true) or there before (false).
    ///
    /// # Errors
    /// [`SpendError::AlreadySpent`] where the key was there; [`SpendError::Record`] where `insert` failed.
    pub fn spend<E>(self, insert: impl FnOnce(SpendKey) -> Result<bool, E>) -> Result<Receipt, SpendError<E>> {
        match insert(self.spend_key()) {
            Ok(true) => Ok(self.0),
            Ok(false) => Err(SpendError::AlreadySpent),
            Err(error) => Err(SpendError::Record(error)),
        }
    }

    /// As [`Unspent::spend`], for callers that have awaited the insertion of [`Unspent::spend_key`] themselves.
    ///
    /// # Errors
    /// [`AlreadySpent`] where `inserted` is false.
    pub fn settle(self, inserted: bool) -> Result<Receipt, AlreadySpent> {
        if inserted { Ok(self.0) } else { Err(AlreadySpent) }
    }
}
