//! A stopped SQLite deployment moves here: all of it or nothing, and nothing is forgotten.

use super::*;
use crate::{
    Candidate, CopyError, CopyProgress, JobKind, JournalHead, Misfit, NewApiKey, NewHold, NewJob, PostgresConfig,
    conn::{Row, query},
    copy::{LEFT_BEHIND, TABLES, columns, copy, open_alone, value},
    tests::{
        postgres_home::{Database, owned},
        sqlite_home::Folder,
    },
};
use sqlx::AssertSqlSafe;
use std::{
    collections::BTreeSet,
    path::PathBuf,
    process::{Command, Stdio},
};

/// More than a batch.
const USERS: usize = 600;
const FILE: &str = "COUNTERSIGN_COPY_FROM";
const DATABASE: &str = "COUNTERSIGN_COPY_TO";

fn folder(f: &Fixture) -> &Folder {
    let Home::Sqlite(folder) = &f.home else { panic!("another engine") };
    folder
}

fn file(f: &Fixture) -> PathBuf {
    folder(f).path().join("store.db")
}

async fn run(f: &Fixture, sql: &str) {
    folder(f).run(&f.store, sql).await.unwrap();
}

/// A deployment that has something in every table, stopped.
async fn stopped() -> Fixture {
    let f = Fixture::on(Engine::Sqlite).await;
    let (tenant, neighbour) = (f.tenant, TenantId::new(make_id().unwrap()));
    f.store.create_tenant(new_tenant(neighbour)).await.unwrap();
    f.remember_frames(600).await;
    let key = NewApiKey { key_id: "0123456789abcdef".into(), tenant, mac: [7; 32], expires_at_ms: None };
    f.store.add_api_key(key, AuditBody::default()).await.unwrap();
    for (name, mark) in [("alice", 1), ("bob", 2)] {
        f.enroll(name, mark).await;
    }
    let opened = f.open(&f.challenge("alice", Purpose::Verify).await).await;
    let (reference, successor) = (opened.reference.as_ref().unwrap().id, sealed(3));
    let successor = Box::new(SealedRow { feature_space: "space-2".into(), ..successor });
    let succession = Some(Succession::Begins { reference, over: None, successor });
    f.record(RecordOutcome { succession, ..outcome(&opened, Settlement::Reset) }).await;
    f.verify("alice", Settlement::KeepInRow).await;
    assert!(f.replayed(&[9]).await.is_empty());
    let erased = erase(&f, "bob").await;
    f.store.note_journaled(&[erased], JournalHead { position: 3, hash: [6; 32] }).await.unwrap();
    let users: Vec<UserId> = (0..USERS).map(|n| user(&format!("user-{n}"))).collect();
    let new = NewJob {
        tenant,
        kind: JobKind::DeleteReferences,
        cause: Some("closing"),
        users: Some(&users),
        requested_by: "test",
    };
    f.store.queue_job(new).await.unwrap();
    let hold = NewHold { tenant, user: &users[0], matter: "case 7", placed_by: "test" };
    f.store.place_hold(hold).await.unwrap();
    let leader = Candidate { task: "jobs", holder: make_id().unwrap(), lease_ms: 60_000 };
    assert!(f.store.lead(leader).await.unwrap());
    run(
        &f,
        "INSERT INTO kek_destructions (tenant, kek_version, id, job, successor, provider, destroyed_at_ms)
         SELECT tenant, 1, randomblob(16), id, 2, 'file', 5 FROM jobs;
         INSERT INTO waiting_deletions (tenant, user_id, cause, job, asked_at_ms) SELECT tenant, 'é', 'x', NULL, 5 FROM jobs;
         INSERT INTO log_tiles (level, tile, width, bytes) VALUES (0, 0, 1, zeroblob(32));
         INSERT INTO log_head (one, size, root, note) VALUES (1, 1, zeroblob(32), 'note');
         INSERT INTO log_seen (what, value) VALUES ('models', '{}');
         INSERT INTO terminations (tenant, id, job, proofs, proofs_sha256, ended_at_ms)
         SELECT tenant, randomblob(16), id, 2, zeroblob(32), 5 FROM jobs",
    )
    .await;
    f.store.close().await;
    f
}

