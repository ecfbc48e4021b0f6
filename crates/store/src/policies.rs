//! Versions of a tenant's policy. Owns their order and their names. Must never know: what a policy means. Invariant: a change
//! makes a new version beside the old ones, so what a receipt names can be looked up as long as the audit is kept.

use crate::{
    AuditBody, NewTenant, Store, StoreError, audit,
    codes::read_u32,
    conn::{Conn, Row, now_ms, query},
    error::is_unique_violation,
    log, tenants,
    tx::Tx,
};
use biometrics::{Policy, TenantId};
use serde_json::Value;

/// A policy with when it came into force.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyVersion {
    /// 1, 2, ... in the order in which they came into force.
    pub n: u32,
    /// The policy; its `version` is its name.
    pub policy: Policy,
    /// Who put it into force.
    pub changed_by: String,
    /// When, database time. It held until the next one's.
    pub since_ms: i64,
}

/// What came of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutPolicy {
    /// In force from now on, as this version.
    Changed {
        /// Its number.
        n: u32,
    },
    /// Another version of the tenant has that name already.
    VersionUsed,
    /// There is no such tenant, or it ends.
    UnknownTenant,
}

impl PolicyVersion {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            n: read_u32(row.try_get("n")?)?,
            policy: serde_json::from_str(row.try_get("policy")?).map_err(|_| StoreError::Corrupt("policy"))?,
            changed_by: row.try_get("changed_by")?,
            since_ms: row.try_get("since_ms")?,
        })
    }
}

/// As it lies in the column.
pub(crate) fn text(policy: &Policy) -> Result<String, StoreError> {
    json(policy).map(|value| value.to_string())
}

/// As the audit tells of it.
pub(crate) fn json(policy: &Policy) -> Result<Value, StoreError> {
    serde_json::to_value(policy).map_err(|_| StoreError::Misuse("policy that has no JSON form"))
}

/// The policy that a tenant begins with.
pub(crate) async fn first(conn: &mut Conn, new: &NewTenant, now: i64) -> Result<(), StoreError> {
    let by = new.audit.text("by").unwrap_or_default();
    Ok(insert(conn, (new.id, 1), (&new.policy.version, text(&new.policy)?), (by, now)).await?)
}

async fn insert(
    conn: &mut Conn,
    (tenant, n): (TenantId, u32),
    (version, policy): (&str, String),
    (by, now): (&str, i64),
) -> Result<(), sqlx::Error> {
    let sql = "-- policies.insert
        INSERT INTO policies (tenant, n, version, policy, changed_by, since_ms) VALUES ($1, $2, $3, $4, $5, $6)";
    let query = query(sql).bind(tenant.uuid()).bind(n).bind(version).bind(policy);
    query.bind(by).bind(now).execute(conn).await.map(drop)
}

impl Store {
    /// Puts a policy into force, audited as `policy.changed` with the one before and this one.
    ///
    /// # Errors
    /// `Unavailable`, `AuditUnavailable`.
    pub async fn put_policy(&self, id: TenantId, policy: &Policy, by: &str) -> Result<PutPolicy, StoreError> {
        self.write("policies.put", id, |tx| put(tx, id, policy, by)).await
    }

    /// Every policy that the tenant had, newest first, at most `limit`.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn policies(&self, tenant: TenantId, limit: u32) -> Result<Vec<PolicyVersion>, StoreError> {
        let sql = "-- policies.list
            SELECT n, policy, changed_by, since_ms FROM policies WHERE tenant = $1 ORDER BY n DESC LIMIT $2";
        let rows = query(sql).bind(tenant.uuid()).bind(limit).fetch_all(&mut self.read(tenant).await?).await?;
        rows.iter().map(PolicyVersion::read).collect()
    }
}

async fn put(mut tx: Tx, id: TenantId, policy: &Policy, by: &str) -> Result<PutPolicy, StoreError> {
    let before = match tenants::load(&mut tx, id).await? {
        Some(tenant) if !tenant.state.ends() => tenant.policy,
        _ => return Ok(PutPolicy::UnknownTenant),
    };
    let sql = "-- policies.newest
        SELECT max(n) AS newest FROM policies WHERE tenant = $1";
    let newest: Option<i64> = query(sql).bind(id.uuid()).fetch_one(&mut tx).await?.try_get("newest")?;
    let n = read_u32(newest.unwrap_or(0) + 1)?;
    let now = now_ms(&mut tx).await?;
    match insert(&mut tx, (id, n), (&policy.version, text(policy)?), (by, now)).await {
        Err(error) if is_unique_violation(&error) => return Ok(PutPolicy::VersionUsed),
        other => other?,
    }
    let sql = "-- policies.in_force
        UPDATE tenants SET policy = $2 WHERE id = $1";
    query(sql).bind(id.uuid()).bind(text(policy)?).execute(&mut tx).await?;
    let body = AuditBody::default().with("before", json(&before)?).with("after", json(policy)?).with("by", by);
    audit::append(&mut tx, id, "policy.changed", body).await?;
    log::policy_changed(&mut tx, id, policy).await?;
    tx.commit().await?;
    Ok(PutPolicy::Changed { n })
}
