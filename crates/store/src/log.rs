//! The transparency log's leaves: what is to be told, in the transaction of what it tells of; salts; and who may still tell.
//!
//! Owns the queue of entries and the salts. Must never know: keys, checkpoints, what a receipt says. Invariants: an entry is
//! queued exactly when what it tells of is committed; an entry whose salt was destroyed tells nothing, and the tree above it
//! stands.

mod statement;
mod told;
mod tree;

pub use statement::KeyStatement;
pub(crate) use told::{erased, issued, kek_destroyed, kek_made, policy_changed};
pub use tree::{LogHead, LogWork};

use crate::{
    AuditBody, Store, StoreError, audit,
    codes::read_hash,
    conn::{Conn, Row, now_ms, query},
    holds,
    strikes::Of,
};
use biometrics::{TenantId, UserId};
use receipt::{Leaf, LogEvent, Salt};
use uuid::Uuid;

/// What a leaf is of, and the name under which it is looked up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct About<'a> {
    /// `None`: the deployment's own.
    pub(crate) tenant: Option<TenantId>,
    /// `None`: of no user.
    pub(crate) user: Option<&'a UserId>,
    /// The artefact's id, or a kind.
    pub(crate) subject: &'a str,
}

/// A leaf that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptLeaf {
    /// Body and salt.
    pub leaf: Leaf,
    /// Its place in the log, from 0.
    pub place: u64,
}

/// What came of destroying a user's salts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EraseSalts {
    /// So many are gone for good, audited as `log.erased`.
    Erased(u64),
    /// A legal hold stands in the way.
    Held,
}

/// Seconds since 1970, as leaves tell times.
pub(crate) const fn seconds(ms: i64) -> i64 {
    ms.div_euclid(1000)
}

/// Queues one leaf inside the caller's transaction.
pub(crate) async fn append(conn: &mut Conn, about: About<'_>, event: &LogEvent) -> Result<(), StoreError> {
    let no_randomness = || sqlx::Error::Io(std::io::Error::other("the system gives no randomness"));
    let salt = Salt::random().ok_or_else(no_randomness)?;
    let leaf = Leaf::new(event, salt).map_err(|_| StoreError::Misuse("a leaf over 4 KiB"))?;
    let (entry, now) = (leaf.entry(), now_ms(conn).await?);
    let tenant = about.tenant.map(TenantId::uuid);
    let sql = "-- log.queue
        INSERT INTO log_queue (entry, tenant, at_ms) VALUES ($1, $2, $3)";
    query(sql).bind(entry.as_slice()).bind(tenant).bind(now).execute(conn).await?;
    let sql = "-- log.salt
        INSERT INTO log_salts (entry, tenant, user_id, subject, body, salt) VALUES ($1, $2, $3, $4, $5, $6)";
    query(sql)
        .bind(entry.as_slice())
        .bind(tenant)
        .bind(about.user.map(|user| user.as_str().to_owned()))
        .bind(about.subject)
        .bind(leaf.body())
        .bind(leaf.salt().expose().as_slice())
        .execute(conn)
        .await?;
    Ok(())
}

fn read_leaf(row: &Row) -> Result<KeptLeaf, StoreError> {
    let salt = Salt::new(read_hash(row.try_get("salt")?)?);
    let leaf = Leaf::of_body(row.try_get("body")?, salt).map_err(|_| StoreError::Corrupt("log_salts"))?;
    if leaf.entry() != read_hash(row.try_get("entry")?)? {
        return Err(StoreError::Corrupt("log_salts"));
    }
    let place = u64::try_from(row.try_get::<i64>("place")?).map_err(|_| StoreError::Corrupt("log_salts"))?;
    Ok(KeptLeaf { leaf, place })
}

