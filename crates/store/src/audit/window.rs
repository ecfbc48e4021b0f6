//! The end of audit entries. Owns the floor below which they are gone. Must never know: when it is called. Invariants: entries go
//! from the oldest on, the hash that the first one left follows is kept, and the cut is itself an entry; nothing younger than 20
//! days goes, by a trigger that holds even where this module errs.

use super::{AuditEntry, append};
use crate::{
    AuditBody, Store, StoreError,
    codes::read_hash,
    conn::{Conn, query},
    tx::Tx,
};
use biometrics::TenantId;

const DAY_MS: i64 = 86_400_000;
/// How long a tenant's audit outlives the tenant, in days; with the job that ends it, 30 at most (CONTRACT "Data windows").
pub const TERMINATED_AUDIT_DAYS: u32 = 21;
/// Entries of one transaction.
const BATCH: u32 = 500;
/// What is kept of a tenant for as long as its audit.
const KEPT_WITH_AUDIT: [&str; 9] = [
    "-- window.deletions
    DELETE FROM deletions WHERE tenant = $1",
    "-- window.job_users
    DELETE FROM job_users WHERE tenant = $1",
    "-- window.waiting_deletions
    DELETE FROM waiting_deletions WHERE tenant = $1",
    "-- window.legal_holds
    DELETE FROM legal_holds WHERE tenant = $1",
    "-- window.live_receipts
    DELETE FROM live_receipts WHERE tenant = $1",
    "-- window.challenges
    DELETE FROM challenges WHERE tenant = $1",
    "-- window.seen_frames
    DELETE FROM seen_frames WHERE tenant = $1",
    "-- window.api_keys
    DELETE FROM api_keys WHERE tenant = $1",
    "-- window.log_salts
    DELETE FROM log_salts WHERE tenant = $1",
];

/// What a turn did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AuditWindow {
    /// Entries that are gone.
    pub entries: u64,
    /// Versions of policies that are gone.
    pub policies: u64,
}

/// Position and hash of the last entry that is gone; 0 and zeros where none is.
pub(super) async fn floor(conn: &mut Conn, tenant: TenantId) -> Result<(i64, [u8; 32]), StoreError> {
    let sql = "-- window.floor
        SELECT audit_floor, audit_floor_hash FROM tenants WHERE id = $1";
    let row = query(sql).bind(tenant.uuid()).fetch_optional(conn).await.map_err(StoreError::AuditUnavailable)?;
    let Some(row) = row else { return Ok((0, [0; 32])) };
    let hash = row.try_get::<Option<Vec<u8>>>("audit_floor_hash")?.map(|hash| read_hash(&hash)).transpose()?;
    Ok((row.try_get("audit_floor")?, hash.unwrap_or_default()))
}

impl Store {
    /// Drops what outlived the tenants' audit windows: entries, and versions of policies that only they name; of a tenant that
    /// ended, whatever names users. Each cut is audited as `audit.cut`.
    ///
    /// # Errors
    /// `Unavailable`, `AuditUnavailable`; what was dropped stays dropped.
    pub async fn drop_old_audit(&self) -> Result<AuditWindow, StoreError> {
        let mut dropped = AuditWindow::default();
        for tenant in self.tenants().await? {
            let now = self.now_ms().await?;
            let (days, ended) = match self.termination(tenant.id).await? {
                Some(end) if end.ended_at_ms + i64::from(TERMINATED_AUDIT_DAYS) * DAY_MS > now => continue,
                Some(_) => (TERMINATED_AUDIT_DAYS, true),
                None => (tenant.policy.audit_days, false),
            };
            let cutoff = now - i64::from(days) * DAY_MS;
            loop {
                let cut = self.write("window.cut", tenant.id, |tx| cut(tx, (tenant.id, cutoff), ended)).await?;
                dropped.entries += cut;
                if cut < u64::from(BATCH) {
                    break;
                }
            }
            dropped.policies += self.write("window.policies", tenant.id, |tx| policies(tx, tenant.id, cutoff)).await?;
            if ended {
                self.write("window.ended", tenant.id, |tx| forget(tx, tenant.id)).await?;
            }
        }
        Ok(dropped)
    }
}

async fn cut(mut tx: Tx, (tenant, cutoff): (TenantId, i64), ended: bool) -> Result<u64, StoreError> {
    let (floor, _) = floor(&mut tx, tenant).await?;
    let sql = "-- window.oldest
        SELECT seq, kind, at_ms, body, prev, hash FROM audit WHERE tenant = $1 AND seq > $2 ORDER BY seq LIMIT $3";
    let rows = query(sql).bind(tenant.uuid()).bind(floor).bind(BATCH).fetch_all(&mut tx).await?;
    let oldest = rows.iter().map(AuditEntry::read).collect::<Result<Vec<_>, _>>()?;
    let Some(last) = oldest.iter().take_while(|entry| entry.at_ms <= cutoff).last() else { return Ok(0) };
    let sql = "-- window.raise
        UPDATE tenants SET audit_floor = $2, audit_floor_hash = $3 WHERE id = $1";
    query(sql).bind(tenant.uuid()).bind(last.seq).bind(last.hash.as_slice()).execute(&mut tx).await?;
    // Where another role serves than owns, only the owner's function may delete.
    let sql = if tx.is_postgres() {
        "-- window.cut
        SELECT cut_audit($1, $2)"
    } else {
        "-- window.cut
        DELETE FROM audit WHERE tenant = $1 AND seq <= $2"
    };
    query(sql).bind(tenant.uuid()).bind(last.seq).execute(&mut tx).await?;
    let entries = last.seq - floor;
    if !ended {
        let body = AuditBody::default().with("upto", last.seq).with("entries", entries);
        append(&mut tx, tenant, "audit.cut", body.with("head", hex::encode(last.hash))).await?;
    }
    tx.commit().await?;
    Ok(u64::try_from(entries).unwrap_or(0))
}

/// Versions that were replaced before the window began.
async fn policies(mut tx: Tx, tenant: TenantId, cutoff: i64) -> Result<u64, StoreError> {
    let sql = "-- window.policies
        DELETE FROM policies WHERE tenant = $1 AND n < (SELECT max(n) FROM policies WHERE tenant = $1 AND since_ms <= $2)";
    let dropped = query(sql).bind(tenant.uuid()).bind(cutoff).execute(&mut tx).await?;
    tx.commit().await?;
    Ok(dropped)
}

async fn forget(mut tx: Tx, tenant: TenantId) -> Result<(), StoreError> {
    for sql in KEPT_WITH_AUDIT {
        query(sql).bind(tenant.uuid()).execute(&mut tx).await?;
    }
    tx.commit().await
}
