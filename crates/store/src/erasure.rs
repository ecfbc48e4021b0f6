//! Erasure of a reference and the record of it. Owns the order: overwrite, delete, revoke, record, in one transaction;
//! the proof only after a checkpoint. Must never know: the proof itself. Invariant: a reference that is gone has a
//! deletion record, and no attempt that began with it ends in an ACCEPT.

use crate::{
    AuditBody, Checkpoint, SealedRow, Store, StoreError, UserReferences, audit,
    codes::{self, read_hash, read_u32},
    conn::{Conn, Row, now_ms, query},
    door::make_id,
    failpoint, holds,
    leases::{self, Abandon},
    log, receipts, references,
    strikes::{self, Of},
    tx::Tx,
};
use biometrics::{JobId, ReferenceId, TenantId, UserId};
use uuid::Uuid;

/// A reference that is gone, as its deletion proof tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erased {
    /// Names the deletion.
    pub deletion_id: Uuid,
    /// Whose.
    pub tenant: TenantId,
    /// Of whom.
    pub user: UserId,
    /// Which reference.
    pub reference_id: ReferenceId,
    /// Its epoch.
    pub epoch: u32,
    /// Its commitment, given at enrollment.
    pub commitment: [u8; 32],
    /// Free word of the caller, or one of the store's own.
    pub cause: String,
    /// When, database time.
    pub deleted_at_ms: i64,
    /// The job that did it; `None`: asked for one by one.
    pub job: Option<JobId>,
    /// Whether the deletion journal holds it.
    pub journaled: bool,
}

/// How long a proof that was given is given again to whoever asks: its answer may have been lost on the way.
const PROOF_REPEATED_MS: i64 = 24 * 3_600_000;

/// Longest word of a cause, in characters.
const MAX_CAUSE_CHARS: usize = 64;
/// The store's own causes: of what a re-enrollment took the place of, of what came back with an older database, of what a confirmed
/// successor took the place of, and of a successor that goes unconfirmed.
pub const OWN_CAUSES: [&str; 4] = ["replaced", RESTORED, SUCCEEDED, UNCONFIRMED];
pub(crate) const RESTORED: &str = "restored";
pub(crate) const SUCCEEDED: &str = "succeeded";
pub(crate) const UNCONFIRMED: &str = "unconfirmed";

/// Whether a caller may name this cause: 1 to 64 characters, none of them a control character, and none of [`OWN_CAUSES`].
#[must_use]
pub fn may_be_cause(word: &str) -> bool {
    (1..=MAX_CAUSE_CHARS).contains(&word.chars().count())
        && !word.chars().any(char::is_control)
        && !OWN_CAUSES.contains(&word)
}

impl Erased {
    /// Whether nobody will ask for its proof: the store erased it by itself, or a job did, which exports its proofs.
    #[must_use]
    pub fn is_nobodys(&self) -> bool {
        OWN_CAUSES.contains(&self.cause.as_str()) || self.job.is_some()
    }
}

/// What came of an erasure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EraseResult {
    /// Gone; or gone before, and its proof was never given.
    Erased(Erased),
    /// Gone before, and its proof was given within the last day: it may be given again, without another checkpoint.
    Proved(Erased, Checkpoint),
    /// There is none.
    NoReference,
    /// A legal hold stands in the way; the deletion waits for its release.
    Held,
}

/// What is erased and why.
#[derive(Clone, Copy)]
pub(crate) struct Erase<'a> {
    pub(crate) tenant: TenantId,
    pub(crate) user: &'a UserId,
    pub(crate) cause: &'a str,
    /// The job that asked for it.
    pub(crate) job: Option<JobId>,
    pub(crate) now: i64,
}

impl Erased {
    /// How the deletion proof and the log name it.
    #[must_use]
    pub fn proof_id(&self) -> String {
        format!("dl_{}", self.deletion_id.simple())
    }

    pub(crate) fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            deletion_id: row.try_get("id")?,
            tenant: TenantId::new(row.try_get::<Uuid>("tenant")?),
            user: codes::read_user(row.try_get("user_id")?)?,
            reference_id: ReferenceId::new(row.try_get::<Uuid>("reference")?),
            epoch: read_u32(row.try_get("epoch")?)?,
            commitment: read_hash(row.try_get("commitment")?)?,
            cause: row.try_get("cause")?,
            deleted_at_ms: row.try_get("deleted_at_ms")?,
            job: row.try_get::<Option<Uuid>>("job")?.map(JobId::new),
            journaled: row.flag("journaled")?,
        })
    }

    pub(crate) fn body(&self, body: AuditBody) -> AuditBody {
        body.with("deletion", self.deletion_id.to_string())
            .with("reference", self.reference_id.to_string())
            .with("epoch", self.epoch)
            .with("commitment", hex::encode(self.commitment))
            .with("user_id", self.user.as_str())
    }
}

