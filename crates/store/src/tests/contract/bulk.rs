//! Erasure by jobs, expiry, and legal holds that stand in the way of both.

use super::*;
use crate::{
    EraseBatch, Job, JobKind, JobState, NewHold, NewJob, Provable, ProveBatch, QueueResult, ReleaseHold,
    holds::notice_due_ms,
};

async fn began(f: &Fixture, kind: JobKind, users: Option<&[UserId]>) -> Job {
    let cause = (kind == JobKind::DeleteReferences).then_some("closing");
    let new = NewJob { tenant: f.tenant, kind, cause, users, requested_by: "test" };
    let QueueResult::Queued(id) = f.store.queue_job(new).await.unwrap() else { panic!("not queued") };
    f.store.begin_job(&f.store.job(id).await.unwrap().unwrap()).await.unwrap();
    f.store.job(id).await.unwrap().unwrap()
}

/// Runs the job to its end, one user a batch; answers how many were erased and held.
async fn run(f: &Fixture, job: &Job) -> (u64, u64) {
    let mut sum = (0, 0);
    loop {
        let now = f.store.job(job.id).await.unwrap().unwrap();
        match f.store.erase_batch(&now, 1).await.unwrap() {
            EraseBatch::Committed { erased, held } => sum = (sum.0 + erased, sum.1 + held),
            EraseBatch::Through => break,
            EraseBatch::Superseded => panic!("superseded"),
        }
    }
    let checkpoint = f.store.checkpoint().await.unwrap();
    let proving = f.store.job(job.id).await.unwrap().unwrap();
    let provable = Provable { checkpoint, journaled_only: false };
    while let ProveBatch::Proved(_) = f.store.prove_batch(&proving, provable, 1).await.unwrap() {}
    assert_eq!(f.store.job(job.id).await.unwrap().unwrap().state, JobState::Done);
    sum
}

async fn held(f: &Fixture, name: &str) -> crate::Hold {
    let user = user(name);
    f.store.place_hold(NewHold { tenant: f.tenant, user: &user, matter: "case 7", placed_by: "test" }).await.unwrap()
}

#[tokio::test]
async fn a_list_of_users_is_erased_once_and_each_deletion_is_proved() {
    let f = fixture().await;
    for (name, mark) in [("alice", 1), ("bob", 2), ("carol", 3)] {
        f.enroll(name, mark).await;
    }
    let users = [user("carol"), user("alice"), user("nobody"), user("alice")];
    let job = began(&f, JobKind::DeleteReferences, Some(&users)).await;
    assert_eq!(run(&f, &job).await, (2, 0));
    assert!(f.store.reference(f.tenant, &user("bob")).await.unwrap().is_some(), "not on the list");
    let proved = f.store.proved_deletions((f.tenant, Some(job.id)), None, 10).await.unwrap();
    let of: Vec<_> = proved.iter().map(|(erased, ..)| (erased.cause.as_str(), erased.job)).collect();
    assert_eq!(of, [("closing", Some(job.id)); 2]);
    let second = f.store.proved_deletions((f.tenant, Some(job.id)), Some(proved[0].0.deletion_id), 10).await.unwrap();
    assert_eq!(second, proved[1..], "page by page");
    assert_eq!(f.store.audit_count(f.tenant, "deletion.proved").await.unwrap(), 2);
    assert_eq!(f.store.pending_deletions(10).await.unwrap(), []);
}

#[tokio::test]
async fn a_batch_of_erasures_is_done_once_whoever_believes_to_lead() {
    let f = fixture().await;
    f.enroll("alice", 1).await;
    f.enroll("bob", 2).await;
    let job = began(&f, JobKind::DeleteReferences, None).await;
    assert_eq!(f.store.erase_batch(&job, 1).await.unwrap(), EraseBatch::Committed { erased: 1, held: 0 });
    assert_eq!(f.store.erase_batch(&job, 1).await.unwrap(), EraseBatch::Superseded);
    assert!(f.store.reference(f.tenant, &user("bob")).await.unwrap().is_some(), "rolled back");
    assert_eq!(run(&f, &job).await, (1, 0));
}

#[tokio::test]
async fn what_outlived_its_window_expires_and_what_was_used_since_stays() {
    let f = fixture().await;
    for (name, mark) in [("alice", 1), ("bob", 2), ("carol", 3)] {
        f.enroll(name, mark).await;
    }
    assert_eq!(f.store.tenants_to_expire().await.unwrap(), []);
    f.sql("UPDATE sealed_references SET created_at_ms = 1 WHERE user_id <> 'carol'").await;
    f.verify("bob", Settlement::Reset).await;
    assert_eq!(f.store.tenants_to_expire().await.unwrap(), [f.tenant], "three years under BIPA, the default");
    let job = began(&f, JobKind::ExpireReferences, None).await;
    assert_eq!((job.total, run(&f, &job).await), (1, (1, 0)));
    assert!(f.store.reference(f.tenant, &user("alice")).await.unwrap().is_none());
    assert!(f.store.reference(f.tenant, &user("bob")).await.unwrap().is_some());
    let proved = f.store.proved_deletions((f.tenant, Some(job.id)), None, 10).await.unwrap();
    assert_eq!(proved[0].0.cause, "retention");

    f.put_policy(Policy { bipa: false, ..Policy::testing() }).await;
    f.sql("UPDATE sealed_references SET created_at_ms = 1, last_used_at_ms = 1").await;
    assert_eq!(f.store.tenants_to_expire().await.unwrap(), [], "without a window nothing expires");
}

