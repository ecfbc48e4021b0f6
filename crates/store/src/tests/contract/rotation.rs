//! Leases of the leader, jobs, and what a rotation may do to rows: nothing lost, nothing twice, nothing below the floor.

use super::*;
use crate::{
    BatchResult, Candidate, FenceResult, Job, JobKind, JobState, NewJob, QueueResult, Rewrapped, Step, WrappedDek,
};

fn candidate(number: u128, lease_ms: u32) -> Candidate {
    Candidate { task: "jobs", holder: uuid::Uuid::from_u128(number), lease_ms }
}

fn rotation(f: &Fixture) -> NewJob<'static> {
    NewJob { tenant: f.tenant, kind: JobKind::RotateKek, cause: None, users: None, requested_by: "test" }
}

async fn queued(f: &Fixture) -> Job {
    let QueueResult::Queued(id) = f.store.queue_job(rotation(f)).await.unwrap() else { panic!("not queued") };
    f.store.job(id).await.unwrap().unwrap()
}

async fn again(f: &Fixture, job: &Job) -> Job {
    f.store.job(job.id).await.unwrap().unwrap()
}

/// A rotation to version 2 that stands before its first batch.
async fn rewrapping(f: &Fixture) -> Job {
    let job = queued(f).await;
    assert!(f.store.begin_job(&job).await.unwrap());
    let job = again(f, &job).await;
    assert!(f.store.kek_made(&job, 2).await.unwrap());
    let new = TenantSecretsRow { kek_version: 2, transform_key: vec![3; 60], pseudonym_key: vec![4; 60] };
    assert!(f.store.exchange_secrets(f.tenant, 1, &new, None).await.unwrap());
    assert!(!f.store.exchange_secrets(f.tenant, 1, &new, None).await.unwrap(), "only where they are what was read");
    again(f, &job).await
}

fn wrapped_anew(batch: &[WrappedDek]) -> Vec<Rewrapped> {
    batch.iter().map(|old| Rewrapped { old: old.clone(), wrapped: vec![9; old.wrapped.len()] }).collect()
}

/// Exchanges everything that is left, batch by batch.
async fn pass(f: &Fixture, job: &Job) -> Job {
    let mut job = job.clone();
    loop {
        let batch = f.store.deks_below(&job, 2, 2).await.unwrap();
        let Some(last) = batch.last() else { return job };
        let done = f.store.exchange_deks(&job, &wrapped_anew(&batch), (2, &last.user)).await.unwrap();
        assert_eq!(done, BatchResult::Committed { exchanged: batch.len() as u64 });
        job = again(f, &job).await;
    }
}

#[tokio::test]
async fn whoever_asks_for_a_second_rotation_hears_of_the_first_however_many_jobs_came_after_it() {
    let f = fixture().await;
    let QueueResult::Queued(first) = f.store.queue_job(rotation(&f)).await.unwrap() else { panic!("not queued") };
    f.sql_of(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1001)
         INSERT INTO jobs (id, tenant, kind, state, step, resume_after, total, done, every_user, requested_by, created_at_ms)
         SELECT randomblob(16), tenant, 'EXPIRE_REFERENCES', 'DONE', 'PROVE', '', 0, 0, 1, 'test', created_at_ms + i FROM jobs, n",
        "INSERT INTO jobs (id, tenant, kind, state, step, resume_after, total, done, every_user, requested_by, created_at_ms)
         SELECT gen_random_uuid(), tenant, 'EXPIRE_REFERENCES', 'DONE', 'PROVE', '', 0, 0, every_user, 'test', created_at_ms + i
         FROM jobs, generate_series(1, 1001) AS i",
    )
    .await;
    assert_eq!(f.store.queue_job(rotation(&f)).await.unwrap(), QueueResult::RunsAlready(first));
    f.store.cancel_job(&f.store.job(first).await.unwrap().unwrap(), "test").await.unwrap();
    assert!(matches!(f.store.queue_job(rotation(&f)).await.unwrap(), QueueResult::Queued(id) if id != first));
    let nobody = NewJob { tenant: TenantId::new(uuid::Uuid::from_u128(77)), ..rotation(&f) };
    assert_eq!(f.store.queue_job(nobody).await.unwrap(), QueueResult::UnknownTenant);
}

#[tokio::test]
async fn one_leads_until_its_lease_ends_by_the_databases_clock() {
    let f = fixture().await;
    let (first, second) = (candidate(1, 60_000), candidate(2, 60_000));
    assert!(f.store.lead(first).await.unwrap());
    assert!(!f.again().await.lead(second).await.unwrap());
    assert!(f.store.lead(first).await.unwrap(), "renewed");
    f.sql("UPDATE leaders SET until_ms = 1").await;
    assert!(f.store.lead(second).await.unwrap(), "a dead leader's work is taken over");
    assert!(!f.store.lead(first).await.unwrap());
    f.store.resign(first).await.unwrap();
    assert!(!f.store.lead(first).await.unwrap(), "nobody resigns for another");
    f.store.resign(second).await.unwrap();
    assert!(f.store.lead(first).await.unwrap());
}

