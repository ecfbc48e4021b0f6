//! T2: records an outcome. Owns the compare-and-set on the lease and all that goes with a decision. Must never know: the
//! receipt, gates, why the verdict is what it is. Invariant: one transaction closes the lease, settles the strike,
//! stores or replaces a reference, makes the receipt id valid, tells the log and writes the audit entry, or does none of it; a second
//! ACCEPT of a challenge is refused by a unique constraint.

use crate::{
    AuditBody, Erased, SealedRow, Store, StoreError, audit, codes,
    codes::read_u32,
    conn::{Conn, Row, now_ms, query},
    erasure::{self, Erase},
    error::is_unique_violation,
    failpoint, holds,
    leases::{Abandon, OpenLease},
    log, receipts,
    references::{self, Place},
    strikes,
    succession::{self, Succession},
    tx::Tx,
};
use biometrics::{Jti, Purpose, TenantId, Verdict, strikes::Settlement};
use uuid::Uuid;

/// What is kept of the signed receipt.
#[derive(Debug, Clone)]
pub struct LiveReceipt {
    /// The id that T1 reserved.
    pub jti: Jti,
    /// The receipt's `sub`.
    pub pseudonym: String,
    /// End of its use window, Unix milliseconds.
    pub expires_at_ms: i64,
    /// Its issuer, for the log.
    pub iss: String,
    /// SHA-256 of its compact form, for the log.
    pub sha256: [u8; 32],
}

/// An outcome that is to be recorded.
#[derive(Debug, Clone)]
pub struct RecordOutcome {
    /// Whose attempt it is.
    pub tenant: TenantId,
    /// From `Opened`.
    pub lease_id: Uuid,
    /// What the worker decided.
    pub verdict: Verdict,
    /// What becomes of the strike; `Reset` exactly with ACCEPT.
    pub settlement: Settlement,
    /// Gates and reasons; the store adds challenge, attempt, user, receipt id and verdict.
    pub audit: AuditBody,
    /// The new reference: exactly with an ENROLL's ACCEPT.
    pub reference: Option<SealedRow>,
    /// What becomes of the user's two references: at most with a VERIFY's ACCEPT.
    pub succession: Option<Succession>,
    /// What is kept of the receipt.
    pub receipt: LiveReceipt,
}

/// An outcome recorded.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// The attempt that was decided.
    pub attempt: u32,
    /// How many more the challenge allows; 0 after ACCEPT.
    pub attempts_left: u32,
    /// The reference that an enrollment replaced; its deletion is pending like any other.
    pub replaced: Option<Erased>,
}

/// What came of T2. Only after `Recorded` may the receipt leave.
#[derive(Debug, Clone)]
pub enum RecordResult {
    /// Written.
    Recorded(Box<Recorded>),
    /// The lease ended, was given back, decided, or its reference was erased meanwhile. Nothing written.
    LeaseLost,
    /// The challenge was accepted before. Nothing written.
    AlreadyAccepted,
    /// Another enrollment came first and the challenge may not replace it. The attempt is abandoned, its strike
    /// refunded.
    ReferenceExists,
    /// A legal hold came meanwhile, so the reference may not be replaced. The attempt is abandoned, its strike refunded.
    LegalHold,
    /// The new reference is wrapped by a KEK version that was retired meanwhile. Nothing written: give the lease back.
    KekRetired,
}

/// The lease with what its challenge allows.
struct Leased {
    lease: OpenLease,
    purpose: Purpose,
    replace: bool,
    max_attempts: u32,
}

impl Leased {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            lease: OpenLease::read(row)?,
            purpose: codes::read_purpose(row.try_get("purpose")?)?,
            replace: row.flag("replace_reference")?,
            max_attempts: read_u32(row.try_get("max_attempts")?)?,
        })
    }

    async fn load(conn: &mut Conn, outcome: &RecordOutcome, now: i64) -> Result<Option<Self>, StoreError> {
        let sql = "-- outcomes.lease
            SELECT a.challenge, a.n, a.tenant, a.user_id, a.jti, a.releases, a.strike_lock_ms,
                   c.purpose, c.replace_reference, c.max_attempts
            FROM attempts a JOIN challenges c ON c.id = a.challenge
            WHERE a.tenant = $1 AND a.lease_id = $2 AND a.state = 'OPEN' AND a.lease_until_ms > $3 AND a.jti = $4";
        let (tenant, jti) = (outcome.tenant.uuid(), outcome.receipt.jti.uuid());
        let row = query(sql).bind(tenant).bind(outcome.lease_id).bind(now).bind(jti).fetch_optional(conn).await?;
        row.as_ref().map(Self::read).transpose()
    }

    /// An outcome that no worker can have come to.
    fn check(&self, outcome: &RecordOutcome) -> Result<(), StoreError> {
        let accepted = outcome.verdict == Verdict::Accept;
        if accepted != (outcome.settlement == Settlement::Reset) {
            return Err(StoreError::Misuse("an ACCEPT, and nothing else, resets the strikes"));
        }
        if outcome.reference.is_some() != (accepted && self.purpose == Purpose::Enroll) {
            return Err(StoreError::Misuse("a reference comes with an accepted enrollment, and only then"));
        }
        if outcome.succession.is_some() && !(accepted && self.purpose == Purpose::Verify) {
            return Err(StoreError::Misuse("a succession comes with an accepted verification, and only then"));
        }
        Ok(())
    }
}

