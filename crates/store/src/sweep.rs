//! The janitor's work: abandons leases that nobody came back for and drops what has outlived its window. Must never
//! know: when it is called. Invariant: each batch is one short transaction, so a sweep never holds callers up.

use crate::{
    Store, StoreError,
    conn::{now_ms, query},
    leases,
    leases::Abandon,
    tx::Tx,
};
use biometrics::TenantId;

const BATCH: u32 = 100;
/// As many frames as a batch of captures has at most.
const FRAMES_BATCH: u32 = 16 * BATCH;
const HOUR_MS: i64 = 3_600_000;
/// How long an expired challenge still answers `ALREADY_DECIDED` and replays its idempotency key.
const CHALLENGE_KEPT_MS: i64 = 24 * HOUR_MS;

/// How many rows a call dropped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Receipt ids an hour past their expiry.
    pub receipts: u64,
    /// Challenges a day past their expiry, with their attempts.
    pub challenges: u64,
    /// Hashes of frames past their window.
    pub frames: u64,
}

impl Dropped {
    /// Whether nothing was there to drop.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

impl Store {
    /// Abandons every lease that ended: audited, its status index INVALID, its strike kept. Answers how many.
    ///
    /// # Errors
    /// `Unavailable`, `AuditUnavailable`; batches already done stay done.
    pub async fn sweep_expired_leases(&self) -> Result<u64, StoreError> {
        let mut conn = self.read_all_tenants().await?;
        let now = now_ms(&mut conn).await?;
        let tenants = leases::tenants_with_expired(&mut conn, now).await?;
        drop(conn);
        let mut swept = 0;
        for tenant in tenants {
            loop {
                let batch = self.write("sweep.leases", tenant, |tx| abandon_expired(tx, tenant)).await?;
                swept += u64::from(batch);
                if batch < BATCH {
                    break;
                }
            }
        }
        Ok(swept)
    }

    /// Drops one batch each of receipt ids, challenges and hashes of frames that outlived their windows. Call again until
    /// it drops nothing.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn drop_old(&self) -> Result<Dropped, StoreError> {
        self.write_all_tenants("sweep.old", drop_in).await
    }
}

/// Abandons one batch of the tenant's leases that ended; answers how many.
async fn abandon_expired(mut tx: Tx, tenant: TenantId) -> Result<u32, StoreError> {
    let now = now_ms(&mut tx).await?;
    let batch = leases::expired(&mut tx, tenant, now, BATCH).await?;
    for lease in &batch {
        lease.abandon(&mut tx, Abandon::Expired).await?;
    }
    tx.commit().await?;
    Ok(u32::try_from(batch.len()).unwrap_or(u32::MAX))
}

/// No tenant's lock is held here, so each row is judged once more as it is deleted: a frame may be remembered anew meanwhile.
async fn drop_in(mut tx: Tx) -> Result<Dropped, StoreError> {
    let now = now_ms(&mut tx).await?;
    let sql = "-- sweep.receipts
        DELETE FROM live_receipts WHERE expires_at_ms <= $1 AND jti IN
            (SELECT jti FROM live_receipts WHERE expires_at_ms <= $1 ORDER BY expires_at_ms LIMIT $2)";
    let receipts = query(sql).bind(now - HOUR_MS).bind(BATCH).execute(&mut tx).await?;
    let sql = "-- sweep.challenges
        DELETE FROM challenges WHERE id IN
            (SELECT id FROM challenges c WHERE expires_at_ms <= $1
             AND NOT EXISTS (SELECT 1 FROM attempts a WHERE a.challenge = c.id AND a.state = 'OPEN')
             ORDER BY expires_at_ms LIMIT $2)";
    let challenges = query(sql).bind(now - CHALLENGE_KEPT_MS).bind(BATCH).execute(&mut tx).await?;
    let sql = "-- sweep.frames
        DELETE FROM seen_frames WHERE expires_at_ms <= $1 AND (tenant, hash) IN
            (SELECT tenant, hash FROM seen_frames WHERE expires_at_ms <= $1 ORDER BY expires_at_ms LIMIT $2)";
    let frames = query(sql).bind(now).bind(FRAMES_BATCH).execute(&mut tx).await?;
    tx.commit().await?;
    Ok(Dropped { receipts, challenges, frames })
}