/// Overwrites both secrets with zeros of the same length, so that the page holds zeros even where SQLite keeps the cell.
async fn overwrite_and_delete(conn: &mut Conn, row: &SealedRow) -> Result<(), StoreError> {
    let sql = "-- erasure.overwrite
        UPDATE sealed_references SET wrapped_dek = $2, ciphertext = $3 WHERE id = $1";
    let overwritten = query(sql)
        .bind(row.id.uuid())
        .bind(vec![0u8; row.wrapped_dek.len()])
        .bind(vec![0u8; row.ciphertext.len()])
        .execute(conn)
        .await?;
    let sql = "-- erasure.delete
        DELETE FROM sealed_references WHERE id = $1";
    let deleted = query(sql).bind(row.id.uuid()).execute(conn).await?;
    let both = overwritten == 1 && deleted == 1;
    if both { Ok(()) } else { Err(StoreError::Corrupt("sealed_references")) }
}

/// Erases all that lies there of a user inside the caller's transaction; answers for the reference. The successor, of which no
/// receipt told yet, has a deletion of its own, which the store proves by itself.
pub(crate) async fn erase_all(conn: &mut Conn, erase: Erase<'_>, found: &UserReferences) -> Result<Erased, StoreError> {
    if let Some(successor) = &found.successor {
        retire(conn, Erase { cause: UNCONFIRMED, ..erase }, successor).await?;
    }
    erase_row(conn, erase, &found.reference).await
}

/// Erases one reference and revokes the user's live receipts.
pub(crate) async fn erase_row(conn: &mut Conn, erase: Erase<'_>, row: &SealedRow) -> Result<Erased, StoreError> {
    let revoked = receipts::invalidate_user(conn, erase.tenant, erase.user).await?;
    take_away(conn, erase, (row, revoked)).await
}

/// Erases one of a user's two references: what was accepted stays so, as the person is the same and the other one is there.
pub(crate) async fn retire(conn: &mut Conn, erase: Erase<'_>, row: &SealedRow) -> Result<Erased, StoreError> {
    take_away(conn, erase, (row, 0)).await
}

async fn take_away(conn: &mut Conn, erase: Erase<'_>, (row, revoked): (&SealedRow, u64)) -> Result<Erased, StoreError> {
    overwrite_and_delete(conn, row).await?;
    for lease in leases::open_of_user(conn, Of { tenant: erase.tenant, user: erase.user }, None).await? {
        lease.abandon(conn, Abandon::ReferenceGone).await?;
    }
    let erased = Erased {
        deletion_id: make_id()?,
        tenant: erase.tenant,
        user: erase.user.clone(),
        reference_id: row.id,
        epoch: row.epoch,
        commitment: row.commitment,
        cause: erase.cause.to_owned(),
        deleted_at_ms: erase.now,
        job: erase.job,
        journaled: false,
    };
    record(conn, &erased).await?;
    log::erased(conn, &erased).await?;
    let body = erased.body(AuditBody::default()).with("cause", erase.cause).with("receipts_revoked", revoked);
    audit::append(conn, erase.tenant, "reference.erased", body).await?;
    Ok(erased)
}

async fn record(conn: &mut Conn, erased: &Erased) -> Result<(), StoreError> {
    let sql = "-- erasure.record
        INSERT INTO deletions (id, tenant, user_id, reference, epoch, commitment, cause, deleted_at_ms, job)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    query(sql)
        .bind(erased.deletion_id)
        .bind(erased.tenant.uuid())
        .bind(erased.user.as_str())
        .bind(erased.reference_id.uuid())
        .bind(erased.epoch)
        .bind(erased.commitment.as_slice())
        .bind(&erased.cause)
        .bind(erased.deleted_at_ms)
        .bind(erased.job.map(JobId::uuid))
        .execute(conn)
        .await?;
    Ok(())
}

/// The user's newest deletion that the user asked for, whose proof was never given or not longer than a day ago.
async fn earlier(conn: &mut Conn, of: Of<'_>, now: i64) -> Result<EraseResult, StoreError> {
    let sql = "-- erasure.earlier
        SELECT id, tenant, user_id, reference, epoch, commitment, cause, deleted_at_ms, job, journaled, proved_at_ms FROM deletions
        WHERE tenant = $1 AND user_id = $2 AND cause NOT IN ('replaced', 'succeeded', 'unconfirmed')
        AND (proved_at_ms IS NULL OR proved_at_ms > $3)
        ORDER BY deleted_at_ms DESC LIMIT 1";
    let since = now - PROOF_REPEATED_MS;
    let row = query(sql).bind(of.tenant.uuid()).bind(of.user.as_str()).bind(since).fetch_optional(conn).await?;
    let Some(row) = row else { return Ok(EraseResult::NoReference) };
    let (erased, proved_at_ms): (_, Option<i64>) = (Erased::read(&row)?, row.try_get("proved_at_ms")?);
    let checkpoint = Checkpoint::of_proved(erased.deleted_at_ms, conn);
    Ok(if proved_at_ms.is_some() { EraseResult::Proved(erased, checkpoint) } else { EraseResult::Erased(erased) })
}

