//! A real process that ends at a failpoint: this test binary runs itself again as its own victim.
#![cfg(debug_assertions)]

use super::*;
use std::process::{Command, Stdio};

const HOME: &str = "COUNTERSIGN_VICTIM_HOME";

/// Steps that the parent repeats at every failpoint; the tenant is always the same.
fn tenant() -> TenantId {
    TenantId::new(uuid::Uuid::from_u128(1))
}

/// Does nothing unless the test below runs it in a process of its own.
#[tokio::test]
async fn victim() {
    let Ok(address) = std::env::var(HOME) else { return };
    let store = Store::open(config_at(ENGINE, &address)).await.unwrap();
    let f = Fixture { store, tenant: tenant(), home: Home::on(Engine::Sqlite).await };
    f.store.create_tenant(new_tenant(f.tenant)).await.unwrap();
    f.enroll("alice", 1).await;
    f.verify("alice", Settlement::Reset).await;
    f.store.erase(f.tenant, &user("alice"), "user-request").await.unwrap();
    f.store.checkpoint().await.unwrap();
}

async fn killed_at(point: &str) -> Fixture {
    let home = Home::on(ENGINE).await;
    let victim = concat!(module_path!(), "::victim").split_once("::").unwrap().1;
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", victim])
        .env(HOME, home.address())
        .env("COUNTERSIGN_FAILPOINT", point)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert_eq!(status.code().is_none(), point != "none", "{point}");
    Fixture { store: Store::open(home.config()).await.unwrap(), tenant: tenant(), home }
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
