//! SQLite's one writer, which commits whatever waits in one go. Owns whose turn it is and the transaction that they share. Must
//! never know: tables, what a unit of work writes.
//!
//! Units run one after another, each behind a savepoint, in one transaction; the first that is done queues a COMMIT behind all who
//! wait at that moment. So a lone caller pays one fsync, and a hundred at once share one. Invariants: nobody is told that it is
//! committed before that COMMIT returned, and no COMMIT is asked for before the audit's second sink, where it must, took the lines of
//! all units, at once; a unit that fails takes back its own writes and no other's; where the transaction itself is lost, all who were
//! in it are told so. A unit that only looked may have seen what others of its group wrote: what it answers
//! waits for the COMMIT too, see [`Seen`].

use crate::{StoreError, sink::AuditSink};
use sqlx::{Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};
use std::{
    io,
    ops::{Deref, DerefMut},
    sync::Arc,
    time::Duration,
};
use tokio::{
    runtime::Handle,
    sync::{Mutex, OwnedMutexGuard, watch},
    time::timeout,
};

/// Counts COMMITs of SQLite.
pub const COMMITS: &str = "countersign_store_commits_total";
/// Counts the transactions that they made durable.
pub const COMMITTED: &str = "countersign_store_committed_total";

/// See the module. Clones share the connection.
#[derive(Debug, Clone)]
pub(crate) struct Writer {
    desk: Arc<Mutex<Desk>>,
    patience: Duration,
}

/// What belongs to whoever has the turn.
#[derive(Debug)]
struct Desk {
    options: SqliteConnectOptions,
    sink: Option<AuditSink>,
    /// `None` after a failure that left its state unknown, and at the end.
    conn: Option<SqliteConnection>,
    /// The open transaction.
    group: Option<Group>,
    /// A unit began and ended without a word: its writes are still to be taken back.
    stray: bool,
    closed: bool,
}

/// Units in one transaction.
#[derive(Debug, Default)]
struct Group {
    /// `None` while it is open.
    outcome: watch::Sender<Option<Outcome>>,
    /// Units that are done and wait for the COMMIT.
    done: usize,
    /// The savepoint of the last unit that is done still stands: the next one's beginning releases it, or the COMMIT. The first unit
    /// needs none: there is nothing else to take back.
    kept: bool,
    /// What they told the audit.
    lines: Vec<String>,
}

/// What became of a group.
#[derive(Debug, Clone)]
enum Outcome {
    Committed,
    Lost(Arc<sqlx::Error>),
    /// The second sink did not take the lines.
    Untold(Arc<io::Error>),
}

/// Waits for the fate of a group in which a unit has looked about.
pub(crate) struct Seen(watch::Receiver<Option<Outcome>>);

impl Seen {
    /// Returns once what the unit saw is durable.
    ///
    /// # Errors
    /// Where it was lost: what the unit saw never happened.
    pub(crate) async fn settled(mut self) -> Result<(), StoreError> {
        let outcome = self.0.wait_for(Option::is_some).await.map_err(|_| sqlx::Error::PoolClosed)?;
        match &*outcome {
            Some(Outcome::Lost(error)) => Err(StoreError::Unavailable(io::Error::other(Arc::clone(error)).into())),
            Some(Outcome::Untold(error)) => {
                Err(StoreError::AuditUnavailable(io::Error::new(error.kind(), Arc::clone(error)).into()))
            }
            Some(Outcome::Committed) | None => Ok(()),
        }
    }
}

impl Writer {
    /// Connects.
    pub(crate) async fn open(
        options: SqliteConnectOptions,
        sink: Option<AuditSink>,
        patience: Duration,
    ) -> Result<Self, sqlx::Error> {
        let conn = Some(SqliteConnection::connect_with(&options).await?);
        let desk = Desk { options, sink, conn, group: None, stray: false, closed: false };
        Ok(Self { desk: Arc::new(Mutex::new(desk)), patience })
    }

    /// The next unit, in the order of asking, with SQLite's write lock.
    pub(crate) async fn begin(&self) -> Result<Unit, sqlx::Error> {
        let (mut turn, desk) = (self.turn().await?, Arc::clone(&self.desk));
        // Of its own, so that a caller who goes away leaves no savepoint half made: what begins then ends as a unit that is dropped.
        let begun = tokio::spawn(async move {
            let outcome = turn.begin().await?;
            Ok(Unit { turn: Some(turn), desk, outcome })
        });
        begun.await.map_err(|_| sqlx::Error::PoolClosed)?
    }