impl Store {
    /// Erases the user's reference, and its successor where there is one: zeros over the wrapped DEK and the ciphertext, then no row; live receipts INVALID,
    /// open attempts abandoned, strikes forgotten, a deletion record and the entry `reference.erased`. The proof waits
    /// for `checkpoint`. Under a legal hold nothing is erased and the deletion waits, audited as `deletion.held`. Asked again before the proof was given, or within a day after it, answers the same deletion.
    ///
    /// # Errors
    /// `Unavailable`, `AuditUnavailable`; `Misuse` for a word that is no cause of a caller, see [`may_be_cause`].
    pub async fn erase(&self, tenant: TenantId, user: &UserId, cause: &str) -> Result<EraseResult, StoreError> {
        if !may_be_cause(cause) {
            return Err(StoreError::Misuse("no cause of a caller"));
        }
        self.write("erasure.erase", tenant, |mut tx| async move {
            let now = now_ms(&mut tx).await?;
            let Some(found) = references::load(&mut tx, tenant, user).await? else {
                return earlier(&mut tx, Of { tenant, user }, now).await;
            };
            let erase = Erase { tenant, user, cause, job: None, now };
            if holds::is_held(&mut tx, Of { tenant, user }).await? {
                holds::wait(&mut tx, erase).await?;
                tx.commit().await?;
                return Ok(EraseResult::Held);
            }
            let erased = erase_all(&mut tx, erase, &found).await?;
            strikes::forget(&mut tx, Of { tenant, user }).await?;
            failpoint("erase.before_commit");
            tx.commit().await?;
            failpoint("erase.after_commit");
            Ok(EraseResult::Erased(erased))
        })
        .await
    }

    /// Notes that the proof is given, audited as `deletion.proved`. False: it was given before.
    ///
    /// # Errors
    /// `Misuse` for a checkpoint older than the deletion or an unknown deletion; `Unavailable`, `AuditUnavailable`.
    pub async fn deletion_proved(&self, erased: &Erased, checkpoint: Checkpoint) -> Result<bool, StoreError> {
        self.write("erasure.prove", erased.tenant, |tx| prove(tx, erased, checkpoint)).await
    }

    /// Deletions without a proof, newest first, at most `limit`. A janitor checkpoints for them; those of the store's own causes or
    /// done by a job it may then mark proved, the others wait for their caller to ask again.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn pending_deletions(&self, limit: u32) -> Result<Vec<Erased>, StoreError> {
        let sql = "-- erasure.pending
            SELECT id, tenant, user_id, reference, epoch, commitment, cause, deleted_at_ms, job, journaled FROM deletions
            WHERE proved_at_ms IS NULL ORDER BY deleted_at_ms DESC, id LIMIT $1";
        let rows = query(sql).bind(limit).fetch_all(&mut self.read_all_tenants().await?).await?;
        rows.iter().map(Erased::read).collect()
    }

    /// When the oldest deletion was done that no finished rotation of the KEK was asked for after: until one is, the version that
    /// opens what backups hold of it lives. `None`: there is none.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn oldest_unrotated_deletion_ms(&self, tenant: TenantId) -> Result<Option<i64>, StoreError> {
        let sql = "-- erasure.unrotated
            SELECT min(deleted_at_ms) AS oldest FROM deletions WHERE tenant = $1 AND deleted_at_ms >= COALESCE(
                (SELECT max(created_at_ms) FROM jobs WHERE tenant = $1 AND kind = 'ROTATE_KEK' AND state = 'DONE'), 0)";
        let row = query(sql).bind(tenant.uuid()).fetch_one(&mut self.read(tenant).await?).await?;
        Ok(row.try_get("oldest")?)
    }
}

async fn prove(mut tx: Tx, erased: &Erased, checkpoint: Checkpoint) -> Result<bool, StoreError> {
    let sql = "-- erasure.load
        SELECT id, tenant, user_id, reference, epoch, commitment, cause, deleted_at_ms, job, journaled FROM deletions
        WHERE tenant = $1 AND id = $2";
    let (tenant, id) = (erased.tenant.uuid(), erased.deletion_id);
    let row = query(sql).bind(tenant).bind(id).fetch_optional(&mut tx).await?;
    let erased = Erased::read(&row.ok_or(StoreError::Misuse("no such deletion"))?)?;
    if erased.deleted_at_ms > checkpoint.at_ms() {
        return Err(StoreError::Misuse("the checkpoint is older than the deletion"));
    }
    let now = now_ms(&mut tx).await?;
    let sql = "-- erasure.proved
        UPDATE deletions SET proved_at_ms = $3 WHERE tenant = $1 AND id = $2 AND proved_at_ms IS NULL";
    if query(sql).bind(tenant).bind(id).bind(now).execute(&mut tx).await? == 0 {
        return Ok(false);
    }
    audit::append(&mut tx, erased.tenant, "deletion.proved", erased.body(AuditBody::default())).await?;
    tx.commit().await?;
    failpoint("erase.after_proved");
    Ok(true)
}
