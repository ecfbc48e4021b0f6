//! What the database knows of the deletion journal, and what a journal does to a database that came back older.

use super::*;
use crate::{JobKind, JournalHead, NewHold, NewJob, Provable, ProveBatch, QueueResult};

const fn head(position: u64) -> JournalHead {
    JournalHead { position, hash: [9; 32] }
}

#[tokio::test]
async fn a_deletion_waits_for_its_entry_and_the_known_position_goes_forward_alone() {
    let f = fixture().await;
    assert_eq!(f.store.journal_head().await.unwrap(), None);
    for (name, mark) in [("alice", 1), ("bob", 2)] {
        f.enroll(name, mark).await;
    }
    let (alice, bob) = (erase(&f, "alice").await, erase(&f, "bob").await);
    let due = f.store.deletions_to_journal(10).await.unwrap();
    assert_eq!(
        due.iter().map(|erased| erased.reference_id).collect::<Vec<_>>(),
        [alice.reference_id, bob.reference_id]
    );
    f.store.note_journaled(&[alice], head(4)).await.unwrap();
    f.store.note_journaled(&[bob], head(3)).await.unwrap();
    assert_eq!(f.store.deletions_to_journal(10).await.unwrap(), []);
    assert_eq!(f.store.journal_head().await.unwrap(), Some(head(4)), "a slower process does not set it back");
}

#[tokio::test]
async fn where_a_journal_is_kept_a_job_proves_only_what_is_in_it() {
    let f = fixture().await;
    f.enroll("alice", 1).await;
    let new = NewJob {
        tenant: f.tenant,
        kind: JobKind::DeleteReferences,
        cause: Some("closing"),
        users: None,
        requested_by: "test",
    };
    let QueueResult::Queued(id) = f.store.queue_job(new).await.unwrap() else { panic!("not queued") };
    let job = async || f.store.job(id).await.unwrap().unwrap();
    f.store.begin_job(&job().await).await.unwrap();
    f.store.erase_batch(&job().await, 10).await.unwrap();
    f.store.erase_batch(&job().await, 10).await.unwrap();
    let due = f.store.deletions_to_journal(10).await.unwrap();
    f.store.note_journaled(&due, head(1)).await.unwrap();
    let provable = Provable { checkpoint: f.store.checkpoint().await.unwrap(), journaled_only: true };
    assert_eq!(f.store.prove_batch(&job().await, provable, 10).await.unwrap(), ProveBatch::Proved(1));
    f.sql("UPDATE deletions SET journaled = 0, proved_at_ms = NULL").await;
    assert_eq!(f.store.prove_batch(&job().await, provable, 10).await.unwrap(), ProveBatch::Done, "nothing is provable");
    assert_eq!(f.store.pending_deletions(10).await.unwrap().len(), 1, "it stays pending");
}

#[tokio::test]
async fn what_came_back_is_erased_again_with_its_users_receipts_whatever_holds_came_back_too() {
    let f = fixture().await;
    let alice = f.enroll("alice", 1).await;
    let bob = f.enroll("bob", 2).await;
    f.store
        .place_hold(NewHold { tenant: f.tenant, user: &user("alice"), matter: "of the past", placed_by: "test" })
        .await
        .unwrap();
    assert!(!f.store.knows_deletion(f.tenant, alice.id).await.unwrap());
    let erased = f.store.erase_restored(f.tenant, alice.id).await.unwrap().unwrap();
    assert_eq!((erased.cause.as_str(), erased.commitment), ("restored", alice.commitment));
    assert!(f.store.reference(f.tenant, &user("alice")).await.unwrap().is_none());
    assert!(f.store.knows_deletion(f.tenant, alice.id).await.unwrap());
    assert_eq!(f.number("SELECT count(*) AS number FROM live_receipts WHERE status = 'INVALID'").await, 1);
    assert_eq!(f.store.erase_restored(f.tenant, alice.id).await.unwrap(), None, "again is fine");
    assert!(f.store.reference(f.tenant, &user("bob")).await.unwrap().is_some_and(|row| row.id == bob.id));
    let elsewhere = TenantId::new(make_id().unwrap());
    assert_eq!(f.store.erase_restored(elsewhere, bob.id).await.unwrap(), None, "a tenant that is not there");
    assert!(matches!(f.store.erase(f.tenant, &user("bob"), "restored").await, Err(StoreError::Misuse(_))));
}
