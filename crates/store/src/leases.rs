//! Leases that end without an outcome: given back by us, or abandoned. Owns both ways out. Must never know: verdicts.
//! Invariant: whatever the worker may have signed for such a lease is INVALID before anybody else may open the attempt.

use crate::{
    AuditBody, Store, StoreError, audit,
    codes::{self, read_u32},
    conn::{Conn, Row, now_ms, query},
    receipts,
    strikes::{self, Of},
    tx::Tx,
};
use biometrics::{ChallengeId, Jti, TenantId, UserId};
use uuid::Uuid;

/// How often one attempt may be given back; the next time it counts as abandoned.
const MAX_RELEASES: u32 = 3;

/// What became of a lease that was given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReleaseResult {
    /// The same attempt may be opened again; its strike is refunded.
    Released,
    /// It was given back too often: the attempt is spent; its strike is refunded.
    Abandoned,
    /// The lease was not open any more.
    LeaseLost,
}

/// Why an attempt is abandoned; the audit's word for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Abandon {
    /// Nobody came back in time. The strike stays.
    Expired,
    /// Given back once too often. The strike goes.
    ReleasedTooOften,
    /// The reference it was about is gone or replaced. The strike goes.
    ReferenceGone,
    /// An enrollment found a reference that it may not replace. The strike goes.
    ReferenceExists,
    /// An enrollment found a reference under a legal hold. The strike goes.
    LegalHold,
}

impl Abandon {
    const fn word(self) -> &'static str {
        match self {
            Self::Expired => "LEASE_EXPIRED",
            Self::ReleasedTooOften => "RELEASED_TOO_OFTEN",
            Self::ReferenceGone => "REFERENCE_GONE",
            Self::ReferenceExists => "REFERENCE_EXISTS",
            Self::LegalHold => "LEGAL_HOLD",
        }
    }
}

/// An attempt whose lease is open.
pub(crate) struct OpenLease {
    pub(crate) challenge: ChallengeId,
    pub(crate) n: u32,
    pub(crate) tenant: TenantId,
    pub(crate) user: UserId,
    pub(crate) jti: Jti,
    pub(crate) releases: u32,
    pub(crate) strike_lock_ms: Option<i64>,
}

impl OpenLease {
    pub(crate) fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            challenge: ChallengeId::new(row.try_get::<Uuid>("challenge")?),
            n: read_u32(row.try_get("n")?)?,
            tenant: TenantId::new(row.try_get::<Uuid>("tenant")?),
            user: codes::read_user(row.try_get("user_id")?)?,
            jti: Jti::new(row.try_get::<Uuid>("jti")?),
            releases: read_u32(row.try_get("releases")?)?,
            strike_lock_ms: row.try_get("strike_lock_ms")?,
        })
    }

    pub(crate) const fn of(&self) -> Of<'_> {
        Of { tenant: self.tenant, user: &self.user }
    }

    /// What every entry about this attempt names.
    pub(crate) fn body(&self, body: AuditBody) -> AuditBody {
        body.with("challenge", self.challenge.to_string())
            .with("attempt", self.n)
            .with("user_id", self.user.as_str())
            .with("jti", self.jti.to_string())
    }

    async fn close(&self, conn: &mut Conn, state: &'static str, charged: bool) -> Result<(), StoreError> {
        let now = now_ms(conn).await?;
        let sql = "-- leases.close
            UPDATE attempts SET state = $3, closed_at_ms = $4, charged = $5,
                                releases = releases + CASE WHEN $3 = 'RELEASED' THEN 1 ELSE 0 END
            WHERE challenge = $1 AND n = $2 AND state = 'OPEN'";
        let changed = query(sql)
            .bind(self.challenge.uuid())
            .bind(self.n)
            .bind(state)
            .bind(now)
            .bind(charged)
            .execute(conn)
            .await?;
        if changed != 1 {
            return Err(StoreError::Corrupt("attempts"));
        }
        receipts::invalidate(conn, self.jti).await?;
        if charged { Ok(()) } else { strikes::refund(conn, self.of(), self.strike_lock_ms).await }
    }

    /// Spends the attempt without an outcome, audited as `attempt.abandoned`.
    pub(crate) async fn abandon(&self, conn: &mut Conn, why: Abandon) -> Result<(), StoreError> {
        self.close(conn, "ABANDONED", why == Abandon::Expired).await?;
        let body = self.body(AuditBody::default()).with("reason", why.word());
        audit::append(conn, self.tenant, "attempt.abandoned", body).await
    }
}

