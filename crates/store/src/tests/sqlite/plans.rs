//! What a statement walks to find its rows: no verification, enrollment or erasure walks a tenant, however many users it has.

use super::*;
use crate::{conn::query, tx::Scope};
use sqlx::AssertSqlSafe;
use std::{collections::BTreeSet, fs, path::Path};

/// Statements that walk all rows of a tenant, or of a table.
const WALKS: [&str; 45] = [
    // Tables with a row for each tenant, or a few.
    "api_keys.list",
    "copy.columns",
    "copy.tenants",
    "holds.list",
    "jobs.running",
    "journal.head",
    "lifecycle.held",
    "lifecycle.keys",
    "lifecycle.termination",
    "migrate.is_there",
    "log.audits",
    "policies.list",
    "policies.newest",
    "rotation.destructions",
    "statement.intended",
    "store.ping",
    "tenants.list",
    "window.api_keys",
    "window.policies",
    // An index of what waits, or is open, and of nothing else.
    "bulk.unproved",
    "erasure.pending",
    "journal.due",
    "leases.expired",
    "leases.tenants_with_expired",
    "log.waiting",
    "rotation.in_flight",
    // Once in a job, a count for an operator, or the end of a tenant.
    "audit.count",
    "bulk.left",
    "erasure.unrotated",
    "jobs.kek_from",
    "jobs.total",
    "lifecycle.attempts",
    "lifecycle.deletions",
    "lifecycle.left",
    "lifecycle.strikes",
    "references.count",
    "renewal.leftover",
    "window.challenges",
    "window.deletions",
    "window.job_users",
    "window.legal_holds",
    "window.live_receipts",
    "window.log_salts",
    "window.seen_frames",
    "window.waiting_deletions",
];
/// The first row of the tenant in the order asked for, and no more.
const FIRST: [&str; 1] = ["audit.tail"];
/// For Postgres, a backup's copy, or put together with what it is about.
const NOT_PLANNED: [&str; 11] = [
    "backup.rows",
    "backup.schema",
    "clock.now",
    "copy.columns",
    "migrate.grant",
    "migrate.is_there",
    "migrate.names",
    "roles.exempt",
    "rotation.exchange",
    "tenants.lock",
    "window.cut",
];

/// The statements of this crate's sources, with their names.
fn statements(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(if path.ends_with("tests") { Vec::new() } else { statements(&path) });
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let bodies = text.split("\"-- ").skip(1).filter_map(|rest| rest.split('"').next()?.split_once('\n'));
        found.extend(bodies.map(|(name, sql)| (name.to_owned(), sql.to_owned())));
    }
    found
}

/// Whether SQLite walks a tenant, or a table; `None` where it does not take the statement.
async fn walks(f: &Fixture, sql: &str) -> Option<bool> {
    let mut conn = f.store.engine.begin(Scope::AllTenants).await.unwrap();
    let steps = query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"))).fetch_all(&mut conn).await.ok()?;
    let walk = |step: String| step.starts_with("SCAN") && !step.contains("CONSTANT") || step.ends_with("(tenant=?)");
    Some(steps.iter().any(|step| walk(step.try_get("detail").unwrap())))
}

#[tokio::test]
async fn no_statement_walks_a_tenant_but_those_that_must() {
    let f = Fixture::on(ENGINE).await;
    let (mut walking, mut not_planned, mut planned) = (BTreeSet::new(), BTreeSet::new(), 0);
    for (name, sql) in statements(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        match walks(&f, &sql).await {
            Some(true) => drop(walking.insert(name)),
            Some(false) => planned += 1,
            None => drop(not_planned.insert(name)),
        }
    }
    let expected = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(walking, &expected(&WALKS) | &expected(&FIRST));
    assert_eq!(not_planned, expected(&NOT_PLANNED));
    assert!(planned > 100, "{planned}");
    let naive = "SELECT id FROM sealed_references WHERE tenant = $1 AND commitment = $2";
    assert_eq!(walks(&f, naive).await, Some(true), "control");
}
