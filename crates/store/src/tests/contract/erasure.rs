//! Erasure: what is gone and what ends with it, what may be proved and when.

use super::*;
use crate::{EraseResult, Erased, JobKind, NewJob, QueueResult};

#[tokio::test]
async fn a_proof_is_given_again_for_a_day_and_to_nobody_else() {
    let f = fixture().await;
    f.enroll("alice", 1).await;
    let erased = erase(&f, "alice").await;
    let checkpoint = f.store.checkpoint().await.unwrap();
    f.store.deletion_proved(&erased, checkpoint).await.unwrap();
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
async fn a_deletion_waits_for_a_rotation_that_was_asked_for_after_it() {
    let f = fixture().await;
    assert_eq!(f.store.oldest_unrotated_deletion_ms(f.tenant).await.unwrap(), None);
    f.enroll("alice", 1).await;
    let erased = erase(&f, "alice").await;
    let new = NewJob { tenant: f.tenant, kind: JobKind::RotateKek, cause: None, users: None, requested_by: "test" };
    assert!(matches!(f.store.queue_job(new).await.unwrap(), QueueResult::Queued(_)));
    let waits = async || f.store.oldest_unrotated_deletion_ms(f.tenant).await.unwrap();
    assert_eq!(waits().await, Some(erased.deleted_at_ms), "one that was asked for has destroyed nothing yet");
    f.sql("UPDATE jobs SET state = 'DONE', finished_at_ms = created_at_ms, created_at_ms = created_at_ms + 1").await;
    assert_eq!(waits().await, None);
    f.enroll("alice", 2).await;
    f.sql("UPDATE jobs SET created_at_ms = created_at_ms - 1000").await;
    f.sql("UPDATE deletions SET deleted_at_ms = deleted_at_ms - 2000").await;
    let later = erase(&f, "alice").await;
    assert_eq!(waits().await, Some(later.deleted_at_ms), "the one before it was rotated away");
}

#[tokio::test]
async fn a_checkpoint_from_before_proves_nothing() {
    let f = fixture().await;
    f.enroll("alice", 1).await;
    let early = f.store.checkpoint().await.unwrap();
    let erased = erase(&f, "alice").await;
    f.sql("UPDATE deletions SET deleted_at_ms = deleted_at_ms + 1000").await;
    assert!(matches!(f.store.deletion_proved(&erased, early).await, Err(StoreError::Misuse(_))));
    let stranger = Erased { deletion_id: make_id().unwrap(), ..erased };
    let unknown: Result<bool, _> = f.store.deletion_proved(&stranger, early).await;
    assert!(matches!(unknown, Err(StoreError::Misuse(_))));
}

#[tokio::test]
async fn erasure_ends_receipts_strikes_and_attempts_in_flight() {
    let f = fixture().await;
    let reference = f.enroll("alice", 1).await;
    let receipt = f.open(&f.challenge("alice", Purpose::Verify).await).await;
    f.record(outcome(&receipt, Settlement::Reset)).await;
    f.verify("alice", Settlement::KeepInRow).await;
    let in_flight = f.open(&f.challenge("alice", Purpose::Verify).await).await;

    let erased = erase(&f, "alice").await;
    assert_eq!((erased.reference_id, erased.commitment), (reference.id, reference.commitment));
    assert!(f.store.reference(f.tenant, &user("alice")).await.unwrap().is_none());
    let invalid = f.revoked().await;
    assert!(invalid.contains(&receipt.status.index) && invalid.contains(&in_flight.status.index));
    assert_eq!(f.number("SELECT count(*) FROM live_receipts WHERE status = 'VALID'").await, 0);
    assert_eq!(f.number("SELECT count(*) FROM strikes").await, 0);
    let late = f.store.record_outcome(outcome(&in_flight, Settlement::Reset)).await.unwrap();
    assert!(matches!(late, RecordResult::LeaseLost), "no ACCEPT against what is gone");
    f.enroll("alice", 2).await;
    f.verify("alice", Settlement::Reset).await;
}

#[tokio::test]
async fn nobody_may_pass_for_a_replacement() {
    let f = fixture().await;
    f.enroll("alice", 1).await;
    let long = "x".repeat(65);
    for cause in ["replaced", "restored", "", "a\nb", &long] {
        assert!(
            matches!(f.store.erase(f.tenant, &user("alice"), cause).await, Err(StoreError::Misuse(_))),
            "{cause:?}"
        );
        let (kind, users) = (JobKind::DeleteReferences, None);
        let new = NewJob { tenant: f.tenant, kind, cause: Some(cause), users, requested_by: "test" };
        assert!(matches!(f.store.queue_job(new).await, Err(StoreError::Misuse(_))), "{cause:?}");
    }
    assert!(f.store.reference(f.tenant, &user("alice")).await.unwrap().is_some());
}
