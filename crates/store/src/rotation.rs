//! What a KEK rotation does to rows: wrapped keys exchanged in batches, the fence against rows of old versions, the record of
//! versions that are gone. Owns the order of the three. Must never know: a key in the clear. Invariants: a wrapped key is
//! exchanged only where it still is the one that was read (id, epoch, KEK version); a version is recorded as gone only after
//! the fence, below which nothing is stored any more.

use crate::{
    AuditBody, Store, StoreError, TenantSecretsRow, audit,
    codes::{read_hash, read_u32},
    conn::{Conn, Row, now_ms, query},
    door::make_id,
    failpoint,
    jobs::{self, Job, JobKind, Progress, Step},
    log,
    tx::Tx,
};
use biometrics::{JobId, ReferenceId, TenantId, UserId};
use sqlx::AssertSqlSafe;
use std::fmt;
use uuid::Uuid;

/// No version: nothing takes the place of the keys of a tenant that ended.
const NONE: u32 = 0;

/// A wrapped DEK with what it is bound to.
#[derive(Clone, PartialEq, Eq)]
pub struct WrappedDek {
    /// Of whom; the order of batches.
    pub user: UserId,
    /// Of which reference.
    pub reference: ReferenceId,
    /// Its epoch.
    pub epoch: u32,
    /// KEK version that wraps it.
    pub kek_version: u32,
    /// The DEK, wrapped.
    pub wrapped: Vec<u8>,
    /// Key commitment.
    pub commitment: [u8; 32],
}

impl fmt::Debug for WrappedDek {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WrappedDek").field("reference", &self.reference).finish_non_exhaustive()
    }
}

impl WrappedDek {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            user: crate::codes::read_user(row.try_get("user_id")?)?,
            reference: ReferenceId::new(row.try_get::<Uuid>("id")?),
            epoch: read_u32(row.try_get("epoch")?)?,
            kek_version: read_u32(row.try_get("kek_version")?)?,
            wrapped: row.try_get("wrapped_dek")?,
            commitment: read_hash(row.try_get("commitment")?)?,
        })
    }
}

/// One exchange: what was read and what takes its place.
#[derive(Debug, Clone)]
pub struct Rewrapped {
    /// As it was read.
    pub old: WrappedDek,
    /// The DEK, wrapped by the job's KEK version.
    pub wrapped: Vec<u8>,
}

/// What a batch did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchResult {
    /// Committed with the job's progress.
    Committed {
        /// Rows exchanged; the others were erased or made anew meanwhile.
        exchanged: u64,
    },
    /// The job does not stand where we think: ended, or another goes on with it. Nothing was written.
    Superseded,
}

/// Whether nothing is stored under an old version any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FenceResult {
    /// So it is, and so it stays.
    Fenced,
    /// Rows came meanwhile, or do not open: another pass over all of them.
    Leftover {
        /// How many.
        rows: u64,
    },
    /// As [`BatchResult::Superseded`].
    Superseded,
}

/// A KEK version that is gone, as its certificate tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KekDestruction {
    /// Names the certificate.
    pub id: Uuid,
    /// Whose key it was.
    pub tenant: TenantId,
    /// Which.
    pub kek_version: u32,
    /// The job that ended it.
    pub job: JobId,
    /// The version that took its place; `None` where the tenant ended.
    pub successor: Option<u32>,
    /// The kind of key service that held it.
    pub provider: String,
    /// When, by the key service's word.
    pub destroyed_at_ms: i64,
}

impl KekDestruction {
    /// How the certificate and the log name it.
    #[must_use]
    pub fn certificate_id(&self) -> String {
        format!("kd_{}", self.id.simple())
    }

    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.try_get("id")?,
            tenant: TenantId::new(row.try_get::<Uuid>("tenant")?),
            kek_version: read_u32(row.try_get("kek_version")?)?,
            job: JobId::new(row.try_get::<Uuid>("job")?),
            successor: Some(read_u32(row.try_get("successor")?)?).filter(|version| *version != NONE),
            provider: row.try_get("provider")?,
            destroyed_at_ms: row.try_get("destroyed_at_ms")?,
        })
    }
}

