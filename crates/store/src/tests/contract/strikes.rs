//! Strikes through T1 and T2.

use super::*;

async fn opens(f: &Fixture, name: &str) -> Result<Opened, OpenRefused> {
    let challenge = f.challenge(name, Purpose::Verify).await;
    match f.store.open_attempt(open_of(&challenge)).await.unwrap() {
        OpenResult::Opened(opened) => Ok(*opened),
        OpenResult::Refused(refused) => Err(refused),
    }
}

#[tokio::test]
async fn five_fails_in_a_row_lock_and_the_delay_grows() {
    let f = fixture().await;
    f.enroll("alice", 1).await;
    for _ in 0..5 {
        f.verify("alice", Settlement::KeepInRow).await;
    }
    assert_eq!(opens(&f, "alice").await.unwrap_err(), OpenRefused::Locked { retry_s: Some(30) });
    assert_eq!(f.store.audit_count(f.tenant, "attempt.refused").await.unwrap(), 1);
    f.sql("UPDATE strikes SET locked_until_ms = 1").await;
    f.verify("alice", Settlement::KeepInRow).await;
    assert_eq!(opens(&f, "alice").await.unwrap_err(), OpenRefused::Locked { retry_s: Some(60) });
}

#[tokio::test(flavor = "multi_thread")]
async fn attempts_in_parallel_gain_nothing() {
    let f = fixture().await;
    f.enroll("alice", 1).await;
    let mut calls = Vec::new();
    for _ in 0..16 {
        let (store, open) = (f.store.clone(), open_of(&f.challenge("alice", Purpose::Verify).await));
        calls.push(tokio::spawn(async move { store.open_attempt(open).await.unwrap() }));
    }
    let mut opened = 0;
    for call in calls {
        match call.await.unwrap() {
            OpenResult::Opened(_) => opened += 1,
            OpenResult::Refused(refused) => assert!(matches!(refused, OpenRefused::Locked { .. }), "{refused:?}"),
        }
    }
    assert_eq!(opened, 5);
}

#[tokio::test]
async fn an_accept_ends_the_row_but_not_for_attempts_in_flight() {
    let f = fixture().await;
    f.enroll("alice", 1).await;
    for _ in 0..2 {
        f.verify("alice", Settlement::KeepInRow).await;
    }
    let in_flight = opens(&f, "alice").await.unwrap();
    f.verify("alice", Settlement::Reset).await;
    assert_eq!(f.number("SELECT consecutive FROM strikes").await, 1, "the one in flight");
    assert_eq!(f.number("SELECT lifetime FROM strikes").await, 3, "lifetime strikes stay");
    f.record(outcome(&in_flight, Settlement::KeepInRow)).await;
    assert_eq!(f.number("SELECT consecutive FROM strikes").await, 1);
}

#[tokio::test]
async fn an_inconclusive_sixth_attempt_leaves_no_lock_of_its_own() {
    let f = fixture().await;
    f.enroll("alice", 1).await;
    for _ in 0..5 {
        f.verify("alice", Settlement::KeepInRow).await;
    }
    f.sql("UPDATE strikes SET locked_until_ms = 1").await;
    f.verify("alice", Settlement::Refund).await;
    assert_eq!(f.number("SELECT consecutive FROM strikes").await, 5);
    assert!(opens(&f, "alice").await.is_ok(), "the delay of the fifth was served");
}

#[tokio::test]
async fn a_fail_before_the_security_gates_stays_out_of_the_row() {
    let f = fixture().await;
    f.enroll("alice", 1).await;
    f.verify("alice", Settlement::Keep).await;
    assert_eq!(f.number("SELECT consecutive FROM strikes").await, 0);
    assert_eq!(f.number("SELECT lifetime FROM strikes").await, 1);
}

#[tokio::test]
async fn fifty_in_all_need_an_operator_or_a_re_enrollment() {
    let f = fixture().await;
    f.enroll("alice", 1).await;
    f.verify("alice", Settlement::KeepInRow).await;
    f.sql("UPDATE strikes SET lifetime = 50, consecutive = 0").await;
    assert_eq!(opens(&f, "alice").await.unwrap_err(), OpenRefused::Locked { retry_s: None });
    assert!(f.store.unlock_user(f.tenant, &user("alice"), AuditBody::default()).await.unwrap());
    assert!(!f.store.unlock_user(f.tenant, &user("alice"), AuditBody::default()).await.unwrap());
    f.verify("alice", Settlement::KeepInRow).await;

    f.sql("UPDATE strikes SET lifetime = 50, consecutive = 0").await;
    let enroll = NewChallenge { replace: true, ..new_challenge(f.tenant, "alice", Purpose::Enroll) };
    let opened = f.open(&f.create(enroll).await).await;
    f.record(RecordOutcome { reference: Some(sealed(2)), ..outcome(&opened, Settlement::Reset) }).await;
    assert!(opens(&f, "alice").await.is_ok());
}

#[tokio::test]
async fn inconclusive_attempts_are_capped_by_the_hour() {
    let f = fixture().await;
    f.enroll("alice", 1).await;
    f.verify("alice", Settlement::Refund).await;
    assert_eq!(f.number("SELECT inconclusive FROM strikes").await, 1);
    f.sql("UPDATE strikes SET inconclusive = 29").await;
    f.verify("alice", Settlement::Refund).await;
    let OpenRefused::RateLimited { retry_s } = opens(&f, "alice").await.unwrap_err() else { panic!("over the cap") };
    assert!((3500..=3600).contains(&retry_s), "{retry_s}");
    f.sql("UPDATE strikes SET window_start_ms = window_start_ms - 3600000").await;
    f.verify("alice", Settlement::Refund).await;
    assert_eq!(f.number("SELECT inconclusive FROM strikes").await, 1, "a new window");
}
