//! What the database knows of the deletion journal, which lies outside of it, and what a journal does to a database that came
//! back older. Must never know: the journal's place and form. Invariants: a deletion is noted as journaled only by whoever
//! made its entry durable; the known position moves only forward, and only past entries whose deletions this database holds.

use crate::{
    AuditBody, Erased, Store, StoreError, UserReferences,
    codes::{read_hash, read_user},
    conn::{Conn, Row, now_ms, query},
    erasure::{self, Erase, RESTORED},
    failpoint, references,
    strikes::{self, Of},
    tx::Tx,
};
use biometrics::{ReferenceId, TenantId, UserId};

/// An entry of the journal by its place in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JournalHead {
    /// From 1.
    pub position: u64,
    /// The entry's hash.
    pub hash: [u8; 32],
}

impl Store {
    /// The last entry that this database is known to be as new as; `None` before the first.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn journal_head(&self) -> Result<Option<JournalHead>, StoreError> {
        let sql = "-- journal.head
            SELECT position, hash FROM journal_head";
        let row = query(sql).fetch_optional(&mut self.read_all_tenants().await?).await?;
        let read = |row: Row| {
            let position =
                u64::try_from(row.try_get::<i64>("position")?).map_err(|_| StoreError::Corrupt("journal_head"))?;
            Ok(JournalHead { position, hash: read_hash(row.try_get("hash")?)? })
        };
        row.map(read).transpose()
    }

    /// Deletions that the journal does not hold, oldest first, at most `limit`.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn deletions_to_journal(&self, limit: u32) -> Result<Vec<Erased>, StoreError> {
        let sql = "-- journal.due
            SELECT id, tenant, user_id, reference, epoch, commitment, cause, deleted_at_ms, job, journaled FROM deletions
            WHERE journaled = 0 ORDER BY deleted_at_ms, id LIMIT $1";
        let rows = query(sql).bind(limit).fetch_all(&mut self.read_all_tenants().await?).await?;
        rows.iter().map(Erased::read).collect()
    }

    /// Those of one user: of two references that went at once each has a deletion of its own.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn deletions_of_user_to_journal(
        &self,
        tenant: TenantId,
        user: &UserId,
    ) -> Result<Vec<Erased>, StoreError> {
        let sql = "-- journal.due_of_user
            SELECT id, tenant, user_id, reference, epoch, commitment, cause, deleted_at_ms, job, journaled FROM deletions
            WHERE tenant = $1 AND user_id = $2 AND journaled = 0 ORDER BY deleted_at_ms, id";
        let mut conn = self.read(tenant).await?;
        let rows = query(sql).bind(tenant.uuid()).bind(user.as_str()).fetch_all(&mut conn).await?;
        rows.iter().map(Erased::read).collect()
    }

    /// Notes deletions that the journal holds up to `head`, which is durable.
    ///
    /// # Errors
    /// `Unavailable`; noted again is fine.
    pub async fn note_journaled(&self, deletions: &[Erased], head: JournalHead) -> Result<(), StoreError> {
        self.write_all_tenants("journal.note", |mut tx| async move {
            for deletion in deletions {
                let sql = "-- journal.noted
                    UPDATE deletions SET journaled = 1 WHERE id = $1";
                query(sql).bind(deletion.deletion_id).execute(&mut tx).await?;
            }
            raise(&mut tx, head).await?;
            tx.commit().await
        })
        .await
    }

    /// Whether this database holds the deletion of a reference.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn knows_deletion(&self, tenant: TenantId, reference: ReferenceId) -> Result<bool, StoreError> {
        knows(&mut self.read(tenant).await?, tenant, reference).await
    }

    /// Erases a reference that came back with an older database, holds or not: its deletion was done once. Live receipts of its
    /// user go with it. `None`: nothing came back.
    ///
    /// # Errors
    /// `Unavailable`, `AuditUnavailable`.
    pub async fn erase_restored(&self, tenant: TenantId, reference: ReferenceId) -> Result<Option<Erased>, StoreError> {
        self.write("journal.erase", tenant, |tx| erase_restored(tx, tenant, reference)).await
    }

    /// Notes what a replay of the journal did to a tenant, audited as `restore.checked`.
    ///
    /// # Errors
    /// `AuditUnavailable`.
    pub async fn note_replay(&self, tenant: TenantId, erased: u64, head: JournalHead) -> Result<(), StoreError> {
        let body = AuditBody::default().with("erased", erased).with("journal_position", head.position);
        self.audit(tenant, "restore.checked", body).await
    }
}

/// Moves the known position forward, never back.
async fn raise(conn: &mut Conn, head: JournalHead) -> Result<(), StoreError> {
    let position = i64::try_from(head.position).map_err(|_| StoreError::Misuse("a journal without end"))?;
    let sql = "-- journal.raise
        INSERT INTO journal_head (one, position, hash) VALUES (1, $1, $2)
        ON CONFLICT (one) DO UPDATE SET position = excluded.position, hash = excluded.hash
        WHERE journal_head.position < excluded.position";
    query(sql).bind(position).bind(head.hash.as_slice()).execute(conn).await?;
    Ok(())
}

async fn knows(conn: &mut Conn, tenant: TenantId, reference: ReferenceId) -> Result<bool, StoreError> {
    let sql = "-- journal.knows
        SELECT id FROM deletions WHERE tenant = $1 AND reference = $2 LIMIT 1";
    Ok(query(sql).bind(tenant.uuid()).bind(reference.uuid()).fetch_optional(conn).await?.is_some())
}

async fn erase_restored(mut tx: Tx, tenant: TenantId, reference: ReferenceId) -> Result<Option<Erased>, StoreError> {
    let sql = "-- journal.came_back
        SELECT user_id FROM sealed_references WHERE tenant = $1 AND id = $2";
    let found = query(sql).bind(tenant.uuid()).bind(reference.uuid()).fetch_optional(&mut tx).await?;
    let Some(user) = found.map(|row| read_user(row.try_get("user_id")?)).transpose()? else { return Ok(None) };
    let found = references::load(&mut tx, tenant, &user).await?.ok_or(StoreError::Corrupt("sealed_references"))?;
    let erase = Erase { tenant, user: &user, cause: RESTORED, job: None, now: now_ms(&mut tx).await? };
    let erased = erase_one(&mut tx, (erase, reference), found).await?;
    strikes::forget(&mut tx, Of { tenant, user: &user }).await?;
    failpoint("restore.before_commit");
    tx.commit().await?;
    Ok(Some(erased))
}

/// Erases the one of a user's two references that the journal names: each that is gone has an entry of its own.
async fn erase_one(
    conn: &mut Conn,
    (erase, reference): (Erase<'_>, ReferenceId),
    found: UserReferences,
) -> Result<Erased, StoreError> {
    let UserReferences { reference: row, successor } = found;
    match successor {
        Some(successor) if successor.id == reference => erasure::erase_row(conn, erase, &successor).await,
        Some(successor) => {
            let erased = erasure::erase_row(conn, erase, &row).await?;
            references::promote(conn, successor.id).await?;
            Ok(erased)
        }
        None => erasure::erase_row(conn, erase, &row).await,
    }
}
