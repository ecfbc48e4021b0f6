//! A tenant's life after its making: suspended, resumed, ended. Owns who may move it where. Must never know: what is erased.
//! Invariant: a tenant ends only where no legal hold stands and no law keeps its old keys, and once it ends it does not come back.

use crate::{
    AuditBody, Store, StoreError, audit,
    conn::{Conn, now_ms, query},
    door::make_id,
    failpoint,
    jobs::{self, Job, JobKind, NewJob, Progress, Step},
    tenants::{self, Tenant, TenantState},
    tx::Tx,
};
use biometrics::{JobId, TenantId};
use uuid::Uuid;

/// The word in audit and proofs of what was erased with its tenant.
const CAUSE: &str = "tenant-terminated";

/// What came of a suspension or a resumption.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MoveTenant {
    /// Done.
    Moved,
    /// It stands where that cannot be done.
    Stands(TenantState),
    /// There is no such tenant.
    Unknown,
}

/// What came of a request to end a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Terminate {
    /// Its calls are refused from now on; the job erases.
    Queued(JobId),
    /// It ends already, by this job.
    RunsAlready(JobId),
    /// A legal hold stands.
    Held,
    /// The policy keeps old keys.
    OldKeysKept,
    /// It ended before.
    Terminated,
    /// There is no such tenant.
    Unknown,
}

/// What a look at whether everything of the tenant is gone led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Emptied {
    /// Nothing is left, and nothing can come any more: the job goes on.
    Through,
    /// References came meanwhile: they are erased in another pass.
    Again,
    /// An attempt that began before is still open.
    AttemptsOpen,
    /// A legal hold came meanwhile.
    Held,
    /// The job does not stand where we think. Nothing was written.
    Superseded,
}

/// What came of the last step of a tenant's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndTenant {
    /// It ended.
    Ended,
    /// Its deletions are others than the proofs that were counted: the job proves again before it counts again.
    Unproved,
    /// The job does not stand where we think. Nothing was written.
    Superseded,
}

/// A tenant that ended, as its certificate tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Termination {
    /// Names the certificate.
    pub id: Uuid,
    /// Who ended.
    pub tenant: TenantId,
    /// The job that erased.
    pub job: JobId,
    /// How many deletion proofs the tenant left, whatever they were for.
    pub proofs: u64,
    /// Hash over them.
    pub proofs_sha256: [u8; 32],
    /// When the last key was gone, database time.
    pub ended_at_ms: i64,
}

impl Store {
    /// Has the tenant's calls refused until it is resumed, audited as `tenant.suspended`. Jobs go on.
    ///
    /// # Errors
    /// `Unavailable`, `AuditUnavailable`.
    pub async fn suspend_tenant(&self, id: TenantId, by: &str) -> Result<MoveTenant, StoreError> {
        let to = (TenantState::Active, TenantState::Suspended, "tenant.suspended");
        self.write("lifecycle.suspend", id, |tx| shift(tx, id, to, by)).await
    }

    /// Has the tenant's calls taken again, audited as `tenant.resumed`.
    ///
    /// # Errors
    /// `Unavailable`, `AuditUnavailable`.
    pub async fn resume_tenant(&self, id: TenantId, by: &str) -> Result<MoveTenant, StoreError> {
        let to = (TenantState::Suspended, TenantState::Active, "tenant.resumed");
        self.write("lifecycle.resume", id, |tx| shift(tx, id, to, by)).await
    }

    /// Begins the end of a tenant, audited as `tenant.terminating`: its calls are refused from now on.
    ///
    /// # Errors
    /// `Unavailable`, `AuditUnavailable`.
    pub async fn terminate_tenant(&self, tenant: TenantId, by: &str) -> Result<Terminate, StoreError> {
        let id = JobId::new(make_id()?);
        self.write("lifecycle.terminate", tenant, |tx| terminate(tx, (tenant, id), by)).await
    }

