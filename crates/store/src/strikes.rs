//! Strikes of a user: charged when an attempt opens, settled when it is decided. Owns the counters and the lock. Must
//! never know: gates. Invariant: an attempt in flight counts as a failed one, so attempts in parallel gain nothing; how
//! long a lock lasts is `biometrics::strikes`' rule.

use crate::{
    AuditBody, Store, StoreError, audit,
    challenges::seconds_until,
    codes::read_u32,
    conn::{Conn, query},
};
use biometrics::{
    TenantId, UserId,
    strikes::{after_fail, is_locked},
};

const HOUR_MS: i64 = 3_600_000;

/// A user's counters; all zero for a user without a row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Strikes {
    consecutive: u32,
    lifetime: u32,
    locked_until_ms: Option<i64>,
    inconclusive: u32,
    window_start_ms: i64,
}

/// Whose counters.
#[derive(Clone, Copy)]
pub(crate) struct Of<'a> {
    pub(crate) tenant: TenantId,
    pub(crate) user: &'a UserId,
}

impl Strikes {
    pub(crate) async fn load(conn: &mut Conn, of: Of<'_>) -> Result<Self, StoreError> {
        let sql = "-- strikes.load
            SELECT consecutive, lifetime, locked_until_ms, inconclusive, window_start_ms FROM strikes
            WHERE tenant = $1 AND user_id = $2";
        let row = query(sql).bind(of.tenant.uuid()).bind(of.user.as_str()).fetch_optional(conn).await?;
        let Some(row) = row else { return Ok(Self::default()) };
        Ok(Self {
            consecutive: read_u32(row.try_get("consecutive")?)?,
            lifetime: read_u32(row.try_get("lifetime")?)?,
            locked_until_ms: row.try_get("locked_until_ms")?,
            inconclusive: read_u32(row.try_get("inconclusive")?)?,
            window_start_ms: row.try_get("window_start_ms")?,
        })
    }

    async fn save(&self, conn: &mut Conn, of: Of<'_>) -> Result<(), StoreError> {
        let sql = "-- strikes.save
            INSERT INTO strikes (tenant, user_id, consecutive, lifetime, locked_until_ms, inconclusive, window_start_ms)
            VALUES ($1, $2, $3, $4, $5, $6, $7)
            ON CONFLICT (tenant, user_id) DO UPDATE SET
                consecutive = excluded.consecutive, lifetime = excluded.lifetime,
                locked_until_ms = excluded.locked_until_ms, inconclusive = excluded.inconclusive,
                window_start_ms = excluded.window_start_ms";
        query(sql)
            .bind(of.tenant.uuid())
            .bind(of.user.as_str())
            .bind(self.consecutive)
            .bind(self.lifetime)
            .bind(self.locked_until_ms)
            .bind(self.inconclusive)
            .bind(self.window_start_ms)
            .execute(conn)
            .await?;
        Ok(())
    }

    /// Seconds until the delay is over, where one runs.
    pub(crate) fn delay_s(&self, now: i64) -> Option<u32> {
        self.locked_until_ms.filter(|&until| until > now).map(|until| seconds_until(until, now))
    }

    /// Whether only an operator or a re-enrollment helps.
    pub(crate) const fn at_lifetime_cap(&self) -> bool {
        is_locked(self.lifetime)
    }

    /// Seconds until the window of INCONCLUSIVE outcomes ends, where `in_flight` more would pass `cap`.
    pub(crate) fn inconclusive_wait_s(&self, now: i64, in_flight: u32, cap: u32) -> Option<u32> {
        let end = self.window_start_ms + HOUR_MS;
        let counted = if now < end { self.inconclusive } else { 0 };
        (counted.saturating_add(in_flight) >= cap).then(|| seconds_until(end.max(now + 1000), now))
    }

