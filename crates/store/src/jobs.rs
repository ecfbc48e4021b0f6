//! Long-running work, one row each. Owns its state, its progress and who may change them. Must never know: what the work does
//! to other tables. Invariant: progress is committed together with what was done, by a compare-and-set on where the job stood,
//! so a process that was taken for dead cannot do a step a second time.

mod words;

use crate::{
    AuditBody, Store, StoreError, audit, bulk,
    codes::read_u32,
    conn::{Conn, Row, now_ms, query},
    door::make_id,
    erasure::may_be_cause,
    tenants,
    tx::Tx,
};
use biometrics::{JobId, TenantId, UserId};
use uuid::Uuid;

/// What a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobKind {
    /// Wraps everything of a tenant under a new KEK version and destroys the old ones.
    RotateKek,
    /// Erases references.
    DeleteReferences,
    /// Erases references that outlived their window.
    ExpireReferences,
    /// Erases everything of a tenant and destroys its keys.
    TerminateTenant,
    /// Lays references out anew with a new transform key, without the user.
    RenewReferences,
}

/// Where a job stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobState {
    /// Nobody has begun.
    Queued,
    /// Begun; whoever leads goes on with it.
    Running,
    /// All done.
    Done,
    /// Ended before its end; `error` says why.
    Failed,
    /// An operator ended it.
    Cancelled,
}

/// Where a job stands in its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Rotation: the new KEK version is to be made.
    MakeKey,
    /// Rotation: everything is to be wrapped under it.
    Rewrap,
    /// Rotation: what began under the old versions is to end. Termination: every attempt and hold is to end.
    Drain,
    /// Rotation: the old versions are to be destroyed. Termination: all of them.
    Destroy,
    /// Deletion: references are to be erased.
    Erase,
    /// Deletion: what was erased is to be proved.
    Prove,
    /// Renewal: references are to be laid out anew; before it, the key for that is to be made.
    Renew,
}

/// A job that is to be.
#[derive(Debug, Clone, Copy)]
pub struct NewJob<'a> {
    /// Whose.
    pub tenant: TenantId,
    /// What it does.
    pub kind: JobKind,
    /// Deletion: the word in audit and proofs.
    pub cause: Option<&'a str>,
    /// Deletion: the users; `None` for everybody.
    pub users: Option<&'a [UserId]>,
    /// Who asks.
    pub requested_by: &'a str,
}

/// What came of a request for a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueResult {
    /// Queued.
    Queued(JobId),
    /// A job of this kind, of which a tenant has one at a time, is going on.
    RunsAlready(JobId),
    /// There is no such tenant, or it ends.
    UnknownTenant,
}

/// A stored job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// Whose.
    pub tenant: TenantId,
    /// What it does.
    pub kind: JobKind,
    /// Where it stands in its life.
    pub state: JobState,
    /// Where it stands in its work.
    pub step: Step,
    /// The last key done in this step, empty for none. It may name a user: not for everybody's eyes.
    pub resume_after: String,
    /// How many items there were when it began.
    pub total: u64,
    /// How many are done; rows that came meanwhile count too.
    pub done: u64,
    /// The newest KEK version: for a rotation when it was asked for, for a termination once no more can come.
    pub kek_from: Option<u32>,
    /// Rotation: the version that it made.
    pub kek_to: Option<u32>,
    /// Rotation: from then on, by database time, nothing is read under an old version.
    pub fenced_at_ms: Option<i64>,
    /// Deletion: the word in audit and proofs.
    pub cause: Option<String>,
    /// Deletion: everybody.
    pub every_user: bool,
    /// Who asked.
    pub requested_by: String,
    /// Reason code of the last failure since it last went on.
    pub error: Option<String>,
    /// When it was asked for, database time.
    pub created_at_ms: i64,
    /// When it began.
    pub started_at_ms: Option<i64>,
    /// When it ended.
    pub finished_at_ms: Option<i64>,
}

/// Where a job is to stand next, committed together with what was done.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Progress<'a> {
    pub(crate) step: Step,
    pub(crate) resume_after: &'a str,
    /// Items done since the last progress.
    pub(crate) done: u64,
}

macro_rules! select {
    ($name:literal, $rest:literal) => {
        concat!(
            "-- ",
            $name,
            "
            SELECT id, tenant, kind, state, step, resume_after, total, done, kek_from, kek_to, fenced_at_ms, cause, every_user,
                   requested_by, error, created_at_ms, started_at_ms, finished_at_ms
            FROM jobs ",
            $rest
        )
    };
}