#[tokio::test]
async fn a_hold_stands_in_the_way_of_every_erasure_and_its_release_does_what_waited() {
    let f = fixture().await;
    f.enroll("alice", 1).await;
    let hold = held(&f, "alice").await;
    assert_eq!(held(&f, "alice").await, hold, "the same matter is one hold");
    let asked = f.store.erase(f.tenant, &user("alice"), "user-request").await.unwrap();
    assert_eq!(asked, EraseResult::Held);
    let job = began(&f, JobKind::DeleteReferences, None).await;
    assert_eq!(run(&f, &job).await, (0, 1));
    f.sql("UPDATE sealed_references SET created_at_ms = 1").await;
    assert_eq!(f.store.tenants_to_expire().await.unwrap(), [], "what waits is not asked for again and again");
    let replace = NewChallenge { replace: true, ..new_challenge(f.tenant, "alice", Purpose::Enroll) };
    let replace = f.create(replace).await;
    assert_eq!(f.refused(open_of(&replace)).await, OpenRefused::LegalHold);
    assert_eq!(f.store.audit_count(f.tenant, "deletion.held").await.unwrap(), 2);
    f.verify("alice", Settlement::Reset).await;
    f.store.note_hold_access(f.tenant, &user("alice"), "GET_REFERENCE").await.unwrap();
    assert_eq!(f.store.audit_count(f.tenant, "hold.access").await.unwrap(), 2, "each look at held data");

    let other = f.store.holds(f.tenant, true, 10).await.unwrap();
    assert_eq!(other, std::slice::from_ref(&hold));
    let released = f.store.release_hold(f.tenant, hold.id, "test").await.unwrap();
    assert_eq!(released, ReleaseHold::Released { erased: true, still_held: false });
    assert_eq!(f.store.release_hold(f.tenant, hold.id, "test").await.unwrap(), ReleaseHold::Unknown);
    assert!(f.store.reference(f.tenant, &user("alice")).await.unwrap().is_none());
    let again = f.store.erase(f.tenant, &user("alice"), "user-request").await.unwrap();
    assert!(matches!(again, EraseResult::Erased(erased) if erased.cause == "user-request"), "the first one's cause");
    f.store.note_hold_access(f.tenant, &user("alice"), "GET_REFERENCE").await.unwrap();
    assert_eq!(f.store.audit_count(f.tenant, "hold.access").await.unwrap(), 2, "no hold, no entry");
}

#[tokio::test]
async fn of_two_holds_the_last_one_counts_and_an_enrollment_under_way_may_not_replace() {
    let f = fixture().await;
    f.enroll("alice", 1).await;
    let replace = NewChallenge { replace: true, ..new_challenge(f.tenant, "alice", Purpose::Enroll) };
    let opened = f.open(&f.create(replace).await).await;
    let first = held(&f, "alice").await;
    let alice = user("alice");
    let new = NewHold { tenant: f.tenant, user: &alice, matter: "case 8", placed_by: "test" };
    let second = f.store.place_hold(new).await.unwrap();
    let outcome = RecordOutcome { reference: Some(sealed(2)), ..outcome(&opened, Settlement::Reset) };
    assert!(matches!(f.store.record_outcome(outcome).await.unwrap(), RecordResult::LegalHold));
    let released = f.store.release_hold(f.tenant, first.id, "test").await.unwrap();
    assert_eq!(released, ReleaseHold::Released { erased: false, still_held: true });
    assert_eq!(f.store.erase(f.tenant, &alice, "user-request").await.unwrap(), EraseResult::Held);
    let released = f.store.release_hold(f.tenant, second.id, "test").await.unwrap();
    assert_eq!(released, ReleaseHold::Released { erased: true, still_held: false });
}

#[test]
fn a_tenant_is_told_by_the_end_of_the_fifth_business_day() {
    const DAY: i64 = 86_400_000;
    // 2026-11-23 was a Monday: day 20,780 of the epoch.
    let monday = 20_780 * DAY;
    assert_eq!(notice_due_ms(monday), (20_780 + 8) * DAY - 1, "Monday of the next week");
    assert_eq!(notice_due_ms(monday + 4 * DAY), (20_780 + 12) * DAY - 1, "Friday to Friday");
    assert_eq!(notice_due_ms(monday + 5 * DAY), (20_780 + 12) * DAY - 1, "Saturday counts from Monday");
    assert_eq!(notice_due_ms(monday + 6 * DAY + 1), (20_780 + 12) * DAY - 1, "Sunday too");
}