impl Store {
    /// Notes the KEK version that a rotation made, audited as `kek.made`. False: superseded.
    ///
    /// # Errors
    /// `Unavailable`, `AuditUnavailable`.
    pub async fn kek_made(&self, job: &Job, version: u32) -> Result<bool, StoreError> {
        self.write("rotation.made", job.tenant, |mut tx| async move {
            let sql = "-- rotation.made
                UPDATE jobs SET kek_to = $3 WHERE tenant = $1 AND id = $2";
            query(sql).bind(job.tenant.uuid()).bind(job.id.uuid()).bind(version).execute(&mut tx).await?;
            if !jobs::advance(&mut tx, job, at(Step::Rewrap, "", 0)).await? {
                return Ok(false);
            }
            audit::append(&mut tx, job.tenant, "kek.made", job.body().with("kek_version", version)).await?;
            log::kek_made(&mut tx, job, version).await?;
            failpoint("rotate.made.before_commit");
            tx.commit().await?;
            failpoint("rotate.made.after_commit");
            Ok(true)
        })
        .await
    }

    /// The next wrapped DEKs below a KEK version after where the job stands, in the order of users.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn deks_below(&self, job: &Job, version: u32, limit: u32) -> Result<Vec<WrappedDek>, StoreError> {
        let sql = "-- rotation.batch
            SELECT user_id, id, epoch, kek_version, wrapped_dek, commitment FROM sealed_references
            WHERE tenant = $1 AND user_id > $2 AND kek_version < $3 ORDER BY user_id LIMIT $4";
        let mut conn = self.read(job.tenant).await?;
        let query = query(sql).bind(job.tenant.uuid()).bind(&job.resume_after).bind(version).bind(limit);
        query.fetch_all(&mut conn).await?.iter().map(WrappedDek::read).collect()
    }

    /// Exchanges one batch and moves the job past `last`. `to` is the KEK version that wraps them now.
    ///
    /// # Errors
    /// `Unavailable`: nothing was written, or the commit's fate is unknown; either way the batch may be done again.
    pub async fn exchange_deks(
        &self,
        job: &Job,
        batch: &[Rewrapped],
        (to, last): (u32, &UserId),
    ) -> Result<BatchResult, StoreError> {
        self.write("rotation.exchange", job.tenant, |mut tx| async move {
            let mut exchanged = 0;
            for rows in batch.chunks(AT_ONCE) {
                exchanged += exchange(&mut tx, job.tenant, rows, to).await?;
            }
            let progress = at(Step::Rewrap, last.as_str(), exchanged);
            if !jobs::advance(&mut tx, job, progress).await? {
                return Ok(BatchResult::Superseded);
            }
            failpoint("rotate.batch.before_commit");
            tx.commit().await?;
            failpoint("rotate.batch.after_commit");
            Ok(BatchResult::Committed { exchanged })
        })
        .await
    }

    /// Exchanges the tenant's wrapped secrets, where they still are those of version `old`: `new`, and `former`, the transform key
    /// of the generation before, where there is one.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn exchange_secrets(
        &self,
        tenant: TenantId,
        old: u32,
        new: &TenantSecretsRow,
        former: Option<&[u8]>,
    ) -> Result<bool, StoreError> {
        self.write("rotation.secrets", tenant, |mut tx| async move {
            let sql = "-- rotation.secrets
                UPDATE tenants SET kek_version = $3, transform_key = $4, pseudonym_key = $5, former_transform_key = $6
                WHERE id = $1 AND kek_version = $2 AND (former_transform_key IS NULL) = ($6 IS NULL)";
            let exchanged = query(sql)
                .bind(tenant.uuid())
                .bind(old)
                .bind(new.kek_version)
                .bind(&new.transform_key)
                .bind(&new.pseudonym_key)
                .bind(former)
                .execute(&mut tx)
                .await?;
            failpoint("rotate.secrets.before_commit");
            tx.commit().await?;
            Ok(exchanged == 1)
        })
        .await
    }

    /// Raises the tenant's floor to `to` where nothing is stored below it; from then on nothing is. Where something is, the job
    /// begins its pass anew.
    ///
    /// # Errors
    /// `Unavailable`, `Misuse` while the tenant's secrets are below.
    pub async fn fence(&self, job: &Job, to: u32) -> Result<FenceResult, StoreError> {
        self.write("rotation.fence", job.tenant, |tx| fence(tx, job, to)).await
    }

    /// How many attempts are still open that began before the fence: their workers hold keys wrapped by old versions.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn attempts_before_fence(&self, job: &Job) -> Result<u64, StoreError> {
        let sql = "-- rotation.in_flight
            SELECT count(*) AS attempts FROM attempts
            WHERE tenant = $1 AND state = 'OPEN' AND opened_at_ms <= $2";
        let mut conn = self.read(job.tenant).await?;
        let fenced_at = job.fenced_at_ms.unwrap_or(i64::MAX);
        let row = query(sql).bind(job.tenant.uuid()).bind(fenced_at).fetch_one(&mut conn).await?;
        u64::try_from(row.try_get::<i64>("attempts")?).map_err(|_| StoreError::Corrupt("count"))
    }

    /// Lets a rotation go on to destroy old versions. False: superseded.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn drained(&self, job: &Job) -> Result<bool, StoreError> {
        self.write("rotation.drained", job.tenant, |mut tx| async move {
            if !jobs::advance(&mut tx, job, at(Step::Destroy, "", 0)).await? {
                return Ok(false);
            }
            tx.commit().await?;
            Ok(true)
        })
        .await
    }

    /// Versions below `to` of which no destruction is recorded, oldest first.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn keks_to_destroy(&self, tenant: TenantId, to: u32) -> Result<Vec<u32>, StoreError> {
        let gone = self.kek_destructions(tenant).await?;
        Ok((1..to).filter(|version| !gone.iter().any(|gone| gone.kek_version == *version)).collect())
    }

    /// Records a version that the key service destroyed, audited as `kek.destroyed`. Again is fine.
    ///
    /// # Errors
    /// `Misuse` above the tenant's floor; `Unavailable`, `AuditUnavailable`.
    pub async fn kek_destroyed(&self, gone: KekDestruction) -> Result<(), StoreError> {
        let gone = &gone;
        self.write("rotation.destroyed", gone.tenant, |tx| destroyed(tx, gone)).await
    }

    /// A record for [`Store::kek_destroyed`].
    ///
    /// # Errors
    /// `Unavailable` without randomness, `Misuse` for a job that made no version.
    pub fn destruction_of(
        job: &Job,
        kek_version: u32,
        (provider, destroyed_at_ms): (&str, i64),
    ) -> Result<KekDestruction, StoreError> {
        if job.kek_to.is_none() && job.kind == JobKind::RotateKek {
            return Err(StoreError::Misuse("a rotation that made no version"));
        }
        Ok(KekDestruction {
            id: make_id()?,
            tenant: job.tenant,
            kek_version,
            job: job.id,
            successor: job.kek_to,
            provider: provider.to_owned(),
            destroyed_at_ms,
        })
    }

    /// The tenant's versions that are gone, oldest first.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn kek_destructions(&self, tenant: TenantId) -> Result<Vec<KekDestruction>, StoreError> {
        let sql = "-- rotation.destructions
            SELECT id, tenant, kek_version, job, successor, provider, destroyed_at_ms FROM kek_destructions
            WHERE tenant = $1 ORDER BY kek_version";
        let rows = query(sql).bind(tenant.uuid()).fetch_all(&mut self.read(tenant).await?).await?;
        rows.iter().map(KekDestruction::read).collect()
    }

    /// Ends a rotation, audited as `job.done`. False: superseded.
    ///
    /// # Errors
    /// `Unavailable`, `AuditUnavailable`.
    pub async fn rotated(&self, job: &Job) -> Result<bool, StoreError> {
        self.write("rotation.done", job.tenant, |mut tx| async move {
            if !jobs::end(&mut tx, job, None).await? {
                return Ok(false);
            }
            failpoint("rotate.done.before_commit");
            tx.commit().await?;
            Ok(true)
        })
        .await
    }
}

