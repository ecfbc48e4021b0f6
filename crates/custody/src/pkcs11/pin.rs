//! The user PIN: read from its file whenever the token asks for it, and never tried twice once it was refused.
//!
//! Must never know: keys. Invariant: the PIN is in memory for one login; one that was refused is not sent again until its file
//! holds another.

use super::fault::{Fault, code};
use crate::{CustodyError, Outage, file::files, refused::Refused};
use cryptoki::{
    error::RvError,
    session::{Session, UserType},
    types::AuthPin,
};
use std::{
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

/// See the module.
pub(super) struct Pin {
    path: PathBuf,
    refused: Mutex<Refused>,
}

impl Pin {
    /// Reads the file once, so that one that others may read, or that is not there, is refused at start.
    pub(super) fn at(path: PathBuf) -> Result<Self, CustodyError> {
        files::read_line(&path)?;
        Ok(Self { path, refused: Mutex::new(Refused::none()?) })
    }

    /// Logs a session in. Logins of one token take turns, so that a wrong PIN is tried once and not once a session.
    pub(super) fn login(&self, session: &Session) -> Result<(), Fault> {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let pin = files::read_line(&self.path).map_err(|error| CustodyError::outage(Outage::CredentialFile, error))?;
        if refused.was(pin.as_bytes()) {
            return Err(Fault::Answer(Outage::CredentialRefused.into()));
        }
        let Err(error) = session.login(UserType::User, Some(&AuthPin::from(pin.as_str()))) else {
            refused.forget();
            return Ok(());
        };
        match code(&error) {
            Some(RvError::UserAlreadyLoggedIn) => Ok(()),
            Some(
                RvError::PinIncorrect
                | RvError::PinInvalid
                | RvError::PinLenRange
                | RvError::PinExpired
                | RvError::PinLocked
                | RvError::UserPinNotInitialized,
            ) => {
                refused.remember(pin.as_bytes());
                Err(Fault::Answer(CustodyError::outage(Outage::CredentialRefused, error)))
            }
            _ => Err(error.into()),
        }
    }
}