    /// The connection outside of any transaction: whoever holds it keeps this process's writers out.
    pub(crate) async fn alone(&self) -> Result<Alone, sqlx::Error> {
        let turn = self.turn().await?;
        // Of its own, so that a caller who goes away leaves no COMMIT half told.
        let settled = tokio::spawn(async move {
            let mut turn = turn;
            turn.commit().await;
            turn.connect().await.map(|()| turn)
        });
        settled.await.map_err(|_| sqlx::Error::PoolClosed)?.map(Alone)
    }

    /// Commits what waits and closes the connection.
    pub(crate) async fn close(&self) {
        let mut desk = self.desk.lock().await;
        desk.commit().await;
        desk.closed = true;
        desk.disconnect().await;
    }

    async fn turn(&self) -> Result<OwnedMutexGuard<Desk>, sqlx::Error> {
        let turn = timeout(self.patience, Arc::clone(&self.desk).lock_owned()).await;
        let turn = turn.map_err(|_| sqlx::Error::PoolTimedOut)?;
        if turn.closed { Err(sqlx::Error::PoolClosed) } else { Ok(turn) }
    }
}

impl Desk {
    async fn run(&mut self, sql: &'static str) -> Result<(), sqlx::Error> {
        let conn = self.conn.as_mut().ok_or(sqlx::Error::PoolClosed)?;
        sqlx::raw_sql(sql).execute(conn).await.map(drop)
    }

    async fn connect(&mut self) -> Result<(), sqlx::Error> {
        if self.conn.is_none() {
            self.conn = Some(SqliteConnection::connect_with(&self.options).await?);
        }
        Ok(())
    }

    async fn disconnect(&mut self) {
        if let Some(conn) = self.conn.take() {
            // Whatever it says, it is gone, and what it had not committed with it.
            let _gone = conn.close().await;
        }
    }

    /// Begins a unit, and with the first a group.
    async fn begin(&mut self) -> Result<watch::Receiver<Option<Outcome>>, sqlx::Error> {
        self.tidy().await;
        self.connect().await?;
        let sql = match &self.group {
            None => "-- group.begin\nBEGIN IMMEDIATE",
            Some(Group { kept: false, .. }) => "-- unit.begin\nSAVEPOINT unit",
            Some(Group { kept: true, .. }) => "-- unit.begin\nRELEASE unit; SAVEPOINT unit",
        };
        let group = self.group.get_or_insert_default();
        group.kept = false;
        let (outcome, first) = (group.outcome.subscribe(), group.done == 0);
        match self.run(sql).await {
            Ok(()) => Ok(outcome),
            Err(error) if first && is_busy(&error) => {
                self.group = None;
                Err(error)
            }
            Err(error) => Err(self.lose(error).await),
        }
    }

    /// Takes back what a stray unit wrote.
    async fn tidy(&mut self) {
        if !self.stray {
            return;
        }
        let first = self.group.as_ref().is_none_or(|group| group.done == 0);
        let sql = if first { "-- group.end\nROLLBACK" } else { "-- unit.end\nROLLBACK TO unit; RELEASE unit" };
        let back = self.run(sql).await;
        self.stray = false;
        match back {
            Ok(()) if first => self.group = None,
            Ok(()) => {}
            // SQLite rolls a whole transaction back by itself where the disk is full or fails: then there is nothing to go back to.
            Err(error) if is_misplaced(&error) => self.tell(Outcome::Lost(Arc::new(error))),
            Err(error) => drop(self.lose(error).await),
        }
    }

    /// Makes the open group durable and tells its units.
    async fn commit(&mut self) {
        self.tidy().await;
        let Some(group) = &mut self.group else { return };
        if let Some(sink) = &self.sink
            && let Err(error) = sink.take(std::mem::take(&mut group.lines)).await
        {
            return self.take_back(error).await;
        }
        let units = group.done as u64;
        match self.run("-- group.commit\nCOMMIT").await {
            Ok(()) => {
                metrics::counter!(COMMITS).increment(1);
                metrics::counter!(COMMITTED).increment(units);
                self.tell(Outcome::Committed);
            }
            Err(error) => drop(self.lose(error).await),
        }
    }