/// Rows of one statement.
const AT_ONCE: usize = 64;

const fn at(step: Step, resume_after: &str, done: u64) -> Progress<'_> {
    Progress { step, resume_after, done }
}

/// The compare-and-set of so many rows. The tenant is told by what it is not: SQLite else walks all of its rows for each statement.
pub(crate) fn exchange_sql(rows: usize) -> String {
    let place = |row: usize| {
        let first = 3 + 4 * row;
        format!("(${first}, ${}, ${}, ${})", first + 1, first + 2, first + 3)
    };
    // Both engines name the columns of VALUES so.
    format!(
        "-- rotation.exchange
        UPDATE sealed_references SET wrapped_dek = fresh.column4, kek_version = $2
        FROM (VALUES {}) AS fresh
        WHERE NOT (sealed_references.tenant <> $1) AND sealed_references.id = fresh.column1
            AND sealed_references.epoch = fresh.column2 AND sealed_references.kek_version = fresh.column3",
        (0..rows).map(place).collect::<Vec<_>>().join(", ")
    )
}

/// Answers how many still were what was read.
async fn exchange(conn: &mut Conn, tenant: TenantId, rows: &[Rewrapped], to: u32) -> Result<u64, sqlx::Error> {
    // Safe: placeholders alone differ.
    let query = query(AssertSqlSafe(exchange_sql(rows.len()))).bind(tenant.uuid()).bind(to);
    let bound = rows.iter().fold(query, |query, row| {
        let old = &row.old;
        query.bind(old.reference.uuid()).bind(old.epoch).bind(old.kek_version).bind(row.wrapped.as_slice())
    });
    bound.execute(conn).await
}

