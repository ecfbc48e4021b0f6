//! The janitor.

use super::*;
use crate::{AttemptState, Dropped};

#[tokio::test]
async fn leases_that_ended_are_swept_and_others_left() {
    let f = fixture().await;
    let (mut rows, mut opened) = (Vec::new(), Vec::new());
    for i in 0..3 {
        let challenge = f.challenge(&format!("user{i}"), Purpose::Enroll).await;
        opened.push(f.open(&challenge).await);
        rows.push(challenge);
    }
    assert_eq!(f.store.sweep_expired_leases().await.unwrap(), 0, "control");
    f.sql("UPDATE attempts SET lease_until_ms = 1 WHERE user_id <> 'user2'").await;
    assert_eq!(f.store.sweep_expired_leases().await.unwrap(), 2);
    let state = async |row: &ChallengeRow| f.store.attempts(f.tenant, row.id).await.unwrap()[0].state;
    assert_eq!(state(&rows[0]).await, AttemptState::Abandoned);
    assert_eq!(state(&rows[2]).await, AttemptState::Open);
    let mut swept = [opened[0].status.index, opened[1].status.index];
    swept.sort_unstable();
    assert_eq!(f.revoked().await, swept);
}

#[tokio::test]
async fn many_leases_are_swept_in_batches() {
    let f = fixture().await;
    for i in 0..205 {
        f.open(&f.challenge(&format!("user{i}"), Purpose::Enroll).await).await;
    }
    f.sql("UPDATE attempts SET lease_until_ms = 1").await;
    assert_eq!(f.store.sweep_expired_leases().await.unwrap(), 205);
    assert_eq!(f.store.audit_count(f.tenant, "attempt.abandoned").await.unwrap(), 205);
}

#[tokio::test]
async fn what_outlived_its_window_is_dropped_and_nothing_else() {
    let f = fixture().await;
    f.enroll("alice", 1).await;
    f.verify("alice", Settlement::Reset).await;
    let kept = f.open(&f.challenge("alice", Purpose::Verify).await).await;
    assert_eq!(f.store.drop_old().await.unwrap(), Dropped::default(), "control");
    f.sql(
        "UPDATE live_receipts SET expires_at_ms = expires_at_ms - 3600000 - 700000 WHERE status = 'VALID';
           UPDATE challenges SET expires_at_ms = expires_at_ms - 86400000 - 200000",
    )
    .await;
    assert_eq!(f.store.drop_old().await.unwrap(), Dropped { receipts: 2, challenges: 2, frames: 0 });
    assert!(f.store.challenge(f.tenant, kept.challenge.id).await.unwrap().is_some(), "an open attempt keeps it");
    f.record(outcome(&kept, Settlement::Reset)).await;
    assert!(matches!(f.store.verify_audit(f.tenant).await.unwrap(), crate::Chain::Intact { .. }));
}