    /// Takes back what a whole group wrote that the second sink did not take.
    async fn take_back(&mut self, error: io::Error) {
        match self.run("-- group.end\nROLLBACK").await {
            Ok(()) => self.tell(Outcome::Untold(Arc::new(error))),
            Err(error) => drop(self.lose(error).await),
        }
    }

    /// Gives the group up, with the connection, whose state is not known.
    async fn lose(&mut self, error: sqlx::Error) -> sqlx::Error {
        self.disconnect().await;
        let error = Arc::new(error);
        self.tell(Outcome::Lost(Arc::clone(&error)));
        sqlx::Error::Io(std::io::Error::other(error))
    }

    fn tell(&mut self, outcome: Outcome) {
        if let Some(group) = self.group.take() {
            group.outcome.send_replace(Some(outcome));
        }
    }
}

/// Somebody else holds the write lock.
fn is_busy(error: &sqlx::Error) -> bool {
    is_code(error, "5")
}

/// There is no such savepoint, or no transaction.
fn is_misplaced(error: &sqlx::Error) -> bool {
    is_code(error, "1")
}

fn is_code(error: &sqlx::Error, code: &str) -> bool {
    error.as_database_error().and_then(|e| e.code()).is_some_and(|found| found == code)
}

/// A unit of work in a transaction that it may share. What it wrote is taken back when it is dropped.
#[derive(Debug)]
pub(crate) struct Unit {
    /// `None` once it has ended.
    turn: Option<OwnedMutexGuard<Desk>>,
    desk: Arc<Mutex<Desk>>,
    outcome: watch::Receiver<Option<Outcome>>,
}

impl Unit {
    /// What to wait for before anything that the unit saw is told; `None` where nobody else wrote into its transaction.
    pub(crate) fn seen(&self) -> Option<Seen> {
        let shares = |turn: &OwnedMutexGuard<Desk>| turn.group.as_ref().is_some_and(|group| group.done > 0);
        self.turn.as_ref().is_some_and(shares).then(|| Seen(self.outcome.clone()))
    }

    /// Returns once the unit is durable and the second sink has its lines of the audit.
    ///
    /// # Errors
    /// `AuditUnavailable` where a sink that must take them does not: nothing was written. `Unavailable` leaves open whether it is durable.
    pub(crate) async fn commit(mut self, lines: Vec<String>) -> Result<(), StoreError> {
        let mut turn = self.turn.take().ok_or(sqlx::Error::PoolClosed)?;
        let group = turn.group.as_mut().ok_or(sqlx::Error::PoolClosed)?;
        let first = group.done == 0;
        group.done += 1;
        group.kept = !first;
        group.lines.extend(lines);
        drop(turn);
        if first {
            let desk = Arc::clone(&self.desk);
            // Of its own, so that a caller who goes away takes nobody's COMMIT along.
            tokio::spawn(async move { desk.lock_owned().await.commit().await });
        }
        Seen(self.outcome.clone()).settled().await
    }
}

impl Drop for Unit {
    fn drop(&mut self) {
        let Some(mut turn) = self.turn.take() else { return };
        turn.stray = true;
        // Without a runtime the next to come takes it back.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move { turn.tidy().await });
        }
    }
}

const HELD: &str = "whoever has the turn holds a connection";

impl Deref for Unit {
    type Target = SqliteConnection;
    fn deref(&self) -> &SqliteConnection {
        self.turn.as_ref().and_then(|turn| turn.conn.as_ref()).expect(HELD)
    }
}
impl DerefMut for Unit {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        self.turn.as_mut().and_then(|turn| turn.conn.as_mut()).expect(HELD)
    }
}

/// The turn without a unit.
pub(crate) struct Alone(OwnedMutexGuard<Desk>);

impl Deref for Alone {
    type Target = SqliteConnection;
    fn deref(&self) -> &SqliteConnection {
        self.0.conn.as_ref().expect(HELD)
    }
}
impl DerefMut for Alone {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        self.0.conn.as_mut().expect(HELD)
    }
}