/// The user's open leases: those that ended by `ended_by`, or all of them.
pub(crate) async fn open_of_user(
    conn: &mut Conn,
    of: Of<'_>,
    ended_by: Option<i64>,
) -> Result<Vec<OpenLease>, StoreError> {
    let sql = "-- leases.open_of_user
        SELECT challenge, n, tenant, user_id, jti, releases, strike_lock_ms FROM attempts
        WHERE tenant = $1 AND user_id = $2 AND state = 'OPEN' AND ($3 IS NULL OR lease_until_ms <= $3)
        ORDER BY challenge, n";
    let rows = query(sql).bind(of.tenant.uuid()).bind(of.user.as_str()).bind(ended_by).fetch_all(conn).await?;
    rows.iter().map(OpenLease::read).collect()
}

/// The tenant's open leases that ended by `now`, at most `limit`.
pub(crate) async fn expired(
    conn: &mut Conn,
    tenant: TenantId,
    now: i64,
    limit: u32,
) -> Result<Vec<OpenLease>, StoreError> {
    let sql = "-- leases.expired
        SELECT challenge, n, tenant, user_id, jti, releases, strike_lock_ms FROM attempts
        WHERE tenant = $1 AND state = 'OPEN' AND lease_until_ms <= $2 ORDER BY lease_until_ms LIMIT $3";
    let rows = query(sql).bind(tenant.uuid()).bind(now).bind(limit).fetch_all(conn).await?;
    rows.iter().map(OpenLease::read).collect()
}

/// Tenants of which open leases ended by `now`.
pub(crate) async fn tenants_with_expired(conn: &mut Conn, now: i64) -> Result<Vec<TenantId>, StoreError> {
    let sql = "-- leases.tenants_with_expired
        SELECT DISTINCT tenant FROM attempts WHERE state = 'OPEN' AND lease_until_ms <= $1";
    let rows = query(sql).bind(now).fetch_all(conn).await?;
    rows.iter().map(|row| Ok(TenantId::new(row.try_get("tenant")?))).collect()
}

impl Store {
    /// Gives a lease back because the worker could not be reached before it answered. The strike is refunded; three
    /// times the same attempt may be opened again, then it is spent.
    ///
    /// # Errors
    /// `Unavailable`, `AuditUnavailable`.
    pub async fn release_attempt(&self, tenant: TenantId, lease_id: Uuid) -> Result<ReleaseResult, StoreError> {
        self.write("leases.release", tenant, |tx| release(tx, tenant, lease_id)).await
    }
}

async fn release(mut tx: Tx, tenant: TenantId, lease_id: Uuid) -> Result<ReleaseResult, StoreError> {
    let sql = "-- leases.open_by_id
        SELECT challenge, n, tenant, user_id, jti, releases, strike_lock_ms FROM attempts
        WHERE tenant = $1 AND lease_id = $2 AND state = 'OPEN'";
    let Some(row) = query(sql).bind(tenant.uuid()).bind(lease_id).fetch_optional(&mut tx).await? else {
        return Ok(ReleaseResult::LeaseLost);
    };
    let lease = OpenLease::read(&row)?;
    let result = if lease.releases >= MAX_RELEASES {
        lease.abandon(&mut tx, Abandon::ReleasedTooOften).await?;
        ReleaseResult::Abandoned
    } else {
        lease.close(&mut tx, "RELEASED", false).await?;
        audit::append(&mut tx, lease.tenant, "attempt.released", lease.body(AuditBody::default())).await?;
        ReleaseResult::Released
    };
    tx.commit().await?;
    Ok(result)
}
