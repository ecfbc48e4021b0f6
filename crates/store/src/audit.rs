//! The append-only audit log, one hash chain per tenant. Owns the entry's bytes and the chain over them. Must never
//! know: features, frames, receipts; a body is small on purpose. Invariant: entry n holds the hash of entry n - 1, and
//! an entry is written in the same transaction as what it tells of.

use crate::{
    Store, StoreError,
    codes::read_hash,
    conn::{Conn, Row, now_ms, query},
};
use biometrics::TenantId;
use ring::digest::{Context, SHA256};
use serde_json::Value;
use std::collections::BTreeMap;

/// Largest canonical body in bytes: room for ids, codes and five gates, none for a sample.
const MAX_BODY: usize = 8 * 1024;
const DOMAIN: &[u8] = b"countersign/audit/v1\0";
const PAGE: i64 = 1000;

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

/// What a walk along a tenant's chain found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chain {
    /// Every entry follows from the one before. A cut tail is seen only against a `head` kept elsewhere.
    Intact {
        /// How many entries.
        entries: i64,
        /// Hash of the last one, zeros for none.
        head: [u8; 32],
    },
    /// The first place where it does not.
    Broken {
        /// The position that should have followed.
        seq: i64,
    },
}

/// Appends one entry to the tenant's chain inside the caller's transaction.
pub(crate) async fn append(
    conn: &mut Conn,
    tenant: TenantId,
    kind: &'static str,
    body: AuditBody,
) -> Result<(), StoreError> {
    let at_ms = now_ms(conn).await?;
    let (seq, prev) = tail(conn, tenant).await?;
    let mut entry =
        AuditEntry { seq: seq + 1, kind: kind.to_owned(), at_ms, body: body.canonical()?, prev, hash: prev };
    entry.hash = entry.digest(tenant);
    let sql = "-- audit.append
        INSERT INTO audit (tenant, seq, kind, at_ms, body, prev, hash) VALUES ($1, $2, $3, $4, $5, $6, $7)";
    query(sql)
        .bind(tenant.uuid())
        .bind(entry.seq)
        .bind(entry.kind)
        .bind(entry.at_ms)
        .bind(entry.body)
        .bind(entry.prev.as_slice())
        .bind(entry.hash.as_slice())
        .execute(conn)
        .await
        .map_err(StoreError::AuditUnavailable)?;
    Ok(())
}

/// Position and hash of the last entry; 0 and zeros for none.
pub(crate) async fn tail(conn: &mut Conn, tenant: TenantId) -> Result<(i64, [u8; 32]), StoreError> {
    let sql = "-- audit.tail
        SELECT seq, hash FROM audit WHERE tenant = $1 ORDER BY seq DESC LIMIT 1";
    let row = query(sql).bind(tenant.uuid()).fetch_optional(conn).await.map_err(StoreError::AuditUnavailable)?;
    row.map_or(Ok((0, [0; 32])), |row| Ok((row.try_get("seq")?, read_hash(row.try_get("hash")?)?)))
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
            tx.commit().await.map_err(StoreError::AuditUnavailable)
        })
        .await
    }

    /// The tenant's entries after position `after`, oldest first, at most `limit`.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn audit_entries(&self, tenant: TenantId, after: i64, limit: u32) -> Result<Vec<AuditEntry>, StoreError> {
        list(&mut self.read(tenant).await?, tenant, (after, limit)).await
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

    /// Walks the tenant's chain from its beginning.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`; a broken chain is a value.
    pub async fn verify_audit(&self, tenant: TenantId) -> Result<Chain, StoreError> {
        self.verify_audit_through(tenant, &[]).await
    }

    /// The same through what the chain was at some positions, as the log was told (base64url): a chain that was cut before
    /// one, or is another there, is broken there.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`; a broken chain is a value.
    pub async fn verify_audit_through(&self, tenant: TenantId, anchors: &[(i64, String)]) -> Result<Chain, StoreError> {
        verify(&mut self.read(tenant).await?, tenant, anchors).await
    }
}

async fn list(conn: &mut Conn, tenant: TenantId, (after, limit): (i64, u32)) -> Result<Vec<AuditEntry>, StoreError> {
    let sql = "-- audit.list
        SELECT seq, kind, at_ms, body, prev, hash FROM audit
        WHERE tenant = $1 AND seq > $2 ORDER BY seq LIMIT $3";
    let rows = query(sql).bind(tenant.uuid()).bind(after).bind(limit).fetch_all(conn).await?;
    rows.iter().map(AuditEntry::read).collect()
}

/// Walks the tenant's chain as a connection sees it, through `anchors`.
pub(crate) async fn verify(conn: &mut Conn, tenant: TenantId, anchors: &[(i64, String)]) -> Result<Chain, StoreError> {
    let was = |entry: &AuditEntry| {
        let told = anchors.iter().filter(|(seq, _)| *seq == entry.seq);
        told.map(|(_, head)| head).all(|head| *head == receipt::base64url(&entry.hash))
    };
    let last = anchors.iter().map(|(seq, _)| *seq).max().unwrap_or(0);
    let (mut entries, mut head) = (0, [0; 32]);
    loop {
        let page = list(conn, tenant, (entries, PAGE as u32)).await?;
        for entry in &page {
            let follows = entry.seq == entries + 1 && entry.prev == head && entry.hash == entry.digest(tenant);
            if !follows || !was(entry) {
                return Ok(Chain::Broken { seq: entries + 1 });
            }
            (entries, head) = (entry.seq, entry.hash);
        }
        if (page.len() as i64) < PAGE {
            let whole = entries >= last;
            return Ok(if whole { Chain::Intact { entries, head } } else { Chain::Broken { seq: entries + 1 } });
        }
    }
}
