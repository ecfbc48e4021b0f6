//! Challenges: one user, one purpose, one action, one nonce. Owns creation, its cap and its idempotency. Must never
//! know: scripts, capture tokens. Invariant: a challenge never changes after it was made, and is found only by its own
//! tenant.

use crate::{
    AuditBody, Store, StoreError, audit,
    codes::{self, read_hash, read_u32},
    conn::{Conn, Row, now_ms, query},
    tx::Tx,
};
use biometrics::{CaptureMode, ChallengeId, Purpose, TenantId, UserId};
use std::fmt;
use uuid::Uuid;

/// The caller's promise that two requests are one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// 1 to 64 characters of the caller's choice, unique within the tenant.
    pub key: String,
    /// SHA-256 over everything that the request asks for.
    pub request_sha256: [u8; 32],
}

/// A challenge that is to be.
#[derive(Clone)]
pub struct NewChallenge {
    /// Made by the caller.
    pub id: ChallengeId,
    /// Whose.
    pub tenant: TenantId,
    /// Of whom.
    pub user: UserId,
    /// For what.
    pub purpose: Purpose,
    /// Whether an ENROLL may replace a reference.
    pub replace: bool,
    /// The action as JSON.
    pub action_json: String,
    /// Its hash.
    pub action_sha256: [u8; 32],
    /// 16 to 64 bytes from the tenant, kept from the device.
    pub rp_nonce: Vec<u8>,
    /// What the capture performs.
    pub mode: CaptureMode,
    /// 1 to 100.
    pub max_attempts: u32,
    /// How long it lives, in seconds.
    pub ttl_s: u32,
    /// Where the caller gave a key.
    pub idempotency: Option<Idempotency>,
    /// Hash of what the page must show.
    pub display_sha256: [u8; 32],
}

/// A stored challenge.
#[derive(Clone, PartialEq, Eq)]
pub struct ChallengeRow {
    /// Its id.
    pub id: ChallengeId,
    /// Whose.
    pub tenant: TenantId,
    /// Of whom.
    pub user: UserId,
    /// For what.
    pub purpose: Purpose,
    /// Whether an ENROLL may replace a reference.
    pub replace: bool,
    /// The action as JSON, as it was given.
    pub action_json: String,
    /// Its hash.
    pub action_sha256: [u8; 32],
    /// The tenant's nonce, kept from the device.
    pub rp_nonce: Vec<u8>,
    /// What the capture performs.
    pub mode: CaptureMode,
    /// How many attempts it allows.
    pub max_attempts: u32,
    /// Hash of what the page must show.
    pub display_sha256: [u8; 32],
    /// When it was made, database time.
    pub created_at_ms: i64,
    /// No attempt opens at or after this, database time.
    pub expires_at_ms: i64,
    /// Whether that time had come when the row was read.
    pub expired: bool,
}

impl fmt::Debug for NewChallenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewChallenge").field("id", &self.id).field("purpose", &self.purpose).finish_non_exhaustive()
    }
}
impl fmt::Debug for ChallengeRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChallengeRow").field("id", &self.id).field("purpose", &self.purpose).finish_non_exhaustive()
    }
}

/// What came of a request for a challenge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CreateResult {
    /// Made.
    Created(Box<ChallengeRow>),
    /// The same key came with the same request before: the challenge of then, expired or not.
    Replayed(Box<ChallengeRow>),
    /// The same key came with another request before.
    IdempotencyConflict,
    /// The user has as many open challenges as allowed.
    TooMany {
        /// When the next of them expires.
        retry_s: u32,
    },
}

impl ChallengeRow {
    fn read(row: &Row, now: i64) -> Result<Self, StoreError> {
        let expires_at_ms = row.try_get("expires_at_ms")?;
        Ok(Self {
            id: ChallengeId::new(row.try_get::<Uuid>("id")?),
            tenant: TenantId::new(row.try_get::<Uuid>("tenant")?),
            user: codes::read_user(row.try_get("user_id")?)?,
            purpose: codes::read_purpose(row.try_get("purpose")?)?,
            replace: row.flag("replace_reference")?,
            action_json: row.try_get("action")?,
            action_sha256: read_hash(row.try_get("action_sha256")?)?,
            rp_nonce: row.try_get("rp_nonce")?,
            mode: codes::read_mode(row.try_get("mode")?)?,
            max_attempts: read_u32(row.try_get("max_attempts")?)?,
            display_sha256: read_hash(row.try_get("display_sha256")?)?,
            created_at_ms: row.try_get("created_at_ms")?,
            expires_at_ms,
            expired: expires_at_ms <= now,
        })
    }

    fn of(new: &NewChallenge, now: i64) -> Self {
        Self {
            id: new.id,
            tenant: new.tenant,
            user: new.user.clone(),
            purpose: new.purpose,
            replace: new.replace,
            action_json: new.action_json.clone(),
            action_sha256: new.action_sha256,
            rp_nonce: new.rp_nonce.clone(),
            mode: new.mode,
            max_attempts: new.max_attempts,
            display_sha256: new.display_sha256,
            created_at_ms: now,
            expires_at_ms: now + i64::from(new.ttl_s) * 1000,
            expired: new.ttl_s == 0,
        }
    }
}

