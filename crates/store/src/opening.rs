//! T1: opens an attempt. Owns admission by the challenge's history, the user's strikes and the reference. Must never
//! know: frames but by their hashes, verdict rules. Invariant: one transaction opens attempt n with a lease, reserves its
//! receipt id and status position, charges a strike and remembers the frames, or does none of it.

use crate::{
    AuditBody, ChallengeRow, SealedRow, Store, StoreError, Tenant,
    attempts::{history, next_attempt},
    audit, challenges, codes,
    conn::{Conn, now_ms, query},
    door::make_id,
    error::is_unique_violation,
    failpoint,
    frames::{self, FrameHash, Shown},
    holds,
    leases::{self, Abandon},
    receipts::{self, Reserve},
    references::{self, UserReferences},
    status::{StatusPosition, StatusSecret},
    strikes::{Of, Strikes},
    tenants,
    tx::Tx,
};
use biometrics::{ChallengeId, Jti, Purpose, TenantId, Verdict};
use uuid::Uuid;

/// What an attempt is opened with.
#[derive(Debug, Clone)]
pub struct OpenAttempt {
    /// What the audit is told of the caller where the attempt is refused.
    pub told: AuditBody,
    /// The caller's tenant.
    pub tenant: TenantId,
    /// The challenge.
    pub challenge: ChallengeId,
    /// The attempt that the capture answers, from 1; 0 takes the next one.
    pub attempt: u32,
    /// What the caller is about to do; the challenge must be for it.
    pub purpose: Purpose,
    /// How long an outcome may take, in milliseconds.
    pub lease_ms: u32,
    /// The receipt id that is reserved; a fresh one for every call.
    pub jti: Jti,
    /// Orders the positions in status lists.
    pub status: StatusSecret,
    /// Where the caller knows what the workers compare: a reference of any other feature space is refused here.
    pub feature_spaces: Option<Vec<String>>,
    /// Keyed hashes of the capture's frames in their order; none where the tenant's policy remembers none.
    pub frames: Vec<FrameHash>,
}

/// An open attempt with all that the worker needs.
#[derive(Debug, Clone)]
pub struct Opened {
    /// Its number, from 1.
    pub attempt: u32,
    /// Names the lease in `record_outcome` and `release_attempt`.
    pub lease_id: Uuid,
    /// An outcome after this is not taken; database time.
    pub lease_until_ms: i64,
    /// The reserved receipt id.
    pub jti: Jti,
    /// The reserved position in a status list.
    pub status: StatusPosition,
    /// The challenge.
    pub challenge: ChallengeRow,
    /// The tenant with its policy and wrapped secrets.
    pub tenant: Tenant,
    /// The user's reference: always there for VERIFY; for ENROLL the one that would be replaced.
    pub reference: Option<SealedRow>,
    /// The successor beside it, where a new recogniser made one.
    pub successor: Option<SealedRow>,
    /// Positions of the frames, from 0, that another attempt of the tenant showed within the policy's window.
    pub replayed: Vec<u32>,
}

/// Why no attempt was opened. No strike was charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenRefused {
    /// Unknown, or another tenant's.
    UnknownChallenge,
    /// Expired by database time. Audited.
    Expired,
    /// The challenge was accepted before, or the attempt asked for was abandoned. Audited.
    Spent,
    /// The challenge is for the other purpose. Audited.
    WrongPurpose,
    /// The attempt asked for is decided, or the challenge is and none was asked for. Audited.
    AlreadyDecided {
        /// Id of the receipt that was given.
        jti: Jti,
        /// What it said.
        verdict: Verdict,
    },
    /// Another capture of this challenge is being judged now.
    AttemptOpen,
    /// All attempts are used. Audited.
    NoAttemptsLeft,
    /// The attempt asked for is not the next one.
    OutOfOrder {
        /// The one that is.
        next: u32,
    },
    /// Too many failures. Audited.
    Locked {
        /// When to come back; `None` when only an operator or a re-enrollment helps.
        retry_s: Option<u32>,
    },
    /// Too many INCONCLUSIVE outcomes within an hour.
    RateLimited {
        /// When to come back.
        retry_s: u32,
    },
    /// VERIFY without a reference.
    NoReference,
    /// ENROLL with a reference and no `replace`.
    ReferenceExists,
    /// The reference is of another feature space. Audited.
    FeatureSpace,
    /// ENROLL would replace a reference that is under a legal hold. Audited.
    LegalHold,
    /// The tenant is suspended, or it ends.
    TenantStopped,
}