/// Where the copy goes: a database of this server.
async fn target() -> (Database, PostgresConfig) {
    let database = Database::empty().await;
    let config = owned(&database.name);
    (database, config)
}

async fn rows(database: &Database) -> i64 {
    let mut rows = 0;
    for table in TABLES {
        rows += database.number(&format!("SELECT count(*) FROM {table}")).await;
    }
    rows
}

async fn refused(f: &Fixture, to: &PostgresConfig) -> CopyError {
    copy(&file(f), to, |_| ()).await.unwrap_err()
}

#[tokio::test]
async fn the_list_of_tables_is_what_both_catalogs_hold_in_the_order_of_their_references() {
    let (f, database) = (Fixture::on(Engine::Sqlite).await, Database::new().await);
    let listed: BTreeSet<String> = TABLES.iter().chain(LEFT_BEHIND).map(|&name| name.to_owned()).collect();
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
    let found = query(sql).fetch_all(&mut f.store.read_all_tenants().await.unwrap()).await.unwrap();
    let found: BTreeSet<String> = found.iter().map(|row| row.try_get("name").unwrap()).collect();
    assert_eq!(found, listed, "a new table goes into `copy::TABLES`");
    let store = Store::open(database.config()).await.unwrap();
    let sql = "SELECT CAST(tablename AS TEXT) AS name FROM pg_tables WHERE schemaname = current_schema()";
    let found = query(sql).fetch_all(&mut store.read_all_tenants().await.unwrap()).await.unwrap();
    let found: BTreeSet<String> = found.iter().map(|row| row.try_get("name").unwrap()).collect();
    assert_eq!(found, listed, "a new table goes into `copy::TABLES`");
    for (at, table) in TABLES.iter().enumerate() {
        let sql = AssertSqlSafe(format!("SELECT \"table\" AS other FROM pragma_foreign_key_list('{table}')"));
        for row in query(sql).fetch_all(&mut f.store.read_all_tenants().await.unwrap()).await.unwrap() {
            let other: String = row.try_get("other").unwrap();
            assert!(TABLES[..at].contains(&&*other), "{table} refers to {other}");
        }
    }
}

/// All of a table on both sides, in one order.
async fn both(f: &Fixture, store: &Store, table: &'static str) -> [Vec<Vec<String>>; 2] {
    let mut source = open_alone(&file(f)).await.unwrap();
    let mut conn = store.read_all_tenants().await.unwrap();
    let columns = columns(&mut source, &mut conn, table).await.unwrap();
    let sql = format!("SELECT * FROM {table}");
    let theirs = query(AssertSqlSafe(sql.clone())).fetch_all(&mut conn).await.unwrap();
    let ours = sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut source).await.unwrap();
    let ours: Vec<Row> = ours.into_iter().map(Row::Sqlite).collect();
    [ours, theirs].map(|rows| {
        let text = |row: &Row| columns.iter().map(|column| format!("{:?}", value(row, column).unwrap())).collect();
        let mut rows: Vec<Vec<String>> = rows.iter().map(text).collect();
        rows.sort();
        rows
    })
}

#[tokio::test]
async fn every_row_of_every_table_arrives_as_it_was_and_the_deployment_goes_on() {
    let (f, (_database, to)) = (stopped().await, target().await);
    let mut seen = Vec::new();
    let copied = copy(&file(&f), &to, |progress: CopyProgress| seen.push(progress)).await.unwrap();
    assert_eq!((copied.chains, copied.tables.len()), (2, TABLES.len()));
    let total = copied.tables.iter().map(|(_, rows)| rows).sum();
    assert!(seen.windows(2).all(|two| two[0].done < two[1].done), "progress grows");
    assert!(seen.last().is_some_and(|last| (last.done, last.total) == (total, total)));
    assert!(seen.iter().filter(|at| at.table == "job_users").count() > 1, "in batches");
    let store = Store::open(to.into()).await.unwrap();
    for (table, rows) in copied.tables {
        assert!(rows > 0, "{table}: have `stopped` put something there");
        let [ours, theirs] = both(&f, &store, table).await;
        assert_eq!(ours, theirs, "{table}");
        assert_eq!(ours.len() as u64, rows, "{table}");
    }
    let moved = Fixture { store, tenant: f.tenant, home: Home::Sqlite(Folder::new()) };
    moved.verify("alice", Settlement::Reset).await;
    let two = moved.store.references(moved.tenant, &user("alice")).await.unwrap().unwrap();
    assert!(two.successor.is_some_and(|row| row.feature_space == "space-2"), "a successor moves along");
    erase(&moved, "alice").await;
    let chain = moved.store.verify_audit(f.tenant).await.unwrap();
    assert!(matches!(chain, crate::Chain::Intact { .. }), "{chain:?}");
}

