//! Row-level security: the second line behind each statement's own WHERE.

use super::*;
use crate::{
    conn::{Conn, query},
    tests::postgres_home::{execute, superuser},
    tx::Scope,
};

const TABLES: [&str; 12] = [
    "tenants",
    "api_keys",
    "challenges",
    "attempts",
    "live_receipts",
    "sealed_references",
    "deletions",
    "strikes",
    "audit",
    "policies",
    "log_queue",
    "log_salts",
];

async fn rows(conn: &mut Conn, table: &str) -> i64 {
    let sql = sqlx::AssertSqlSafe(format!("SELECT count(*) AS rows FROM {table}"));
    query(sql).fetch_one(conn).await.unwrap().try_get("rows").unwrap()
}

/// A tenant with a row in each table.
async fn furnished() -> Fixture {
    let f = Fixture::on(ENGINE).await;
    f.remember_frames(60).await;
    f.enroll("alice", 1).await;
    erase(&f, "alice").await;
    f.enroll("alice", 2).await;
    f.verify("alice", Settlement::KeepInRow).await;
    let row = f.challenge("alice", Purpose::Verify).await;
    f.store.open_attempt(OpenAttempt { frames: frames(&[1]), ..open_of(&row) }).await.unwrap();
    let key = crate::NewApiKey { key_id: "k".into(), tenant: f.tenant, mac: [9; 32], expires_at_ms: None };
    f.store.add_api_key(key, AuditBody::default()).await.unwrap();
    f
}

#[tokio::test]
async fn a_statement_that_forgets_the_tenant_sees_nothing_of_another() {
    let f = furnished().await;
    let other = TenantId::new(make_id().unwrap());
    let mut own = f.store.read(f.tenant).await.unwrap();
    let mut foreign = f.store.read(other).await.unwrap();
    let mut all = f.store.read_all_tenants().await.unwrap();
    for table in TABLES.into_iter().chain(["seen_frames"]) {
        assert!(rows(&mut own, table).await > 0, "control: {table}");
        assert!(rows(&mut all, table).await > 0, "control: {table}");
        assert_eq!(rows(&mut foreign, table).await, 0, "{table}");
    }
}

#[tokio::test]
async fn a_statement_that_forgets_the_tenant_changes_nothing_of_another() {
    let f = furnished().await;
    let other = TenantId::new(make_id().unwrap());
    let delete = async |tenant| {
        let mut tx = f.store.begin(Scope::Tenant(tenant)).await.unwrap();
        query("DELETE FROM sealed_references").execute(&mut tx).await.unwrap()
    };
    assert_eq!(delete(other).await, 0);
    assert_eq!(delete(f.tenant).await, 1, "control");
    let mut tx = f.store.begin(Scope::Tenant(other)).await.unwrap();
    let sql = "INSERT INTO strikes VALUES ($1, 'mallory', 0, 0, NULL, 0, 0)";
    let refused = query(sql).bind(f.tenant.uuid()).execute(&mut tx).await.unwrap_err();
    assert_eq!(refused.as_database_error().unwrap().code().as_deref(), Some("42501"), "{refused}");
    let mut tx = f.store.begin(Scope::Tenant(f.tenant)).await.unwrap();
    assert_eq!(query(sql).bind(f.tenant.uuid()).execute(&mut tx).await.unwrap(), 1, "control");
}

#[tokio::test]
async fn whoever_names_no_tenant_sees_nothing_not_even_as_the_owner() {
    let f = furnished().await;
    let Home::Postgres(database) = &f.home else { panic!("another engine") };
    for role in [crate::tests::postgres_home::OWNER, crate::tests::postgres_home::SERVING] {
        let mut conn = superuser(&database.name).await;
        execute(&mut conn, format!("SET ROLE {role}")).await.unwrap();
        for table in TABLES.into_iter().chain(["seen_frames"]) {
            let sql = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
            let count: i64 = sqlx::query_scalar(sql).fetch_one(&mut conn).await.unwrap();
            assert_eq!(count, 0, "{role} {table}");
        }
    }
}

#[tokio::test]
async fn a_scope_ends_with_its_transaction() {
    let f = furnished().await;
    for _ in 0..40 {
        drop(f.store.read_all_tenants().await.unwrap());
        let mut foreign = f.store.read(TenantId::new(make_id().unwrap())).await.unwrap();
        assert_eq!(rows(&mut foreign, "tenants").await, 0);
    }
}

#[tokio::test]
async fn every_table_but_the_migrations_is_under_a_policy() {
    let f = Fixture::on(ENGINE).await;
    let sql = "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
               WHERE n.nspname = 'public' AND c.relkind = 'r'";
    assert_eq!(f.number(sql).await, 27, "control: twenty-six tables and the list of migrations");
    let bare = "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                WHERE n.nspname = 'public' AND c.relkind = 'r' AND c.relname <> '_sqlx_migrations'
                AND NOT (c.relrowsecurity AND c.relforcerowsecurity
                         AND EXISTS (SELECT 1 FROM pg_policy p WHERE p.polrelid = c.oid))";
    assert_eq!(f.number(bare).await, 0);
}
