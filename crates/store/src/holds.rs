//! Legal holds: users whose data may not be erased for now. Owns holds, what waits for their end, and the date by which the
//! tenant is told. Must never know: references. Invariant: whoever erases asks here first, in the same transaction.

use crate::{
    AuditBody, Store, StoreError, audit, codes,
    conn::{Conn, Row, now_ms, query},
    door::make_id,
    erasure::{self, Erase},
    failpoint, references,
    strikes::{self, Of},
    tx::Tx,
};
use biometrics::{HoldId, JobId, TenantId, UserId};
use uuid::Uuid;

const DAY_MS: i64 = 86_400_000;
/// The tenant is told within so many business days (CONTRACT "Data windows").
const NOTICE_BUSINESS_DAYS: u32 = 5;

/// A hold that is to be.
#[derive(Debug, Clone, Copy)]
pub struct NewHold<'a> {
    /// Whose user.
    pub tenant: TenantId,
    /// The user, who may have no reference yet.
    pub user: &'a UserId,
    /// The legal matter, in the operator's words.
    pub matter: &'a str,
    /// Who places it.
    pub placed_by: &'a str,
}

/// A stored hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// Its id.
    pub id: HoldId,
    /// Whose user.
    pub tenant: TenantId,
    /// The user.
    pub user: UserId,
    /// The legal matter.
    pub matter: String,
    /// Who placed it.
    pub placed_by: String,
    /// When, database time.
    pub placed_at_ms: i64,
    /// By when the tenant is to be told.
    pub notice_due_ms: i64,
    /// When it was released.
    pub released_at_ms: Option<i64>,
}

/// What came of a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReleaseHold {
    /// Released. A deletion that waited is done; its proof waits for a checkpoint like any other.
    Released {
        /// Whether a deletion had waited and is done.
        erased: bool,
        /// Whether another hold of the user still stands.
        still_held: bool,
    },
    /// The tenant has no such standing hold.
    Unknown,
}

impl Hold {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: HoldId::new(row.try_get::<Uuid>("id")?),
            tenant: TenantId::new(row.try_get::<Uuid>("tenant")?),
            user: codes::read_user(row.try_get("user_id")?)?,
            matter: row.try_get("matter")?,
            placed_by: row.try_get("placed_by")?,
            placed_at_ms: row.try_get("placed_at_ms")?,
            notice_due_ms: row.try_get("notice_due_ms")?,
            released_at_ms: row.try_get("released_at_ms")?,
        })
    }
}

/// The end of the fifth business day (Monday to Friday, UTC) after a moment; holidays are the operator's to know.
pub(crate) const fn notice_due_ms(placed_at_ms: i64) -> i64 {
    let mut day = placed_at_ms.div_euclid(DAY_MS);
    let mut left = NOTICE_BUSINESS_DAYS;
    while left > 0 {
        day += 1;
        // Day 0 was a Thursday; 0 is Monday here.
        if (day + 3).rem_euclid(7) < 5 {
            left -= 1;
        }
    }
    (day + 1) * DAY_MS - 1
}

/// Whether any hold of the user stands.
pub(crate) async fn is_held(conn: &mut Conn, of: Of<'_>) -> Result<bool, StoreError> {
    let sql = "-- holds.standing
        SELECT id FROM legal_holds WHERE tenant = $1 AND user_id = $2 AND released_at_ms IS NULL LIMIT 1";
    let row = query(sql).bind(of.tenant.uuid()).bind(of.user.as_str()).fetch_optional(conn).await?;
    Ok(row.is_some())
}

/// Notes that a held user's data was touched, as `hold.access`. Nothing where no hold stands.
pub(crate) async fn note_access(conn: &mut Conn, of: Of<'_>, how: &'static str) -> Result<(), StoreError> {
    if !is_held(conn, of).await? {
        return Ok(());
    }
    let body = AuditBody::default().with("user_id", of.user.as_str()).with("access", how);
    audit::append(conn, of.tenant, "hold.access", body).await
}

/// What a deletion leaves that a hold stands in the way of, audited as `deletion.held`. The first one's cause stays.
pub(crate) async fn wait(conn: &mut Conn, erase: Erase<'_>) -> Result<(), StoreError> {
    let sql = "-- holds.wait
        INSERT INTO waiting_deletions (tenant, user_id, cause, job, asked_at_ms) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (tenant, user_id) DO NOTHING";
    query(sql)
        .bind(erase.tenant.uuid())
        .bind(erase.user.as_str())
        .bind(erase.cause)
        .bind(erase.job.map(JobId::uuid))
        .bind(erase.now)
        .execute(conn)
        .await?;
    let body = AuditBody::default().with("user_id", erase.user.as_str()).with("cause", erase.cause);
    audit::append(conn, erase.tenant, "deletion.held", body).await
}

impl Store {
    /// Places a hold, audited as `hold.placed`. The same matter again answers the hold that stands.
    ///
    /// # Errors
    /// `Unavailable`, `AuditUnavailable`.
    pub async fn place_hold(&self, new: NewHold<'_>) -> Result<Hold, StoreError> {
        let id = HoldId::new(make_id()?);
        self.write("holds.place", new.tenant, |tx| place(tx, new, id)).await
    }

