//! Creation of challenges: idempotency, the cap, reading back.

use super::*;
use crate::Idempotency;

fn keyed(f: &Fixture, key: &str, request: u8) -> NewChallenge {
    let idempotency = Some(Idempotency { key: key.into(), request_sha256: [request; 32] });
    NewChallenge { idempotency, ..new_challenge(f.tenant, "alice", Purpose::Verify) }
}

#[tokio::test]
async fn a_challenge_reads_back_as_it_was_made() {
    let f = fixture().await;
    let new = NewChallenge { replace: true, ..new_challenge(f.tenant, "alice", Purpose::Enroll) };
    let row = f.create(new.clone()).await;
    assert_eq!(f.store.challenge(f.tenant, new.id).await.unwrap().unwrap(), row);
    assert_eq!((row.rp_nonce, row.action_json, row.replace), (new.rp_nonce, new.action_json, true));
    assert_eq!(row.expires_at_ms - row.created_at_ms, 120_000);
    assert!(!row.expired);
    assert_eq!(f.store.audit_count(f.tenant, "challenge.created").await.unwrap(), 1);
}

#[tokio::test]
async fn the_same_key_and_request_give_the_same_challenge() {
    let f = fixture().await;
    let first = f.create(keyed(&f, "k", 1)).await;
    let again = f.store.create_challenge(keyed(&f, "k", 1)).await.unwrap();
    assert_eq!(again, CreateResult::Replayed(Box::new(first)));
    let other = f.store.create_challenge(keyed(&f, "k", 2)).await.unwrap();
    assert_eq!(other, CreateResult::IdempotencyConflict);
    assert_eq!(f.number("SELECT count(*) FROM challenges").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn racing_requests_with_one_key_make_one_challenge() {
    let f = fixture().await;
    let calls: Vec<_> = (0..32)
        .map(|_| {
            let (store, new) = (f.store.clone(), keyed(&f, "k", 1));
            tokio::spawn(async move { store.create_challenge(new).await.unwrap() })
        })
        .collect();
    let mut created = 0;
    for call in calls {
        match call.await.unwrap() {
            CreateResult::Created(_) => created += 1,
            CreateResult::Replayed(_) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(created, 1);
}

#[tokio::test]
async fn open_challenges_of_one_user_are_capped() {
    let f = fixture().await;
    f.enroll("alice", 1).await;
    let first = f.challenge("alice", Purpose::Verify).await;
    for _ in 1..20 {
        f.challenge("alice", Purpose::Verify).await;
    }
    let ask = async || f.store.create_challenge(new_challenge(f.tenant, "alice", Purpose::Verify)).await.unwrap();
    let CreateResult::TooMany { retry_s } = ask().await else { panic!("over the cap") };
    assert!((1..=120).contains(&retry_s));
    f.challenge("bob", Purpose::Verify).await;

    let opened = f.open(&first).await;
    f.record(outcome(&opened, Settlement::Reset)).await;
    assert!(matches!(ask().await, CreateResult::Created(_)), "an accepted challenge is not open");
    assert!(matches!(ask().await, CreateResult::TooMany { .. }));
    f.sql("UPDATE challenges SET expires_at_ms = 1").await;
    assert!(matches!(ask().await, CreateResult::Created(_)), "an expired challenge is not open");
}