    /// Charges one strike; answers the lock it set.
    pub(crate) async fn charge(mut self, conn: &mut Conn, of: Of<'_>, now: i64) -> Result<Option<i64>, StoreError> {
        self.consecutive = self.consecutive.saturating_add(1);
        self.lifetime = self.lifetime.saturating_add(1);
        let delay = after_fail(self.consecutive);
        let lock = (delay > 0).then(|| now + i64::from(delay) * 1000);
        self.locked_until_ms = lock.or(self.locked_until_ms);
        self.save(conn, of).await?;
        Ok(lock)
    }

    fn leave_row(&mut self, lock: Option<i64>) {
        self.consecutive = self.consecutive.saturating_sub(1);
        // The lock before this attempt's own was over when the attempt opened.
        if after_fail(self.consecutive) == 0 || self.locked_until_ms == lock {
            self.locked_until_ms = None;
        }
    }
}

/// Takes back the strike of one attempt, whose charge had set `lock`: our own fault.
pub(crate) async fn refund(conn: &mut Conn, of: Of<'_>, lock: Option<i64>) -> Result<(), StoreError> {
    let mut strikes = Strikes::load(conn, of).await?;
    strikes.leave_row(lock);
    strikes.lifetime = strikes.lifetime.saturating_sub(1);
    strikes.save(conn, of).await
}

/// Takes back the strike of an INCONCLUSIVE attempt and counts it in its own window.
pub(crate) async fn refund_inconclusive(
    conn: &mut Conn,
    of: Of<'_>,
    lock: Option<i64>,
    now: i64,
) -> Result<(), StoreError> {
    refund(conn, of, lock).await?;
    let mut strikes = Strikes::load(conn, of).await?;
    if now >= strikes.window_start_ms + HOUR_MS {
        (strikes.inconclusive, strikes.window_start_ms) = (0, now);
    }
    strikes.inconclusive = strikes.inconclusive.saturating_add(1);
    strikes.save(conn, of).await
}

/// Keeps the strike but not its place in the row: a FAIL that is no sign of an impostor.
pub(crate) async fn keep_out_of_row(conn: &mut Conn, of: Of<'_>, lock: Option<i64>) -> Result<(), StoreError> {
    let mut strikes = Strikes::load(conn, of).await?;
    strikes.leave_row(lock);
    strikes.save(conn, of).await
}

/// Ends the row at an ACCEPT: what remains in it are the attempts still in flight.
pub(crate) async fn reset(conn: &mut Conn, of: Of<'_>, in_flight: u32) -> Result<(), StoreError> {
    let mut strikes = Strikes::load(conn, of).await?;
    strikes.consecutive = in_flight;
    strikes.lifetime = strikes.lifetime.saturating_sub(1);
    strikes.locked_until_ms = None;
    strikes.save(conn, of).await
}

/// Forgets the user's counters: enrolled anew, erased or unlocked.
pub(crate) async fn forget(conn: &mut Conn, of: Of<'_>) -> Result<bool, StoreError> {
    let sql = "-- strikes.forget
        DELETE FROM strikes WHERE tenant = $1 AND user_id = $2";
    let gone = query(sql).bind(of.tenant.uuid()).bind(of.user.as_str()).execute(conn).await?;
    Ok(gone > 0)
}

impl Store {
    /// An operator frees the user, audited as `user.unlocked`. False: there was nothing to free.
    ///
    /// # Errors
    /// `Unavailable`, `AuditUnavailable`.
    pub async fn unlock_user(&self, tenant: TenantId, user: &UserId, audit: AuditBody) -> Result<bool, StoreError> {
        let audit = &audit;
        self.write("strikes.unlock", tenant, |mut tx| async move {
            if !forget(&mut tx, Of { tenant, user }).await? {
                return Ok(false);
            }
            audit::append(&mut tx, tenant, "user.unlocked", audit.clone().with("user_id", user.as_str())).await?;
            tx.commit().await?;
            Ok(true)
        })
        .await
    }
}
