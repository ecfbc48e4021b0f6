//! What went wrong on a session: an answer, or something that a fresh session or module may cure.

use crate::{CustodyError, Outage};
use cryptoki::error::{Error, RvError};

/// See the module.
pub(super) enum Fault {
    /// The same on every session.
    Answer(CustodyError),
    /// Session, token or module failed.
    Broken(Outage, Option<Error>),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Broken(Outage::Failed, Some(error))
    }
}

impl From<CustodyError> for Fault {
    fn from(error: CustodyError) -> Self {
        Self::Answer(error)
    }
}

impl Fault {
    /// As callers of custody see it.
    pub(super) fn into_error(self) -> CustodyError {
        match self {
            Self::Answer(error) => error,
            Self::Broken(why, None) => why.into(),
            Self::Broken(why, Some(source)) => CustodyError::outage(why, source),
        }
    }
}

/// The token's return code, where that is what failed.
pub(super) const fn code(error: &Error) -> Option<RvError> {
    match error {
        Error::Pkcs11(code, _) => Some(*code),
        _ => None,
    }
}
