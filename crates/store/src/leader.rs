//! Who leads: work that only one process may do at a time. Owns the lease. Must never know: the work. Invariant: whether a
//! lease has ended is the database's judgement, and it changes hands by one compare-and-set.
//!
//! A process that was stopped and goes on may still believe that it leads. So a lease alone never makes a write safe: work
//! under it commits by a compare-and-set of its own (`jobs::advance`).

use crate::{
    Store, StoreError,
    conn::{now_ms, query},
    tx::Tx,
};
use uuid::Uuid;

/// Who wants to lead what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// Such as `jobs`.
    pub task: &'static str,
    /// Made at random by the process.
    pub holder: Uuid,
    /// For how long it leads without asking again, in milliseconds.
    pub lease_ms: u32,
}

impl Store {
    /// Takes the lease where nobody holds it, or renews it. False: somebody else leads.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn lead(&self, candidate: Candidate) -> Result<bool, StoreError> {
        self.write_all_tenants("leader.lead", |tx| lead(tx, candidate)).await
    }

    /// Gives the lease back, so that nobody waits for its end. One that is not ours stays.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn resign(&self, candidate: Candidate) -> Result<(), StoreError> {
        self.write_all_tenants("leader.resign", |mut tx| async move {
            let sql = "-- leader.resign
                DELETE FROM leaders WHERE task = $1 AND holder = $2";
            query(sql).bind(candidate.task).bind(candidate.holder).execute(&mut tx).await?;
            tx.commit().await
        })
        .await
    }
}

async fn lead(mut tx: Tx, candidate: Candidate) -> Result<bool, StoreError> {
    let now = now_ms(&mut tx).await?;
    let sql = "-- leader.lead
        INSERT INTO leaders (task, holder, until_ms) VALUES ($1, $2, $3)
        ON CONFLICT (task) DO UPDATE SET holder = excluded.holder, until_ms = excluded.until_ms
        WHERE leaders.until_ms <= $4 OR leaders.holder = excluded.holder";
    let taken = query(sql)
        .bind(candidate.task)
        .bind(candidate.holder)
        .bind(now + i64::from(candidate.lease_ms))
        .bind(now)
        .execute(&mut tx)
        .await?;
    if taken == 1 {
        tx.commit().await?;
    }
    Ok(taken == 1)
}
