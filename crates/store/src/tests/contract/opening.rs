//! T1: who gets an attempt, and that one gets it.

use super::*;
use crate::{AttemptState, ReleaseResult};

#[tokio::test(flavor = "multi_thread")]
async fn of_many_racers_one_opens_the_attempt() {
    let f = fixture().await;
    f.enroll("alice", 1).await;
    let challenge = f.challenge("alice", Purpose::Verify).await;
    let calls: Vec<_> = (0..64)
        .map(|_| {
            let (store, open) = (f.store.clone(), open_of(&challenge));
            tokio::spawn(async move { store.open_attempt(open).await.unwrap() })
        })
        .collect();
    let mut opened = 0;
    for call in calls {
        match call.await.unwrap() {
            OpenResult::Opened(_) => opened += 1,
            OpenResult::Refused(refused) => assert_eq!(refused, OpenRefused::AttemptOpen),
        }
    }
    assert_eq!(opened, 1);
    assert_eq!(f.number("SELECT consecutive FROM strikes").await, 1, "one strike");
}

#[tokio::test]
async fn an_opened_attempt_brings_all_that_the_worker_needs() {
    let f = fixture().await;
    let reference = f.enroll("alice", 1).await;
    let challenge = f.challenge("alice", Purpose::Verify).await;
    let opened = f.open(&challenge).await;
    assert_eq!((opened.attempt, &opened.challenge), (1, &challenge));
    assert_eq!(opened.tenant.id, f.tenant);
    let stored = opened.reference.unwrap();
    assert_eq!(SealedRow { created_at_ms: 0, ..stored }, reference);
}

#[tokio::test]
async fn expiry_is_the_databases_judgement() {
    let f = fixture().await;
    let challenge = f.challenge("alice", Purpose::Enroll).await;
    f.sql("UPDATE challenges SET expires_at_ms = {now}").await;
    assert_eq!(f.refused(open_of(&challenge)).await, OpenRefused::Expired);
    assert!(f.store.challenge(f.tenant, challenge.id).await.unwrap().unwrap().expired);
    assert_eq!(f.store.audit_count(f.tenant, "attempt.refused").await.unwrap(), 1);
    assert_eq!(f.number("SELECT count(*) FROM strikes").await, 0, "a refusal costs nothing");
    f.sql("UPDATE challenges SET expires_at_ms = expires_at_ms + 60000").await;
    f.open(&challenge).await;
}

#[tokio::test]
async fn the_wrong_purpose_is_refused_and_audited() {
    let f = fixture().await;
    let challenge = f.challenge("alice", Purpose::Enroll).await;
    let open = OpenAttempt { purpose: Purpose::Verify, ..open_of(&challenge) };
    assert_eq!(f.refused(open).await, OpenRefused::WrongPurpose);
    assert_eq!(f.store.audit_count(f.tenant, "attempt.refused").await.unwrap(), 1);
}

#[tokio::test]
async fn references_must_fit_the_purpose() {
    let f = fixture().await;
    let verify = f.challenge("alice", Purpose::Verify).await;
    assert_eq!(f.refused(open_of(&verify)).await, OpenRefused::NoReference);
    f.enroll("alice", 1).await;
    let enroll = f.challenge("alice", Purpose::Enroll).await;
    assert_eq!(f.refused(open_of(&enroll)).await, OpenRefused::ReferenceExists);
    let other = OpenAttempt { feature_spaces: Some(vec!["space-2".into()]), ..open_of(&verify) };
    assert_eq!(f.refused(other).await, OpenRefused::FeatureSpace);
    let same = OpenAttempt { feature_spaces: Some(vec!["space-2".into(), "space-1".into()]), ..open_of(&verify) };
    assert!(matches!(f.store.open_attempt(same).await.unwrap(), OpenResult::Opened(_)));
}

