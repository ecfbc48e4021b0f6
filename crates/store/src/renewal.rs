//! What a renewal does to rows: the tenant's new transform key, references exchanged in batches, the end of the former key. Must
//! never know: a key in the clear. Invariants: a reference is exchanged only where it still is the one that was read (id, epoch,
//! KEK version, generation); the former key goes only when nothing is laid out with it, and from then on nothing is.

use crate::{
    AuditBody, BatchResult, SealedRow, Store, StoreError, Tenant, TenantSecretsRow, audit,
    codes::read_user,
    conn::{Conn, Row, query},
    failpoint,
    jobs::{self, Job, Progress, Step},
    tx::Tx,
};
use biometrics::{TenantId, UserId};

/// A reference that is to be laid out anew.
#[derive(Debug, Clone)]
pub struct ToRenew {
    /// Of whom; the order of batches.
    pub user: UserId,
    /// As it lies there.
    pub row: SealedRow,
}

/// One exchange: what was read and what takes its place.
#[derive(Debug, Clone)]
pub struct Renewed {
    /// As it was read.
    pub old: ToRenew,
    /// Of the next epoch, under the same id.
    pub new: SealedRow,
}

/// Whether a renewal reached its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RenewEnd {
    /// The former key is gone and the job done.
    Done,
    /// References came meanwhile, or do not open: another pass over all of them.
    Leftover {
        /// How many.
        rows: u64,
    },
    /// The job does not stand where we think. Nothing was written.
    Superseded,
}

impl ToRenew {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self { user: read_user(row.try_get("user_id")?)?, row: SealedRow::read(row)? })
    }
}

impl Store {
    /// Begins the tenant's next generation with new secrets, where it still stands as it was read and the generation before has
    /// ended; audited as `transform_key.made`. `former` is the key of now, wrapped as the new secrets are. False: superseded, or
    /// somebody else came first.
    ///
    /// # Errors
    /// `Unavailable`, `AuditUnavailable`.
    pub async fn begin_generation(
        &self,
        job: &Job,
        seen: &Tenant,
        (new, former): (&TenantSecretsRow, &[u8]),
    ) -> Result<bool, StoreError> {
        self.write("renewal.begin", job.tenant, |mut tx| async move {
            let sql = "-- renewal.begin
                UPDATE tenants SET kek_version = $4, transform_key = $5, pseudonym_key = $6, former_transform_key = $7,
                       transform_generation = transform_generation + 1
                WHERE id = $1 AND kek_version = $2 AND transform_generation = $3 AND former_transform_key IS NULL
                AND kek_floor <= $4";
            let begun = query(sql)
                .bind(job.tenant.uuid())
                .bind(seen.secrets.kek_version)
                .bind(seen.transform_generation)
                .bind(new.kek_version)
                .bind(&new.transform_key)
                .bind(&new.pseudonym_key)
                .bind(former)
                .execute(&mut tx)
                .await?;
            if begun != 1 || !jobs::advance(&mut tx, job, at("", 0)).await? {
                return Ok(false);
            }
            let body = job.body().with("generation", seen.transform_generation + 1);
            audit::append(&mut tx, job.tenant, "transform_key.made", body).await?;
            tx.commit().await?;
            Ok(true)
        })
        .await
    }

    /// Goes on with a generation that another renewal began and did not end. False: superseded.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn resume_generation(&self, job: &Job) -> Result<bool, StoreError> {
        self.write("renewal.resume", job.tenant, |mut tx| async move {
            if !jobs::advance(&mut tx, job, at("", 0)).await? {
                return Ok(false);
            }
            tx.commit().await?;
            Ok(true)
        })
        .await
    }

    /// The next references of an earlier generation after where the job stands, in the order of users.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn references_to_renew(
        &self,
        job: &Job,
        generation: u32,
        limit: u32,
    ) -> Result<Vec<ToRenew>, StoreError> {
        let sql = "-- renewal.batch
            SELECT user_id, id, epoch, feature_space, transform_version, schema, kek_version, wrapped_dek, ciphertext,
                   commitment, transform_generation, created_at_ms
            FROM sealed_references WHERE tenant = $1 AND user_id > $2 AND transform_generation < $3 ORDER BY user_id LIMIT $4";
        let mut conn = self.read(job.tenant).await?;
        let query = query(sql).bind(job.tenant.uuid()).bind(&job.resume_after).bind(generation).bind(limit);
        query.fetch_all(&mut conn).await?.iter().map(ToRenew::read).collect()
    }

    /// Exchanges one batch, each audited as `reference.renewed`, and moves the job past `last`.
    ///
    /// # Errors
    /// `Unavailable`, `AuditUnavailable`: nothing was written, or the commit's fate is unknown; either way it may be done again.
    pub async fn exchange_references(
        &self,
        job: &Job,
        batch: &[Renewed],
        last: &UserId,
    ) -> Result<BatchResult, StoreError> {
        self.write("renewal.exchange", job.tenant, |mut tx| async move {
            let mut exchanged = 0;
            for one in batch {
                if exchange(&mut tx, job.tenant, one).await? {
                    audit::append(&mut tx, job.tenant, "reference.renewed", told(job, one)).await?;
                    exchanged += 1;
                }
            }
            if !jobs::advance(&mut tx, job, at(last.as_str(), exchanged)).await? {
                return Ok(BatchResult::Superseded);
            }
            failpoint("renew.batch.before_commit");
            tx.commit().await?;
            failpoint("renew.batch.after_commit");
            Ok(BatchResult::Committed { exchanged })
        })
        .await
    }

    /// Ends the former key where nothing is laid out with it any more, and the job, audited as `job.done`; else begins the pass
    /// anew.
    ///
    /// # Errors
    /// `Unavailable`, `AuditUnavailable`.
    pub async fn end_generation(&self, job: &Job, generation: u32) -> Result<RenewEnd, StoreError> {
        self.write("renewal.end", job.tenant, |tx| end(tx, job, generation)).await
    }
}

