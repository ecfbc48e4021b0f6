//! The engine threads: each owns one engine, takes one job at a time and does all of it before the next.
//!
//! Owns start, self-test, a fresh engine after a panic, and the end of the threads. Must never know what a job decides.
//! Invariants: an engine that has not passed its self-test takes no job; where no engine is left, nobody waits for one.

use crate::{
    StartError,
    queue::{Job, Queue},
    room::Room,
};
use service::Readiness;
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread::{self, JoinHandle},
};
use vision::Engine;
use wire::reason::Reason;

/// The running threads.
pub(crate) struct Engines(Vec<JoinHandle<()>>);

/// Where the threads take their jobs, and how many of them still do.
#[derive(Clone)]
pub(crate) struct Line {
    queue: Arc<Queue>,
    readiness: Readiness,
    alive: Arc<AtomicUsize>,
}

impl Line {
    /// A line for `threads` engines.
    pub(crate) fn new(queue: &Arc<Queue>, readiness: &Readiness, threads: usize) -> Self {
        Self { queue: Arc::clone(queue), readiness: readiness.clone(), alive: Arc::new(AtomicUsize::new(threads)) }
    }

    /// One engine is gone for good. With the last one the worker takes no more work and says so, rather than let
    /// captures wait for their deadline, which would cost their subjects a strike each.
    pub(crate) fn leave(&self) {
        if self.alive.fetch_sub(1, Ordering::SeqCst) == 1 {
            tracing::error!(alarm = true, "no engine is left; this worker takes no more work");
            self.readiness.set_draining();
            self.queue.give_up();
        }
    }
}

impl Engines {
    /// Starts `threads` engines and returns when every one has passed its self-test, or with the first failure.
    pub(crate) fn start(threads: usize, room: &Arc<Room>, line: &Line) -> Result<Self, StartError> {
        let (report, reports) = mpsc::channel();
        let mut handles = Vec::with_capacity(threads);
        for number in 0..threads {
            let (room, line, report) = (Arc::clone(room), line.clone(), report.clone());
            let body = move || {
                let made = make_engine(&room);
                let engine = match made {
                    Ok(engine) => {
                        let _ = report.send(Ok(()));
                        engine
                    }
                    Err(error) => {
                        let _ = report.send(Err(error));
                        return;
                    }
                };
                drop(report);
                serve(engine, &room, &line);
            };
            handles
                .push(thread::Builder::new().name(format!("engine-{number}")).spawn(body).map_err(StartError::Thread)?);
        }
        drop(report);
        for outcome in reports {
            if let Err(error) = outcome {
                line.queue.close();
                return Err(error);
            }
        }
        Ok(Self(handles))
    }

    /// Waits until the queue is closed and served.
    pub(crate) fn join(self) {
        for handle in self.0 {
            let _ = handle.join();
        }
    }
}

fn make_engine(room: &Room) -> Result<Engine, StartError> {
    let mut engine = room.make_engine()?;
    engine.self_test()?;
    Ok(engine)
}

fn serve(mut engine: Engine, room: &Room, line: &Line) {
    while let Some(job) = line.queue.take() {
        let Job { work, deadline, reply } = job;
        // A panic leaves the engine in an unknown state: the caller gets INTERNAL, the engine is made anew.
        let (purpose, begun) = (work.purpose(), room.clock.monotonic());
        let outcome = catch_unwind(AssertUnwindSafe(|| room.run(&mut engine, work, deadline)));
        let took = room.clock.monotonic().saturating_sub(begun);
        metrics::histogram!("worker_job_seconds", "purpose" => purpose).record(took.as_secs_f64());
        if let Ok(answer) = outcome {
            let _ = reply.send(answer);
            continue;
        }
        tracing::error!("an engine thread panicked; making a new engine");
        metrics::counter!("worker_engine_panics_total").increment(1);
        let _ = reply.send(Err(Reason::Internal));
        match make_engine(room) {
            Ok(fresh) => engine = fresh,
            Err(error) => {
                tracing::error!(error = %error, "no new engine; this thread ends");
                return line.leave();
            }
        }
    }
}
