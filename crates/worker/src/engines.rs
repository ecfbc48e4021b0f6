//! The engine threads: each owns one engine, takes one job at a time and does all of it before the next.
//!
//! Owns start, self-test, a fresh engine after a panic, and the end of the threads. Must never know what a job decides.
//! Invariant: an engine that has not passed its self-test takes no job.

use crate::{
    StartError,
    queue::{Job, Queue},
    room::Room,
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, mpsc},
    thread::{self, JoinHandle},
};
use vision::Engine;
use wire::reason::Reason;

/// The running threads.
pub(crate) struct Engines(Vec<JoinHandle<()>>);

impl Engines {
    /// Starts `threads` engines and returns when every one has passed its self-test, or with the first failure.
    pub(crate) fn start(threads: usize, room: &Arc<Room>, queue: &Arc<Queue>) -> Result<Self, StartError> {
        let (report, reports) = mpsc::channel();
        let mut handles = Vec::with_capacity(threads);
        for number in 0..threads {
            let (room, queue, report) = (Arc::clone(room), Arc::clone(queue), report.clone());
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
                serve(engine, &room, &queue);
            };
            handles
                .push(thread::Builder::new().name(format!("engine-{number}")).spawn(body).map_err(StartError::Thread)?);
        }
        drop(report);
        for outcome in reports {
            if let Err(error) = outcome {
                queue.close();
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

fn serve(mut engine: Engine, room: &Room, queue: &Queue) {
    while let Some(job) = queue.take() {
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
                return;
            }
        }
    }
}
