//! One PKCS#11 module in this process: started, restarted, and the places of every session on it.
//!
//! `C_Initialize` and `C_Finalize` are the process's, not a caller's: two tokens of one module share it. A token that was pulled, a
//! network HSM that was away, or SoftHSM whose directory came back are seen by a fresh start alone. Must never know: what a
//! session does. Invariants: no call is in the module while it is finalised; no session of an earlier start is ever closed into a
//! later one, where its handle may be another's.

use super::{fault::Fault, token::Open};
use crate::{CustodyError, Outage};
use cryptoki::{
    context::{CInitializeArgs, CInitializeFlags, Pkcs11},
    error::RvError,
};
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{
        Arc, LazyLock, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

/// Modules stay loaded until the process ends: their own threads and exit handlers would not survive less.
static MODULES: LazyLock<Mutex<HashMap<PathBuf, Arc<Module>>>> = LazyLock::new(Mutex::default);

/// How long a restart waits for calls that are in the module.
const RESTART_TRIES: u32 = 100;
const RESTART_PAUSE: Duration = Duration::from_millis(10);

/// See the module.
pub(super) struct Module {
    library: Pkcs11,
    started: RwLock<bool>,
    starts: AtomicU64,
    seats: Mutex<Vec<Weak<Seat>>>,
}

/// A place for one session.
#[derive(Default)]
pub(super) struct Seat(Mutex<Option<Open>>);

impl Seat {
    /// The session, for one call; held together with [`Started`].
    pub(super) fn take(&self) -> MutexGuard<'_, Option<Open>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// While it is held, the module is started and stays so.
pub(super) struct Started<'a> {
    _guard: RwLockReadGuard<'a, bool>,
    /// The module's functions.
    pub(super) library: &'a Pkcs11,
}

impl Module {
    /// The module of this path, loaded at its first use.
    pub(super) fn load(path: &Path) -> Result<Arc<Self>, CustodyError> {
        let path = path.canonicalize().map_err(|_| CustodyError::Missing { path: path.to_owned() })?;
        let mut modules = MODULES.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(module) = modules.get(&path) {
            return Ok(Arc::clone(module));
        }
        let library = Pkcs11::new(&path).map_err(|_| CustodyError::Malformed { path: path.clone() })?;
        let module = Self { library, started: RwLock::new(false), starts: AtomicU64::new(0), seats: Mutex::default() };
        let module = Arc::new(module);
        modules.insert(path, Arc::clone(&module));
        Ok(module)
    }

    /// A new place for a session.
    pub(super) fn seat(&self) -> Arc<Seat> {
        let seat = Arc::new(Seat::default());
        let mut seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        seats.retain(|seat| seat.strong_count() > 0);
        seats.push(Arc::downgrade(&seat));
        seat
    }

    /// Which start this is; a session belongs to one.
    pub(super) fn starts(&self) -> u64 {
        self.starts.load(Ordering::SeqCst)
    }

    /// Starts the module where it is not, and keeps it so while the guard is held.
    pub(super) fn started(&self) -> Result<Started<'_>, Fault> {
        loop {
            let guard = self.started.read().unwrap_or_else(PoisonError::into_inner);
            if *guard {
                return Ok(Started { _guard: guard, library: &self.library });
            }
            drop(guard);
            self.restart(self.starts())?;
        }
    }

    /// Starts anew, unless that was done since start number `seen`. Every session of the process on this module ends.
    pub(super) fn restart(&self, seen: u64) -> Result<(), Fault> {
        let mut started = self.alone()?;
        if self.starts() != seen {
            return Ok(());
        }
        for seat in self.seats.lock().unwrap_or_else(PoisonError::into_inner).iter().filter_map(Weak::upgrade) {
            *seat.take() = None;
        }
        if std::mem::take(&mut *started) {
            // Whatever it says, what counts is whether it starts again.
            let _ = self.library.clone().finalize();
        }
        let options = CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK);
        match self.library.initialize(options) {
            Err(error) if super::fault::code(&error) != Some(RvError::CryptokiAlreadyInitialized) => {
                return Err(Fault::Broken(Outage::NoToken, Some(error)));
            }
            _ => {}
        }
        *started = true;
        self.starts.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    /// The module to ourselves. A call that hangs in it would keep us, and with us every other, so we do not wait for long.
    fn alone(&self) -> Result<RwLockWriteGuard<'_, bool>, Fault> {
        for _ in 0..RESTART_TRIES {
            match self.started.try_write() {
                Ok(guard) => return Ok(guard),
                Err(TryLockError::Poisoned(poisoned)) => return Ok(poisoned.into_inner()),
                Err(TryLockError::WouldBlock) => thread::sleep(RESTART_PAUSE),
            }
        }
        Err(Fault::Broken(Outage::Late, None))
    }
}
