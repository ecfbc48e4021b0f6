//! Two references of one user: begun and ended inside T2, and everything that ends a reference ends both.

use super::*;
use crate::{
    Chain, EraseBatch, FenceResult, Job, JobKind, JobState, NewHold, NewJob, QueueResult, ReleaseHold, Rewrapped, Step,
    Succession,
};

/// A reference of the new recogniser.
fn newer(mark: u8) -> SealedRow {
    SealedRow { feature_space: "space-2".into(), ..sealed(mark) }
}

async fn there(f: &Fixture, name: &str) -> (Option<ReferenceId>, Option<ReferenceId>) {
    let found = f.store.references(f.tenant, &user(name)).await.unwrap();
    let successor = found.as_ref().and_then(|found| found.successor.as_ref()).map(|row| row.id);
    (found.map(|found| found.reference.id), successor)
}

async fn verifying(f: &Fixture, name: &str) -> Opened {
    f.open(&f.challenge(name, Purpose::Verify).await).await
}

fn begins(opened: &Opened, new: &SealedRow) -> RecordOutcome {
    let succession = Succession::Begins {
        reference: opened.reference.as_ref().unwrap().id,
        over: opened.successor.as_ref().map(|row| row.id),
        successor: Box::new(new.clone()),
    };
    RecordOutcome { succession: Some(succession), ..outcome(opened, Settlement::Reset) }
}

fn ends(opened: &Opened) -> RecordOutcome {
    let (reference, successor) = (opened.reference.as_ref().unwrap().id, opened.successor.as_ref().unwrap().id);
    let succession = Some(Succession::Ends { reference, successor });
    RecordOutcome { succession, ..outcome(opened, Settlement::Reset) }
}

/// A user with a reference of either recogniser.
async fn two(f: &Fixture, name: &str, mark: u8) -> (SealedRow, SealedRow) {
    let (old, new) = (f.enroll(name, mark).await, newer(mark + 100));
    f.record(begins(&verifying(f, name).await, &new)).await;
    (old, new)
}

async fn causes(f: &Fixture) -> Vec<(ReferenceId, String)> {
    let mut pending = f.store.pending_deletions(10).await.unwrap();
    pending.sort_by_key(|erased| erased.commitment);
    pending.into_iter().map(|erased| (erased.reference_id, erased.cause)).collect()
}

async fn begun(f: &Fixture, kind: JobKind) -> Job {
    let cause = (kind == JobKind::DeleteReferences).then_some("closing");
    let new = NewJob { tenant: f.tenant, kind, cause, users: None, requested_by: "test" };
    let QueueResult::Queued(id) = f.store.queue_job(new).await.unwrap() else { panic!("not queued") };
    f.store.begin_job(&f.store.job(id).await.unwrap().unwrap()).await.unwrap();
    f.store.job(id).await.unwrap().unwrap()
}

async fn counts(f: &Fixture) -> Vec<(String, u64, u64)> {
    let counts = f.store.reference_counts().await.unwrap().into_iter().filter(|one| one.tenant == f.tenant);
    counts.map(|one| (one.feature_space, one.references, one.successors)).collect()
}

#[tokio::test]
async fn references_are_counted_by_who_made_them_and_what_they_wait_for() {
    let f = fixture().await;
    assert_eq!(counts(&f).await, []);
    f.enroll("bob", 2).await;
    two(&f, "alice", 1).await;
    let old = sealed(1).feature_space;
    assert_eq!(counts(&f).await, [(old.clone(), 2, 0), ("space-2".into(), 0, 1)]);
    f.record(ends(&verifying(&f, "alice").await)).await;
    assert_eq!(counts(&f).await, [(old, 1, 0), ("space-2".into(), 1, 0)]);
}

#[tokio::test]
async fn a_successor_lies_beside_the_reference_until_both_matched_and_then_takes_its_place() {
    let f = fixture().await;
    let (old, new) = two(&f, "alice", 1).await;
    assert_eq!(there(&f, "alice").await, (Some(old.id), Some(new.id)));
    let opened = verifying(&f, "alice").await;
    assert_eq!(opened.reference.as_ref().map(|row| row.id), Some(old.id), "the old one counts");
    assert_eq!(opened.successor.as_ref().map(|row| (row.id, row.commitment)), Some((new.id, new.commitment)));
    let in_flight = verifying(&f, "alice").await;
    f.record(ends(&opened)).await;
    assert_eq!(there(&f, "alice").await, (Some(new.id), None));
    assert_eq!(causes(&f).await, [(old.id, "succeeded".to_owned())]);
    let zeros = "SELECT count(*) AS number FROM sealed_references";
    assert_eq!(f.number(zeros).await, 1, "the old row is gone");
    for (kind, count) in [("successor.made", 1), ("reference.succeeded", 1), ("reference.erased", 1)] {
        assert_eq!(f.store.audit_count(f.tenant, kind).await.unwrap(), count, "{kind}");
    }
    let late = f.store.record_outcome(outcome(&in_flight, Settlement::Reset)).await.unwrap();
    assert!(matches!(late, RecordResult::LeaseLost), "no ACCEPT against what is gone");
    assert!(f.revoked().await.iter().all(|index| *index == in_flight.status.index), "what was accepted stays so");
    assert!(f.store.pending_deletions(10).await.unwrap()[0].is_nobodys(), "the store proves it by itself");
    let third = verifying(&f, "alice").await;
    assert_eq!((third.reference.map(|row| row.id), third.successor), (Some(new.id), None));
    assert!(matches!(f.store.verify_audit(f.tenant).await.unwrap(), Chain::Intact { .. }));
}