#[tokio::test]
async fn spent_challenge_is_refused() {
    let f = fixture().await;
    f.enroll("alice", 1).await;
    let challenge = f.challenge("alice", Purpose::Verify).await;
    let first = f.open(&challenge).await;
    f.record(outcome(&first, Settlement::Refund)).await;
    let asking = |attempt| OpenAttempt { attempt, ..open_of(&challenge) };
    let decided = OpenRefused::AlreadyDecided { jti: first.jti, verdict: Verdict::Refuse };
    assert_eq!(f.refused(asking(1)).await, decided);
    assert_eq!(f.refused(asking(3)).await, OpenRefused::OutOfOrder { next: 2 });
    let second = f.open(&challenge).await;
    assert_eq!(f.refused(asking(2)).await, OpenRefused::AttemptOpen);
    f.record(outcome(&second, Settlement::Reset)).await;
    let accepted = OpenRefused::AlreadyDecided { jti: second.jti, verdict: Verdict::Accept };
    assert_eq!(f.refused(asking(0)).await, accepted);
    assert_eq!(f.refused(asking(2)).await, accepted);
    assert_eq!(f.refused(asking(3)).await, OpenRefused::Spent);
    assert_eq!(f.refused(asking(1)).await, decided);
    assert_eq!(f.store.audit_count(f.tenant, "attempt.refused").await.unwrap(), 5);
}

#[tokio::test]
async fn attempts_run_out() {
    let f = fixture().await;
    let challenge = f.challenge("alice", Purpose::Enroll).await;
    for left in [2, 1, 0] {
        let opened = f.open(&challenge).await;
        assert_eq!(f.record(outcome(&opened, Settlement::Refund)).await.attempts_left, left);
    }
    assert_eq!(f.refused(open_of(&challenge)).await, OpenRefused::NoAttemptsLeft);
}

#[tokio::test]
async fn a_lease_that_ended_is_abandoned_when_the_next_attempt_opens() {
    let f = fixture().await;
    let challenge = f.challenge("alice", Purpose::Enroll).await;
    let lost = f.open(&challenge).await;
    f.sql("UPDATE attempts SET lease_until_ms = 1").await;
    let next = f.open(&challenge).await;
    assert_eq!(next.attempt, 2, "the attempt is spent");
    let states: Vec<_> =
        f.store.attempts(f.tenant, challenge.id).await.unwrap().into_iter().map(|row| row.state).collect();
    assert_eq!(states, [AttemptState::Abandoned, AttemptState::Open]);
    assert_eq!(f.revoked().await, [lost.status.index]);
    assert_eq!(f.store.audit_count(f.tenant, "attempt.abandoned").await.unwrap(), 1);
    assert_eq!(f.number("SELECT consecutive FROM strikes").await, 2, "the strike is kept");
    let again = OpenAttempt { attempt: 1, ..open_of(&challenge) };
    assert_eq!(f.refused(again).await, OpenRefused::Spent);
}

#[tokio::test]
async fn three_releases_are_free_and_the_fourth_spends_the_attempt() {
    let f = fixture().await;
    let challenge = f.challenge("alice", Purpose::Enroll).await;
    for _ in 0..3 {
        let opened = f.open(&challenge).await;
        assert_eq!(opened.attempt, 1);
        assert_eq!(f.store.release_attempt(f.tenant, opened.lease_id).await.unwrap(), ReleaseResult::Released);
        assert_eq!(f.store.release_attempt(f.tenant, opened.lease_id).await.unwrap(), ReleaseResult::LeaseLost);
        assert_eq!(f.number("SELECT consecutive + lifetime FROM strikes").await, 0, "refunded");
    }
    let opened = f.open(&challenge).await;
    assert_eq!(f.store.release_attempt(f.tenant, opened.lease_id).await.unwrap(), ReleaseResult::Abandoned);
    assert_eq!(f.number("SELECT consecutive + lifetime FROM strikes").await, 0, "our own fault");
    assert_eq!(f.open(&challenge).await.attempt, 2);
    assert_eq!(f.revoked().await.len(), 4, "whatever was signed is void");
}

#[tokio::test]
async fn a_released_lease_takes_no_outcome() {
    let f = fixture().await;
    f.enroll("alice", 1).await;
    let challenge = f.challenge("alice", Purpose::Verify).await;
    let opened = f.open(&challenge).await;
    f.store.release_attempt(f.tenant, opened.lease_id).await.unwrap();
    let late = f.store.record_outcome(outcome(&opened, Settlement::Reset)).await.unwrap();
    assert!(matches!(late, RecordResult::LeaseLost));
}
