//! What a power cut leaves in the files.

use super::*;
use crate::tx::Scope;

/// The files as a power cut would leave them, opened anew.
async fn after_a_crash(f: &Fixture) -> Fixture {
    let home = Home::on(ENGINE).await;
    let Home::Sqlite(folder) = &home else { panic!("another engine") };
    for path in files(f) {
        std::fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
    }
    Fixture { store: Store::open(home.config()).await.unwrap(), tenant: f.tenant, home }
}

#[tokio::test]
async fn what_was_committed_survives_and_what_was_not_does_not() {
    let f = Fixture::on(ENGINE).await;
    f.enroll("alice", 1).await;
    let challenge = f.challenge("alice", Purpose::Verify).await;
    let opened = f.open(&challenge).await;
    let mut half = f.store.begin(Scope::Tenant(f.tenant)).await.unwrap();
    half.batch("DELETE FROM sealed_references").await.unwrap();

    let g = after_a_crash(&f).await;
    assert!(g.store.reference(g.tenant, &user("alice")).await.unwrap().is_some());
    assert_eq!(g.refused(open_of(&challenge)).await, OpenRefused::AttemptOpen);
    g.record(outcome(&opened, Settlement::Reset)).await;
    assert!(matches!(g.store.verify_audit(g.tenant).await.unwrap(), crate::Chain::Intact { .. }));
}

#[tokio::test]
async fn a_deletion_that_died_before_its_proof_is_found_again() {
    let f = Fixture::on(ENGINE).await;
    f.enroll("alice", 1).await;
    let erased = erase(&f, "alice").await;
    let g = after_a_crash(&f).await;
    assert_eq!(g.store.pending_deletions(10).await.unwrap(), std::slice::from_ref(&erased));
    let checkpoint = g.store.checkpoint().await.unwrap();
    assert!(g.store.deletion_proved(&erased, checkpoint).await.unwrap());
}
