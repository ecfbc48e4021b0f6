//! API keys: the public part, a MAC of the whole, expiry and revocation. Must never know: a key. Invariant: whether a
//! key has expired is the database's judgement.

use crate::{
    AuditBody, Store, StoreError, audit,
    codes::read_hash,
    conn::{Row, now_ms, query},
    error::is_unique_violation,
    tx::Tx,
};
use biometrics::TenantId;
use std::fmt;
use uuid::Uuid;

/// A key that is to be.
#[derive(Clone)]
pub struct NewApiKey {
    /// The public part, 16 hexadecimal digits.
    pub key_id: String,
    /// Whose.
    pub tenant: TenantId,
    /// HMAC-SHA256(pepper, full key).
    pub mac: [u8; 32],
    /// Unix milliseconds; `None` does not expire.
    pub expires_at_ms: Option<i64>,
}

/// A stored key.
#[derive(Clone)]
pub struct ApiKeyRow {
    /// The public part.
    pub key_id: String,
    /// Whose.
    pub tenant: TenantId,
    /// HMAC-SHA256(pepper, full key); to be compared in constant time.
    pub mac: [u8; 32],
    /// Whether it has expired by database time.
    pub expired: bool,
    /// Whether it was revoked.
    pub revoked: bool,
    /// When it was made.
    pub created_at_ms: i64,
    /// When it expires, `None` for never.
    pub expires_at_ms: Option<i64>,
    /// When it was revoked.
    pub revoked_at_ms: Option<i64>,
}

impl fmt::Debug for NewApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewApiKey").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}
impl fmt::Debug for ApiKeyRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKeyRow").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

impl ApiKeyRow {
    fn read(row: &Row, now: i64) -> Result<Self, StoreError> {
        let expires_at_ms: Option<i64> = row.try_get("expires_at_ms")?;
        let revoked_at_ms: Option<i64> = row.try_get("revoked_at_ms")?;
        Ok(Self {
            key_id: row.try_get("key_id")?,
            tenant: TenantId::new(row.try_get::<Uuid>("tenant")?),
            mac: read_hash(row.try_get("mac")?)?,
            expired: expires_at_ms.is_some_and(|at| at <= now),
            revoked: revoked_at_ms.is_some(),
            created_at_ms: row.try_get("created_at_ms")?,
            expires_at_ms,
            revoked_at_ms,
        })
    }
}

impl Store {
    /// Adds a key, audited as `api_key.created`.
    ///
    /// # Errors
    /// `Exists("api key")` for an id in use; `Unavailable` (also for an unknown tenant), `AuditUnavailable`.
    pub async fn add_api_key(&self, new: NewApiKey, audit: AuditBody) -> Result<(), StoreError> {
        let (new, audit) = (&new, &audit);
        self.write("api_keys.add", new.tenant, |tx| add(tx, new, audit)).await
    }

    /// The key of this public part, expired and revoked ones included.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn api_key(&self, key_id: &str) -> Result<Option<ApiKeyRow>, StoreError> {
        let sql = "-- api_keys.load
            SELECT key_id, tenant, mac, created_at_ms, expires_at_ms, revoked_at_ms FROM api_keys WHERE key_id = $1";
        let mut conn = self.read_all_tenants().await?;
        let now = now_ms(&mut conn).await?;
        let row = query(sql).bind(key_id).fetch_optional(&mut conn).await?;
        row.map(|row| ApiKeyRow::read(&row, now)).transpose()
    }

    /// A tenant's keys, oldest first.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn list_api_keys(&self, tenant: TenantId) -> Result<Vec<ApiKeyRow>, StoreError> {
        let sql = "-- api_keys.list
            SELECT key_id, tenant, mac, created_at_ms, expires_at_ms, revoked_at_ms FROM api_keys
            WHERE tenant = $1 ORDER BY created_at_ms, key_id";
        let mut conn = self.read(tenant).await?;
        let now = now_ms(&mut conn).await?;
        let rows = query(sql).bind(tenant.uuid()).fetch_all(&mut conn).await?;
        rows.iter().map(|row| ApiKeyRow::read(row, now)).collect()
    }

    /// Revokes a key of the tenant, audited as `api_key.revoked`. False: no such key, or revoked before.
    ///
    /// # Errors
    /// `Unavailable`, `AuditUnavailable`.
    pub async fn revoke_api_key(&self, tenant: TenantId, key_id: &str, audit: AuditBody) -> Result<bool, StoreError> {
        let audit = &audit;
        self.write("api_keys.revoke", tenant, |mut tx| async move {
            let now = now_ms(&mut tx).await?;
            let sql = "-- api_keys.revoke
                UPDATE api_keys SET revoked_at_ms = $3 WHERE tenant = $1 AND key_id = $2 AND revoked_at_ms IS NULL";
            if query(sql).bind(tenant.uuid()).bind(key_id).bind(now).execute(&mut tx).await? == 0 {
                return Ok(false);
            }
            audit::append(&mut tx, tenant, "api_key.revoked", audit.clone().with("key_id", key_id)).await?;
            tx.commit().await?;
            Ok(true)
        })
        .await
    }
}

async fn add(mut tx: Tx, new: &NewApiKey, audit: &AuditBody) -> Result<(), StoreError> {
    let now = now_ms(&mut tx).await?;
    let sql = "-- api_keys.add
        INSERT INTO api_keys (key_id, tenant, mac, created_at_ms, expires_at_ms) VALUES ($1, $2, $3, $4, $5)";
    query(sql)
        .bind(&new.key_id)
        .bind(new.tenant.uuid())
        .bind(new.mac.as_slice())
        .bind(now)
        .bind(new.expires_at_ms)
        .execute(&mut tx)
        .await
        .map_err(|e| if is_unique_violation(&e) { StoreError::Exists("api key") } else { e.into() })?;
    audit::append(&mut tx, new.tenant, "api_key.created", audit.clone().with("key_id", new.key_id.as_str())).await?;
    tx.commit().await
}
