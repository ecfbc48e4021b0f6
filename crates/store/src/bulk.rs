//! Erasure of many references by a job: batch by batch, held users left to wait, everything proved at the end. Owns who is
//! next and whose window is over. Must never know: proofs. Invariant: a batch is one transaction with the job's progress, so
//! no user is erased without it and none twice.

use crate::{
    AuditBody, Checkpoint, Erased, Store, StoreError, audit,
    codes::read_user,
    conn::{Conn, Row, now_ms, query},
    erasure::{self, Erase},
    failpoint, holds,
    jobs::{self, Job, JobKind, Progress, Step},
    references,
    strikes::{self, Of},
    tenants,
    tx::Tx,
};
use biometrics::{JobId, Policy, TenantId, UserId};
use uuid::Uuid;

const DAY_MS: i64 = 86_400_000;
/// The word in audit and proofs of what outlived its window.
const RETENTION: &str = "retention";

/// What a batch of erasures did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EraseBatch {
    /// Committed with the job's progress.
    Committed {
        /// References that are gone.
        erased: u64,
        /// Users under a legal hold; their deletions wait.
        held: u64,
    },
    /// Nobody is left; what was erased is to be proved.
    Through,
    /// The job does not stand where we think. Nothing was written.
    Superseded,
}

/// Which deletions may be proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Provable {
    /// Those that it covers.
    pub checkpoint: Checkpoint,
    /// Those that the deletion journal holds; false where no journal is kept.
    pub journaled_only: bool,
}

/// What a batch of proofs did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProveBatch {
    /// So many are proved; there may be more.
    Proved(u64),
    /// Nothing is left: the job is done, a termination goes on to the keys.
    Done,
    /// A termination: deletions are left that `provable` does not cover. Nothing was written; a later checkpoint covers them.
    Uncovered,
    /// The job does not stand where we think. Nothing was written.
    Superseded,
}

/// Until when an interaction counts as too long ago, where the policy sets a window.
pub(crate) fn cutoff_ms(policy: &Policy, now: i64) -> Option<i64> {
    policy.retention_days().map(|days| now - i64::from(days) * DAY_MS)
}

impl Store {
    /// Erases the next users of a deletion or expiry and moves the job past them.
    ///
    /// # Errors
    /// `Unavailable`, `AuditUnavailable`.
    pub async fn erase_batch(&self, job: &Job, limit: u32) -> Result<EraseBatch, StoreError> {
        self.write("bulk.erase", job.tenant, |tx| erase(tx, job, limit)).await
    }

    /// Notes the proofs of what a job erased by `provable`, at most `limit`, each audited as `deletion.proved`. Where nothing
    /// is left the job ends. A termination proves what anybody erased of its tenant and nobody proved yet.
    ///
    /// # Errors
    /// `Unavailable`, `AuditUnavailable`.
    pub async fn prove_batch(&self, job: &Job, provable: Provable, limit: u32) -> Result<ProveBatch, StoreError> {
        self.write("bulk.prove", job.tenant, |tx| prove(tx, (job, provable), limit)).await
    }

    /// What was erased of a tenant and proved, by one job or (`None`) by whatever cause, after a deletion, with the time of each
    /// proof; at most `limit`, in the order of deletions' ids, which is that of their proofs' `jti`.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn proved_deletions(
        &self,
        (tenant, job): (TenantId, Option<JobId>),
        after: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<(Erased, Checkpoint, i64)>, StoreError> {
        // Of a whole tenant the rows are walked in the order of ids: by the tenant's index SQLite would sort all of them for each page.
        let sql = if job.is_some() {
            "-- bulk.proved
            SELECT id, tenant, user_id, reference, epoch, commitment, cause, deleted_at_ms, job, journaled, proved_at_ms
            FROM deletions WHERE tenant = $1 AND job = $2 AND id > $3 AND proved_at_ms IS NOT NULL ORDER BY id LIMIT $4"
        } else {
            "-- bulk.proved_of_tenant
            SELECT id, tenant, user_id, reference, epoch, commitment, cause, deleted_at_ms, job, journaled, proved_at_ms
            FROM deletions WHERE NOT tenant <> $1 AND $2 IS NULL AND id > $3 AND proved_at_ms IS NOT NULL ORDER BY id LIMIT $4"
        };
        let mut conn = self.read(tenant).await?;
        let (job, after) = (job.map(JobId::uuid), after.unwrap_or(Uuid::nil()));
        let rows = query(sql).bind(tenant.uuid()).bind(job).bind(after).bind(limit).fetch_all(&mut conn).await?;
        let one = |row: &Row| -> Result<_, StoreError> {
            let erased = Erased::read(row)?;
            let checkpoint = Checkpoint::of_proved(erased.deleted_at_ms, &conn);
            Ok((erased, checkpoint, row.try_get("proved_at_ms")?))
        };
        rows.iter().map(one).collect()
    }