impl Job {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let number = |column| row.try_get::<Option<i64>>(column);
        let version = |column| number(column)?.map(read_u32).transpose();
        let count = |column| u64::try_from(row.try_get::<i64>(column)?).map_err(|_| StoreError::Corrupt("jobs"));
        Ok(Self {
            id: JobId::new(row.try_get::<Uuid>("id")?),
            tenant: TenantId::new(row.try_get::<Uuid>("tenant")?),
            kind: JobKind::read(row.try_get("kind")?)?,
            state: JobState::read(row.try_get("state")?)?,
            step: Step::read(row.try_get("step")?)?,
            resume_after: row.try_get("resume_after")?,
            total: count("total")?,
            done: count("done")?,
            kek_from: version("kek_from")?,
            kek_to: version("kek_to")?,
            fenced_at_ms: number("fenced_at_ms")?,
            cause: row.try_get("cause")?,
            every_user: row.flag("every_user")?,
            requested_by: row.try_get("requested_by")?,
            error: row.try_get("error")?,
            created_at_ms: row.try_get("created_at_ms")?,
            started_at_ms: number("started_at_ms")?,
            finished_at_ms: number("finished_at_ms")?,
        })
    }

    /// What every audit entry about it names.
    pub(crate) fn body(&self) -> AuditBody {
        AuditBody::default().with("job", self.id.to_string()).with("kind", self.kind.word())
    }
}

/// Moves a running job from where it stood to where it stands now. False: it does not stand there any more, so whatever the
/// transaction did was done by another; it must not commit.
pub(crate) async fn advance(conn: &mut Conn, job: &Job, to: Progress<'_>) -> Result<bool, StoreError> {
    let sql = "-- jobs.advance
        UPDATE jobs SET step = $5, resume_after = $6, done = done + $7, error = NULL
        WHERE tenant = $1 AND id = $2 AND state = 'RUNNING' AND step = $3 AND resume_after = $4";
    let moved = query(sql)
        .bind(job.tenant.uuid())
        .bind(job.id.uuid())
        .bind(job.step.word())
        .bind(&job.resume_after)
        .bind(to.step.word())
        .bind(to.resume_after)
        .bind(i64::try_from(to.done).unwrap_or(i64::MAX))
        .execute(conn)
        .await?;
    Ok(moved == 1)
}

/// Ends a running job that stands where we think, audited as `job.done` or `job.failed`. False: it does not.
pub(crate) async fn end(conn: &mut Conn, job: &Job, failed: Option<&str>) -> Result<bool, StoreError> {
    let now = now_ms(conn).await?;
    let state = if failed.is_some() { JobState::Failed } else { JobState::Done };
    let sql = "-- jobs.end
        UPDATE jobs SET state = $5, finished_at_ms = $6, error = $7
        WHERE tenant = $1 AND id = $2 AND state = 'RUNNING' AND step = $3 AND resume_after = $4";
    let ended = query(sql)
        .bind(job.tenant.uuid())
        .bind(job.id.uuid())
        .bind(job.step.word())
        .bind(&job.resume_after)
        .bind(state.word())
        .bind(now)
        .bind(failed)
        .execute(conn)
        .await?;
    if ended != 1 {
        return Ok(false);
    }
    let (kind, body) = match failed {
        Some(reason) => ("job.failed", job.body().with("reason", reason)),
        None => ("job.done", job.body()),
    };
    audit::append(conn, job.tenant, kind, body).await?;
    Ok(true)
}

impl Store {
    /// Asks for a job, audited as `job.requested`. One rotation and one renewal of a tenant run at a time.
    ///
    /// # Errors
    /// `Unavailable`, `AuditUnavailable`; `Misuse` for a word that is no cause of a caller, see [`may_be_cause`].
    pub async fn queue_job(&self, new: NewJob<'_>) -> Result<QueueResult, StoreError> {
        if new.cause.is_some_and(|word| !may_be_cause(word)) {
            return Err(StoreError::Misuse("no cause of a caller"));
        }
        let id = JobId::new(make_id()?);
        self.write("jobs.queue", new.tenant, |tx| queue(tx, new, id)).await
    }