impl Store {
    /// T2. Takes the outcome only while the lease is open by database time.
    ///
    /// # Errors
    /// `AuditUnavailable` and `Unavailable`: nothing was written, or the commit's fate is unknown; the receipt must not
    /// leave. `Misuse` for an outcome that contradicts itself.
    pub async fn record_outcome(&self, outcome: RecordOutcome) -> Result<RecordResult, StoreError> {
        let outcome = &outcome;
        self.write("outcomes.record", outcome.tenant, |tx| record(tx, outcome)).await
    }
}

async fn record(mut tx: Tx, outcome: &RecordOutcome) -> Result<RecordResult, StoreError> {
    let now = now_ms(&mut tx).await?;
    let Some(leased) = Leased::load(&mut tx, outcome, now).await? else { return Ok(RecordResult::LeaseLost) };
    leased.check(outcome)?;
    let result = write_outcome(&mut tx, &leased, outcome, now).await?;
    if matches!(result, RecordResult::LeaseLost | RecordResult::AlreadyAccepted | RecordResult::KekRetired) {
        return Ok(result);
    }
    failpoint("t2.before_commit");
    tx.commit().await?;
    failpoint("t2.after_commit");
    Ok(result)
}

async fn write_outcome(
    conn: &mut Conn,
    leased: &Leased,
    outcome: &RecordOutcome,
    now: i64,
) -> Result<RecordResult, StoreError> {
    let lease = &leased.lease;
    let old = match &outcome.reference {
        Some(_) => references::load(conn, lease.tenant, &lease.user).await?,
        None => None,
    };
    if old.is_some() && !leased.replace {
        lease.abandon(conn, Abandon::ReferenceExists).await?;
        return Ok(RecordResult::ReferenceExists);
    }
    if old.is_some() && holds::is_held(conn, lease.of()).await? {
        lease.abandon(conn, Abandon::LegalHold).await?;
        return Ok(RecordResult::LegalHold);
    }
    match decide(conn, outcome, now).await {
        Ok(true) => {}
        Ok(false) => return Ok(RecordResult::LeaseLost),
        Err(error) if is_unique_violation(&error) => return Ok(RecordResult::AlreadyAccepted),
        Err(error) => return Err(error.into()),
    }
    let mut replaced = None;
    if let Some(new) = &outcome.reference {
        if let Some(old) = old {
            let erase = Erase { tenant: lease.tenant, user: &lease.user, cause: "replaced", job: None, now };
            replaced = Some(erasure::erase_all(conn, erase, &old).await?);
        }
        let place = Place { tenant: lease.tenant, user: &lease.user, now, successor: false };
        if !references::insert(conn, place, new).await? {
            return Ok(RecordResult::KekRetired);
        }
    }
    if leased.purpose == Purpose::Verify {
        references::used(conn, lease.of(), now).await?;
    }
    if let Some(change) = &outcome.succession {
        succession::record(conn, (lease, now), change).await?;
    }
    settle(conn, leased, outcome.settlement, now).await?;
    receipts::issue(conn, lease.jti, &outcome.receipt.pseudonym, outcome.receipt.expires_at_ms).await?;
    log::issued(conn, lease, &outcome.receipt).await?;
    let body = lease.body(outcome.audit.clone()).with("verdict", codes::verdict(outcome.verdict));
    audit::append(conn, lease.tenant, "attempt.decided", body).await?;
    let attempts_left = match outcome.verdict {
        Verdict::Accept => 0,
        Verdict::Refuse => leased.max_attempts.saturating_sub(lease.n),
    };
    Ok(RecordResult::Recorded(Box::new(Recorded { attempt: lease.n, attempts_left, replaced })))
}

/// The compare-and-set on the lease. False: it is not open any more.
async fn decide(conn: &mut Conn, outcome: &RecordOutcome, now: i64) -> Result<bool, sqlx::Error> {
    let sql = "-- outcomes.decide
        UPDATE attempts SET state = 'DECIDED', verdict = $3, closed_at_ms = $2, charged = $4
        WHERE lease_id = $1 AND state = 'OPEN' AND lease_until_ms > $2";
    let charged = matches!(outcome.settlement, Settlement::Keep | Settlement::KeepInRow);
    let changed = query(sql)
        .bind(outcome.lease_id)
        .bind(now)
        .bind(codes::verdict(outcome.verdict))
        .bind(charged)
        .execute(conn)
        .await?;
    Ok(changed == 1)
}

async fn settle(conn: &mut Conn, leased: &Leased, settlement: Settlement, now: i64) -> Result<(), StoreError> {
    let (of, lock) = (leased.lease.of(), leased.lease.strike_lock_ms);
    match settlement {
        Settlement::Reset if leased.purpose == Purpose::Enroll => strikes::forget(conn, of).await.map(|_| ()),
        Settlement::Reset => {
            let in_flight = crate::leases::open_of_user(conn, of, None).await?.len();
            strikes::reset(conn, of, u32::try_from(in_flight).unwrap_or(u32::MAX)).await
        }
        Settlement::Refund => strikes::refund_inconclusive(conn, of, lock, now).await,
        Settlement::Keep => strikes::keep_out_of_row(conn, of, lock).await,
        Settlement::KeepInRow => Ok(()),
    }
}
