//! Tenants: their policy, their wrapped secrets and where they stand in their life. Must never know: a key in the clear.
//! Invariant: a tenant's test flag never changes, so its receipts stay under one issuer.

use crate::{
    AuditBody, Store, StoreError, audit, codes,
    conn::{Conn, Row, now_ms, query},
    error::is_unique_violation,
    log, policies,
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

/// Where a tenant stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TenantState {
    /// Its calls are taken.
    Active,
    /// Its calls are refused until it is resumed; nothing is erased, jobs go on.
    Suspended,
    /// It is being erased. There is no way back.
    Terminating,
    /// Erased; what is left of it is its certificate and, until its window ends, its audit.
    Terminated,
}

impl TenantState {
    /// As it lies in the column and as operators read it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Suspended => "SUSPENDED",
            Self::Terminating => "TERMINATING",
            Self::Terminated => "TERMINATED",
        }
    }

    fn read(word: &str) -> Result<Self, StoreError> {
        let all = [Self::Active, Self::Suspended, Self::Terminating, Self::Terminated];
        all.into_iter().find(|state| state.word() == word).ok_or(StoreError::Corrupt("tenants"))
    }

    /// Whether it ends or has ended.
    #[must_use]
    pub const fn ends(self) -> bool {
        matches!(self, Self::Terminating | Self::Terminated)
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
    /// Of which generation the transform key among them is; each renewal of the references begins one.
    pub transform_generation: u32,
    /// The transform key of the generation before, while references are laid out with it.
    pub former_transform_key: Option<Vec<u8>>,
    /// Where it stands in its life.
    pub state: TenantState,
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
            transform_generation: codes::read_u32(row.try_get("transform_generation")?)?,
            former_transform_key: row.try_get("former_transform_key")?,
            state: TenantState::read(row.try_get("state")?)?,
            created_at_ms: row.try_get("created_at_ms")?,
        })
    }

    /// The wrapped transform key of a generation; the newest where that one is gone.
    #[must_use]
    pub fn transform_key_of(&self, generation: u32) -> &[u8] {
        match &self.former_transform_key {
            Some(former) if generation < self.transform_generation => former,
            _ => &self.secrets.transform_key,
        }
    }
}

/// The tenant, by the caller's connection.
pub(crate) async fn load(conn: &mut Conn, id: TenantId) -> Result<Option<Tenant>, StoreError> {
    let sql = "-- tenants.load
        SELECT id, name, test, policy, kek_version, transform_key, pseudonym_key, transform_generation, former_transform_key,
               state, created_at_ms
        FROM tenants WHERE id = $1";
    query(sql).bind(id.uuid()).fetch_optional(conn).await?.as_ref().map(Tenant::read).transpose()
}

/// Whether the tenant's calls are taken.
pub(crate) async fn is_active(conn: &mut Conn, id: TenantId) -> Result<bool, StoreError> {
    let sql = "-- tenants.is_active
        SELECT id FROM tenants WHERE id = $1 AND state = 'ACTIVE'";
    Ok(query(sql).bind(id.uuid()).fetch_optional(conn).await?.is_some())
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
        .bind(policies::text(&new.policy)?)
        .bind(new.secrets.kek_version)
        .bind(&new.secrets.transform_key)
        .bind(&new.secrets.pseudonym_key)
        .bind(now)
        .execute(&mut tx)
        .await
        .map_err(|e| if is_unique_violation(&e) { StoreError::Exists("tenant") } else { e.into() })?;
    policies::first(&mut tx, new, now).await?;
    let body = new.audit.clone().with("name", new.name.as_str()).with("test", new.test);
    audit::append(&mut tx, new.id, "tenant.created", body.with("policy", policies::json(&new.policy)?)).await?;
    log::policy_changed(&mut tx, new.id, &new.policy).await?;
    tx.commit().await
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
            SELECT id, name, test, policy, kek_version, transform_key, pseudonym_key, transform_generation,
                   former_transform_key, state, created_at_ms
            FROM tenants ORDER BY created_at_ms, id";
        let rows = query(sql).fetch_all(&mut self.read_all_tenants().await?).await?;
        rows.iter().map(Tenant::read).collect()
    }

    /// Whether the tenant's calls are taken.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn tenant_is_active(&self, id: TenantId) -> Result<bool, StoreError> {
        is_active(&mut self.read(id).await?, id).await
    }
}
