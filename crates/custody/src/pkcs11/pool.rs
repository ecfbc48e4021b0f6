//! The threads on which a module is called: one a session. Callers wait on a channel, and not past the deadline.
//!
//! A call that hangs in the module cannot be cut short; its thread stays with it and goes on when it returns, while callers have
//! long been answered. Must never know: what a job does. Invariants: a job whose caller has gone is not begun; whoever drops the pool
//! waits, no longer than for a call, until its threads are out of the module, because a process that ends with a thread in there
//! may crash in the module's exit handlers.

use super::{
    fault::Fault,
    module::Seat,
    token::{Open, Token},
};
use crate::{CustodyError, Outage};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

/// Jobs that may wait; more callers than a process has threads for.
const WAITING: usize = 1024;

type Job = Box<dyn FnOnce(&Token, &Seat) + Send>;

/// See the module.
pub(super) struct Pool {
    /// `None` at the end, which ends the threads.
    jobs: Option<SyncSender<Job>>,
    /// Closed once every thread has ended.
    ended: Mutex<Receiver<()>>,
    timeout: Duration,
}

impl Pool {
    pub(super) fn start(token: Token, sessions: usize, timeout: Duration) -> Result<Self, CustodyError> {
        let (jobs, waiting) = sync_channel(WAITING);
        let (token, waiting) = (Arc::new(token), Arc::new(Mutex::new(waiting)));
        let (alive, ended) = sync_channel(0);
        for number in 0..sessions {
            let (token, waiting, alive) = (Arc::clone(&token), Arc::clone(&waiting), alive.clone());
            let thread = thread::Builder::new().name(format!("pkcs11-{number}"));
            let spawned = thread.spawn(move || {
                serve(&token, &waiting);
                drop(alive);
            });
            spawned.map_err(|error| CustodyError::outage(Outage::Failed, error))?;
        }
        Ok(Self { jobs: Some(jobs), ended: Mutex::new(ended), timeout })
    }

    /// Does `work` on a session and gives its result, or says that it took too long.
    pub(super) fn call<T: Send + 'static>(
        &self,
        work: impl Fn(&mut Open) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, CustodyError> {
        let (reply, answer) = sync_channel(1);
        let gone = Arc::new(AtomicBool::new(false));
        let caller = Arc::clone(&gone);
        let job: Job = Box::new(move |token, seat| {
            if !caller.load(Ordering::SeqCst) {
                // A caller that has gone meanwhile needs no answer.
                let _ = reply.send(token.attend(seat, &work));
            }
        });
        self.jobs.as_ref().ok_or(Outage::Late)?.try_send(job).map_err(|_| Outage::Late)?;
        answer.recv_timeout(self.timeout).unwrap_or_else(|_| {
            gone.store(true, Ordering::SeqCst);
            Err(Outage::Late.into())
        })
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.jobs = None;
        let ended = self.ended.get_mut().unwrap_or_else(PoisonError::into_inner);
        // Nobody sends: it returns when the last thread has ended, or in time.
        let _ = ended.recv_timeout(self.timeout);
    }
}

fn serve(token: &Token, waiting: &Mutex<Receiver<Job>>) {
    let seat = token.seat();
    loop {
        let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = next else { return token.leave(&seat) };
        if catch_unwind(AssertUnwindSafe(|| job(token, &seat))).is_err() {
            tracing::error!(alarm = true, "a PKCS#11 call panicked; its session is given up");
            *seat.take() = None;
        }
    }
}
