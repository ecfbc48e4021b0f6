//! Units that share a transaction: one COMMIT for many, each its own failure, one fate.

use super::*;
use crate::{AuditBody, SinkConfig, SinkPlace, StoreConfig, tx::Scope};
use serde_json::Value;
use std::os::unix::fs::symlink;
use tokio::{task::JoinSet, time::timeout};

const MANY: i64 = 64;

/// How often something was committed since the write-ahead log began: frames that name the database's size.
fn commits(f: &Fixture) -> usize {
    let wal = std::fs::read(&files(f)[1]).unwrap();
    let page = u32::from_be_bytes(wal[8..12].try_into().unwrap()) as usize;
    let salt = &wal[16..24];
    wal[32..].chunks_exact(24 + page).filter(|frame| &frame[8..16] == salt && frame[4..8] != [0; 4]).count()
}

async fn entry(store: &Store, tenant: TenantId) -> Result<(), StoreError> {
    store.audit(tenant, "test.entry", AuditBody::default()).await
}

async fn entries(f: &Fixture) -> i64 {
    f.number("SELECT count(*) FROM audit WHERE kind = 'test.entry'").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_at_once_share_commits_and_a_lone_caller_has_its_own() {
    let f = Fixture::on(ENGINE).await;
    f.store.checkpoint().await.unwrap();
    for _ in 0..MANY {
        entry(&f.store, f.tenant).await.unwrap();
    }
    let alone = commits(&f);
    assert_eq!(alone as i64, MANY, "control: one after the other, one commit each");
    let turn = f.store.begin(Scope::Tenant(f.tenant)).await.unwrap();
    let mut going = JoinSet::new();
    for _ in 0..MANY {
        let (store, tenant) = (f.store.clone(), f.tenant);
        going.spawn(async move { entry(&store, tenant).await });
    }
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    drop(turn);
    while let Some(done) = going.join_next().await {
        done.unwrap().unwrap();
    }
    let shared = commits(&f) - alone;
    assert!(shared <= 4, "{shared} commits for {MANY} that waited together");
    assert_eq!(entries(&f).await, 2 * MANY);
    assert!(matches!(f.store.verify_audit(f.tenant).await.unwrap(), crate::Chain::Intact { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unit_that_fails_takes_back_its_own_writes_and_no_others() {
    let f = Fixture::on(ENGINE).await;
    let mut going = JoinSet::new();
    for number in 0..MANY {
        let (store, tenant) = (f.store.clone(), f.tenant);
        going.spawn(async move {
            if number % 2 == 0 {
                return entry(&store, tenant).await;
            }
            let mut half = store.begin(Scope::Tenant(tenant)).await?;
            half.batch("DELETE FROM api_keys; DELETE FROM strikes; UPDATE tenants SET name = 'half'").await?;
            assert!(half.batch("INSERT INTO nowhere VALUES (1)").await.is_err());
            assert!(half.commit().await.is_err(), "what failed does not commit");
            Ok(())
        });
    }
    while let Some(done) = going.join_next().await {
        done.unwrap().unwrap();
    }
    assert_eq!(entries(&f).await, MANY / 2);
    assert_eq!(f.number("SELECT count(*) FROM tenants WHERE name = 'half'").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_is_lost_is_lost_for_all_who_were_in_it() {
    let f = Fixture::on(ENGINE).await;
    let first = f.store.begin(Scope::Tenant(f.tenant)).await.unwrap();
    let (store, tenant) = (f.store.clone(), f.tenant);
    let second = tokio::spawn(async move { store.begin(Scope::Tenant(tenant)).await.unwrap() });
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    let done = tokio::spawn(async move {
        let mut first = first;
        first.batch("UPDATE tenants SET name = 'first'").await?;
        first.commit().await
    });
    let mut second = second.await.unwrap();
    let seen = second.seen().expect("the first one's writes are seen");
    // As SQLite does by itself where the disk fails.
    second.batch("ROLLBACK").await.unwrap();
    drop(second);
    assert!(done.await.unwrap().is_err(), "nobody says committed");
    assert!(seen.settled().await.is_err(), "nor tells what it saw");
    assert_eq!(f.number("SELECT count(*) FROM tenants WHERE name = 'first'").await, 0);
    entry(&f.store, f.tenant).await.unwrap();
    assert_eq!(entries(&f).await, 1, "it recovers by itself");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_only_looked_waits_for_what_it_saw_to_be_durable() {
    let f = Fixture::on(ENGINE).await;
    let mut first = f.store.begin(Scope::Tenant(f.tenant)).await.unwrap();
    let (store, tenant) = (f.store.clone(), f.tenant);
    let second = tokio::spawn(async move { store.begin(Scope::Tenant(tenant)).await.unwrap() });
    let (store, tenant) = (f.store.clone(), f.tenant);
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    assert!(first.seen().is_none(), "alone it saw nobody's");
    first.batch("UPDATE tenants SET name = 'first'").await.unwrap();
    let done = tokio::spawn(first.commit());
    let second = second.await.unwrap();
    let mut seen = Box::pin(second.seen().expect("it shares").settled());
    let soon = std::time::Duration::from_millis(50);
    assert!(timeout(soon, &mut seen).await.is_err() && !done.is_finished(), "not while the transaction is open");
    let third = tokio::spawn(async move { entry(&store, tenant).await });
    drop(second);
    seen.await.unwrap();
    done.await.unwrap().unwrap();
    third.await.unwrap().unwrap();
    assert_eq!(f.number("SELECT count(*) FROM tenants WHERE name = 'first'").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_who_go_away_leave_nothing_half_done_and_nobody_stuck() {
    let f = Fixture::on(ENGINE).await;
    let mut random = 7_u64;
    for _ in 0..200 {
        let (store, tenant) = (f.store.clone(), f.tenant);
        let caller = tokio::spawn(async move {
            let _ = entry(&store, tenant).await;
        });
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        tokio::time::sleep(std::time::Duration::from_micros(random >> 54)).await;
        caller.abort();
        if random.is_multiple_of(8) {
            entry(&f.store, f.tenant).await.unwrap();
        }
    }
    timeout(std::time::Duration::from_secs(5), entry(&f.store, f.tenant)).await.unwrap().unwrap();
    timeout(std::time::Duration::from_secs(5), f.store.checkpoint()).await.unwrap().unwrap();
    let chain = f.store.verify_audit(f.tenant).await.unwrap();
    assert!(matches!(chain, crate::Chain::Intact { .. }), "{chain:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_who_go_away_cost_nobody_else_a_unit() {
    let f = Fixture::on(ENGINE).await;
    let mut staying = JoinSet::new();
    for _ in 0..8 {
        let (store, tenant) = (f.store.clone(), f.tenant);
        staying.spawn(async move {
            for _ in 0..100 {
                entry(&store, tenant).await.unwrap();
            }
        });
    }
    let (mut random, mut went) = (11_u64, 0);
    while !staying.is_empty() {
        let (store, tenant) = (f.store.clone(), f.tenant);
        let caller = tokio::spawn(async move { store.audit(tenant, "test.gone", AuditBody::default()).await });
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        tokio::time::sleep(std::time::Duration::from_micros(random >> 54)).await;
        caller.abort();
        went += usize::from(caller.await.is_err());
        while let Some(stayed) = staying.try_join_next() {
            stayed.unwrap();
        }
    }
    assert_eq!(entries(&f).await, 800);
    assert!(went > 10, "{went} went away in the middle");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_sink_takes_the_lines_of_a_whole_group_or_nothing_of_it_is_written() {
    let f = Fixture::on(ENGINE).await;
    let folder = tempfile::tempdir().unwrap();
    let (link, whole) = (folder.path().join("audit.jsonl"), folder.path().join("whole"));
    let place = SinkPlace::File(link.clone());
    let sink = SinkConfig { place, required: true, wait: std::time::Duration::from_secs(5) };
    let store = Store::open(StoreConfig { sink: Some(sink), ..f.home.config() }).await.unwrap();
    let together = async || {
        let turn = store.begin(Scope::Tenant(f.tenant)).await.unwrap();
        let mut going = JoinSet::new();
        for _ in 0..MANY {
            let (store, tenant) = (store.clone(), f.tenant);
            going.spawn(async move { entry(&store, tenant).await });
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        drop(turn);
        going.join_all().await
    };
    symlink("/dev/full", &link).unwrap();
    let refused = together().await;
    assert!(refused.iter().all(|one| matches!(one, Err(StoreError::AuditUnavailable(_)))), "{refused:?}");
    assert_eq!(entries(&f).await, 0);
    std::fs::remove_file(&link).unwrap();
    symlink(&whole, &link).unwrap();
    assert!(together().await.iter().all(Result::is_ok), "it comes back by itself");
    let lines = std::fs::read_to_string(&whole).unwrap();
    let seqs: Vec<i64> =
        lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["seq"].as_i64().unwrap()).collect();
    let stored = f.store.audit_entries(f.tenant, 0, 1_000).await.unwrap();
    let stored: Vec<i64> = stored.iter().filter(|one| one.kind == "test.entry").map(|one| one.seq).collect();
    assert_eq!((seqs.len() as i64, &seqs), (MANY, &stored), "each line once, in the order of the chain");
}