    /// Jobs, newest first, at most `limit`: one tenant's or everybody's.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn jobs(&self, tenant: Option<TenantId>, limit: u32) -> Result<Vec<Job>, StoreError> {
        let sql = select!("jobs.list", "WHERE ($1 IS NULL OR tenant = $1) ORDER BY created_at_ms DESC, id LIMIT $2");
        let mut conn = match tenant {
            Some(tenant) => self.read(tenant).await?,
            None => self.read_all_tenants().await?,
        };
        let rows = query(sql).bind(tenant.map(TenantId::uuid)).bind(limit).fetch_all(&mut conn).await?;
        rows.iter().map(Job::read).collect()
    }

    /// One job.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn job(&self, id: JobId) -> Result<Option<Job>, StoreError> {
        let sql = select!("jobs.load", "WHERE id = $1");
        let row = query(sql).bind(id.uuid()).fetch_optional(&mut self.read_all_tenants().await?).await?;
        row.as_ref().map(Job::read).transpose()
    }

    /// Jobs that are not ended, oldest first, at most `limit`.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn open_jobs(&self, limit: u32) -> Result<Vec<Job>, StoreError> {
        let sql = select!("jobs.open", "WHERE state IN ('QUEUED', 'RUNNING') ORDER BY created_at_ms, id LIMIT $1");
        let rows = query(sql).bind(limit).fetch_all(&mut self.read_all_tenants().await?).await?;
        rows.iter().map(Job::read).collect()
    }

    /// Begins a queued job. False: it is not queued any more.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn begin_job(&self, job: &Job) -> Result<bool, StoreError> {
        self.write("jobs.begin", job.tenant, |mut tx| async move {
            let sql = "-- jobs.begin
                UPDATE jobs SET state = 'RUNNING', started_at_ms = $3
                WHERE tenant = $1 AND id = $2 AND state = 'QUEUED'";
            let now = now_ms(&mut tx).await?;
            let begun = query(sql).bind(job.tenant.uuid()).bind(job.id.uuid()).bind(now).execute(&mut tx).await?;
            tx.commit().await?;
            Ok(begun == 1)
        })
        .await
    }

    /// Notes why a running job does not go on for now; it is tried again.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn note_job_error(&self, job: &Job, reason: &str) -> Result<(), StoreError> {
        self.write("jobs.note", job.tenant, |mut tx| async move {
            let sql = "-- jobs.note
                UPDATE jobs SET error = $3 WHERE tenant = $1 AND id = $2 AND state = 'RUNNING'";
            query(sql).bind(job.tenant.uuid()).bind(job.id.uuid()).bind(reason).execute(&mut tx).await?;
            tx.commit().await
        })
        .await
    }

    /// Ends a job that cannot reach its end. False: another came first.
    ///
    /// # Errors
    /// `Unavailable`, `AuditUnavailable`.
    pub async fn fail_job(&self, job: &Job, reason: &str) -> Result<bool, StoreError> {
        self.write("jobs.fail", job.tenant, |mut tx| async move {
            if !end(&mut tx, job, Some(reason)).await? {
                return Ok(false);
            }
            tx.commit().await?;
            Ok(true)
        })
        .await
    }

    /// An operator ends a job, audited as `job.cancelled`; what it did stays done. False: it had ended before, or it ends a
    /// tenant, from which there is no way back.
    ///
    /// # Errors
    /// `Unavailable`, `AuditUnavailable`.
    pub async fn cancel_job(&self, job: &Job, by: &str) -> Result<bool, StoreError> {
        self.write("jobs.cancel", job.tenant, |mut tx| async move {
            let now = now_ms(&mut tx).await?;
            let sql = "-- jobs.cancel
                UPDATE jobs SET state = 'CANCELLED', finished_at_ms = $3
                WHERE tenant = $1 AND id = $2 AND state IN ('QUEUED', 'RUNNING') AND kind <> 'TERMINATE_TENANT'";
            if query(sql).bind(job.tenant.uuid()).bind(job.id.uuid()).bind(now).execute(&mut tx).await? != 1 {
                return Ok(false);
            }
            audit::append(&mut tx, job.tenant, "job.cancelled", job.body().with("by", by)).await?;
            tx.commit().await?;
            Ok(true)
        })
        .await
    }
}