impl OpenRefused {
    /// The audit's word, for the refusals that are audited.
    const fn audited(self) -> Option<&'static str> {
        match self {
            Self::Expired => Some("CHALLENGE_EXPIRED"),
            Self::Spent | Self::NoAttemptsLeft => Some("CHALLENGE_SPENT"),
            Self::WrongPurpose => Some("WRONG_PURPOSE"),
            Self::AlreadyDecided { .. } => Some("ALREADY_DECIDED"),
            Self::Locked { .. } => Some("LOCKED"),
            Self::FeatureSpace => Some("FEATURE_SPACE"),
            Self::LegalHold => Some("LEGAL_HOLD"),
            _ => None,
        }
    }
}

/// What came of T1.
#[derive(Debug, Clone)]
pub enum OpenResult {
    /// Opened.
    Opened(Box<Opened>),
    /// Not opened.
    Refused(OpenRefused),
}

/// Whether the reference, or its absence, fits what is asked.
fn fits(open: &OpenAttempt, challenge: &ChallengeRow, reference: Option<&SealedRow>) -> Result<(), OpenRefused> {
    match (challenge.purpose, reference) {
        (Purpose::Verify, None) => Err(OpenRefused::NoReference),
        (Purpose::Enroll, Some(_)) if !challenge.replace => Err(OpenRefused::ReferenceExists),
        (Purpose::Verify, Some(row))
            if open.feature_spaces.as_ref().is_some_and(|f| !f.contains(&row.feature_space)) =>
        {
            Err(OpenRefused::FeatureSpace)
        }
        _ => Ok(()),
    }
}

/// A challenge found, with the time that judges it.
struct Found {
    challenge: ChallengeRow,
    now: i64,
}

/// What admission leaves to be written.
struct Admitted {
    n: u32,
    strikes: Strikes,
    references: Option<UserReferences>,
}

impl Store {
    /// T1. Abandons the user's expired leases first; what it refuses costs nothing and is audited where callers are
    /// told a `FAILED_PRECONDITION`.
    ///
    /// # Errors
    /// `Unavailable`, `AuditUnavailable`, `Corrupt`.
    pub async fn open_attempt(&self, open: OpenAttempt) -> Result<OpenResult, StoreError> {
        let open = &open;
        self.write("attempts.open", open.tenant, |tx| self.open_in(tx, open)).await
    }

    async fn open_in(&self, mut tx: Tx, open: &OpenAttempt) -> Result<OpenResult, StoreError> {
        let now = now_ms(&mut tx).await?;
        let Some(challenge) = challenges::load(&mut tx, open.tenant, open.challenge, now).await? else {
            return Ok(OpenResult::Refused(OpenRefused::UnknownChallenge));
        };
        let found = Found { challenge, now };
        let of = Of { tenant: open.tenant, user: &found.challenge.user };
        for lease in leases::open_of_user(&mut tx, of, Some(now)).await? {
            lease.abandon(&mut tx, Abandon::Expired).await?;
        }
        let result = match self.admit(&mut tx, open, &found).await? {
            Ok(admitted) => write_open(&mut tx, open, found, admitted).await?,
            Err(refused) => {
                audit_refusal(&mut tx, open, &found.challenge, refused).await?;
                OpenResult::Refused(refused)
            }
        };
        failpoint("t1.before_commit");
        tx.commit().await?;
        failpoint("t1.after_commit");
        Ok(result)
    }

