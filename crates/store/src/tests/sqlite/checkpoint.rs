//! What lies in the files: erased bytes, the write-ahead log, a full disk.

use super::*;

/// Whether either file holds these bytes.
fn found(f: &Fixture, bytes: &[u8]) -> bool {
    files(f).iter().any(|path| std::fs::read(path).unwrap().windows(bytes.len()).any(|window| window == bytes))
}

#[tokio::test]
async fn after_erasure_and_checkpoint_the_old_bytes_are_nowhere() {
    let f = Fixture::on(ENGINE).await;
    let mut erased = Vec::new();
    for mark in 1..=40 {
        erased.push(f.enroll(&format!("user{mark}"), mark).await);
    }
    let kept = f.enroll("kept", 99).await;
    for row in &erased {
        assert!(found(&f, &row.ciphertext) && found(&f, &row.wrapped_dek), "control: they are there before");
    }
    f.store.checkpoint().await.unwrap();
    // Else SQLite writes its log back by itself every thousand pages, about as many as forty erasures take.
    f.sql("PRAGMA wal_autocheckpoint = 0").await;
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
    let f = Fixture::on(ENGINE).await;
    f.enroll("alice", 1).await;
    f.store.checkpoint().await.unwrap();
    let mut reader = f.store.read(f.tenant).await.unwrap();
    reader.batch("BEGIN; SELECT count(*) FROM tenants").await.unwrap();
    let erased = erase(&f, "alice").await;
    assert!(matches!(f.store.checkpoint().await, Err(StoreError::CheckpointBlocked)));
    assert_eq!(f.store.pending_deletions(10).await.unwrap(), std::slice::from_ref(&erased));
    assert_eq!(erase(&f, "alice").await, erased, "asked again, the same deletion");
    f.challenge("bob", Purpose::Enroll).await;

    reader.batch("COMMIT").await.unwrap();
    let checkpoint = f.store.checkpoint().await.unwrap();
    assert!(f.store.deletion_proved(&erased, checkpoint).await.unwrap());
    assert!(!f.store.deletion_proved(&erased, checkpoint).await.unwrap(), "once");
    assert!(f.store.pending_deletions(10).await.unwrap().is_empty());
    assert_eq!(f.store.audit_count(f.tenant, "deletion.proved").await.unwrap(), 1);
}

#[tokio::test]
async fn a_full_disk_is_unavailable_and_passes() {
    let f = Fixture::on(ENGINE).await;
    let opened = f.open(&f.challenge("alice", Purpose::Enroll).await).await;
    let entries = async || f.store.audit_entries(f.tenant, 0, 100).await.unwrap();
    let before = entries().await;
    f.sql("PRAGMA max_page_count = 1").await;
    let accept = || {
        let reference = SealedRow { ciphertext: vec![7; 100_000], ..sealed(1) };
        RecordOutcome { reference: Some(reference), ..outcome(&opened, Settlement::Reset) }
    };
    let full = f.store.record_outcome(accept()).await;
    assert!(matches!(full, Err(StoreError::Unavailable(_))), "{full:?}");
    assert_eq!(entries().await, before);
    f.sql("PRAGMA max_page_count = 1000000").await;
    f.record(accept()).await;
    assert_eq!(f.number("SELECT count(*) FROM sealed_references").await, 1, "it recovers by itself");
}

#[tokio::test]
async fn a_checkpoint_leaves_no_remnants() {
    let f = Fixture::on(ENGINE).await;
    assert!(!f.store.checkpoint().await.unwrap().leaves_remnants());
}
