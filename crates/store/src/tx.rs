//! Transactions: who may write, for whom, and how often it is tried. Owns begin, commit and the bounded retry. Must never
//! know: tables other than `tenants`, whose row is a tenant's write lock. Invariant: writers of one tenant follow one
//! another. On SQLite the file's one write lock sees to it; on Postgres the row of the tenant, locked before anything is
//! read, and READ COMMITTED, under which each later statement sees all that was committed before it got the lock. Both commit many
//! at once in one go: the Postgres server by itself, SQLite by `sqlite::writer`; what is answered is durable, and so is all that it
//! rests on.
//!
//! Why not SERIALIZABLE: every write of a tenant appends to one audit chain, so any two at once conflict. SERIALIZABLE would
//! abort all but one of them, again and again; the lock lets them wait their turn. What may still be aborted (a deadlock
//! with a sweep, a distributed database that serialises by retries) is tried again, a bounded number of times.

use crate::{
    Store, StoreError,
    conn::{Conn, query},
    error::is_conflict,
    sink::AuditSink,
};
use backon::{BackoffBuilder as _, ExponentialBuilder};
use biometrics::TenantId;
use std::{
    ops::{Deref, DerefMut},
    time::Duration,
};

/// Whose rows a transaction may touch. On Postgres row-level security keeps to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// One tenant's.
    Tenant(TenantId),
    /// Everybody's: sweeps, lists for operators, and what is looked up before the tenant is known.
    AllTenants,
}

/// How often a transaction is tried that the database aborted for the sake of another.
const TRIES: usize = 6;
const FIRST_DELAY: Duration = Duration::from_millis(5);
const LONGEST_DELAY: Duration = Duration::from_millis(200);

/// A writing transaction; rolls back when dropped.
#[derive(Debug)]
pub(crate) struct Tx {
    conn: Conn,
    sink: Option<AuditSink>,
}

impl Deref for Tx {
    type Target = Conn;
    fn deref(&self) -> &Conn {
        &self.conn
    }
}
impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut Conn {
        &mut self.conn
    }
}

impl Tx {
    /// Has the second sink take the audit's lines, then makes all of it durable.
    ///
    /// # Errors
    /// `AuditUnavailable` where a sink that must take them does not: nothing was written here. `Unavailable` leaves open whether
    /// it is durable, unless a statement had failed before.
    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        self.conn.commit(self.sink.as_ref()).await
    }
}

impl Store {
    /// Runs a writing transaction of one tenant. `body` gets it with the tenant's write lock and commits it or lets it go;
    /// it runs again where the database aborted it for the sake of another.
    pub(crate) async fn write<T, F>(
        &self,
        name: &'static str,
        tenant: TenantId,
        body: impl FnMut(Tx) -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        self.retried(name, Scope::Tenant(tenant), body).await
    }

    /// Runs a writing transaction over all tenants, without any tenant's lock: for sweeps that write no audit entry.
    pub(crate) async fn write_all_tenants<T, F>(
        &self,
        name: &'static str,
        body: impl FnMut(Tx) -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        self.retried(name, Scope::AllTenants, body).await
    }

    async fn retried<T, F>(
        &self,
        name: &'static str,
        scope: Scope,
        mut body: impl FnMut(Tx) -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let mut delays = ExponentialBuilder::default()
            .with_min_delay(FIRST_DELAY)
            .with_max_delay(LONGEST_DELAY)
            .with_max_times(TRIES - 1)
            .with_jitter()
            .build();
        loop {
            let tried = async {
                let tx = self.begin(scope).await?;
                let seen = tx.seen();
                let done = body(tx).await?;
                match seen {
                    Some(seen) => seen.settled().await.map(|()| done),
                    None => Ok(done),
                }
            };
            let error = match tried.await {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            if !is_conflict(&error) {
                return Err(error);
            }
            metrics::counter!("countersign_store_conflicts_total", "transaction" => name).increment(1);
            let Some(delay) = delays.next() else {
                tracing::warn!(transaction = name, tries = TRIES, "conflicts with others every time");
                return Err(error);
            };
            tracing::debug!(transaction = name, "conflicts with another and is tried again");
            tokio::time::sleep(delay).await;
        }
    }

    /// A writing transaction with the lock that its scope asks for.
    pub(crate) async fn begin(&self, scope: Scope) -> Result<Tx, StoreError> {
        let mut tx = Tx { conn: self.engine.begin(scope).await?, sink: self.sink.clone() };
        if tx.sink.is_some() {
            tx.keep_lines();
        }
        if let Scope::Tenant(tenant) = scope
            && tx.is_postgres()
        {
            let sql = "-- tenants.lock
                SELECT id FROM tenants WHERE id = $1 FOR UPDATE";
            query(sql).bind(tenant.uuid()).fetch_optional(&mut tx).await?;
        }
        Ok(tx)
    }

    /// A connection that reads one tenant's rows, all from one moment on Postgres.
    pub(crate) async fn read(&self, tenant: TenantId) -> Result<Conn, StoreError> {
        Ok(self.engine.reader(Scope::Tenant(tenant)).await?)
    }

    /// A connection that reads everybody's rows.
    pub(crate) async fn read_all_tenants(&self) -> Result<Conn, StoreError> {
        Ok(self.engine.reader(Scope::AllTenants).await?)
    }
}
