//! One token, found by its label, and sessions on it: opened, logged in, and opened again when they break.
//!
//! Must never know: keys. Invariant: a session in hand is logged in on the token of this label; a failure is answered only after a
//! fresh session, and then a fresh start of the module, failed too.

use super::{
    fault::Fault,
    module::{Module, Seat, Started},
    pin::Pin,
};
use crate::{CustodyError, KeyUse, Outage, Pkcs11Config};
use cryptoki::{
    context::Pkcs11,
    object::ObjectHandle,
    session::{Session, SessionState},
    slot::Slot,
};
use std::{collections::HashMap, sync::Arc};

/// Tries of one call: on the session at hand, on a fresh one, after a fresh start of the module.
const TRIES: u32 = 3;

/// See the module.
pub(super) struct Token {
    module: Arc<Module>,
    label: String,
    pin: Pin,
}

/// A session in hand, and the handles that were found on it.
pub(super) struct Open {
    pub(super) session: Session,
    library: Pkcs11,
    slot: Slot,
    label: String,
    pub(super) keks: HashMap<(String, u32), Vec<ObjectHandle>>,
    pub(super) signing: HashMap<(KeyUse, u32), ObjectHandle>,
}

impl Open {
    /// That nothing was found means nothing unless the token is there and shows its private objects.
    pub(super) fn confirm(&self) -> Result<(), Fault> {
        let here = self.library.get_token_info(self.slot)?.label().trim_end() == self.label;
        let logged_in = self.session.get_session_info()?.session_state() == SessionState::RwUser;
        if here && logged_in { Ok(()) } else { Err(Fault::Broken(Outage::NoToken, None)) }
    }
}

impl Token {
    pub(super) fn open(config: &Pkcs11Config) -> Result<Self, CustodyError> {
        if config.token.is_empty() || config.token.len() > 32 {
            return Err(CustodyError::Setting { field: "token" });
        }
        let pin = Pin::at(config.pin_file.clone())?;
        Ok(Self { module: Module::load(&config.module)?, label: config.token.trim_end().to_owned(), pin })
    }

    /// A place for a session of this token.
    pub(super) fn seat(&self) -> Arc<Seat> {
        self.module.seat()
    }

    /// Closes the session of a place that nobody will use again.
    pub(super) fn leave(&self, seat: &Seat) {
        // Where the module is not started there is no session.
        if let Ok(_started) = self.module.started() {
            *seat.take() = None;
        }
    }

    /// Does `work` on the session of `seat`, again where the session, then where the module is to blame.
    pub(super) fn attend<T>(
        &self,
        seat: &Seat,
        work: impl Fn(&mut Open) -> Result<T, Fault>,
    ) -> Result<T, CustodyError> {
        let mut tries = 0;
        loop {
            let start = self.module.starts();
            let fault = match self.once(seat, &work) {
                Ok(done) => return Ok(done),
                Err(fault @ Fault::Answer(_)) => return Err(fault.into_error()),
                Err(fault) => fault,
            };
            tries += 1;
            if tries == TRIES {
                return Err(fault.into_error());
            }
            if tries == TRIES - 1 {
                self.module.restart(start).map_err(Fault::into_error)?;
            }
        }
    }

    fn once<T>(&self, seat: &Seat, work: impl Fn(&mut Open) -> Result<T, Fault>) -> Result<T, Fault> {
        let started = self.module.started()?;
        let mut place = seat.take();
        let mut open = match place.take() {
            Some(open) => open,
            None => self.session(&started)?,
        };
        let result = work(&mut open);
        // A broken session is closed here, while the module is surely started.
        if !matches!(result, Err(Fault::Broken(..))) {
            *place = Some(open);
        }
        result
    }

    fn session(&self, started: &Started<'_>) -> Result<Open, Fault> {
        let library = started.library;
        let ours = |slot: &Slot| library.get_token_info(*slot).is_ok_and(|info| info.label().trim_end() == self.label);
        let slot = library.get_slots_with_token()?.into_iter().find(ours);
        let slot = slot.ok_or(Fault::Broken(Outage::NoToken, None))?;
        let session = library.open_rw_session(slot)?;
        self.pin.login(&session)?;
        Ok(Open {
            session,
            library: library.clone(),
            slot,
            label: self.label.clone(),
            keks: HashMap::new(),
            signing: HashMap::new(),
        })
    }
}