const fn at(resume_after: &str, done: u64) -> Progress<'_> {
    Progress { step: Step::Renew, resume_after, done }
}

/// The compare-and-set of one row. False: it is not what was read any more, or was sealed under a retired KEK version.
async fn exchange(conn: &mut Conn, tenant: TenantId, one: &Renewed) -> Result<bool, StoreError> {
    let (old, new) = (&one.old.row, &one.new);
    if new.id != old.id || new.epoch <= old.epoch || new.feature_space != old.feature_space {
        return Err(StoreError::Misuse("a renewal keeps id and feature space and goes on to a later epoch"));
    }
    let sql = "-- renewal.exchange
        UPDATE sealed_references SET epoch = $6, transform_version = $7, schema = $8, kek_version = $9, wrapped_dek = $10,
               ciphertext = $11, commitment = $12, transform_generation = $13
        WHERE tenant = $1 AND id = $2 AND epoch = $3 AND kek_version = $4 AND transform_generation = $5
        AND EXISTS (SELECT 1 FROM tenants WHERE id = $1 AND kek_floor <= $9 AND transform_generation = $13)";
    let exchanged = query(sql)
        .bind(tenant.uuid())
        .bind(old.id.uuid())
        .bind(old.epoch)
        .bind(old.kek_version)
        .bind(old.transform_generation)
        .bind(new.epoch)
        .bind(new.transform_version)
        .bind(new.schema)
        .bind(new.kek_version)
        .bind(&new.wrapped_dek)
        .bind(&new.ciphertext)
        .bind(new.commitment.as_slice())
        .bind(new.transform_generation)
        .execute(conn)
        .await?;
    Ok(exchanged == 1)
}

/// Both commitments, so that whoever pinned the one finds the other.
fn told(job: &Job, one: &Renewed) -> AuditBody {
    job.body()
        .with("user_id", one.old.user.as_str())
        .with("reference", one.new.id.to_string())
        .with("epoch", one.new.epoch)
        .with("commitment", hex::encode(one.new.commitment))
        .with("former_commitment", hex::encode(one.old.row.commitment))
}

async fn end(mut tx: Tx, job: &Job, generation: u32) -> Result<RenewEnd, StoreError> {
    let tenant = job.tenant.uuid();
    let sql = "-- renewal.leftover
        SELECT count(*) AS leftover FROM sealed_references WHERE tenant = $1 AND transform_generation < $2";
    let leftover: i64 = query(sql).bind(tenant).bind(generation).fetch_one(&mut tx).await?.try_get("leftover")?;
    let again = leftover > 0;
    let moved = if again {
        jobs::advance(&mut tx, job, at("", 0)).await?
    } else {
        let sql = "-- renewal.former
            UPDATE tenants SET former_transform_key = NULL WHERE id = $1 AND transform_generation = $2";
        query(sql).bind(tenant).bind(generation).execute(&mut tx).await?;
        jobs::end(&mut tx, job, None).await?
    };
    if !moved {
        return Ok(RenewEnd::Superseded);
    }
    failpoint("renew.end.before_commit");
    tx.commit().await?;
    let rows = u64::try_from(leftover).unwrap_or(0);
    Ok(if again { RenewEnd::Leftover { rows } } else { RenewEnd::Done })
}
