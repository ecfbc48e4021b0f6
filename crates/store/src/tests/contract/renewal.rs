//! Renewal: the next generation of the transform key, references exchanged once, the former key gone when nothing needs it.

use super::*;
use crate::{BatchResult, Job, JobKind, NewJob, QueueResult, RenewEnd, Renewed, Step, ToRenew};

async fn again(f: &Fixture, job: &Job) -> Job {
    f.store.job(job.id).await.unwrap().unwrap()
}

async fn begun(f: &Fixture) -> Job {
    let new =
        NewJob { tenant: f.tenant, kind: JobKind::RenewReferences, cause: None, users: None, requested_by: "test" };
    let QueueResult::Queued(id) = f.store.queue_job(new).await.unwrap() else { panic!("not queued") };
    assert_eq!(f.store.queue_job(new).await.unwrap(), QueueResult::RunsAlready(id), "one at a time");
    let job = f.store.job(id).await.unwrap().unwrap();
    assert!(f.store.begin_job(&job).await.unwrap());
    again(f, &job).await
}

/// A renewal that stands before its first batch.
async fn renewing(f: &Fixture) -> Job {
    let job = begun(f).await;
    let seen = f.store.tenant(f.tenant).await.unwrap().unwrap();
    let new = TenantSecretsRow { kek_version: 1, transform_key: vec![7; 60], pseudonym_key: vec![2; 60] };
    assert!(f.store.begin_generation(&job, &seen, (&new, &[1; 60])).await.unwrap());
    assert!(
        !f.store.begin_generation(&job, &seen, (&new, &[1; 60])).await.unwrap(),
        "only where it stands as it was read"
    );
    again(f, &job).await
}

fn laid_out(old: &ToRenew) -> Renewed {
    let row = &old.row;
    let new = SealedRow { epoch: row.epoch + 1, commitment: [8; 32], transform_generation: 2, ..row.clone() };
    Renewed { old: old.clone(), new: SealedRow { wrapped_dek: vec![8; 60], ciphertext: vec![8; 600], ..new } }
}

#[tokio::test]
async fn a_generation_begins_once_and_each_reference_knows_which_key_it_was_laid_out_with() {
    let f = fixture().await;
    f.enroll("alice", 1).await;
    let job = renewing(&f).await;
    let tenant = f.store.tenant(f.tenant).await.unwrap().unwrap();
    assert_eq!((tenant.transform_generation, job.step), (2, Step::Renew));
    assert_eq!((tenant.transform_key_of(1), tenant.transform_key_of(2)), (&[1; 60][..], &[7; 60][..]));
    let alice = f.store.reference(f.tenant, &user("alice")).await.unwrap().unwrap();
    assert_eq!(alice.transform_generation, 1);
    let late = f.enroll("bob", 2).await;
    assert_eq!(late.transform_generation, 1, "an enrollment that began before is taken while the former key is there");
    assert_eq!(f.store.references_to_renew(&job, 2, 10).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_batch_of_renewals_is_done_once_and_what_changed_meanwhile_is_left_alone() {
    let f = fixture().await;
    for (name, mark) in [("alice", 1), ("bob", 2), ("carol", 3)] {
        f.enroll(name, mark).await;
    }
    let job = renewing(&f).await;
    let batch = f.store.references_to_renew(&job, 2, 10).await.unwrap();
    let exchanges: Vec<_> = batch.iter().map(laid_out).collect();
    erase(&f, "alice").await;
    let last = &batch[2].user;
    let done = f.store.exchange_references(&job, &exchanges, last).await.unwrap();
    assert_eq!(done, BatchResult::Committed { exchanged: 2 }, "alice is gone");
    assert_eq!(f.store.exchange_references(&job, &exchanges, last).await.unwrap(), BatchResult::Superseded);
    let carol = f.store.reference(f.tenant, &user("carol")).await.unwrap().unwrap();
    assert_eq!((carol.id, carol.epoch, carol.commitment), (batch[2].row.id, 2, [8; 32]));
    assert_eq!(f.store.audit_count(f.tenant, "reference.renewed").await.unwrap(), 2);
    let foreign = Renewed { new: SealedRow { epoch: 1, ..exchanges[1].new.clone() }, ..exchanges[1].clone() };
    let job = again(&f, &job).await;
    assert!(matches!(f.store.exchange_references(&job, &[foreign], last).await, Err(StoreError::Misuse(_))));
}

#[tokio::test]
async fn the_former_key_goes_when_nothing_is_laid_out_with_it_and_from_then_on_nothing_is() {
    let f = fixture().await;
    f.enroll("alice", 1).await;
    let in_flight = f.open(&f.challenge("bob", Purpose::Enroll).await).await;
    let job = renewing(&f).await;
    assert_eq!(f.store.end_generation(&job, 2).await.unwrap(), RenewEnd::Leftover { rows: 1 });
    let job = again(&f, &job).await;
    let batch = f.store.references_to_renew(&job, 2, 10).await.unwrap();
    f.store.exchange_references(&job, &[laid_out(&batch[0])], &batch[0].user).await.unwrap();
    let job = again(&f, &job).await;
    assert_eq!(f.store.end_generation(&job, 2).await.unwrap(), RenewEnd::Done);
    assert_eq!(f.store.tenant(f.tenant).await.unwrap().unwrap().former_transform_key, None);
    let outcome = RecordOutcome { reference: Some(sealed(2)), ..outcome(&in_flight, Settlement::Reset) };
    let late = f.store.record_outcome(outcome).await.unwrap();
    assert!(matches!(late, RecordResult::KekRetired), "laid out with a key that is gone: {late:?}");
}

#[tokio::test]
async fn a_renewal_that_did_not_end_is_gone_on_with_under_the_same_key() {
    let f = fixture().await;
    f.enroll("alice", 1).await;
    let job = renewing(&f).await;
    assert!(f.store.fail_job(&job, "UNAVAILABLE_KMS").await.unwrap());
    let job = begun(&f).await;
    let seen = f.store.tenant(f.tenant).await.unwrap().unwrap();
    assert!(!f.store.begin_generation(&job, &seen, (&seen.secrets, &[1; 60])).await.unwrap(), "one is not ended");
    assert!(f.store.resume_generation(&job).await.unwrap());
    assert_eq!(f.store.references_to_renew(&again(&f, &job).await, 2, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_rotation_in_the_middle_of_a_renewal_takes_the_former_key_along() {
    let f = fixture().await;
    renewing(&f).await;
    let new = TenantSecretsRow { kek_version: 2, transform_key: vec![3; 60], pseudonym_key: vec![4; 60] };
    assert!(!f.store.exchange_secrets(f.tenant, 1, &new, None).await.unwrap(), "it would be lost");
    assert!(f.store.exchange_secrets(f.tenant, 1, &new, Some(&[5; 60])).await.unwrap());
    let tenant = f.store.tenant(f.tenant).await.unwrap().unwrap();
    assert_eq!(tenant.transform_key_of(1), [5; 60]);
}
