//! The sealed reference of a user, and the successor that a new recogniser put beside it. Owns their rows. Must never know: what is
//! inside. Invariant: at most one of each per tenant and user, by constraint, and no successor without a reference.

use crate::{
    Store, StoreError,
    codes::{read_hash, read_u32},
    conn::{Conn, Row, query},
    strikes::Of,
};
use biometrics::{ReferenceId, TenantId, UserId};
use std::fmt;
use uuid::Uuid;

/// A sealed reference with its wrapped DEK, as the worker made it.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedRow {
    /// Its id, made by the worker.
    pub id: ReferenceId,
    /// Grows with every renewal, from 1.
    pub epoch: u32,
    /// What it may be compared with.
    pub feature_space: String,
    /// Version of the keyed transform.
    pub transform_version: u32,
    /// Version of the sealed plaintext.
    pub schema: u32,
    /// KEK version that wraps the DEK.
    pub kek_version: u32,
    /// The DEK, wrapped.
    pub wrapped_dek: Vec<u8>,
    /// The reference, sealed under the DEK.
    pub ciphertext: Vec<u8>,
    /// Key commitment.
    pub commitment: [u8; 32],
    /// Of which generation the tenant's transform key is that it was laid out with, from 1.
    pub transform_generation: u32,
    /// When it was stored, database time; ignored on the way in.
    pub created_at_ms: i64,
}

impl fmt::Debug for SealedRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedRow").field("id", &self.id).field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

impl SealedRow {
    pub(crate) fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: ReferenceId::new(row.try_get::<Uuid>("id")?),
            epoch: read_u32(row.try_get("epoch")?)?,
            feature_space: row.try_get("feature_space")?,
            transform_version: read_u32(row.try_get("transform_version")?)?,
            schema: read_u32(row.try_get("schema")?)?,
            kek_version: read_u32(row.try_get("kek_version")?)?,
            wrapped_dek: row.try_get("wrapped_dek")?,
            ciphertext: row.try_get("ciphertext")?,
            commitment: read_hash(row.try_get("commitment")?)?,
            transform_generation: read_u32(row.try_get("transform_generation")?)?,
            created_at_ms: row.try_get("created_at_ms")?,
        })
    }
}

/// All that lies there of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserReferences {
    /// The one that counts.
    pub reference: SealedRow,
    /// The one that a new recogniser made and that will take its place.
    pub successor: Option<SealedRow>,
}

/// How many references there are of one tenant and feature space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReferenceCount {
    /// Whose.
    pub tenant: TenantId,
    /// Which recogniser made them.
    pub feature_space: String,
    /// Users whose verifications are decided by them.
    pub references: u64,
    /// Those that a new recogniser made and that wait to take a reference's place.
    pub successors: u64,
}

/// The user's references, by the caller's connection.
pub(crate) async fn load(
    conn: &mut Conn,
    tenant: TenantId,
    user: &UserId,
) -> Result<Option<UserReferences>, StoreError> {
    let sql = "-- references.load
        SELECT id, epoch, feature_space, transform_version, schema, kek_version, wrapped_dek, ciphertext, commitment,
               transform_generation, created_at_ms, successor
        FROM sealed_references WHERE tenant = $1 AND user_id = $2 ORDER BY successor";
    let rows = query(sql).bind(tenant.uuid()).bind(user.as_str()).fetch_all(conn).await?;
    let Some((first, others)) = rows.split_first() else { return Ok(None) };
    if first.flag("successor")? {
        return Err(StoreError::Corrupt("sealed_references"));
    }
    let successor = others.first().map(SealedRow::read).transpose()?;
    Ok(Some(UserReferences { reference: SealedRow::read(first)?, successor }))
}

/// Where a new reference goes.
pub(crate) struct Place<'a> {
    pub(crate) tenant: TenantId,
    pub(crate) user: &'a UserId,
    pub(crate) now: i64,
    /// Beside the one that is there.
    pub(crate) successor: bool,
}

