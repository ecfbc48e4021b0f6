//! A statement that fails, a caller that goes away: nothing half written.

use super::*;
use crate::AttemptState;
use std::{
    future::poll_fn,
    pin::pin,
    task::{Context, Poll},
};

/// What a half-written call would change.
async fn everything(f: &Fixture) -> Vec<i64> {
    let mut counts = Vec::new();
    for sql in [
        "SELECT count(*) FROM challenges",
        "SELECT count(*) FROM attempts WHERE state = 'OPEN'",
        "SELECT count(*) FROM attempts WHERE state = 'DECIDED'",
        "SELECT count(*) FROM live_receipts WHERE status = 'VALID'",
        "SELECT count(*) FROM live_receipts WHERE status = 'RESERVED'",
        "SELECT count(*) FROM sealed_references",
        "SELECT count(*) FROM deletions",
        "SELECT coalesce(sum(consecutive * 1000 + lifetime), 0) FROM strikes",
        "SELECT sum(status_next) FROM tenants",
        "SELECT count(*) FROM seen_frames",
        "SELECT count(*) FROM audit",
    ] {
        counts.push(f.number(sql).await);
    }
    counts
}

#[tokio::test]
async fn without_an_audit_entry_nothing_is_recorded() {
    let f = fixture().await;
    let enroll = f.open(&f.challenge("bob", Purpose::Enroll).await).await;
    f.enroll("alice", 1).await;
    let challenge = f.challenge("alice", Purpose::Verify).await;
    let opened = f.open(&challenge).await;
    let before = everything(&f).await;
    f.break_audit().await;

    let accept_enroll = || RecordOutcome { reference: Some(sealed(2)), ..outcome(&enroll, Settlement::Reset) };
    assert!(is_audit_unavailable(&f.store.record_outcome(outcome(&opened, Settlement::Reset)).await));
    assert!(is_audit_unavailable(&f.store.record_outcome(outcome(&opened, Settlement::Refund)).await));
    assert!(is_audit_unavailable(&f.store.record_outcome(accept_enroll()).await));
    assert!(is_audit_unavailable(&f.store.erase(f.tenant, &user("alice"), "x").await));
    assert!(is_audit_unavailable(&f.store.release_attempt(f.tenant, opened.lease_id).await));
    let new = new_challenge(f.tenant, "alice", Purpose::Verify);
    assert!(is_audit_unavailable(&f.store.create_challenge(new).await));
    assert!(is_audit_unavailable(&f.store.audit(f.tenant, "x", AuditBody::default()).await));
    let wrong = OpenAttempt { purpose: Purpose::Enroll, ..open_of(&challenge) };
    assert!(is_audit_unavailable(&f.store.open_attempt(wrong).await));
    assert_eq!(everything(&f).await, before);

    f.mend_audit().await;
    f.record(outcome(&opened, Settlement::Reset)).await;
    f.record(accept_enroll()).await;
    assert_ne!(everything(&f).await, before, "control, and it recovers by itself");
}

/// Polls a future `polls` times, then drops it.
async fn drop_after<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|context: &mut Context<'_>| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}

#[tokio::test]
async fn a_caller_that_goes_away_anywhere_leaves_all_or_nothing() {
    let f = fixture().await;
    f.remember_frames(60).await;
    f.enroll("alice", 1).await;
    let (mut dropped, mut finished, mut frames_seen) = (0, 0, 0);
    for polls in 0..120_u8 {
        let challenge = f.challenge(&format!("user{polls}"), Purpose::Enroll).await;
        let open = OpenAttempt { frames: frames(&[polls, polls + 120]), ..open_of(&challenge) };
        match drop_after(polls.into(), f.store.open_attempt(open)).await {
            None => dropped += 1,
            Some(result) => {
                result.unwrap();
                finished += 1;
            }
        }
        f.settled().await;
        let attempts = f.store.attempts(f.tenant, challenge.id).await.unwrap();
        let half = f.number("SELECT (SELECT count(*) FROM attempts) - (SELECT count(*) FROM live_receipts)").await;
        assert_eq!(half, 0, "an attempt and its receipt id come together");
        frames_seen += if attempts.is_empty() { 0 } else { 2 };
        assert_eq!(f.number("SELECT count(*) FROM seen_frames").await, frames_seen, "and its frames with them");
        if attempts.is_empty() {
            f.open(&challenge).await;
        } else {
            assert_eq!(attempts[0].state, AttemptState::Open);
        }
    }
    assert!(dropped > 0 && finished > 0, "control: {dropped} dropped, {finished} finished");
}