/// The tenant's challenge, by the caller's connection; `now` judges `expired`.
pub(crate) async fn load(
    conn: &mut Conn,
    tenant: TenantId,
    id: ChallengeId,
    now: i64,
) -> Result<Option<ChallengeRow>, StoreError> {
    let sql = "-- challenges.load
        SELECT id, tenant, user_id, purpose, replace_reference, action, action_sha256, rp_nonce, mode, max_attempts,
               display_sha256, created_at_ms, expires_at_ms
        FROM challenges WHERE tenant = $1 AND id = $2";
    let row = query(sql).bind(tenant.uuid()).bind(id.uuid()).fetch_optional(conn).await?;
    row.map(|row| ChallengeRow::read(&row, now)).transpose()
}

/// What an earlier request with the same key makes of this one; nothing for a fresh key.
async fn replay(
    conn: &mut Conn,
    tenant: TenantId,
    asked: &Idempotency,
    now: i64,
) -> Result<Option<CreateResult>, StoreError> {
    let sql = "-- challenges.replay
        SELECT id, request_sha256 FROM challenges WHERE tenant = $1 AND idempotency_key = $2";
    let row = query(sql).bind(tenant.uuid()).bind(&asked.key).fetch_optional(conn).await?;
    let Some(row) = row else { return Ok(None) };
    if read_hash(row.try_get("request_sha256")?)? != asked.request_sha256 {
        return Ok(Some(CreateResult::IdempotencyConflict));
    }
    let id = ChallengeId::new(row.try_get::<Uuid>("id")?);
    let stored = load(conn, tenant, id, now).await?.ok_or(StoreError::Corrupt("challenges"))?;
    Ok(Some(CreateResult::Replayed(Box::new(stored))))
}

/// Seconds until the user may ask again, where the cap is reached.
async fn over_cap(conn: &mut Conn, new: &NewChallenge, now: i64, cap: u32) -> Result<Option<u32>, StoreError> {
    let sql = "-- challenges.open_of_user
        SELECT count(*) AS open, min(expires_at_ms) AS soonest FROM challenges c
        WHERE tenant = $1 AND user_id = $2 AND expires_at_ms > $3
          AND NOT EXISTS (SELECT 1 FROM attempts a WHERE a.challenge = c.id AND a.verdict = 'ACCEPT')";
    let row = query(sql).bind(new.tenant.uuid()).bind(new.user.as_str()).bind(now).fetch_one(conn).await?;
    let open: i64 = row.try_get("open")?;
    let soonest: Option<i64> = row.try_get("soonest")?;
    Ok((open >= i64::from(cap)).then(|| seconds_until(soonest.unwrap_or(now), now)))
}

/// Whole seconds from `now` to `at`, rounded up, at least 1.
pub(crate) fn seconds_until(at: i64, now: i64) -> u32 {
    u32::try_from(((at - now).max(1) + 999) / 1000).unwrap_or(u32::MAX)
}

async fn insert(conn: &mut Conn, row: &ChallengeRow, idempotency: Option<&Idempotency>) -> Result<(), StoreError> {
    let sql = "-- challenges.create
        INSERT INTO challenges (id, tenant, user_id, purpose, replace_reference, action, action_sha256, rp_nonce, mode,
                                max_attempts, display_sha256, created_at_ms, expires_at_ms, idempotency_key,
                                request_sha256)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";
    let (key, request) = idempotency.map(|i| (i.key.as_str(), i.request_sha256.as_slice())).unzip();
    query(sql)
        .bind(row.id.uuid())
        .bind(row.tenant.uuid())
        .bind(row.user.as_str())
        .bind(codes::purpose(row.purpose))
        .bind(row.replace)
        .bind(&row.action_json)
        .bind(row.action_sha256.as_slice())
        .bind(&row.rp_nonce)
        .bind(codes::mode(row.mode))
        .bind(row.max_attempts)
        .bind(row.display_sha256.as_slice())
        .bind(row.created_at_ms)
        .bind(row.expires_at_ms)
        .bind(key)
        .bind(request)
        .execute(conn)
        .await?;
    Ok(())
}

async fn create(mut tx: Tx, new: &NewChallenge, cap: u32) -> Result<CreateResult, StoreError> {
    let now = now_ms(&mut tx).await?;
    if let Some(asked) = &new.idempotency
        && let Some(earlier) = replay(&mut tx, new.tenant, asked, now).await?
    {
        return Ok(earlier);
    }
    if let Some(retry_s) = over_cap(&mut tx, new, now, cap).await? {
        return Ok(CreateResult::TooMany { retry_s });
    }
    let row = ChallengeRow::of(new, now);
    insert(&mut tx, &row, new.idempotency.as_ref()).await?;
    let body = AuditBody::default()
        .with("challenge", row.id.to_string())
        .with("user_id", row.user.as_str())
        .with("purpose", codes::purpose(row.purpose))
        .with("replace", row.replace);
    audit::append(&mut tx, row.tenant, "challenge.created", body).await?;
    tx.commit().await?;
    Ok(CreateResult::Created(Box::new(row)))
}

impl Store {
    /// Makes a challenge, audited as `challenge.created`. The same idempotency key and request again give the same row.
    ///
    /// # Errors
    /// `Unavailable` (also for an unknown tenant), `AuditUnavailable`.
    pub async fn create_challenge(&self, new: NewChallenge) -> Result<CreateResult, StoreError> {
        let (new, cap) = (&new, self.limits.open_challenges_per_user);
        self.write("challenges.create", new.tenant, |tx| create(tx, new, cap)).await
    }

    /// The tenant's challenge; nothing for an unknown one and for another tenant's alike.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn challenge(&self, tenant: TenantId, id: ChallengeId) -> Result<Option<ChallengeRow>, StoreError> {
        let mut conn = self.read(tenant).await?;
        let now = now_ms(&mut conn).await?;
        load(&mut conn, tenant, id, now).await
    }
}
