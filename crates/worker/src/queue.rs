//! The bounded queue between the RPC side and the engine threads.
//!
//! Owns which jobs wait, which are shed and which are dropped because nobody waits for them any more. Must never know what
//! a job does. Invariants: admission is tried, never awaited; at most `capacity` jobs wait; a job whose caller hung up or
//! whose deadline passed never reaches an engine.

use crate::work::{Answer, Work};
use service::clock::Clock;
use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::oneshot;
use wire::reason::Reason;

/// One request on its way to an engine thread.
pub(crate) struct Job {
    /// What to do.
    pub(crate) work: Work,
    /// When the caller stops waiting, on the clock's monotonic scale.
    pub(crate) deadline: Duration,
    /// Where the answer goes; closed when the caller hung up.
    pub(crate) reply: oneshot::Sender<Result<Answer, Reason>>,
}

impl Job {
    fn why_dead(&self, now: Duration) -> Option<&'static str> {
        if self.reply.is_closed() {
            Some("hung_up")
        } else if now >= self.deadline {
            Some("deadline")
        } else {
            None
        }
    }
}

/// Why a job was not taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotAdmitted {
    /// As many jobs wait as may.
    Full,
    /// The worker is going down.
    Closed,
}

/// See the module.
pub(crate) struct Queue {
    state: Mutex<State>,
    wake: Condvar,
    capacity: usize,
    clock: Clock,
}

struct State {
    jobs: VecDeque<Job>,
    closed: bool,
}

impl Queue {
    /// An empty queue that holds `capacity` waiting jobs; none is taken as one.
    pub(crate) fn new(capacity: usize, clock: Clock) -> Self {
        let state = State { jobs: VecDeque::new(), closed: false };
        Self { state: Mutex::new(state), wake: Condvar::new(), capacity: capacity.max(1), clock }
    }

    /// Lets the job wait if there is room, after clearing out those that nobody waits for.
    pub(crate) fn offer(&self, job: Job) -> Result<(), NotAdmitted> {
        let mut state = self.lock();
        if state.closed {
            return Err(NotAdmitted::Closed);
        }
        if state.jobs.len() >= self.capacity {
            let now = self.clock.monotonic();
            state.jobs.retain(|waiting| keep(waiting, now));
        }
        if state.jobs.len() >= self.capacity {
            metrics::counter!("worker_shed_total").increment(1);
            return Err(NotAdmitted::Full);
        }
        state.jobs.push_back(job);
        self.report(&state);
        self.wake.notify_one();
        Ok(())
    }

    /// Waits for the next job that somebody still waits for; `None` once the queue is closed and empty.
    pub(crate) fn take(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            while let Some(job) = state.jobs.pop_front() {
                self.report(&state);
                if keep(&job, self.clock.monotonic()) {
                    return Some(job);
                }
            }
            if state.closed {
                return None;
            }
            state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Takes nothing more in; what waits is still served.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.wake.notify_all();
    }

    /// Takes nothing more in and turns away what waits: nobody is left to serve it.
    pub(crate) fn give_up(&self) {
        let waiting = {
            let mut state = self.lock();
            state.closed = true;
            std::mem::take(&mut state.jobs)
        };
        for job in waiting {
            // Whoever hung up needs no answer.
            let _ = job.reply.send(Err(Reason::UnavailableWorker));
        }
        self.wake.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[expect(clippy::cast_precision_loss, reason = "a queue is short")]
    fn report(&self, state: &State) {
        metrics::gauge!("worker_queue_depth").set(state.jobs.len() as f64);
    }
}

fn keep(job: &Job, now: Duration) -> bool {
    let dead = job.why_dead(now);
    if let Some(why) = dead {
        metrics::counter!("worker_jobs_dropped_total", "why" => why).increment(1);
    }
    dead.is_none()
}
