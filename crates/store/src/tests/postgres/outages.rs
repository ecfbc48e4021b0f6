//! Conflicts, lost connections and servers that say nothing.

use super::*;
use crate::{conn::query, tx::Scope};
use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

#[tokio::test]
async fn a_conflict_is_tried_again_and_not_for_ever() {
    let f = Fixture::on(ENGINE).await;
    f.sql("CREATE TABLE turns (n BIGINT); GRANT ALL ON turns TO PUBLIC").await;
    for (failing, succeeds) in [(3, true), (1000, false)] {
        let tries = AtomicU32::new(0);
        let tries = &tries;
        let done = f
            .store
            .write("test.conflict", f.tenant, |mut tx| async move {
                query("INSERT INTO turns VALUES (1)").execute(&mut tx).await?;
                if tries.fetch_add(1, Ordering::SeqCst) < failing {
                    tx.batch("DO $$ BEGIN RAISE SQLSTATE '40001'; END $$").await?;
                }
                tx.commit().await?;
                Ok(())
            })
            .await;
        assert_eq!(done.is_ok(), succeeds);
        assert_eq!(tries.load(Ordering::SeqCst), if succeeds { 4 } else { 6 });
    }
    assert_eq!(f.number("SELECT count(*) FROM turns").await, 1, "only the try that was committed wrote");
}

#[tokio::test]
async fn two_that_wait_for_each_other_both_end_well() {
    let f = Fixture::on(ENGINE).await;
    let names = ["a", "b"];
    for name in names {
        f.enroll(name, 1).await;
    }
    let touch = |first: &'static str, second: &'static str| {
        let store = f.store.clone();
        async move {
            store
                .write_all_tenants("test.deadlock", |mut tx| async move {
                    for name in [first, second] {
                        let sql = "UPDATE sealed_references SET epoch = epoch + 1 WHERE user_id = $1";
                        query(sql).bind(name).execute(&mut tx).await?;
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                    tx.commit().await?;
                    Ok(())
                })
                .await
        }
    };
    let (one, other) = tokio::join!(touch("a", "b"), touch("b", "a"));
    one.unwrap();
    other.unwrap();
    assert_eq!(f.number("SELECT sum(epoch) FROM sealed_references").await, 6);
}

#[tokio::test]
async fn a_failed_statement_leaves_nothing_to_commit() {
    let f = Fixture::on(ENGINE).await;
    let mut tx = f.store.begin(Scope::Tenant(f.tenant)).await.unwrap();
    query("UPDATE tenants SET name = 'x'").execute(&mut tx).await.unwrap();
    query("SELECT 1 / 0").execute(&mut tx).await.unwrap_err();
    assert!(tx.commit().await.is_err());
    assert_eq!(f.store.tenant(f.tenant).await.unwrap().unwrap().name, "Acme");
}

#[tokio::test]
async fn connections_that_the_server_dropped_are_replaced() {
    let f = Fixture::on(ENGINE).await;
    f.enroll("alice", 1).await;
    let mut half = f.store.begin(Scope::Tenant(f.tenant)).await.unwrap();
    half.batch("DELETE FROM sealed_references").await.unwrap();
    let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid()";
    f.sql(kill).await;
    assert!(half.batch("SELECT 1").await.is_err(), "control");
    drop(half);
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert!(f.store.reference(f.tenant, &user("alice")).await.unwrap().is_some(), "what was not committed is not");
    f.verify("alice", Settlement::Reset).await;
}

#[tokio::test]
async fn a_lock_that_somebody_keeps_is_waited_for_and_not_for_ever() {
    let f = Fixture::on(ENGINE).await;
    let mut config = f.home.config();
    let crate::Place::Postgres(server) = &mut config.place else { panic!("another engine") };
    server.lock_timeout = Duration::from_millis(200);
    let impatient = Store::open(config).await.unwrap();
    let kept = f.store.begin(Scope::Tenant(f.tenant)).await.unwrap();
    let late = impatient.audit(f.tenant, "test.entry", AuditBody::default()).await;
    assert!(matches!(late, Err(StoreError::Unavailable(_))), "{late:?}");
    drop(kept);
    impatient.audit(f.tenant, "test.entry", AuditBody::default()).await.unwrap();
}

#[tokio::test]
async fn callers_of_one_tenant_do_not_wait_for_another() {
    let f = Fixture::on(ENGINE).await;
    let other = TenantId::new(make_id().unwrap());
    f.store.create_tenant(new_tenant(other)).await.unwrap();
    let _kept = f.store.begin(Scope::Tenant(f.tenant)).await.unwrap();
    f.store.audit(other, "test.entry", AuditBody::default()).await.unwrap();
}