    /// Looks whether everything of a tenant that ends is gone and moves its job accordingly.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn tenant_emptied(&self, job: &Job) -> Result<Emptied, StoreError> {
        self.write("lifecycle.emptied", job.tenant, |tx| emptied(tx, job)).await
    }

    /// Notes the newest KEK version of a tenant that ends; nothing is stored under any version from now on.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn keks_counted(&self, job: &Job, newest: u32) -> Result<(), StoreError> {
        self.write("lifecycle.keks", job.tenant, |mut tx| async move {
            let (tenant, id) = (job.tenant.uuid(), job.id.uuid());
            let sql = "-- lifecycle.fence
                UPDATE tenants SET kek_floor = $2 WHERE id = $1 AND state = 'TERMINATING'";
            query(sql).bind(tenant).bind(i64::from(newest) + 1).execute(&mut tx).await?;
            let sql = "-- lifecycle.newest
                UPDATE jobs SET kek_from = $3 WHERE tenant = $1 AND id = $2 AND state = 'RUNNING'";
            query(sql).bind(tenant).bind(id).bind(newest).execute(&mut tx).await?;
            failpoint("terminate.counted.before_commit");
            tx.commit().await
        })
        .await
    }

    /// Ends a tenant whose references and keys are gone, audited as `tenant.terminated`: its API keys are revoked. `proofs` are
    /// number and hash of its proved deletions; where it has more or fewer deletions it does not end.
    ///
    /// # Errors
    /// `Unavailable`, `AuditUnavailable`.
    pub async fn tenant_terminated(&self, job: &Job, proofs: (u64, [u8; 32])) -> Result<EndTenant, StoreError> {
        let id = make_id()?;
        self.write("lifecycle.terminated", job.tenant, |tx| terminated(tx, (job, id), proofs)).await
    }

    /// How the tenant ended, if it did.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn termination(&self, tenant: TenantId) -> Result<Option<Termination>, StoreError> {
        let sql = "-- lifecycle.termination
            SELECT id, job, proofs, proofs_sha256, ended_at_ms FROM terminations WHERE tenant = $1";
        let row = query(sql).bind(tenant.uuid()).fetch_optional(&mut self.read(tenant).await?).await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(Termination {
            id: row.try_get("id")?,
            tenant,
            job: JobId::new(row.try_get::<Uuid>("job")?),
            proofs: u64::try_from(row.try_get::<i64>("proofs")?).map_err(|_| StoreError::Corrupt("terminations"))?,
            proofs_sha256: crate::codes::read_hash(row.try_get("proofs_sha256")?)?,
            ended_at_ms: row.try_get("ended_at_ms")?,
        }))
    }
}