/// Puts the successor in the place of a reference that is gone.
pub(crate) async fn promote(conn: &mut Conn, successor: ReferenceId) -> Result<(), StoreError> {
    let sql = "-- references.promote
        UPDATE sealed_references SET successor = 0 WHERE id = $1 AND successor = 1";
    let promoted = query(sql).bind(successor.uuid()).execute(conn).await?;
    if promoted == 1 { Ok(()) } else { Err(StoreError::Corrupt("sealed_references")) }
}

/// Stores a reference of the user. False: its KEK version or its transform key is retired, so nobody could open or compare it.
pub(crate) async fn insert(conn: &mut Conn, at: Place<'_>, row: &SealedRow) -> Result<bool, sqlx::Error> {
    let sql = "-- references.insert
        INSERT INTO sealed_references (id, tenant, user_id, epoch, feature_space, transform_version, schema,
                                       kek_version, wrapped_dek, ciphertext, commitment, created_at_ms,
                                       transform_generation, successor)
        SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14 FROM tenants
        WHERE id = $2 AND kek_floor <= $8
        AND (transform_generation = $13 OR transform_generation = $13 + 1 AND former_transform_key IS NOT NULL)";
    query(sql)
        .bind(row.id.uuid())
        .bind(at.tenant.uuid())
        .bind(at.user.as_str())
        .bind(row.epoch)
        .bind(&row.feature_space)
        .bind(row.transform_version)
        .bind(row.schema)
        .bind(row.kek_version)
        .bind(&row.wrapped_dek)
        .bind(&row.ciphertext)
        .bind(row.commitment.as_slice())
        .bind(at.now)
        .bind(row.transform_generation)
        .bind(at.successor)
        .execute(conn)
        .await
        .map(|stored| stored == 1)
}

/// Notes that the user's references were compared. To the day, so that a busy user costs one write a day.
pub(crate) async fn used(conn: &mut Conn, of: Of<'_>, now: i64) -> Result<(), sqlx::Error> {
    const DAY_MS: i64 = 86_400_000;
    let sql = "-- references.used
        UPDATE sealed_references SET last_used_at_ms = $3
        WHERE tenant = $1 AND user_id = $2 AND (last_used_at_ms IS NULL OR last_used_at_ms <= $4)";
    let (tenant, user) = (of.tenant.uuid(), of.user.as_str());
    query(sql).bind(tenant).bind(user).bind(now).bind(now - DAY_MS).execute(conn).await.map(|_| ())
}

impl Store {
    /// The user's reference, or nothing.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn reference(&self, tenant: TenantId, user: &UserId) -> Result<Option<SealedRow>, StoreError> {
        Ok(self.references(tenant, user).await?.map(|found| found.reference))
    }

    /// Counts the references of all tenants, by feature space. Reads an entry of each: for operators.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn reference_counts(&self) -> Result<Vec<ReferenceCount>, StoreError> {
        let sql = "-- references.count
            SELECT tenant, feature_space, CAST(sum(1 - successor) AS BIGINT) AS current, CAST(sum(successor) AS BIGINT) AS successors
            FROM sealed_references GROUP BY tenant, feature_space ORDER BY tenant, feature_space";
        let rows = query(sql).fetch_all(&mut self.read_all_tenants().await?).await?;
        let number = |row: &Row, column| {
            u64::try_from(row.try_get::<i64>(column)?).map_err(|_| StoreError::Corrupt("sealed_references"))
        };
        let count = |row: &Row| {
            Ok(ReferenceCount {
                tenant: TenantId::new(row.try_get::<Uuid>("tenant")?),
                feature_space: row.try_get("feature_space")?,
                references: number(row, "current")?,
                successors: number(row, "successors")?,
            })
        };
        rows.iter().map(count).collect()
    }

    /// The user's reference with its successor, or nothing.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn references(&self, tenant: TenantId, user: &UserId) -> Result<Option<UserReferences>, StoreError> {
        load(&mut self.read(tenant).await?, tenant, user).await
    }
}