#[tokio::test]
async fn a_successor_that_did_not_match_is_made_anew_and_its_going_is_on_record() {
    let f = fixture().await;
    let (old, first) = two(&f, "alice", 1).await;
    let second = newer(102);
    f.record(begins(&verifying(&f, "alice").await, &second)).await;
    assert_eq!(there(&f, "alice").await, (Some(old.id), Some(second.id)));
    assert_eq!(causes(&f).await, [(first.id, "unconfirmed".to_owned())]);
}

#[tokio::test]
async fn a_step_is_taken_only_where_the_rows_are_what_the_attempt_was_opened_with() {
    let f = fixture().await;
    let old = f.enroll("alice", 1).await;
    let (one, other) = (verifying(&f, "alice").await, verifying(&f, "alice").await);
    let (first, second) = (newer(101), newer(102));
    f.record(begins(&one, &first)).await;
    f.record(begins(&other, &second)).await;
    assert_eq!(
        there(&f, "alice").await,
        (Some(old.id), Some(first.id)),
        "the outcome stands, the later one is dropped"
    );
    let opened = verifying(&f, "alice").await;
    let foreign = Succession::Ends { reference: old.id, successor: second.id };
    f.record(RecordOutcome { succession: Some(foreign), ..outcome(&opened, Settlement::Reset) }).await;
    assert_eq!(there(&f, "alice").await, (Some(old.id), Some(first.id)));
    assert_eq!(causes(&f).await, []);
}

#[tokio::test]
async fn a_succession_that_no_worker_can_have_come_to_is_refused() {
    let f = fixture().await;
    f.enroll("alice", 1).await;
    let opened = verifying(&f, "alice").await;
    let refusal =
        RecordOutcome { verdict: Verdict::Refuse, settlement: Settlement::KeepInRow, ..begins(&opened, &newer(101)) };
    assert!(matches!(f.store.record_outcome(refusal).await, Err(StoreError::Misuse(_))));
    assert!(matches!(f.store.record_outcome(begins(&opened, &sealed(101))).await, Err(StoreError::Misuse(_))));
    f.record(begins(&opened, &newer(101))).await;
}

#[tokio::test]
async fn a_successor_under_retired_keys_is_not_stored_and_costs_the_user_nothing() {
    let f = fixture().await;
    let old = f.enroll("alice", 1).await;
    f.sql("UPDATE tenants SET kek_floor = 2, kek_version = 2").await;
    f.record(begins(&verifying(&f, "alice").await, &newer(101))).await;
    assert_eq!(there(&f, "alice").await, (Some(old.id), None));
    assert_eq!(f.store.audit_count(f.tenant, "successor.made").await.unwrap(), 0);
}

#[tokio::test]
async fn one_deletion_takes_both_and_is_given_again_for_the_one_that_receipts_named() {
    let f = fixture().await;
    let (old, new) = two(&f, "alice", 1).await;
    let erased = erase(&f, "alice").await;
    assert_eq!((erased.reference_id, erased.commitment), (old.id, old.commitment));
    assert_eq!(there(&f, "alice").await, (None, None));
    let of_both = [(old.id, "user-request".to_owned()), (new.id, "unconfirmed".to_owned())];
    assert_eq!(causes(&f).await, of_both, "each has a deletion of its own");
    assert_eq!(f.number("SELECT count(*) AS number FROM live_receipts WHERE status = 'VALID'").await, 0);
    let again = f.store.erase(f.tenant, &user("alice"), "user-request").await.unwrap();
    assert_eq!(again, EraseResult::Erased(erased));
    for own in ["succeeded", "unconfirmed"] {
        assert!(matches!(f.store.erase(f.tenant, &user("alice"), own).await, Err(StoreError::Misuse(_))), "{own}");
    }
}

#[tokio::test]
async fn a_re_enrollment_replaces_both() {
    let f = fixture().await;
    let (old, new) = two(&f, "alice", 1).await;
    let challenge = f.create(NewChallenge { replace: true, ..new_challenge(f.tenant, "alice", Purpose::Enroll) }).await;
    let (opened, third) = (f.open(&challenge).await, newer(3));
    f.record(RecordOutcome { reference: Some(third.clone()), ..outcome(&opened, Settlement::Reset) }).await;
    assert_eq!(there(&f, "alice").await, (Some(third.id), None));
    assert_eq!(causes(&f).await, [(old.id, "replaced".to_owned()), (new.id, "unconfirmed".to_owned())]);
}

