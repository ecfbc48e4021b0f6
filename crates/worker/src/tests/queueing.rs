//! The queue: what is shed, what is dropped, and that models run for neither.

use crate::{
    engines::Line,
    queue::{Job, NotAdmitted, Queue},
    work::{Answer, Capture, Work},
};
use service::{Clock, Readiness};
use std::{sync::Arc, time::Duration};
use tokio::sync::oneshot;
use wire::{Reason, v1};

type Reply = oneshot::Receiver<Result<Answer, Reason>>;

fn job(deadline_s: u64) -> (Job, Reply) {
    let (reply, answer) = oneshot::channel();
    let work = Work::Enroll { context: v1::AttemptContext::default(), capture: Capture::new(Vec::new()) };
    (Job { work, deadline: Duration::from_secs(deadline_s), reply }, answer)
}

#[test]
fn a_full_queue_sheds_at_once() {
    let queue = Queue::new(2, Clock::manual(0));
    let kept: Vec<_> = (0..2).map(|_| job(10)).collect();
    let answers: Vec<Reply> =
        kept.into_iter().map(|(job, answer)| queue.offer(job).map(|()| answer).unwrap()).collect();
    let (third, _answer) = job(10);
    assert_eq!(queue.offer(third), Err(NotAdmitted::Full));
    assert!(queue.take().is_some());
    let (fourth, _answer) = job(10);
    assert_eq!(queue.offer(fourth), Ok(()), "a place is free again");
    drop(answers);
}

#[test]
fn a_job_whose_caller_hung_up_makes_room_and_is_never_taken() {
    let queue = Queue::new(1, Clock::manual(0));
    let (gone, answer) = job(10);
    queue.offer(gone).unwrap();
    drop(answer);
    let (waiting, _answer) = job(20);
    assert_eq!(queue.offer(waiting), Ok(()));
    assert_eq!(queue.take().map(|job| job.deadline), Some(Duration::from_secs(20)));
}

#[test]
fn a_job_past_its_deadline_is_never_taken() {
    let clock = Clock::manual(0);
    let queue = Queue::new(4, clock.clone());
    let ((late, late_answer), (early, _answer)) = (job(10), job(60));
    queue.offer(late).unwrap();
    queue.offer(early).unwrap();
    clock.advance(Duration::from_secs(10));
    assert_eq!(queue.take().map(|job| job.deadline), Some(Duration::from_secs(60)));
    assert!(late_answer.blocking_recv().is_err(), "its reply was dropped");
}

#[test]
fn a_closed_queue_serves_what_waits_and_admits_nothing() {
    let queue = Queue::new(4, Clock::manual(0));
    let (waiting, _answer) = job(10);
    queue.offer(waiting).unwrap();
    queue.close();
    let (late, _answer) = job(10);
    assert_eq!(queue.offer(late), Err(NotAdmitted::Closed));
    assert!(queue.take().is_some());
    assert!(queue.take().is_none());
}

#[test]
fn when_the_last_engine_leaves_nobody_waits_for_one() {
    let (queue, readiness) = (Arc::new(Queue::new(4, Clock::manual(0))), Readiness::starting());
    readiness.set_ready();
    let line = Line::new(&queue, &readiness, 2);
    let (waiting, answer) = job(10);
    queue.offer(waiting).unwrap();
    line.leave();
    assert!(readiness.is_ready(), "one engine is left");
    line.leave();
    assert!(matches!(answer.blocking_recv(), Ok(Err(Reason::UnavailableWorker))));
    assert!(readiness.is_draining() && queue.take().is_none());
    assert_eq!(queue.offer(job(10).0), Err(NotAdmitted::Closed));
}

#[test]
fn a_queue_of_no_places_has_one() {
    let queue = Queue::new(0, Clock::manual(0));
    let (only, _answer) = job(10);
    assert_eq!(queue.offer(only), Ok(()));
    assert_eq!(queue.offer(job(10).0), Err(NotAdmitted::Full));
}