#[tokio::test]
async fn a_source_that_somebody_has_open_is_refused_and_nobody_opens_it_meanwhile() {
    let (f, (database, to)) = (stopped().await, target().await);
    let idle = f.again().await;
    assert!(matches!(refused(&f, &to).await, CopyError::InUse));
    idle.close().await;
    let alone = open_alone(&file(&f)).await.unwrap();
    let mut config = crate::SqliteConfig::at(file(&f));
    config.busy_timeout = std::time::Duration::from_millis(20);
    assert!(Store::open(config.into()).await.is_err(), "a gateway does not start on it");
    drop(alone);
    copy(&file(&f), &to, |_| ()).await.unwrap();
    assert!(rows(&database).await > 0);
}

#[tokio::test]
async fn what_does_not_fit_is_refused_and_leaves_the_target_empty() {
    let (f, (database, to)) = (stopped().await, target().await);
    let absent = copy(&folder(&f).path().join("absent.db"), &to, |_| ()).await;
    assert!(matches!(absent, Err(CopyError::Source(StoreError::File { .. }))), "{absent:?}");
    Store::open(to.clone().into()).await.unwrap().close().await;

    let store = f.again().await;
    folder(&f).run(&store, "DELETE FROM _sqlx_migrations WHERE version > 2").await.unwrap();
    store.close().await;
    let older = refused(&f, &to).await;
    assert!(matches!(older, CopyError::Source(StoreError::Schema(Misfit::Older(3)))), "{older:?}");

    let f = stopped().await;
    let store = f.again().await;
    let edit = "DROP TRIGGER audit_is_never_edited; UPDATE audit SET kind = 'edited' WHERE seq = 2";
    folder(&f).run(&store, edit).await.unwrap();
    store.close().await;
    let broken = refused(&f, &to).await;
    assert!(matches!(broken, CopyError::Chain { seq: 2, .. }), "{broken:?}");

    let f = stopped().await;
    let store = f.again().await;
    folder(&f).run(&store, "ALTER TABLE strikes ADD COLUMN more INTEGER").await.unwrap();
    store.close().await;
    let other = refused(&f, &to).await;
    assert!(matches!(other, CopyError::Unlike("strikes")), "{other:?}");
    assert_eq!(rows(&database).await, 0);

    let f = stopped().await;
    copy(&file(&f), &to, |_| ()).await.unwrap();
    let again = refused(&f, &to).await;
    assert!(matches!(again, CopyError::NotEmpty("tenants")), "{again:?}");
}

/// Does nothing unless the test below runs it in a process of its own.
#[tokio::test]
async fn copying_victim() {
    let (Ok(from), Ok(to)) = (std::env::var(FILE), std::env::var(DATABASE)) else { return };
    let crate::Place::Postgres(to) = config_at(ENGINE, &to).place else { panic!("another engine") };
    copy(from.as_ref(), &to, |_| ()).await.unwrap();
}

#[cfg(debug_assertions)]
#[tokio::test]
async fn a_copy_that_is_killed_leaves_the_target_empty_and_is_begun_anew() {
    let (f, database) = (stopped().await, Database::new().await);
    let victim = concat!(module_path!(), "::copying_victim").split_once("::").unwrap().1;
    for (point, done) in [("copy.batch:5", false), ("copy.before_commit", false), ("none", true)] {
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", victim])
            .env(FILE, file(&f))
            .env(DATABASE, database.address())
            .env("COUNTERSIGN_FAILPOINT", point)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert_eq!(status.success(), done, "{point}");
        assert_eq!(rows(&database).await > 0, done, "{point}");
    }
}
