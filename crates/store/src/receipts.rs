//! What is kept of a receipt while it can be used: id, status index, pseudonym, expiry. Must never know: the receipt.
//! Invariant: two receipts never share a position in a status list, and INVALID never becomes VALID again.

use crate::{
    AuditBody, Store, StoreError, audit,
    conn::{Conn, query},
    status::{self, StatusPosition, StatusSecret},
};
use biometrics::{Jti, TenantId, UserId};

/// How long a receipt may live that a worker signed for a lease which never came back: the largest use window.
const RESERVED_MS: i64 = 600_000;

/// What came of a revocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RevokeResult {
    /// Marked INVALID now.
    Revoked,
    /// Was INVALID before.
    AlreadyInvalid,
    /// No live receipt of this tenant: never was, or is dropped since it expired.
    Unknown,
}

/// A receipt id that is to be reserved together with a position in a status list.
pub(crate) struct Reserve<'a> {
    pub(crate) jti: Jti,
    pub(crate) tenant: TenantId,
    pub(crate) user: &'a UserId,
    pub(crate) lease_until_ms: i64,
    pub(crate) secret: &'a StatusSecret,
}

/// Reserves the id; answers its position.
pub(crate) async fn reserve(conn: &mut Conn, reserve: Reserve<'_>) -> Result<StatusPosition, StoreError> {
    let position = status::claim(conn, reserve.tenant, reserve.secret).await?;
    let sql = "-- receipts.reserve
        INSERT INTO live_receipts (jti, tenant, user_id, status_list, status_index, status, expires_at_ms)
        VALUES ($1, $2, $3, $4, $5, 'RESERVED', $6)";
    query(sql)
        .bind(reserve.jti.uuid())
        .bind(reserve.tenant.uuid())
        .bind(reserve.user.as_str())
        .bind(position.list)
        .bind(position.index)
        .bind(reserve.lease_until_ms + RESERVED_MS)
        .execute(conn)
        .await?;
    Ok(position)
}

/// Makes a reserved id VALID with its pseudonym and expiry.
pub(crate) async fn issue(conn: &mut Conn, jti: Jti, pseudonym: &str, expires_at_ms: i64) -> Result<(), StoreError> {
    let sql = "-- receipts.issue
        UPDATE live_receipts SET status = 'VALID', pseudonym = $2, expires_at_ms = $3
        WHERE jti = $1 AND status = 'RESERVED'";
    let changed = query(sql).bind(jti.uuid()).bind(pseudonym).bind(expires_at_ms).execute(conn).await?;
    if changed == 1 { Ok(()) } else { Err(StoreError::Corrupt("live_receipts")) }
}

/// Marks one id INVALID: its lease never came back.
pub(crate) async fn invalidate(conn: &mut Conn, jti: Jti) -> Result<(), StoreError> {
    let sql = "-- receipts.invalidate
        UPDATE live_receipts SET status = 'INVALID' WHERE jti = $1";
    query(sql).bind(jti.uuid()).execute(conn).await?;
    Ok(())
}

/// Marks every live receipt of the user INVALID; answers how many.
pub(crate) async fn invalidate_user(conn: &mut Conn, tenant: TenantId, user: &UserId) -> Result<u64, StoreError> {
    let sql = "-- receipts.invalidate_user
        UPDATE live_receipts SET status = 'INVALID' WHERE tenant = $1 AND user_id = $2 AND status = 'VALID'";
    Ok(query(sql).bind(tenant.uuid()).bind(user.as_str()).execute(conn).await?)
}

impl Store {
    /// Marks a live receipt of the tenant INVALID, audited as `receipt.revoked`.
    ///
    /// # Errors
    /// `Unavailable`, `AuditUnavailable`.
    pub async fn revoke_receipt(
        &self,
        tenant: TenantId,
        jti: Jti,
        audit: AuditBody,
    ) -> Result<RevokeResult, StoreError> {
        let audit = &audit;
        self.write("receipts.revoke", tenant, |mut tx| async move {
            let sql = "-- receipts.status
                SELECT status FROM live_receipts WHERE tenant = $1 AND jti = $2";
            let row = query(sql).bind(tenant.uuid()).bind(jti.uuid()).fetch_optional(&mut tx).await?;
            match row.as_ref().map(|row| row.try_get("status")).transpose()? {
                Some("VALID") => {}
                Some("INVALID") => return Ok(RevokeResult::AlreadyInvalid),
                _ => return Ok(RevokeResult::Unknown),
            }
            invalidate(&mut tx, jti).await?;
            audit::append(&mut tx, tenant, "receipt.revoked", audit.clone().with("jti", jti.to_string())).await?;
            tx.commit().await?;
            Ok(RevokeResult::Revoked)
        })
        .await
    }
}