/// What runs already is looked for in the transaction that would add to it, so it cannot end between the two.
async fn queue(mut tx: Tx, new: NewJob<'_>, id: JobId) -> Result<QueueResult, StoreError> {
    let known = tenants::load(&mut tx, new.tenant).await?.is_some_and(|tenant| !tenant.state.ends());
    if !known {
        return Ok(QueueResult::UnknownTenant);
    }
    if let Some(runs) = insert(&mut tx, new, id).await? {
        return Ok(QueueResult::RunsAlready(runs));
    }
    tx.commit().await?;
    Ok(QueueResult::Queued(id))
}

/// The open job of a kind of which a tenant has one at a time.
async fn running(conn: &mut Conn, new: NewJob<'_>) -> Result<Option<JobId>, StoreError> {
    if !new.kind.runs_alone() {
        return Ok(None);
    }
    let sql = "-- jobs.running
        SELECT id FROM jobs WHERE tenant = $1 AND kind = $2 AND state IN ('QUEUED', 'RUNNING') LIMIT 1";
    let row = query(sql).bind(new.tenant.uuid()).bind(new.kind.word()).fetch_optional(conn).await?;
    row.map(|row| Ok(JobId::new(row.try_get::<Uuid>("id")?))).transpose()
}

/// Writes a queued job of a tenant that exists, audited as `job.requested`. The id of one that runs alone and runs already:
/// nothing was written.
pub(crate) async fn insert(conn: &mut Conn, new: NewJob<'_>, id: JobId) -> Result<Option<JobId>, StoreError> {
    if let Some(runs) = running(conn, new).await? {
        return Ok(Some(runs));
    }
    let newest = match new.kind {
        JobKind::RotateKek => Some(newest_kek(conn, new.tenant).await?),
        _ => None,
    };
    let sql = "-- jobs.queue
        INSERT INTO jobs (id, tenant, kind, state, step, resume_after, total, done, kek_from, cause, every_user,
                          requested_by, created_at_ms)
        VALUES ($1, $2, $3, 'QUEUED', $4, '', $5, 0, $6, $7, $8, $9, $10)";
    let now = now_ms(conn).await?;
    query(sql)
        .bind(id.uuid())
        .bind(new.tenant.uuid())
        .bind(new.kind.word())
        .bind(new.kind.first_step().word())
        .bind(total(conn, new, now).await?)
        .bind(newest)
        .bind(new.cause)
        .bind(new.users.is_none())
        .bind(new.requested_by)
        .bind(now)
        .execute(conn)
        .await?;
    for user in new.users.unwrap_or_default() {
        let sql = "-- jobs.user
            INSERT INTO job_users (job, tenant, user_id) VALUES ($1, $2, $3) ON CONFLICT (job, user_id) DO NOTHING";
        query(sql).bind(id.uuid()).bind(new.tenant.uuid()).bind(user.as_str()).execute(conn).await?;
    }
    let body = AuditBody::default().with("job", id.to_string()).with("kind", new.kind.word());
    audit::append(conn, new.tenant, "job.requested", body.with("by", new.requested_by)).await?;
    Ok(None)
}

/// The newest KEK version that a row of the tenant is under.
async fn newest_kek(conn: &mut Conn, tenant: TenantId) -> Result<i64, StoreError> {
    let sql = "-- jobs.kek_from
        SELECT t.kek_version AS secrets, (SELECT max(r.kek_version) FROM sealed_references r WHERE r.tenant = t.id) AS rows
        FROM tenants t WHERE t.id = $1";
    let row = query(sql).bind(tenant.uuid()).fetch_one(conn).await?;
    Ok(row.try_get::<i64>("secrets")?.max(row.try_get::<Option<i64>>("rows")?.unwrap_or(0)))
}

async fn total(conn: &mut Conn, new: NewJob<'_>, now: i64) -> Result<i64, StoreError> {
    if new.kind == JobKind::ExpireReferences {
        return bulk::count_expired(conn, new.tenant, now).await;
    }
    if let Some(users) = new.users {
        return Ok(i64::try_from(users.len()).unwrap_or(i64::MAX));
    }
    // Erasures count users, what works on keys and layouts counts rows.
    let rows = matches!(new.kind, JobKind::RotateKek | JobKind::RenewReferences);
    let sql = "-- jobs.total
        SELECT count(*) AS total FROM sealed_references WHERE tenant = $1 AND ($2 = 1 OR successor = 0)";
    Ok(query(sql).bind(new.tenant.uuid()).bind(rows).fetch_one(conn).await?.try_get("total")?)
}
