//! Who may connect, with what rights, and to which schema.

use super::*;
use crate::{
    Misfit, PostgresConfig, Role,
    tests::postgres_home::{Database, OWNER, SERVING, execute, owned, superuser},
};

async fn refused(config: PostgresConfig) -> String {
    match Store::open(config.into()).await.unwrap_err() {
        StoreError::Settings(why) => why.to_owned(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn nothing_crosses_a_network_in_the_clear() {
    let role = Role { name: SERVING.into(), password_file: None };
    let elsewhere = PostgresConfig::new("db.example", "countersign", role);
    assert!(refused(elsewhere.clone()).await.contains("CA file"));
    assert!(refused(PostgresConfig { plaintext: true, ..elsewhere }).await.contains("another machine"));
}

#[tokio::test]
async fn a_superuser_does_not_serve() {
    let database = Database::new().await;
    let role = Role { name: crate::tests::server::SUPERUSER.into(), password_file: None };
    let config = PostgresConfig { owner: None, role, ..owned(&database.name) };
    assert!(refused(config).await.contains("row-level security"));
}

#[tokio::test]
async fn the_owner_of_the_schema_does_not_serve() {
    let database = Database::empty().await;
    let role = Role { name: OWNER.into(), password_file: None };
    assert!(refused(PostgresConfig { role, ..owned(&database.name) }).await.contains("owner"));
}

#[tokio::test]
async fn an_empty_newer_or_edited_schema_is_refused() {
    let empty = Database::empty().await;
    assert!(matches!(Store::open(empty.config()).await, Err(StoreError::Schema(Misfit::Older(1)))));

    type Is = fn(&Misfit) -> bool;
    let applied: [(&str, Is); 4] = [
        (
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
             VALUES (9999, 'later', true, '', 0)",
            |why| matches!(why, Misfit::Newer(9999)),
        ),
        ("UPDATE _sqlx_migrations SET checksum = 'edited' WHERE version = 2", |why| matches!(why, Misfit::Edited(2))),
        ("DELETE FROM _sqlx_migrations WHERE version = 3", |why| matches!(why, Misfit::Older(3))),
        ("DELETE FROM _sqlx_migrations WHERE version > 2", |why| matches!(why, Misfit::Older(3))),
    ];
    for (sql, is_it) in applied {
        let database = Database::new().await;
        Store::open(database.config()).await.unwrap().close().await;
        database.run(sql).await.unwrap();
        let StoreError::Schema(why) = Store::open(database.config()).await.unwrap_err() else { panic!("{sql}") };
        assert!(is_it(&why), "{sql}: {why:?}");
    }
}

#[tokio::test]
async fn two_that_start_at_once_migrate_once() {
    let database = Database::empty().await;
    let both = tokio::join!(Store::open(owned(&database.name).into()), Store::open(owned(&database.name).into()));
    let (one, other) = (both.0.unwrap(), both.1.unwrap());
    one.create_tenant(new_tenant(TenantId::new(make_id().unwrap()))).await.unwrap();
    assert_eq!(other.tenants().await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_serving_role_may_not_touch_schema_audit_or_versions() {
    let f = Fixture::on(ENGINE).await;
    let Home::Postgres(database) = &f.home else { panic!("another engine") };
    let mut conn = superuser(&database.name).await;
    execute(&mut conn, format!("SET ROLE {SERVING}; SET countersign.tenant = '*'")).await.unwrap();
    execute(&mut conn, "UPDATE tenants SET name = name".into()).await.unwrap();
    for sql in [
        "UPDATE audit SET kind = 'x'",
        "DELETE FROM audit",
        "TRUNCATE audit",
        "DROP TRIGGER audit_is_never_cut ON audit",
        "ALTER TABLE tenants DISABLE ROW LEVEL SECURITY",
        "DROP POLICY of_tenant ON tenants",
        "DELETE FROM _sqlx_migrations",
        "CREATE TABLE own (id BIGINT)",
    ] {
        let code = execute(&mut conn, sql.into()).await.unwrap_err();
        assert_eq!(code.as_database_error().and_then(|e| e.code()).as_deref(), Some("42501"), "{sql}: {code}");
    }
}
