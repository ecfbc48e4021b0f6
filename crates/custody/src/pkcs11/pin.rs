//! The user PIN: read from its file whenever the token asks for it, and never tried twice once it was refused.
//!
//! A token locks after a few wrong PINs, so one that was refused is remembered (as a MAC under a key of this process) and not
//! sent again until its file holds another. Must never know: sessions. Invariant: the PIN is in memory for one login.

use super::fault::{Fault, code};
use crate::{CustodyError, Outage, file::files};
use cryptoki::{
    error::RvError,
    session::{Session, UserType},
    types::AuthPin,
};
use ring::hmac;
use std::{
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

const LONGEST: usize = 256;

/// See the module.
pub(super) struct Pin {
    path: PathBuf,
    print: hmac::Key,
    refused: Mutex<Option<Vec<u8>>>,
}

impl Pin {
    pub(super) fn at(path: PathBuf) -> Result<Self, CustodyError> {
        let print = hmac::Key::new(hmac::HMAC_SHA256, &*files::random::<32>()?);
        Ok(Self { path, print, refused: Mutex::new(None) })
    }

    /// Reads the file once, so that one that others may read, or that is not there, is refused at start.
    pub(super) fn check(&self) -> Result<(), CustodyError> {
        self.read().map(drop)
    }

    /// Logs a session in. Logins of one token take turns, so that a wrong PIN is tried once and not once a session.
    pub(super) fn login(&self, session: &Session) -> Result<(), Fault> {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let pin = self.read().map_err(|error| CustodyError::outage(Outage::CredentialFile, error))?;
        let print = hmac::sign(&self.print, pin.as_bytes()).as_ref().to_vec();
        if refused.as_ref() == Some(&print) {
            return Err(Fault::Answer(Outage::PinRefused.into()));
        }
        let Err(error) = session.login(UserType::User, Some(&AuthPin::from(pin.as_str().to_owned()))) else {
            *refused = None;
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
                *refused = Some(print);
                Err(Fault::Answer(CustodyError::outage(Outage::PinRefused, error)))
            }
            _ => Err(error.into()),
        }
    }

    fn read(&self) -> Result<zeroize::Zeroizing<String>, CustodyError> {
        let malformed = || CustodyError::Malformed { path: self.path.clone() };
        let bytes =
            files::read(&self.path, LONGEST)?.ok_or_else(|| CustodyError::Missing { path: self.path.clone() })?;
        let text = std::str::from_utf8(&bytes).map_err(|_| malformed())?.trim_end_matches(['\r', '\n']);
        if text.is_empty() { Err(malformed()) } else { Ok(zeroize::Zeroizing::new(text.to_owned())) }
    }
}
