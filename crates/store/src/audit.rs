//! The append-only audit log, one hash chain per tenant. Owns the entry's bytes and the chain over them. Must never
//! know: features, frames, receipts; a body is small on purpose. Invariant: entry n holds the hash of entry n - 1, and
//! an entry is written in the same transaction as what it tells of.

mod line;
mod search;
mod walk;
mod window;

pub use search::{About, AuditQuery};
pub(crate) use walk::verify;
pub use walk::{Chain, Walk};
pub use window::{AuditWindow, TERMINATED_AUDIT_DAYS};

use crate::{
    Store, StoreError,
    codes::read_hash,
    conn::{Conn, Row, now_ms, query},
    events,
};
use biometrics::TenantId;
use ring::digest::{Context, SHA256};
use serde_json::Value;
use std::collections::BTreeMap;

/// Largest canonical body in bytes: room for ids, codes, five gates and two policies, none for a sample.
const MAX_BODY: usize = 8 * 1024;
const DOMAIN: &[u8] = b"countersign/audit/v1\0";

/// What an entry says: names to JSON values, at most 8 KiB in canonical form.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AuditBody(BTreeMap<&'static str, Value>);

impl AuditBody {
    /// Sets one name.
    pub fn set(&mut self, name: &'static str, value: impl Into<Value>) {
        self.0.insert(name, value.into());
    }

    /// The same body with one name set.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.set(name, value);
        self
    }

    /// The text under a name.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    /// The value under a name.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// Canonical JSON: sorted keys at every level, no spaces.
    fn canonical(self) -> Result<String, StoreError> {
        let object = self.0.into_iter().map(|(name, value)| (name.to_owned(), sorted(value))).collect();
        let text = Value::Object(object).to_string();
        if text.len() > MAX_BODY { Err(StoreError::Misuse("audit body over 8 KiB")) } else { Ok(text) }
    }
}

/// Sorts keys even where some dependency turns on `serde_json/preserve_order`.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let ordered: BTreeMap<String, Value> = map.into_iter().map(|(name, inner)| (name, sorted(inner))).collect();
            Value::Object(ordered.into_iter().collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        scalar => scalar,
    }
}

/// One stored entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Position in the tenant's chain, from 1, without a gap.
    pub seq: i64,
    /// Such as `attempt.decided`.
    pub kind: String,
    /// When, by database time.
    pub at_ms: i64,
    /// Canonical JSON.
    pub body: String,
    /// Hash of the entry before, zeros for the first.
    pub prev: [u8; 32],
    /// SHA-256 over the domain, `prev`, tenant, `seq`, `kind`, `at_ms` and `body`, each with its length before it.
    pub hash: [u8; 32],
}

impl AuditEntry {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            seq: row.try_get("seq")?,
            kind: row.try_get("kind")?,
            at_ms: row.try_get("at_ms")?,
            body: row.try_get("body")?,
            prev: read_hash(row.try_get("prev")?)?,
            hash: read_hash(row.try_get("hash")?)?,
        })
    }

    /// The hash that this entry must carry.
    fn digest(&self, tenant: TenantId) -> [u8; 32] {
        let mut context = Context::new(&SHA256);
        context.update(DOMAIN);
        let (seq, at_ms) = (self.seq.to_be_bytes(), self.at_ms.to_be_bytes());
        let tenant = tenant.uuid();
        let parts: [&[u8]; 6] =
            [&self.prev, tenant.as_bytes(), &seq, self.kind.as_bytes(), &at_ms, self.body.as_bytes()];
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut hash = [0; 32];
        hash.copy_from_slice(context.finish().as_ref());
        hash
    }
}

/// Appends one entry to the tenant's chain inside the caller's transaction; what operators are told of goes to the outbox
/// with it, and every sink takes it before the transaction commits.
pub(crate) async fn append(
    conn: &mut Conn,
    tenant: TenantId,
    kind: &'static str,
    body: AuditBody,
) -> Result<(), StoreError> {
    let at_ms = now_ms(conn).await?;
    let (seq, prev) = tail(conn, tenant).await?;
    let event = events::of(kind, &body);
    let (user, challenge) = (body.text("user_id").map(str::to_owned), body.text("challenge").map(str::to_owned));
    let mut entry =
        AuditEntry { seq: seq + 1, kind: kind.to_owned(), at_ms, body: body.canonical()?, prev, hash: prev };
    entry.hash = entry.digest(tenant);
    let sql = "-- audit.append
        INSERT INTO audit (tenant, seq, kind, at_ms, body, prev, hash, user_id, challenge)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    query(sql)
        .bind(tenant.uuid())
        .bind(entry.seq)
        .bind(&entry.kind)
        .bind(entry.at_ms)
        .bind(&entry.body)
        .bind(entry.prev.as_slice())
        .bind(entry.hash.as_slice())
        .bind(user)
        .bind(challenge)
        .execute(conn)
        .await
        .map_err(StoreError::AuditUnavailable)?;
    if let Some(event) = event {
        event.write(conn, tenant, &entry).await?;
    }
    conn.note(|| entry.line(tenant));
    Ok(())
}

/// Where the next entry goes: after the last, or after the floor where none is left.
pub(crate) async fn tail(conn: &mut Conn, tenant: TenantId) -> Result<(i64, [u8; 32]), StoreError> {
    let sql = "-- audit.tail
        SELECT seq, hash FROM audit WHERE tenant = $1 ORDER BY seq DESC LIMIT 1";
    let row = query(sql).bind(tenant.uuid()).fetch_optional(conn).await.map_err(StoreError::AuditUnavailable)?;
    match row {
        Some(row) => Ok((row.try_get("seq")?, read_hash(row.try_get("hash")?)?)),
        None => window::floor(conn, tenant).await,
    }
}

impl Store {
    /// Writes a stand-alone entry, for what has no transaction of its own (such as `ACTION_CHANGED`).
    ///
    /// # Errors
    /// `AuditUnavailable`, or `Misuse` for a body over 8 KiB.
    pub async fn audit(&self, tenant: TenantId, kind: &'static str, body: AuditBody) -> Result<(), StoreError> {
        let body = &body;
        self.write("audit.append", tenant, |mut tx| async move {
            append(&mut tx, tenant, kind, body.clone()).await?;
            tx.commit().await.map_err(|error| match error {
                StoreError::Unavailable(error) => StoreError::AuditUnavailable(error),
                other => other,
            })
        })
        .await
    }

    /// The tenant's entries after position `after`, oldest first, at most `limit`.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn audit_entries(&self, tenant: TenantId, after: i64, limit: u32) -> Result<Vec<AuditEntry>, StoreError> {
        self.audit_search(&AuditQuery::everything(tenant), after, limit).await
    }

    /// How many entries of one kind the tenant has.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn audit_count(&self, tenant: TenantId, kind: &str) -> Result<u64, StoreError> {
        let sql = "-- audit.count
            SELECT count(*) AS entries FROM audit WHERE tenant = $1 AND kind = $2";
        let mut conn = self.read(tenant).await?;
        let row = query(sql).bind(tenant.uuid()).bind(kind).fetch_one(&mut conn).await?;
        u64::try_from(row.try_get::<i64>("entries")?).map_err(|_| StoreError::Corrupt("count"))
    }
}