async fn shift(
    mut tx: Tx,
    id: TenantId,
    (from, to, kind): (TenantState, TenantState, &'static str),
    by: &str,
) -> Result<MoveTenant, StoreError> {
    let Some(tenant) = tenants::load(&mut tx, id).await? else { return Ok(MoveTenant::Unknown) };
    if tenant.state != from {
        return Ok(MoveTenant::Stands(tenant.state));
    }
    stand(&mut tx, id, to).await?;
    audit::append(&mut tx, id, kind, AuditBody::default().with("by", by)).await?;
    tx.commit().await?;
    Ok(MoveTenant::Moved)
}

async fn stand(conn: &mut Conn, id: TenantId, state: TenantState) -> Result<(), StoreError> {
    let sql = "-- lifecycle.stand
        UPDATE tenants SET state = $2 WHERE id = $1";
    query(sql).bind(id.uuid()).bind(state.word()).execute(conn).await?;
    Ok(())
}

async fn terminate(mut tx: Tx, (id, job): (TenantId, JobId), by: &str) -> Result<Terminate, StoreError> {
    let Some(tenant) = tenants::load(&mut tx, id).await? else { return Ok(Terminate::Unknown) };
    if let Some(refused) = stands_in_the_way(&mut tx, &tenant).await? {
        return Ok(refused);
    }
    let kind = JobKind::TerminateTenant;
    let new = NewJob { tenant: id, kind, cause: Some(CAUSE), users: None, requested_by: by };
    if let Some(runs) = jobs::insert(&mut tx, new, job).await? {
        return Ok(Terminate::RunsAlready(runs));
    }
    stand(&mut tx, id, TenantState::Terminating).await?;
    let body = AuditBody::default().with("by", by).with("job", job.to_string());
    audit::append(&mut tx, id, "tenant.terminating", body).await?;
    tx.commit().await?;
    Ok(Terminate::Queued(job))
}

async fn stands_in_the_way(conn: &mut Conn, tenant: &Tenant) -> Result<Option<Terminate>, StoreError> {
    Ok(match tenant.state {
        TenantState::Terminated => Some(Terminate::Terminated),
        _ if any_hold(conn, tenant.id).await? => Some(Terminate::Held),
        _ => tenant.policy.keep_old_keys.then_some(Terminate::OldKeysKept),
    })
}

async fn any_hold(conn: &mut Conn, tenant: TenantId) -> Result<bool, StoreError> {
    let sql = "-- lifecycle.held
        SELECT id FROM legal_holds WHERE tenant = $1 AND released_at_ms IS NULL LIMIT 1";
    Ok(query(sql).bind(tenant.uuid()).fetch_optional(conn).await?.is_some())
}

async fn emptied(mut tx: Tx, job: &Job) -> Result<Emptied, StoreError> {
    let tenant = job.tenant.uuid();
    let sql = "-- lifecycle.attempts
        SELECT n FROM attempts WHERE tenant = $1 AND state = 'OPEN' LIMIT 1";
    if query(sql).bind(tenant).fetch_optional(&mut tx).await?.is_some() {
        return Ok(Emptied::AttemptsOpen);
    }
    if any_hold(&mut tx, job.tenant).await? {
        return Ok(Emptied::Held);
    }
    let sql = "-- lifecycle.left
        SELECT id FROM sealed_references WHERE tenant = $1 LIMIT 1";
    let left = query(sql).bind(tenant).fetch_optional(&mut tx).await?.is_some();
    let (step, answer) = if left { (Step::Erase, Emptied::Again) } else { (Step::Prove, Emptied::Through) };
    if !jobs::advance(&mut tx, job, Progress { step, resume_after: "", done: 0 }).await? {
        return Ok(Emptied::Superseded);
    }
    failpoint("terminate.emptied.before_commit");
    tx.commit().await?;
    Ok(answer)
}

async fn terminated(
    mut tx: Tx,
    (job, id): (&Job, Uuid),
    (proofs, sha256): (u64, [u8; 32]),
) -> Result<EndTenant, StoreError> {
    let (tenant, now) = (job.tenant.uuid(), now_ms(&mut tx).await?);
    let count = i64::try_from(proofs).unwrap_or(i64::MAX);
    if deletions(&mut tx, job.tenant).await? != count {
        return prove_again(tx, job).await;
    }
    let sql = "-- lifecycle.ended
        INSERT INTO terminations (tenant, id, job, proofs, proofs_sha256, ended_at_ms) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (tenant) DO NOTHING";
    let query_ended = query(sql).bind(tenant).bind(id).bind(job.id.uuid()).bind(count).bind(sha256.as_slice());
    if query_ended.bind(now).execute(&mut tx).await? != 1 {
        return Ok(EndTenant::Superseded);
    }
    let sql = "-- lifecycle.keys
        UPDATE api_keys SET revoked_at_ms = $2 WHERE tenant = $1 AND revoked_at_ms IS NULL";
    query(sql).bind(tenant).bind(now).execute(&mut tx).await?;
    let sql = "-- lifecycle.strikes
        DELETE FROM strikes WHERE tenant = $1";
    query(sql).bind(tenant).execute(&mut tx).await?;
    stand(&mut tx, job.tenant, TenantState::Terminated).await?;
    let body = AuditBody::default().with("job", job.id.to_string()).with("certificate", id.to_string());
    let body = body.with("proofs", proofs).with("proofs_sha256", hex::encode(sha256));
    audit::append(&mut tx, job.tenant, "tenant.terminated", body).await?;
    if !jobs::end(&mut tx, job, None).await? {
        return Ok(EndTenant::Superseded);
    }
    failpoint("terminate.ended.before_commit");
    tx.commit().await?;
    failpoint("terminate.ended.after_commit");
    Ok(EndTenant::Ended)
}

/// Deletions of the tenant, proved or not.
async fn deletions(conn: &mut Conn, tenant: TenantId) -> Result<i64, StoreError> {
    let sql = "-- lifecycle.deletions
        SELECT count(*) AS deletions FROM deletions WHERE tenant = $1";
    Ok(query(sql).bind(tenant.uuid()).fetch_one(conn).await?.try_get("deletions")?)
}

async fn prove_again(mut tx: Tx, job: &Job) -> Result<EndTenant, StoreError> {
    if !jobs::advance(&mut tx, job, Progress { step: Step::Prove, resume_after: "", done: 0 }).await? {
        return Ok(EndTenant::Superseded);
    }
    tx.commit().await?;
    Ok(EndTenant::Unproved)
}