#[tokio::test]
async fn jobs_erase_and_count_users_and_leave_no_row_of_them() {
    for kind in [JobKind::DeleteReferences, JobKind::ExpireReferences] {
        let f = fixture().await;
        two(&f, "alice", 1).await;
        two(&f, "bob", 2).await;
        f.sql("UPDATE sealed_references SET created_at_ms = 1, last_used_at_ms = NULL WHERE successor = 0").await;
        let job = begun(&f, kind).await;
        assert_eq!(job.total, 2, "{kind:?}");
        let mut erased = 0;
        while let EraseBatch::Committed { erased: more, .. } =
            f.store.erase_batch(&f.store.job(job.id).await.unwrap().unwrap(), 1).await.unwrap()
        {
            erased += more;
        }
        assert_eq!((erased, f.number("SELECT count(*) AS number FROM sealed_references").await), (2, 0), "{kind:?}");
        let mine = f.store.pending_deletions(10).await.unwrap();
        assert!(mine.len() == 4 && mine.iter().all(|one| one.job == Some(job.id)), "each is proved with the job");
    }
}

#[tokio::test]
async fn under_a_hold_both_stay_and_its_release_does_to_both_what_waited() {
    let f = fixture().await;
    let (old, new) = two(&f, "alice", 1).await;
    let alice = user("alice");
    let hold = NewHold { tenant: f.tenant, user: &alice, matter: "case 7", placed_by: "test" };
    let hold = f.store.place_hold(hold).await.unwrap();
    f.record(ends(&verifying(&f, "alice").await)).await;
    f.record(begins(&verifying(&f, "alice").await, &newer(103))).await;
    assert_eq!(
        there(&f, "alice").await,
        (Some(old.id), Some(new.id)),
        "nothing is erased, and the user is not refused"
    );
    assert_eq!(f.store.erase(f.tenant, &alice, "user-request").await.unwrap(), EraseResult::Held);
    let released = f.store.release_hold(f.tenant, hold.id, "test").await.unwrap();
    assert_eq!(released, ReleaseHold::Released { erased: true, still_held: false });
    assert_eq!(there(&f, "alice").await, (None, None));
}

#[tokio::test]
async fn a_rotation_takes_both_along_whatever_its_batches_are() {
    for limit in [1, 2, 10] {
        let f = fixture().await;
        let (old, new) = two(&f, "alice", 1).await;
        f.enroll("bob", 2).await;
        let mut job = begun(&f, JobKind::RotateKek).await;
        assert_eq!(job.total, 3, "rows");
        assert!(f.store.kek_made(&job, 2).await.unwrap());
        let secrets = TenantSecretsRow { kek_version: 2, transform_key: vec![3; 60], pseudonym_key: vec![4; 60] };
        assert!(f.store.exchange_secrets(f.tenant, 1, &secrets, None).await.unwrap());
        loop {
            job = f.store.job(job.id).await.unwrap().unwrap();
            assert_eq!((job.step, job.state), (Step::Rewrap, JobState::Running));
            let batch = f.store.deks_below(&job, 2, limit).await.unwrap();
            if let Some(last) = batch.last() {
                let anew = |old| Rewrapped { old, wrapped: vec![9; 60] };
                let fresh: Vec<_> = batch.iter().cloned().map(anew).collect();
                f.store.exchange_deks(&job, &fresh, (2, &last.user)).await.unwrap();
            } else if f.store.fence(&job, 2).await.unwrap() == FenceResult::Fenced {
                break;
            }
        }
        let found = f.store.references(f.tenant, &user("alice")).await.unwrap().unwrap();
        let successor = found.successor.unwrap();
        assert_eq!((found.reference.id, found.reference.kek_version), (old.id, 2));
        assert_eq!((successor.id, successor.kek_version, successor.wrapped_dek), (new.id, 2, vec![9; 60]));
    }
}

#[tokio::test]
async fn what_came_back_with_an_older_database_goes_one_by_one_as_it_went() {
    let f = fixture().await;
    let (old, new) = two(&f, "alice", 1).await;
    let erased = f.store.erase_restored(f.tenant, old.id).await.unwrap().unwrap();
    assert_eq!((erased.reference_id, erased.cause.as_str()), (old.id, "restored"));
    assert_eq!(there(&f, "alice").await, (Some(new.id), None), "of it the journal says nothing");
    let (old, new) = two(&f, "bob", 2).await;
    f.store.erase_restored(f.tenant, new.id).await.unwrap().unwrap();
    assert_eq!(there(&f, "bob").await, (Some(old.id), None));
    f.store.erase_restored(f.tenant, old.id).await.unwrap().unwrap();
    assert_eq!(there(&f, "bob").await, (None, None));
}
