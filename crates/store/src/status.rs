//! Positions in status lists: which list, which index. Owns the counters. Must never know: receipts, how a list is packed.
//! Invariant: a position is given out once, whatever the key, whoever asks.
//!
//! A tenant takes counters in runs, so that tenants wait for one another once in a while and not at every attempt. What is left
//! of a run when the key changes is never given out.

use crate::{
    Store, StoreError,
    codes::read_u32,
    conn::{Conn, Row, query},
};
use biometrics::TenantId;
use receipt::{IndexOrder, LIST_ENTRIES};
use ring::hmac::{self, HMAC_SHA256, Key};

/// Counters of one run; a list is a whole number of runs.
const RUN: u32 = 64;
/// How often another process may open a list before us.
const TRIES: usize = 8;

/// Orders the indexes of every list: one secret of the deployment. It is worth no more than the order.
#[derive(Clone)]
pub struct StatusSecret(Key);

impl std::fmt::Debug for StatusSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StatusSecret(..)")
    }
}

impl StatusSecret {
    /// The secret of these bytes.
    #[must_use]
    pub fn new(secret: &[u8; 32]) -> Self {
        Self(Key::new(HMAC_SHA256, secret))
    }

    /// The order of one list, under a key of its own.
    fn order(&self, list: u32) -> IndexOrder {
        let mut key = [0; 32];
        key.copy_from_slice(hmac::sign(&self.0, &[&b"list"[..], &list.to_be_bytes()].concat()).as_ref());
        IndexOrder::new(&key)
    }

    /// Tells this secret from another, and nothing else.
    fn check(&self) -> Vec<u8> {
        hmac::sign(&self.0, b"check").as_ref()[..16].to_vec()
    }
}

/// A position in a status list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StatusPosition {
    /// Number of the list, from 1.
    pub list: u32,
    /// Index in it.
    pub index: u32,
}

/// Gives out a position that nobody had before, in the tenant's transaction.
pub(crate) async fn claim(
    conn: &mut Conn,
    tenant: TenantId,
    secret: &StatusSecret,
) -> Result<StatusPosition, StoreError> {
    let check = secret.check();
    let (list, counter) = match next_of_run(conn, tenant, &check).await? {
        Some(next) => next,
        None => {
            take_run(conn, tenant, &check).await?;
            next_of_run(conn, tenant, &check).await?.ok_or(StoreError::Corrupt("status_lists"))?
        }
    };
    let index = secret.order(list).index(counter).ok_or(StoreError::Corrupt("status_lists"))?;
    Ok(StatusPosition { list, index })
}

/// The tenant's next counter, where its run is not used up and was taken under this key.
async fn next_of_run(conn: &mut Conn, tenant: TenantId, check: &[u8]) -> Result<Option<(u32, u32)>, StoreError> {
    let sql = "-- status.next
        UPDATE tenants SET status_next = status_next + 1
        WHERE id = $1 AND status_key = $2 AND status_next < status_end
        RETURNING status_list, status_next - 1 AS counter";
    let row = query(sql).bind(tenant.uuid()).bind(check).fetch_optional(conn).await?;
    let read = |row: Row| Ok((read_u32(row.try_get("status_list")?)?, read_u32(row.try_get("counter")?)?));
    row.map(read).transpose()
}

/// Takes the next run of the newest list of this key that has one left; opens a list where none has.
async fn take_run(conn: &mut Conn, tenant: TenantId, check: &[u8]) -> Result<(), StoreError> {
    for _ in 0..TRIES {
        let sql = "-- status.take
            UPDATE status_lists SET next = next + $2
            WHERE list = (SELECT max(list) FROM status_lists WHERE key_check = $1) AND next + $2 <= $3
            RETURNING list, next - $2 AS first";
        let taken = query(sql).bind(check).bind(RUN).bind(LIST_ENTRIES).fetch_optional(conn).await?;
        if let Some(row) = taken {
            let (list, first): (i64, i64) = (row.try_get("list")?, row.try_get("first")?);
            let sql = "-- status.run
                UPDATE tenants SET status_list = $2, status_key = $3, status_next = $4, status_end = $5 WHERE id = $1";
            let query = query(sql).bind(tenant.uuid()).bind(list).bind(check);
            query.bind(first).bind(first + i64::from(RUN)).execute(conn).await?;
            return Ok(());
        }
        let sql = "-- status.open
            INSERT INTO status_lists (list, key_check, next) SELECT COALESCE(max(list), 0) + 1, $1, 0 FROM status_lists
            WHERE 1 = 1 ON CONFLICT (list) DO NOTHING";
        query(sql).bind(check).execute(conn).await?;
    }
    Err(StoreError::Corrupt("status_lists"))
}

impl Store {
    /// Number of the newest list, 0 where there is none yet.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn newest_status_list(&self) -> Result<u32, StoreError> {
        let sql = "-- status.newest
            SELECT COALESCE(max(list), 0) AS list FROM status_lists";
        let row = query(sql).fetch_one(&mut self.read_all_tenants().await?).await?;
        read_u32(row.try_get("list")?)
    }

    /// Indexes of a list that are INVALID and whose receipts are not yet dropped, ascending; `None` where there is no such list.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn revoked(&self, list: u32) -> Result<Option<Vec<u32>>, StoreError> {
        let mut conn = self.read_all_tenants().await?;
        let sql = "-- status.is_there
            SELECT list FROM status_lists WHERE list = $1";
        if query(sql).bind(list).fetch_optional(&mut conn).await?.is_none() {
            return Ok(None);
        }
        let sql = "-- status.revoked
            SELECT status_index FROM live_receipts WHERE status_list = $1 AND status = 'INVALID' ORDER BY status_index";
        let rows = query(sql).bind(list).fetch_all(&mut conn).await?;
        rows.iter().map(|row| read_u32(row.try_get("status_index")?)).collect::<Result<_, _>>().map(Some)
    }
}