    /// Tenants of which references outlived their window and wait for nothing.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn tenants_to_expire(&self) -> Result<Vec<TenantId>, StoreError> {
        let mut due = Vec::new();
        let now = self.now_ms().await?;
        for tenant in self.tenants().await? {
            let Some(cutoff) = cutoff_ms(&tenant.policy, now) else { continue };
            let mut conn = self.read(tenant.id).await?;
            let sql = "-- bulk.due
                SELECT user_id FROM sealed_references r
                WHERE tenant = $1 AND successor = 0 AND COALESCE(last_used_at_ms, created_at_ms) <= $2
                AND NOT EXISTS (SELECT 1 FROM waiting_deletions w WHERE w.tenant = r.tenant AND w.user_id = r.user_id)
                LIMIT 1";
            let one = query(sql).bind(tenant.id.uuid()).bind(cutoff).fetch_optional(&mut conn).await?;
            if one.is_some() {
                due.push(tenant.id);
            }
        }
        Ok(due)
    }
}

/// How many references of the tenant outlived their window.
pub(crate) async fn count_expired(conn: &mut Conn, tenant: TenantId, now: i64) -> Result<i64, StoreError> {
    let Some(found) = tenants::load(conn, tenant).await? else { return Ok(0) };
    let Some(cutoff) = cutoff_ms(&found.policy, now) else { return Ok(0) };
    let sql = "-- bulk.count_expired
        SELECT count(*) AS expired FROM sealed_references
        WHERE tenant = $1 AND successor = 0 AND COALESCE(last_used_at_ms, created_at_ms) <= $2";
    Ok(query(sql).bind(tenant.uuid()).bind(cutoff).fetch_one(conn).await?.try_get("expired")?)
}

/// Users whose reference outlived its window, after `after`, whose deletion does not wait for a hold already.
async fn expired(
    conn: &mut Conn,
    (tenant, cutoff): (TenantId, i64),
    after: &str,
    limit: u32,
) -> Result<Vec<UserId>, StoreError> {
    let sql = "-- bulk.expired
        SELECT user_id FROM sealed_references r
        WHERE tenant = $1 AND successor = 0 AND COALESCE(last_used_at_ms, created_at_ms) <= $2 AND user_id > $3
        AND NOT EXISTS (SELECT 1 FROM waiting_deletions w WHERE w.tenant = r.tenant AND w.user_id = r.user_id)
        ORDER BY user_id LIMIT $4";
    let rows = query(sql).bind(tenant.uuid()).bind(cutoff).bind(after).bind(limit).fetch_all(conn).await?;
    rows.iter().map(|row| read_user(row.try_get("user_id")?)).collect()
}

async fn next_users(conn: &mut Conn, job: &Job, now: i64, limit: u32) -> Result<Vec<UserId>, StoreError> {
    if job.kind == JobKind::ExpireReferences {
        let tenant = tenants::load(conn, job.tenant).await?.ok_or(StoreError::Corrupt("tenants"))?;
        return match cutoff_ms(&tenant.policy, now) {
            Some(cutoff) => expired(conn, (job.tenant, cutoff), &job.resume_after, limit).await,
            None => Ok(Vec::new()),
        };
    }
    let sql = if job.every_user {
        "-- bulk.everybody
        SELECT user_id FROM sealed_references
        WHERE tenant = $1 AND $2 IS NOT NULL AND successor = 0 AND user_id > $3 ORDER BY user_id LIMIT $4"
    } else {
        "-- bulk.listed
        SELECT user_id FROM job_users WHERE tenant = $1 AND job = $2 AND user_id > $3 ORDER BY user_id LIMIT $4"
    };
    let query = query(sql).bind(job.tenant.uuid()).bind(job.id.uuid()).bind(&job.resume_after).bind(limit);
    query.fetch_all(conn).await?.iter().map(|row| read_user(row.try_get("user_id")?)).collect()
}