    async fn admit(
        &self,
        conn: &mut Conn,
        open: &OpenAttempt,
        found: &Found,
    ) -> Result<Result<Admitted, OpenRefused>, StoreError> {
        let Found { challenge, now } = found;
        if !tenants::is_active(conn, open.tenant).await? {
            return Ok(Err(OpenRefused::TenantStopped));
        }
        if challenge.purpose != open.purpose {
            return Ok(Err(OpenRefused::WrongPurpose));
        }
        let n = match next_attempt(open.attempt, challenge, &history(conn, open.challenge).await?) {
            Ok(n) => n,
            Err(refused) => return Ok(Err(refused)),
        };
        let references = references::load(conn, open.tenant, &challenge.user).await?;
        if let Err(refused) = fits(open, challenge, references.as_ref().map(|found| &found.reference)) {
            return Ok(Err(refused));
        }
        let of = Of { tenant: open.tenant, user: &challenge.user };
        if challenge.purpose == Purpose::Enroll && references.is_some() && holds::is_held(conn, of).await? {
            return Ok(Err(OpenRefused::LegalHold));
        }
        let strikes = Strikes::load(conn, of).await?;
        // Re-enrollment is the way out of the lifetime cap, so the cap does not stop it.
        if strikes.at_lifetime_cap() && challenge.purpose == Purpose::Verify {
            return Ok(Err(OpenRefused::Locked { retry_s: None }));
        }
        if let Some(retry_s) = strikes.delay_s(*now) {
            return Ok(Err(OpenRefused::Locked { retry_s: Some(retry_s) }));
        }
        let in_flight = u32::try_from(leases::open_of_user(conn, of, None).await?.len()).unwrap_or(u32::MAX);
        if let Some(retry_s) = strikes.inconclusive_wait_s(*now, in_flight, self.limits.inconclusive_per_hour) {
            return Ok(Err(OpenRefused::RateLimited { retry_s }));
        }
        Ok(Ok(Admitted { n, strikes, references }))
    }
}

async fn write_open(
    conn: &mut Conn,
    open: &OpenAttempt,
    found: Found,
    admitted: Admitted,
) -> Result<OpenResult, StoreError> {
    let Found { challenge, now } = found;
    let tenant = tenants::load(conn, open.tenant).await?.ok_or(StoreError::Corrupt("tenants"))?;
    let (lease_id, lease_until_ms) = (make_id()?, now + i64::from(open.lease_ms));
    let of = Of { tenant: open.tenant, user: &challenge.user };
    holds::note_access(conn, of, codes::purpose(challenge.purpose)).await?;
    let lock = admitted.strikes.charge(conn, of, now).await?;
    let (user, secret) = (&challenge.user, &open.status);
    let reserve = Reserve { jti: open.jti, tenant: open.tenant, user, lease_until_ms, secret };
    let status = receipts::reserve(conn, reserve).await?;
    let sql = "-- attempts.open
        INSERT INTO attempts (challenge, n, tenant, user_id, state, lease_id, lease_until_ms, jti, charged,
                              strike_lock_ms, opened_at_ms)
        VALUES ($1, $2, $3, $4, 'OPEN', $5, $6, $7, 1, $8, $9)
        ON CONFLICT (challenge, n) DO UPDATE SET
            state = 'OPEN', lease_id = excluded.lease_id, lease_until_ms = excluded.lease_until_ms,
            jti = excluded.jti, charged = 1, strike_lock_ms = excluded.strike_lock_ms,
            opened_at_ms = excluded.opened_at_ms, closed_at_ms = NULL
        WHERE attempts.state = 'RELEASED'";
    let written = query(sql)
        .bind(challenge.id.uuid())
        .bind(admitted.n)
        .bind(open.tenant.uuid())
        .bind(challenge.user.as_str())
        .bind(lease_id)
        .bind(lease_until_ms)
        .bind(open.jti.uuid())
        .bind(lock)
        .bind(now)
        .execute(conn)
        .await;
    match written {
        Ok(1) => {}
        Ok(_) => return Err(StoreError::Corrupt("attempts")),
        Err(error) if is_unique_violation(&error) => return Err(StoreError::Exists("open attempt or receipt id")),
        Err(error) => return Err(error.into()),
    }
    let (reference, successor) =
        admitted.references.map(|found| (Some(found.reference), found.successor)).unwrap_or_default();
    let shown = Shown { tenant: &tenant, challenge: challenge.id, n: admitted.n, now };
    let replayed = frames::show(conn, shown, &open.frames).await?;
    Ok(OpenResult::Opened(Box::new(Opened {
        attempt: admitted.n,
        lease_id,
        lease_until_ms,
        jti: open.jti,
        status,
        challenge,
        tenant,
        reference,
        successor,
        replayed,
    })))
}

async fn audit_refusal(
    conn: &mut Conn,
    open: &OpenAttempt,
    challenge: &ChallengeRow,
    refused: OpenRefused,
) -> Result<(), StoreError> {
    let Some(word) = refused.audited() else { return Ok(()) };
    let told = open.told.clone();
    let body = told
        .with("challenge", challenge.id.to_string())
        .with("attempt", open.attempt)
        .with("user_id", challenge.user.as_str())
        .with("reason", word);
    audit::append(conn, open.tenant, "attempt.refused", body).await
}
