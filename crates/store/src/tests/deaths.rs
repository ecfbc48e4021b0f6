//! The process dies: what a second one finds in the files.

use super::*;

/// The files as a power cut would leave them, opened anew.
async fn after_a_crash(f: &Fixture) -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    for path in f.files() {
        std::fs::copy(&path, dir.path().join(path.file_name().unwrap())).unwrap();
    }
    let store = Store::open(config(&dir)).await.unwrap();
    Fixture { store, tenant: f.tenant, dir }
}

#[tokio::test]
async fn what_was_committed_survives_and_what_was_not_does_not() {
    let f = Fixture::new().await;
    f.enroll("alice", 1).await;
    let challenge = f.challenge("alice", Purpose::Verify).await;
    let opened = f.open(&challenge).await;
    let mut half = f.store.write().await.unwrap();
    sqlx::raw_sql("DELETE FROM sealed_references").execute(&mut *half).await.unwrap();

    let g = after_a_crash(&f).await;
    assert!(g.store.reference(g.tenant, &user("alice")).await.unwrap().is_some());
    assert_eq!(g.refused(open_of(&challenge)).await, OpenRefused::AttemptOpen);
    g.record(outcome(&opened, Settlement::Reset)).await;
    assert!(matches!(g.store.verify_audit(g.tenant).await.unwrap(), crate::Chain::Intact { .. }));
}

#[tokio::test]
async fn a_deletion_that_died_before_its_proof_is_found_again() {
    let f = Fixture::new().await;
    f.enroll("alice", 1).await;
    let crate::EraseResult::Erased(erased) = f.store.erase(f.tenant, &user("alice"), "user-request").await.unwrap()
    else {
        panic!("no reference")
    };
    let g = after_a_crash(&f).await;
    assert_eq!(g.store.pending_deletions(10).await.unwrap(), std::slice::from_ref(&erased));
    let checkpoint = g.store.checkpoint().await.unwrap();
    assert!(g.store.deletion_proved(erased.deletion_id, checkpoint).await.unwrap());
}

#[cfg(debug_assertions)]
mod killed {
    //! A real process that ends at a failpoint: this test binary runs itself again as its own victim.

    use super::*;
    use crate::EraseResult;
    use std::process::{Command, Stdio};

    const DIR: &str = "COUNTERSIGN_VICTIM_DIR";

    /// Steps that the parent repeats at every failpoint; the tenant is always the same.
    fn tenant() -> TenantId {
        TenantId::new(uuid::Uuid::from_u128(1))
    }

    /// Does nothing unless the test below runs it in a process of its own.
    #[tokio::test]
    async fn victim() {
        let Some(dir) = std::env::var_os(DIR) else { return };
        let store = Store::open(StoreConfig::at(PathBuf::from(dir).join("store.db"))).await.unwrap();
        let dir = tempfile::tempdir().unwrap();
        let f = Fixture { store, tenant: tenant(), dir };
        f.store.create_tenant(new_tenant(f.tenant)).await.unwrap();
        f.enroll("alice", 1).await;
        f.verify("alice", Settlement::Reset).await;
        f.store.erase(f.tenant, &user("alice"), "user-request").await.unwrap();
        f.store.checkpoint().await.unwrap();
    }

    async fn killed_at(point: &str) -> Fixture {
        let dir = tempfile::tempdir().unwrap();
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "tests::deaths::killed::victim"])
            .env(DIR, dir.path())
            .env("COUNTERSIGN_FAILPOINT", point)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert_eq!(status.code().is_none(), point != "none", "{point}");
        Fixture { store: Store::open(config(&dir)).await.unwrap(), tenant: tenant(), dir }
    }

    /// Open, decided, references, deletions pending.
    async fn state(f: &Fixture) -> [i64; 4] {
        [
            f.number("SELECT count(*) FROM attempts WHERE state = 'OPEN'").await,
            f.number("SELECT count(*) FROM attempts WHERE state = 'DECIDED'").await,
            f.number("SELECT count(*) FROM sealed_references").await,
            f.number("SELECT count(*) FROM deletions WHERE proved_at_ms IS NULL").await,
        ]
    }

    #[tokio::test]
    async fn a_process_killed_between_any_two_steps_leaves_a_whole_state() {
        let expected = [
            ("t1.before_commit", [0, 0, 0, 0]),
            ("t1.after_commit", [1, 0, 0, 0]),
            ("t2.before_commit", [1, 0, 0, 0]),
            ("t2.after_commit", [0, 1, 1, 0]),
            ("t1.before_commit:2", [0, 1, 1, 0]),
            ("t1.after_commit:2", [1, 1, 1, 0]),
            ("t2.before_commit:2", [1, 1, 1, 0]),
            ("t2.after_commit:2", [0, 2, 1, 0]),
            ("erase.before_commit", [0, 2, 1, 0]),
            ("erase.after_commit", [0, 2, 0, 1]),
            ("erase.after_checkpoint", [0, 2, 0, 1]),
            ("none", [0, 2, 0, 1]),
        ];
        for (point, whole) in expected {
            let f = killed_at(point).await;
            assert_eq!(state(&f).await, whole, "{point}");
            let chain = f.store.verify_audit(f.tenant).await.unwrap();
            assert!(matches!(chain, crate::Chain::Intact { .. }), "{point}");
            let decided = f.store.audit_count(f.tenant, "attempt.decided").await.unwrap();
            assert_eq!(i64::try_from(decided).unwrap(), whole[1], "{point}: no answer without its row");
            unstuck(&f).await;
        }
    }

    /// Nothing is stuck: leases end, and the user goes on.
    async fn unstuck(f: &Fixture) {
        f.sql("UPDATE attempts SET lease_until_ms = 1 WHERE state = 'OPEN'").await;
        f.store.sweep_expired_leases().await.unwrap();
        assert_eq!(state(f).await[0], 0);
        if f.store.reference(f.tenant, &user("alice")).await.unwrap().is_none() {
            f.enroll("alice", 2).await;
        }
        f.verify("alice", Settlement::Reset).await;
        let erased = f.store.erase(f.tenant, &user("alice"), "user-request").await.unwrap();
        assert!(matches!(erased, EraseResult::Erased(_)));
        f.store.checkpoint().await.unwrap();
        let rows = f.number("SELECT count(*) FROM attempts WHERE state = 'ABANDONED' AND charged = 0").await;
        assert_eq!(rows, 0, "an abandoned attempt keeps its strike");
    }
}
