//! Tenants: their policy and their wrapped secrets. Must never know: a key in the clear. Invariant: a tenant's test
//! flag never changes, so its receipts stay under one issuer.

use crate::{
    AuditBody, Store, StoreError, audit, codes,
    conn::{Conn, Row, now_ms, query},
    error::is_unique_violation,
    log,
    tx::Tx,
};
use biometrics::{Policy, TenantId};
use std::fmt;
use uuid::Uuid;

/// A tenant's secrets as the worker made and wrapped them; they cannot be opened here.
#[derive(Clone, PartialEq, Eq)]
pub struct TenantSecretsRow {
    /// KEK version that wraps both.
    pub kek_version: u32,
    /// Wrapped key of the feature transform.
    pub transform_key: Vec<u8>,
    /// Wrapped key of the pairwise pseudonym.
    pub pseudonym_key: Vec<u8>,
}

impl fmt::Debug for TenantSecretsRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantSecretsRow").field("kek_version", &self.kek_version).finish_non_exhaustive()
    }
}

/// A tenant that is to be.
#[derive(Debug, Clone)]
pub struct NewTenant {
    /// Made by the caller.
    pub id: TenantId,
    /// What operators call it.
    pub name: String,
    /// Test tenants have `cs_test_` keys and the test issuer.
    pub test: bool,
    /// Already checked by `Policy::check`.
    pub policy: Policy,
    /// Wrapped secrets.
    pub secrets: TenantSecretsRow,
    /// Who asked and why; the store adds name, test flag and policy version.
    pub audit: AuditBody,
}

/// A stored tenant.
#[derive(Debug, Clone)]
pub struct Tenant {
    /// Its id.
    pub id: TenantId,
    /// What operators call it.
    pub name: String,
    /// Whether its receipts come from the test issuer.
    pub test: bool,
    /// What its verifications require.
    pub policy: Policy,
    /// Wrapped secrets.
    pub secrets: TenantSecretsRow,
    /// When it was made, database time.
    pub created_at_ms: i64,
}

impl Tenant {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let policy: &str = row.try_get("policy")?;
        Ok(Self {
            id: TenantId::new(row.try_get::<Uuid>("id")?),
            name: row.try_get("name")?,
            test: row.flag("test")?,
            policy: serde_json::from_str(policy).map_err(|_| StoreError::Corrupt("policy"))?,
            secrets: TenantSecretsRow {
                kek_version: codes::read_u32(row.try_get("kek_version")?)?,
                transform_key: row.try_get("transform_key")?,
                pseudonym_key: row.try_get("pseudonym_key")?,
            },
            created_at_ms: row.try_get("created_at_ms")?,
        })
    }
}

/// The tenant, by the caller's connection.
pub(crate) async fn load(conn: &mut Conn, id: TenantId) -> Result<Option<Tenant>, StoreError> {
    let sql = "-- tenants.load
        SELECT id, name, test, policy, kek_version, transform_key, pseudonym_key, created_at_ms
        FROM tenants WHERE id = $1";
    query(sql).bind(id.uuid()).fetch_optional(conn).await?.as_ref().map(Tenant::read).transpose()
}

fn policy_text(policy: &Policy) -> Result<String, StoreError> {
    serde_json::to_string(policy).map_err(|_| StoreError::Misuse("policy that has no JSON form"))
}

async fn create(mut tx: Tx, new: &NewTenant) -> Result<(), StoreError> {
    let now = now_ms(&mut tx).await?;
    let sql = "-- tenants.create
        INSERT INTO tenants (id, name, test, policy, kek_version, transform_key, pseudonym_key, created_at_ms)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    query(sql)
        .bind(new.id.uuid())
        .bind(&new.name)
        .bind(new.test)
        .bind(policy_text(&new.policy)?)
        .bind(new.secrets.kek_version)
        .bind(&new.secrets.transform_key)
        .bind(&new.secrets.pseudonym_key)
        .bind(now)
        .execute(&mut tx)
        .await
        .map_err(|e| if is_unique_violation(&e) { StoreError::Exists("tenant") } else { e.into() })?;
    let body = new.audit.clone().with("name", new.name.as_str()).with("test", new.test);
    audit::append(&mut tx, new.id, "tenant.created", body.with("policy", new.policy.version.as_str())).await?;
    log::policy_changed(&mut tx, new.id, &new.policy).await?;
    Ok(tx.commit().await?)
}

impl Store {
    /// Makes a tenant, audited as `tenant.created`.
    ///
    /// # Errors
    /// `Exists("tenant")` for an id in use; `Unavailable`, `AuditUnavailable`.
    pub async fn create_tenant(&self, new: NewTenant) -> Result<(), StoreError> {
        let new = &new;
        self.write("tenants.create", new.id, |tx| create(tx, new)).await
    }

    /// The tenant, or nothing.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn tenant(&self, id: TenantId) -> Result<Option<Tenant>, StoreError> {
        load(&mut self.read(id).await?, id).await
    }

    /// Every tenant, oldest first.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn tenants(&self) -> Result<Vec<Tenant>, StoreError> {
        let sql = "-- tenants.list
            SELECT id, name, test, policy, kek_version, transform_key, pseudonym_key, created_at_ms
            FROM tenants ORDER BY created_at_ms, id";
        let rows = query(sql).fetch_all(&mut self.read_all_tenants().await?).await?;
        rows.iter().map(Tenant::read).collect()
    }

    /// Replaces the policy, audited as `policy.changed`. Answers whether there is such a tenant.
    ///
    /// # Errors
    /// `Unavailable`, `AuditUnavailable`.
    pub async fn put_policy(&self, id: TenantId, policy: &Policy, audit: AuditBody) -> Result<bool, StoreError> {
        let (text, audit) = (&policy_text(policy)?, &audit);
        self.write("tenants.put_policy", id, |mut tx| async move {
            let sql = "-- tenants.put_policy
                UPDATE tenants SET policy = $2 WHERE id = $1";
            if query(sql).bind(id.uuid()).bind(text).execute(&mut tx).await? == 0 {
                return Ok(false);
            }
            let body = audit.clone().with("policy", policy.version.as_str());
            audit::append(&mut tx, id, "policy.changed", body).await?;
            log::policy_changed(&mut tx, id, policy).await?;
            tx.commit().await?;
            Ok(true)
        })
        .await
    }
}