async fn fence(mut tx: Tx, job: &Job, to: u32) -> Result<FenceResult, StoreError> {
    let tenant = job.tenant.uuid();
    let sql = "-- rotation.leftover
        SELECT count(*) AS leftover FROM sealed_references WHERE tenant = $1 AND kek_version < $2";
    let leftover: i64 = query(sql).bind(tenant).bind(to).fetch_one(&mut tx).await?.try_get("leftover")?;
    let again = leftover > 0;
    if again {
        if !jobs::advance(&mut tx, job, at(Step::Rewrap, "", 0)).await? {
            return Ok(FenceResult::Superseded);
        }
    } else {
        let sql = "-- rotation.floor
            UPDATE tenants SET kek_floor = $2 WHERE id = $1 AND kek_version >= $2";
        if query(sql).bind(tenant).bind(to).execute(&mut tx).await? != 1 {
            return Err(StoreError::Misuse("the tenant's secrets are under an old KEK version"));
        }
        let now = now_ms(&mut tx).await?;
        let sql = "-- rotation.fenced
            UPDATE jobs SET fenced_at_ms = $3 WHERE tenant = $1 AND id = $2";
        query(sql).bind(tenant).bind(job.id.uuid()).bind(now).execute(&mut tx).await?;
        if !jobs::advance(&mut tx, job, at(Step::Drain, "", 0)).await? {
            return Ok(FenceResult::Superseded);
        }
        audit::append(&mut tx, job.tenant, "kek.fenced", job.body().with("kek_version", to)).await?;
    }
    failpoint("rotate.fence.before_commit");
    tx.commit().await?;
    failpoint("rotate.fence.after_commit");
    let rows = u64::try_from(leftover).unwrap_or(0);
    Ok(if again { FenceResult::Leftover { rows } } else { FenceResult::Fenced })
}

async fn destroyed(mut tx: Tx, gone: &KekDestruction) -> Result<(), StoreError> {
    let sql = "-- rotation.destroyed
        INSERT INTO kek_destructions (tenant, kek_version, id, job, successor, provider, destroyed_at_ms)
        SELECT $1, $2, $3, $4, $5, $6, $7 FROM tenants WHERE id = $1 AND kek_floor > $2
        ON CONFLICT (tenant, kek_version) DO NOTHING";
    let recorded = query(sql)
        .bind(gone.tenant.uuid())
        .bind(gone.kek_version)
        .bind(gone.id)
        .bind(gone.job.uuid())
        .bind(gone.successor.unwrap_or(NONE))
        .bind(&gone.provider)
        .bind(gone.destroyed_at_ms)
        .execute(&mut tx)
        .await?;
    if recorded == 0 {
        let sql = "-- rotation.recorded
            SELECT id FROM kek_destructions WHERE tenant = $1 AND kek_version = $2";
        let before = query(sql).bind(gone.tenant.uuid()).bind(gone.kek_version).fetch_optional(&mut tx).await?;
        return before.map(|_| ()).ok_or(StoreError::Misuse("a KEK version that rows may still be stored under"));
    }
    let body = AuditBody::default()
        .with("job", gone.job.to_string())
        .with("kek_version", gone.kek_version)
        .with("successor", gone.successor)
        .with("provider", gone.provider.as_str())
        .with("certificate", gone.id.to_string());
    audit::append(&mut tx, gone.tenant, "kek.destroyed", body).await?;
    log::kek_destroyed(&mut tx, gone).await?;
    failpoint("rotate.destroyed.before_commit");
    tx.commit().await?;
    Ok(())
}
