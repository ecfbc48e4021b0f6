//! T2: the compare-and-set on the lease and what goes with it.

use super::*;
use crate::StoreError;

#[tokio::test(flavor = "multi_thread")]
async fn of_many_racing_accepts_one_is_recorded() {
    let f = fixture().await;
    f.enroll("alice", 1).await;
    let challenge = f.challenge("alice", Purpose::Verify).await;
    let opened = f.open(&challenge).await;
    let calls: Vec<_> = (0..64)
        .map(|_| {
            let (store, outcome) = (f.store.clone(), outcome(&opened, Settlement::Reset));
            tokio::spawn(async move { store.record_outcome(outcome).await.unwrap() })
        })
        .collect();
    let mut recorded = 0;
    for call in calls {
        match call.await.unwrap() {
            RecordResult::Recorded(_) => recorded += 1,
            other => assert!(matches!(other, RecordResult::LeaseLost), "{other:?}"),
        }
    }
    assert_eq!(recorded, 1);
    assert_eq!(f.store.audit_count(f.tenant, "attempt.decided").await.unwrap(), 2, "enrollment and one accept");
}

#[tokio::test]
async fn the_constraint_refuses_a_second_accept_whatever_the_code_believes() {
    let f = fixture().await;
    f.enroll("alice", 1).await;
    let challenge = f.challenge("alice", Purpose::Verify).await;
    let first = f.open(&challenge).await;
    f.record(outcome(&first, Settlement::Refund)).await;
    let second = f.open(&challenge).await;
    f.sql("UPDATE attempts SET verdict = 'ACCEPT' WHERE n = 1 AND state = 'DECIDED' AND verdict = 'REFUSE'").await;
    let result = f.store.record_outcome(outcome(&second, Settlement::Reset)).await.unwrap();
    assert!(matches!(result, RecordResult::AlreadyAccepted), "{result:?}");
    let refusal = f.store.record_outcome(outcome(&second, Settlement::KeepInRow)).await.unwrap();
    assert!(matches!(refusal, RecordResult::Recorded(_)), "control: the lease was still good");
}

#[tokio::test]
async fn an_outcome_after_the_lease_ended_is_not_taken() {
    let f = fixture().await;
    f.enroll("alice", 1).await;
    let challenge = f.challenge("alice", Purpose::Verify).await;
    let opened = f.open(&challenge).await;
    f.sql("UPDATE attempts SET lease_until_ms = {now} WHERE state = 'OPEN'").await;
    let late = f.store.record_outcome(outcome(&opened, Settlement::Reset)).await.unwrap();
    assert!(matches!(late, RecordResult::LeaseLost));
    f.sql("UPDATE attempts SET lease_until_ms = lease_until_ms + 60000 WHERE state = 'OPEN'").await;
    f.record(outcome(&opened, Settlement::Reset)).await;
}

#[tokio::test]
async fn another_receipt_id_than_the_reserved_one_is_not_taken() {
    let f = fixture().await;
    f.enroll("alice", 1).await;
    let opened = f.open(&f.challenge("alice", Purpose::Verify).await).await;
    let mut forged = outcome(&opened, Settlement::Reset);
    forged.receipt.jti = Jti::new(make_id().unwrap());
    assert!(matches!(f.store.record_outcome(forged).await.unwrap(), RecordResult::LeaseLost));
    f.record(outcome(&opened, Settlement::Reset)).await;
}

#[tokio::test]
async fn an_outcome_that_contradicts_itself_is_misuse() {
    let f = fixture().await;
    let opened = f.open(&f.challenge("alice", Purpose::Enroll).await).await;
    let accept = || outcome(&opened, Settlement::Reset);
    let bad = [
        accept(),
        RecordOutcome { settlement: Settlement::Refund, reference: Some(sealed(1)), ..accept() },
        RecordOutcome { verdict: Verdict::Refuse, ..accept() },
        RecordOutcome { reference: Some(sealed(1)), ..outcome(&opened, Settlement::Refund) },
    ];
    for bad in bad {
        assert!(matches!(f.store.record_outcome(bad).await, Err(StoreError::Misuse(_))));
    }
    f.record(RecordOutcome { reference: Some(sealed(1)), ..accept() }).await;
}

#[tokio::test]
async fn a_replacement_erases_the_old_reference_and_its_receipts() {
    let f = fixture().await;
    let old = f.enroll("alice", 1).await;
    let verified = f.challenge("alice", Purpose::Verify).await;
    let receipt = f.open(&verified).await;
    f.record(outcome(&receipt, Settlement::Reset)).await;
    let in_flight = f.open(&f.challenge("alice", Purpose::Verify).await).await;

    let again = f.create(NewChallenge { replace: true, ..new_challenge(f.tenant, "alice", Purpose::Enroll) }).await;
    let opened = f.open(&again).await;
    assert_eq!(opened.reference.as_ref().unwrap().id, old.id);
    let new = sealed(2);
    let recorded =
        f.record(RecordOutcome { reference: Some(new.clone()), ..outcome(&opened, Settlement::Reset) }).await;
    let replaced = recorded.replaced.unwrap();
    assert_eq!((replaced.reference_id, replaced.commitment), (old.id, old.commitment));
    assert_eq!(f.store.reference(f.tenant, &user("alice")).await.unwrap().unwrap().id, new.id);
    assert!(f.revoked().await.contains(&receipt.status.index));
    assert!(!f.revoked().await.contains(&opened.status.index));
    let late = f.store.record_outcome(outcome(&in_flight, Settlement::Reset)).await.unwrap();
    assert!(matches!(late, RecordResult::LeaseLost), "it compared with what is gone");
    assert_eq!(f.store.pending_deletions(10).await.unwrap(), [replaced]);
}

#[tokio::test]
async fn of_two_enrollments_in_flight_the_second_finds_the_reference() {
    let f = fixture().await;
    let first = f.open(&f.challenge("alice", Purpose::Enroll).await).await;
    let second = f.open(&f.challenge("alice", Purpose::Enroll).await).await;
    let accept =
        |opened: &Opened, mark| RecordOutcome { reference: Some(sealed(mark)), ..outcome(opened, Settlement::Reset) };
    f.record(accept(&first, 1)).await;
    let result = f.store.record_outcome(accept(&second, 2)).await.unwrap();
    assert!(matches!(result, RecordResult::ReferenceExists));
    assert_eq!(f.number("SELECT count(*) FROM attempts WHERE state = 'ABANDONED'").await, 1, "not left open");
    let stored = f.store.reference(f.tenant, &user("alice")).await.unwrap().unwrap();
    assert_eq!(stored.commitment, [1; 32]);
}