    /// Releases a hold, audited as `hold.released`, and does what waited for the last one.
    ///
    /// # Errors
    /// `Unavailable`, `AuditUnavailable`.
    pub async fn release_hold(&self, tenant: TenantId, hold: HoldId, by: &str) -> Result<ReleaseHold, StoreError> {
        self.write("holds.release", tenant, |tx| release(tx, (tenant, hold), by)).await
    }

    /// A tenant's holds, newest first, at most `limit`; those that stand or all of them.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn holds(&self, tenant: TenantId, standing: bool, limit: u32) -> Result<Vec<Hold>, StoreError> {
        let sql = "-- holds.list
            SELECT id, tenant, user_id, matter, placed_by, placed_at_ms, notice_due_ms, released_at_ms FROM legal_holds
            WHERE tenant = $1 AND ($2 = 0 OR released_at_ms IS NULL) ORDER BY placed_at_ms DESC, id LIMIT $3";
        let mut conn = self.read(tenant).await?;
        let rows = query(sql).bind(tenant.uuid()).bind(standing).bind(limit).fetch_all(&mut conn).await?;
        rows.iter().map(Hold::read).collect()
    }

    /// Notes that a held user's data was read outside of a verification; nothing where no hold stands.
    ///
    /// # Errors
    /// `Unavailable`, `AuditUnavailable`.
    pub async fn note_hold_access(&self, tenant: TenantId, user: &UserId, how: &'static str) -> Result<(), StoreError> {
        if !is_held(&mut self.read(tenant).await?, Of { tenant, user }).await? {
            return Ok(());
        }
        self.write("holds.access", tenant, |mut tx| async move {
            note_access(&mut tx, Of { tenant, user }, how).await?;
            tx.commit().await
        })
        .await
    }
}

async fn place(mut tx: Tx, new: NewHold<'_>, id: HoldId) -> Result<Hold, StoreError> {
    let now = now_ms(&mut tx).await?;
    let sql = "-- holds.place
        INSERT INTO legal_holds (id, tenant, user_id, matter, placed_by, placed_at_ms, notice_due_ms)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (tenant, user_id, matter) WHERE released_at_ms IS NULL DO NOTHING";
    let placed = query(sql)
        .bind(id.uuid())
        .bind(new.tenant.uuid())
        .bind(new.user.as_str())
        .bind(new.matter)
        .bind(new.placed_by)
        .bind(now)
        .bind(notice_due_ms(now))
        .execute(&mut tx)
        .await?;
    let sql = "-- holds.load
        SELECT id, tenant, user_id, matter, placed_by, placed_at_ms, notice_due_ms, released_at_ms FROM legal_holds
        WHERE tenant = $1 AND user_id = $2 AND matter = $3 AND released_at_ms IS NULL";
    let (tenant, user) = (new.tenant.uuid(), new.user.as_str());
    let row = query(sql).bind(tenant).bind(user).bind(new.matter).fetch_one(&mut tx).await?;
    let hold = Hold::read(&row)?;
    if placed == 1 {
        let body = AuditBody::default()
            .with("hold", hold.id.to_string())
            .with("user_id", user)
            .with("matter", new.matter)
            .with("by", new.placed_by)
            .with("notice_due_ms", hold.notice_due_ms);
        audit::append(&mut tx, new.tenant, "hold.placed", body).await?;
        tx.commit().await?;
    }
    Ok(hold)
}

async fn release(mut tx: Tx, (tenant, hold): (TenantId, HoldId), by: &str) -> Result<ReleaseHold, StoreError> {
    let now = now_ms(&mut tx).await?;
    let sql = "-- holds.release
        UPDATE legal_holds SET released_by = $3, released_at_ms = $4
        WHERE tenant = $1 AND id = $2 AND released_at_ms IS NULL RETURNING user_id";
    let released = query(sql).bind(tenant.uuid()).bind(hold.uuid()).bind(by).bind(now).fetch_optional(&mut tx).await?;
    let Some(row) = released else { return Ok(ReleaseHold::Unknown) };
    let user = codes::read_user(row.try_get("user_id")?)?;
    let body = AuditBody::default().with("hold", hold.to_string()).with("user_id", user.as_str()).with("by", by);
    audit::append(&mut tx, tenant, "hold.released", body).await?;
    let of = Of { tenant, user: &user };
    let still_held = is_held(&mut tx, of).await?;
    let erased = !still_held && erase_waiting(&mut tx, of, now).await?;
    failpoint("hold.before_commit");
    tx.commit().await?;
    Ok(ReleaseHold::Released { erased, still_held })
}

/// Does the deletion that waited, if one did.
async fn erase_waiting(conn: &mut Conn, of: Of<'_>, now: i64) -> Result<bool, StoreError> {
    let sql = "-- holds.waited
        DELETE FROM waiting_deletions WHERE tenant = $1 AND user_id = $2 RETURNING cause, job";
    let waited = query(sql).bind(of.tenant.uuid()).bind(of.user.as_str()).fetch_optional(conn).await?;
    let Some(waited) = waited else { return Ok(false) };
    let Some(found) = references::load(conn, of.tenant, of.user).await? else { return Ok(false) };
    let cause: String = waited.try_get("cause")?;
    let job = waited.try_get::<Option<Uuid>>("job")?.map(JobId::new);
    let erase = Erase { tenant: of.tenant, user: of.user, cause: &cause, job, now };
    erasure::erase_all(conn, erase, &found).await?;
    strikes::forget(conn, of).await?;
    Ok(true)
}