impl Store {
    /// The newest leaf that has its place in the log under a name: `rc_…`, `dl_…`, `kd_…`, or a tenant's id for the head of
    /// its audit chain. `None` where none has, or its salt was destroyed.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn log_leaf(&self, subject: &str) -> Result<Option<KeptLeaf>, StoreError> {
        let sql = "-- log.leaf
            SELECT entry, body, salt, place FROM log_salts
            WHERE subject = $1 AND place IS NOT NULL ORDER BY place DESC LIMIT 1";
        let row = query(sql).bind(subject).fetch_optional(&mut self.read_all_tenants().await?).await?;
        row.as_ref().map(read_leaf).transpose()
    }

    /// Leaves under a name from a place on, in the order of the log, at most `limit`.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn log_leaves(&self, subject: &str, from: u64, limit: u32) -> Result<Vec<KeptLeaf>, StoreError> {
        let sql = "-- log.leaves
            SELECT entry, body, salt, place FROM log_salts
            WHERE subject = $1 AND place >= $2 ORDER BY place LIMIT $3";
        let from = i64::try_from(from).unwrap_or(i64::MAX);
        let mut conn = self.read_all_tenants().await?;
        let rows = query(sql).bind(subject).bind(from).bind(limit).fetch_all(&mut conn).await?;
        rows.iter().map(read_leaf).collect()
    }

    /// Destroys the salts and bodies of a user's leaves: the log's entries stand and tell nothing any more.
    ///
    /// # Errors
    /// `Unavailable`, `AuditUnavailable`.
    pub async fn erase_salts(&self, tenant: TenantId, user: &UserId, by: &str) -> Result<EraseSalts, StoreError> {
        self.write("log.erase", tenant, |mut tx| async move {
            if holds::is_held(&mut tx, Of { tenant, user }).await? {
                return Ok(EraseSalts::Held);
            }
            let sql = "-- log.erase
                DELETE FROM log_salts WHERE tenant = $1 AND user_id = $2";
            let gone = query(sql).bind(tenant.uuid()).bind(user.as_str()).execute(&mut tx).await?;
            let body = AuditBody::default().with("user_id", user.as_str()).with("leaves", gone).with("by", by);
            audit::append(&mut tx, tenant, "log.erased", body).await?;
            tx.commit().await?;
            Ok(EraseSalts::Erased(gone))
        })
        .await
    }

    /// Tells the log of something that changes outside of the database, where it is not what was told last. `event` makes the
    /// leaf of what it was before and the time in seconds. Answers whether it was told.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn see(
        &self,
        what: &'static str,
        value: &str,
        event: impl Fn(Option<String>, i64) -> LogEvent,
    ) -> Result<bool, StoreError> {
        let event = &event;
        self.write_all_tenants("log.see", |mut tx| async move {
            let sql = "-- log.seen
                SELECT value FROM log_seen WHERE what = $1";
            let before = query(sql).bind(what).fetch_optional(&mut tx).await?;
            let before: Option<String> = before.map(|row| row.try_get("value")).transpose()?;
            if before.as_deref() == Some(value) {
                return Ok(false);
            }
            let sql = "-- log.see
                INSERT INTO log_seen (what, value) VALUES ($1, $2)
                ON CONFLICT (what) DO UPDATE SET value = excluded.value WHERE log_seen.value <> excluded.value";
            if query(sql).bind(what).bind(value).execute(&mut tx).await? == 0 {
                return Ok(false);
            }
            let at = seconds(now_ms(&mut tx).await?);
            append(&mut tx, About { tenant: None, user: None, subject: what }, &event(before, at)).await?;
            tx.commit().await?;
            Ok(true)
        })
        .await
    }

    /// Tenants whose audit chain is longer than the log says.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn audits_to_tell(&self) -> Result<Vec<TenantId>, StoreError> {
        let sql = "-- log.audits
            SELECT id FROM tenants t
            WHERE audit_logged < (SELECT COALESCE(max(seq), 0) FROM audit a WHERE a.tenant = t.id) ORDER BY id";
        let rows = query(sql).fetch_all(&mut self.read_all_tenants().await?).await?;
        rows.iter().map(|row| Ok(TenantId::new(row.try_get::<Uuid>("id")?))).collect()
    }

    /// Tells the log how far a tenant's audit chain is. False: it knew.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn tell_audit(&self, tenant: TenantId) -> Result<bool, StoreError> {
        self.write("log.audit", tenant, |mut tx| async move {
            let (seq, head) = audit::tail(&mut tx, tenant).await?;
            let sql = "-- log.audit
                UPDATE tenants SET audit_logged = $2 WHERE id = $1 AND audit_logged < $2";
            if query(sql).bind(tenant.uuid()).bind(seq).execute(&mut tx).await? == 0 {
                return Ok(false);
            }
            let aud = tenant.to_string();
            let at = seconds(now_ms(&mut tx).await?);
            let event = LogEvent::AuditHead { aud: aud.clone(), seq, head: receipt::base64url(&head), at };
            append(&mut tx, About { tenant: Some(tenant), user: None, subject: &aud }, &event).await?;
            tx.commit().await?;
            Ok(true)
        })
        .await
    }
}
