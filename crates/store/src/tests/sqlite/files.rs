//! Who may read the files, and which schema they may have.

use super::*;
use crate::{conn::query, rotation::exchange_sql};
use sqlx::AssertSqlSafe;
use std::os::unix::fs::PermissionsExt as _;

#[tokio::test]
async fn the_files_are_private_to_this_user() {
    let f = Fixture::on(ENGINE).await;
    f.challenge("alice", Purpose::Enroll).await;
    for path in files(&f) {
        let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{path:?}");
    }
}

#[tokio::test]
async fn a_file_that_others_may_read_is_closed_to_them() {
    let f = Fixture::on(ENGINE).await;
    let [path, _] = files(&f);
    f.store.close().await;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    Store::open(f.home.config()).await.unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn an_edited_or_newer_schema_is_refused() {
    let f = Fixture::on(ENGINE).await;
    f.store.ping().await.unwrap();
    f.sql(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
           VALUES (9999, 'later', 1, x'00', 0)",
    )
    .await;
    f.store.close().await;
    assert!(matches!(Store::open(f.home.config()).await, Err(StoreError::Schema(_))));
}

#[tokio::test]
async fn tenants_of_an_older_release_remember_by_their_kind() {
    let f = Fixture::on(ENGINE).await;
    let live = TenantId::new(make_id().unwrap());
    let policy = Policy::production();
    f.store.create_tenant(NewTenant { test: false, policy, ..new_tenant(live) }).await.unwrap();
    f.sql(
        "UPDATE tenants SET policy = json_remove(policy, '$.frame_memory_seconds');
           DROP TABLE seen_frames; DELETE FROM _sqlx_migrations WHERE version = 3",
    )
    .await;
    f.store.close().await;
    let store = Store::open(f.home.config()).await.unwrap();
    let window = async |tenant| store.tenant(tenant).await.unwrap().unwrap().policy.frame_memory_seconds;
    assert_eq!((window(f.tenant).await, window(live).await), (0, 86_400));
}

#[tokio::test]
async fn references_of_an_older_release_are_what_they_were_and_may_get_a_successor() {
    let f = Fixture::on(ENGINE).await;
    let alice = f.enroll("alice", 1).await;
    f.verify("alice", Settlement::Reset).await;
    let before = f.store.reference(f.tenant, &user("alice")).await.unwrap();
    f.sql(
        "CREATE TABLE older AS SELECT id, tenant, user_id, epoch, feature_space, transform_version, schema, kek_version,
             wrapped_dek, ciphertext, commitment, created_at_ms, last_used_at_ms, transform_generation FROM sealed_references;
           DROP TABLE sealed_references; ALTER TABLE older RENAME TO sealed_references;
           DELETE FROM _sqlx_migrations WHERE version = 8",
    )
    .await;
    f.store.close().await;
    let store = Store::open(f.home.config()).await.unwrap();
    assert_eq!(store.reference(f.tenant, &user("alice")).await.unwrap(), before);
    assert_eq!(before.map(|row| row.id), Some(alice.id));
    let f = Fixture { store, ..f };
    assert_eq!(f.number("SELECT count(*) FROM sealed_references WHERE last_used_at_ms IS NOT NULL").await, 1);
    let opened = f.open(&f.challenge("alice", Purpose::Verify).await).await;
    let successor = SealedRow { feature_space: "space-2".into(), ..sealed(2) };
    let begins = Succession::Begins { reference: alice.id, over: None, successor: Box::new(successor) };
    f.record(RecordOutcome { succession: Some(begins), ..outcome(&opened, Settlement::Reset) }).await;
    let found = f.store.references(f.tenant, &user("alice")).await.unwrap().unwrap();
    assert!(found.reference.id == alice.id && found.successor.is_some());
}

#[tokio::test]
async fn a_batch_of_a_rotation_finds_its_rows_by_their_ids() {
    let f = Fixture::on(ENGINE).await;
    let plan = async |sql: String| {
        let mut conn = f.store.read_all_tenants().await.unwrap();
        let plan = query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"))).fetch_all(&mut conn).await.unwrap();
        plan.iter().map(|row| row.try_get::<String>("detail").unwrap()).collect::<Vec<_>>().join("; ")
    };
    let (sql, by_id) =
        (exchange_sql(64), "SEARCH sealed_references USING INDEX sqlite_autoindex_sealed_references_1 (id=?)");
    let told = plan(sql.clone()).await;
    assert!(told.contains(by_id), "{told}");
    let naive = sql.replace("NOT (sealed_references.tenant <> $1)", "sealed_references.tenant = $1");
    assert_ne!(naive, sql);
    let told = plan(naive).await;
    assert!(!told.contains(by_id), "control, or a reason to write it plainly again: {told}");
}
