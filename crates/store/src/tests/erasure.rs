//! Erasure: what is gone, what stays pending, what a scan of the files finds.

use super::*;
use crate::{EraseResult, Erased};

async fn erase(f: &Fixture, name: &str) -> Erased {
    match f.store.erase(f.tenant, &user(name), "user-request").await.unwrap() {
        EraseResult::Erased(erased) => erased,
        other => panic!("{other:?}"),
    }
}

/// Whether either file holds these bytes.
fn found(f: &Fixture, bytes: &[u8]) -> bool {
    f.files().iter().any(|path| std::fs::read(path).unwrap().windows(bytes.len()).any(|window| window == bytes))
}

#[tokio::test]
async fn after_erasure_and_checkpoint_the_old_bytes_are_nowhere() {
    let f = Fixture::new().await;
    let mut erased = Vec::new();
    for mark in 1..=40 {
        erased.push(f.enroll(&format!("user{mark}"), mark).await);
    }
    let kept = f.enroll("kept", 99).await;
    for row in &erased {
        assert!(found(&f, &row.ciphertext) && found(&f, &row.wrapped_dek), "control: they are there before");
    }
    f.store.checkpoint().await.unwrap();
    for mark in 1..=40 {
        erase(&f, &format!("user{mark}")).await;
    }
    assert!(found(&f, &erased[0].ciphertext), "control: before the checkpoint the file still holds them");
    f.store.checkpoint().await.unwrap();
    for row in &erased {
        // A quarter of either is enough to betray it.
        assert!(!found(&f, &row.ciphertext[..150]) && !found(&f, &row.wrapped_dek[..15]));
    }
    assert!(found(&f, &kept.ciphertext), "control: the neighbour is still found");
    assert_eq!(f.store.reference(f.tenant, &user("kept")).await.unwrap().unwrap().commitment, kept.commitment);
}

#[tokio::test]
async fn an_open_reader_blocks_the_proof_and_leaves_the_deletion_pending() {
    let f = Fixture::new().await;
    f.enroll("alice", 1).await;
    f.store.checkpoint().await.unwrap();
    let mut reader = f.store.read().await.unwrap();
    sqlx::raw_sql("BEGIN; SELECT count(*) FROM tenants").execute(&mut *reader).await.unwrap();
    let erased = erase(&f, "alice").await;
    assert!(matches!(f.store.checkpoint().await, Err(StoreError::CheckpointBlocked)));
    assert_eq!(f.store.pending_deletions(10).await.unwrap(), std::slice::from_ref(&erased));
    assert_eq!(erase(&f, "alice").await, erased, "asked again, the same deletion");
    f.challenge("bob", Purpose::Enroll).await;

    sqlx::raw_sql("COMMIT").execute(&mut *reader).await.unwrap();
    let checkpoint = f.store.checkpoint().await.unwrap();
    assert!(f.store.deletion_proved(erased.deletion_id, checkpoint).await.unwrap());
    assert!(!f.store.deletion_proved(erased.deletion_id, checkpoint).await.unwrap(), "once");
    assert!(f.store.pending_deletions(10).await.unwrap().is_empty());
    assert_eq!(f.store.audit_count(f.tenant, "deletion.proved").await.unwrap(), 1);
}

#[tokio::test]
async fn a_proof_is_given_again_for_a_day_and_to_nobody_else() {
    let f = Fixture::new().await;
    f.enroll("alice", 1).await;
    let erased = erase(&f, "alice").await;
    let checkpoint = f.store.checkpoint().await.unwrap();
    f.store.deletion_proved(erased.deletion_id, checkpoint).await.unwrap();
    let again = async || f.store.erase(f.tenant, &user("alice"), "user-request").await.unwrap();
    assert!(
        matches!(again().await, EraseResult::Proved(same, at) if same == erased && at.at_ms() == erased.deleted_at_ms)
    );
    let bob = f.store.erase(f.tenant, &user("bob"), "user-request").await.unwrap();
    assert_eq!(bob, EraseResult::NoReference);
    f.sql("UPDATE deletions SET proved_at_ms = proved_at_ms - 24 * 3600000").await;
    assert_eq!(again().await, EraseResult::NoReference);
    f.enroll("alice", 2).await;
    assert_ne!(
        erase(&f, "alice").await.deletion_id,
        erased.deletion_id,
        "a new reference is erased, not the old one proved"
    );
}

#[tokio::test]
async fn a_checkpoint_from_before_proves_nothing() {
    let f = Fixture::new().await;
    f.enroll("alice", 1).await;
    let early = f.store.checkpoint().await.unwrap();
    let erased = erase(&f, "alice").await;
    f.sql("UPDATE deletions SET deleted_at_ms = deleted_at_ms + 1000").await;
    assert!(matches!(f.store.deletion_proved(erased.deletion_id, early).await, Err(StoreError::Misuse(_))));
    let unknown: Result<bool, _> = f.store.deletion_proved(make_id().unwrap(), early).await;
    assert!(matches!(unknown, Err(StoreError::Misuse(_))));
}

#[tokio::test]
async fn erasure_ends_receipts_strikes_and_attempts_in_flight() {
    let f = Fixture::new().await;
    let reference = f.enroll("alice", 1).await;
    let receipt = f.open(&f.challenge("alice", Purpose::Verify).await).await;
    f.record(outcome(&receipt, Settlement::Reset)).await;
    f.verify("alice", Settlement::KeepInRow).await;
    let in_flight = f.open(&f.challenge("alice", Purpose::Verify).await).await;

    let erased = erase(&f, "alice").await;
    assert_eq!((erased.reference_id, erased.commitment), (reference.id, reference.commitment));
    assert!(f.store.reference(f.tenant, &user("alice")).await.unwrap().is_none());
    let invalid = f.store.invalid_status_indexes(f.tenant).await.unwrap();
    assert!(invalid.contains(&receipt.status_index) && invalid.contains(&in_flight.status_index));
    assert_eq!(f.number("SELECT count(*) FROM live_receipts WHERE status = 'VALID'").await, 0);
    assert_eq!(f.number("SELECT count(*) FROM strikes").await, 0);
    let late = f.store.record_outcome(outcome(&in_flight, Settlement::Reset)).await.unwrap();
    assert!(matches!(late, RecordResult::LeaseLost), "no ACCEPT against what is gone");
    f.enroll("alice", 2).await;
    f.verify("alice", Settlement::Reset).await;
}

#[tokio::test]
async fn nobody_may_pass_for_a_replacement() {
    let f = Fixture::new().await;
    f.enroll("alice", 1).await;
    assert!(matches!(f.store.erase(f.tenant, &user("alice"), "replaced").await, Err(StoreError::Misuse(_))));
    assert!(f.store.reference(f.tenant, &user("alice")).await.unwrap().is_some());
}