async fn erase(mut tx: Tx, job: &Job, limit: u32) -> Result<EraseBatch, StoreError> {
    let now = now_ms(&mut tx).await?;
    let users = next_users(&mut tx, job, now, limit).await?;
    let (mut erased, mut held) = (0, 0);
    for user in &users {
        let of = Of { tenant: job.tenant, user };
        let Some(found) = references::load(&mut tx, job.tenant, user).await? else { continue };
        let cause = job.cause.as_deref().unwrap_or(RETENTION);
        let erase = Erase { tenant: job.tenant, user, cause, job: Some(job.id), now };
        if holds::is_held(&mut tx, of).await? {
            holds::wait(&mut tx, erase).await?;
            held += 1;
            continue;
        }
        erasure::erase_all(&mut tx, erase, &found).await?;
        strikes::forget(&mut tx, of).await?;
        erased += 1;
    }
    let done = users.len() as u64;
    let progress = match users.last() {
        Some(last) => Progress { step: Step::Erase, resume_after: last.as_str(), done },
        // What was begun before the tenant ended may still store a reference.
        None if job.kind == JobKind::TerminateTenant => Progress { step: Step::Drain, resume_after: "", done },
        None => Progress { step: Step::Prove, resume_after: "", done },
    };
    if !jobs::advance(&mut tx, job, progress).await? {
        return Ok(EraseBatch::Superseded);
    }
    failpoint("bulk.erase.before_commit");
    tx.commit().await?;
    failpoint("bulk.erase.after_commit");
    Ok(if users.is_empty() { EraseBatch::Through } else { EraseBatch::Committed { erased, held } })
}

async fn prove(mut tx: Tx, (job, provable): (&Job, Provable), limit: u32) -> Result<ProveBatch, StoreError> {
    let ends = job.kind == JobKind::TerminateTenant;
    let sql = "-- bulk.unproved
        SELECT id, tenant, user_id, reference, epoch, commitment, cause, deleted_at_ms, job, journaled FROM deletions
        WHERE tenant = $1 AND ($2 IS NULL OR job = $2) AND proved_at_ms IS NULL AND deleted_at_ms <= $3 AND journaled >= $4
        ORDER BY user_id LIMIT $5";
    let (tenant, id) = (job.tenant.uuid(), (!ends).then_some(job.id.uuid()));
    let (by, journaled) = (provable.checkpoint.at_ms(), provable.journaled_only);
    let rows = query(sql).bind(tenant).bind(id).bind(by).bind(journaled).bind(limit).fetch_all(&mut tx).await?;
    let now = now_ms(&mut tx).await?;
    for row in &rows {
        let erased = Erased::read(row)?;
        let sql = "-- bulk.prove
            UPDATE deletions SET proved_at_ms = $3 WHERE tenant = $1 AND id = $2 AND proved_at_ms IS NULL";
        query(sql).bind(tenant).bind(erased.deletion_id).bind(now).execute(&mut tx).await?;
        audit::append(&mut tx, job.tenant, "deletion.proved", erased.body(AuditBody::default())).await?;
    }
    if rows.is_empty() && ends && any_unproved(&mut tx, job.tenant).await? {
        return Ok(ProveBatch::Uncovered);
    }
    let at = |step| Progress { step, resume_after: "", done: 0 };
    let moved = match (rows.is_empty(), ends) {
        (false, _) => jobs::advance(&mut tx, job, at(Step::Prove)).await?,
        (true, true) => jobs::advance(&mut tx, job, at(Step::Destroy)).await?,
        (true, false) => jobs::end(&mut tx, job, None).await?,
    };
    if !moved {
        return Ok(ProveBatch::Superseded);
    }
    failpoint("bulk.prove.before_commit");
    tx.commit().await?;
    Ok(if rows.is_empty() { ProveBatch::Done } else { ProveBatch::Proved(rows.len() as u64) })
}

async fn any_unproved(conn: &mut Conn, tenant: TenantId) -> Result<bool, StoreError> {
    let sql = "-- bulk.left
        SELECT id FROM deletions WHERE tenant = $1 AND proved_at_ms IS NULL LIMIT 1";
    Ok(query(sql).bind(tenant.uuid()).fetch_optional(conn).await?.is_some())
}