#[tokio::test]
async fn a_tenant_has_one_rotation_at_a_time() {
    let f = fixture().await;
    f.enroll("alice", 1).await;
    let job = queued(&f).await;
    assert_eq!((job.state, job.step, job.total, job.kek_from), (JobState::Queued, Step::MakeKey, 1, Some(1)));
    assert_eq!(f.store.queue_job(rotation(&f)).await.unwrap(), QueueResult::RunsAlready(job.id));
    let nobody = NewJob { tenant: TenantId::new(make_id().unwrap()), ..rotation(&f) };
    assert_eq!(f.store.queue_job(nobody).await.unwrap(), QueueResult::UnknownTenant);
    assert!(f.store.begin_job(&job).await.unwrap() && !f.store.begin_job(&job).await.unwrap(), "begun once");
    assert!(f.store.cancel_job(&job, "test").await.unwrap() && !f.store.cancel_job(&job, "test").await.unwrap());
    assert!(matches!(f.store.queue_job(rotation(&f)).await.unwrap(), QueueResult::Queued(_)));
    assert_eq!(f.store.audit_count(f.tenant, "job.requested").await.unwrap(), 2);
    assert_eq!(f.store.open_jobs(10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_batch_is_done_once_whoever_believes_to_lead() {
    let f = fixture().await;
    for (name, mark) in [("alice", 1), ("bob", 2), ("carol", 3)] {
        f.enroll(name, mark).await;
    }
    let job = rewrapping(&f).await;
    let batch = f.store.deks_below(&job, 2, 2).await.unwrap();
    let exchange = async || f.store.exchange_deks(&job, &wrapped_anew(&batch), (2, &batch[1].user)).await.unwrap();
    assert_eq!(exchange().await, BatchResult::Committed { exchanged: 2 });
    assert_eq!(exchange().await, BatchResult::Superseded, "the same step from a process that was taken for dead");
    let job = again(&f, &job).await;
    assert_eq!((job.done, job.resume_after.as_str()), (2, "bob"));
    let row = f.store.reference(f.tenant, &user("alice")).await.unwrap().unwrap();
    assert_eq!((row.kek_version, row.wrapped_dek), (2, vec![9; 60]));
    assert_eq!(f.number("SELECT count(*) AS number FROM sealed_references WHERE kek_version = 1").await, 1);
}

#[tokio::test]
async fn a_row_that_was_erased_or_made_anew_meanwhile_is_neither_raised_nor_overwritten() {
    let f = fixture().await;
    for (name, mark) in [("alice", 1), ("bob", 2), ("carol", 3)] {
        f.enroll(name, mark).await;
    }
    let job = rewrapping(&f).await;
    let batch = f.store.deks_below(&job, 2, 10).await.unwrap();
    erase(&f, "alice").await;
    erase(&f, "bob").await;
    let anew = f.enroll("bob", 7).await;
    let done = f.store.exchange_deks(&job, &wrapped_anew(&batch), (2, &batch[2].user)).await.unwrap();
    assert_eq!(done, BatchResult::Committed { exchanged: 1 }, "carol alone is what was read");
    assert!(f.store.reference(f.tenant, &user("alice")).await.unwrap().is_none());
    let bob = f.store.reference(f.tenant, &user("bob")).await.unwrap().unwrap();
    assert_eq!((bob.id, bob.kek_version, bob.wrapped_dek), (anew.id, 1, anew.wrapped_dek));
    let left = f.store.fence(&again(&f, &job).await, 2).await.unwrap();
    assert_eq!(left, FenceResult::Leftover { rows: 1 }, "bob came under the old version");
    let job = pass(&f, &again(&f, &job).await).await;
    assert_eq!(f.store.fence(&job, 2).await.unwrap(), FenceResult::Fenced);
}

#[tokio::test]
async fn below_the_floor_nothing_is_stored_and_above_it_nothing_is_recorded_as_destroyed() {
    let f = fixture().await;
    f.enroll("alice", 1).await;
    let in_flight = f.open(&f.challenge("bob", Purpose::Enroll).await).await;
    let job = pass(&f, &rewrapping(&f).await).await;
    let gone = Store::destruction_of(&job, 1, ("file", 1)).unwrap();
    assert!(matches!(f.store.kek_destroyed(gone.clone()).await, Err(StoreError::Misuse(_))), "before the fence");
    assert_eq!(f.store.fence(&job, 2).await.unwrap(), FenceResult::Fenced);
    let job = again(&f, &job).await;
    assert_eq!((job.step, f.store.attempts_before_fence(&job).await.unwrap()), (Step::Drain, 1));

    let outcome = RecordOutcome { reference: Some(sealed(2)), ..outcome(&in_flight, Settlement::Reset) };
    let late = f.store.record_outcome(outcome.clone()).await.unwrap();
    assert!(matches!(late, RecordResult::KekRetired), "sealed under a key that is about to go");
    assert!(f.store.reference(f.tenant, &user("bob")).await.unwrap().is_none());
    f.store.release_attempt(f.tenant, in_flight.lease_id).await.unwrap();
    assert_eq!(f.store.attempts_before_fence(&job).await.unwrap(), 0);

    assert!(f.store.drained(&job).await.unwrap() && !f.store.drained(&job).await.unwrap());
    assert_eq!(f.store.keks_to_destroy(f.tenant, 2).await.unwrap(), [1]);
    f.store.kek_destroyed(gone.clone()).await.unwrap();
    f.store.kek_destroyed(Store::destruction_of(&job, 1, ("file", 2)).unwrap()).await.unwrap();
    assert_eq!(f.store.kek_destructions(f.tenant).await.unwrap(), [gone], "recorded once");
    assert_eq!(f.store.audit_count(f.tenant, "kek.destroyed").await.unwrap(), 1);
    assert!(f.store.rotated(&again(&f, &job).await).await.unwrap());
    let done = again(&f, &job).await;
    assert_eq!((done.state, done.done, done.total), (JobState::Done, 1, 1));
    assert!(matches!(f.store.queue_job(rotation(&f)).await.unwrap(), QueueResult::Queued(_)));
}
