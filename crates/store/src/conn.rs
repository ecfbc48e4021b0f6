//! One connection of either engine and statements on it. Owns how values are bound and columns are read. Must never know:
//! tables, tenants. Invariant: a statement reads the same on both engines (`$1` placeholders, the SQL that Postgres-wire
//! distributed databases take, booleans as 0 and 1, ids as UUIDs, JSON as text), so each function has one body.

use crate::{
    StoreError,
    sink::AuditSink,
    sqlite::{Seen, Unit},
};
use sqlx::{
    Database, Decode, Encode, PgConnection, Postgres, Row as _, SqlSafeStr, SqlStr, Sqlite, SqliteConnection, Type,
    pool::PoolConnection, postgres::PgRow, sqlite::SqliteRow,
};
use std::{
    io,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use uuid::Uuid;

/// A connection that a statement can run on. On Postgres it is always inside a transaction.
#[derive(Debug)]
pub(crate) struct Conn {
    link: Link,
    /// A statement failed, so Postgres takes no other in this transaction; the same holds for SQLite by our own law.
    failed: bool,
    /// Lines of the audit that this transaction wrote, where a second sink is to take them.
    said: Option<Vec<String>>,
}

/// Which engine, and for what.
#[derive(Debug)]
pub(crate) enum Link {
    /// Reads SQLite.
    Reader(PoolConnection<Sqlite>),
    /// Holds SQLite's write lock.
    Writer(Unit),
    /// Reads or writes Postgres.
    Postgres {
        /// Its pool ends whatever transaction is left open when it comes back.
        conn: PoolConnection<Postgres>,
        /// How long a statement may take as seen from here, where the server itself may be gone.
        patience: Duration,
    },
}

/// The driver's own connection.
enum Driver<'c> {
    Sqlite(&'c mut SqliteConnection),
    Postgres(&'c mut PgConnection, Duration),
}

impl From<Link> for Conn {
    fn from(link: Link) -> Self {
        Self { link, failed: false, said: None }
    }
}

impl Conn {
    fn driver(&mut self) -> Driver<'_> {
        match &mut self.link {
            Link::Reader(conn) => Driver::Sqlite(conn),
            Link::Writer(unit) => Driver::Sqlite(unit),
            Link::Postgres { conn, patience } => Driver::Postgres(conn, *patience),
        }
    }

    fn noted<T>(&mut self, result: Result<T, sqlx::Error>) -> Result<T, sqlx::Error> {
        self.failed |= result.is_err();
        result
    }

    /// Keeps the lines of the audit from now on.
    pub(crate) fn keep_lines(&mut self) {
        self.said = Some(Vec::new());
    }

    /// Notes a line of the audit where lines are kept.
    pub(crate) fn note(&mut self, line: impl FnOnce() -> String) {
        if let Some(said) = &mut self.said {
            said.push(line());
        }
    }

    /// Runs statements without values.
    pub(crate) async fn batch(&mut self, sql: impl SqlSafeStr) -> Result<(), sqlx::Error> {
        let result = match self.driver() {
            Driver::Sqlite(conn) => sqlx::raw_sql(sql).execute(conn).await.map(drop),
            Driver::Postgres(conn, patience) => within(patience, sqlx::raw_sql(sql).execute(conn)).await.map(drop),
        };
        self.noted(result)
    }

    /// Has the second sink take the audit's lines, then makes the transaction durable. An error leaves open whether it is, unless a
    /// statement had failed before or the sink did not take them.
    pub(crate) async fn commit(mut self, sink: Option<&AuditSink>) -> Result<(), StoreError> {
        if self.failed {
            let only_back = "a statement of this transaction failed: it only rolls back";
            return Err(sqlx::Error::Protocol(only_back.into()).into());
        }
        let lines = self.said.take().unwrap_or_default();
        match self.link {
            Link::Writer(unit) => return unit.commit(lines).await,
            link => self.link = link,
        }
        if let Some(sink) = sink {
            sink.take(lines).await.map_err(|error| StoreError::AuditUnavailable(error.into()))?;
        }
        Ok(self.batch("COMMIT").await?)
    }

    /// What to wait for before anything that was read here is told; see [`Seen`].
    pub(crate) fn seen(&self) -> Option<Seen> {
        if let Link::Writer(unit) = &self.link { unit.seen() } else { None }
    }

    /// Whether the engine is Postgres.
    pub(crate) const fn is_postgres(&self) -> bool {
        matches!(self.link, Link::Postgres { .. })
    }
}

const POSTGRES_CLOCK: &str = "-- clock.now
    SELECT CAST(floor(extract(epoch FROM clock_timestamp()) * 1000) AS BIGINT) AS now";

/// The database's time, Unix milliseconds.
pub(crate) async fn now_ms(conn: &mut Conn) -> Result<i64, sqlx::Error> {
    if conn.is_postgres() { query(POSTGRES_CLOCK).fetch_one(conn).await?.try_get("now") } else { sqlite_now_ms() }
}

/// The same of SQLite, which has no clock but this machine's and need not be asked.
#[expect(clippy::disallowed_methods, reason = "it is SQLite's own clock: its unixepoch('subsec') reads this one")]
pub(crate) fn sqlite_now_ms() -> Result<i64, sqlx::Error> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).ok();
    let now = since.and_then(|since| i64::try_from(since.as_millis()).ok());
    now.ok_or_else(|| sqlx::Error::Io(io::Error::other("this machine's clock is before 1970")))
}

/// A value of a column, NULL where it is `None`.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    /// Numbers, times and booleans: BIGINT.
    Int(Option<i64>),
    /// Text and JSON.
    Text(Option<String>),
    /// BLOB, BYTEA.
    Bytes(Option<Vec<u8>>),
    /// A 16-byte BLOB, UUID.
    Id(Option<Uuid>),
}

macro_rules! values {
    ($($variant:ident($make:expr): $($from:ty),+;)+) => { $($(
        impl From<$from> for Value {
            fn from(value: $from) -> Self {
                Self::$variant(Some($make(value)))
            }
        }
        impl From<Option<$from>> for Value {
            fn from(value: Option<$from>) -> Self {
                Self::$variant(value.map(|value| $make(value)))
            }
        }
    )+)+ };
}
values! {
    Int(i64::from): i64, u32, bool;
    Text(String::from): String, &String, &str;
    Bytes(Vec::from): Vec<u8>;
    Bytes(<[u8]>::to_vec): &Vec<u8>, &[u8];
    Id(Uuid::from): Uuid;
}

/// A statement that is to run.
#[must_use]
pub(crate) struct Query {
    sql: SqlStr,
    values: Vec<Value>,
}

/// A statement, which opens with a comment that names it.
pub(crate) fn query(sql: impl SqlSafeStr) -> Query {
    Query { sql: sql.into_sql_str(), values: Vec::new() }
}

impl Query {
    /// The value of the next placeholder, from `$1`.
    pub(crate) fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    fn bound<DB: Database>(self) -> sqlx::query::Query<'static, DB, DB::Arguments>
    where
        Option<i64>: for<'t> Encode<'t, DB> + Type<DB>,
        Option<String>: for<'t> Encode<'t, DB> + Type<DB>,
        Option<Vec<u8>>: for<'t> Encode<'t, DB> + Type<DB>,
        Option<Uuid>: for<'t> Encode<'t, DB> + Type<DB>,
    {
        self.values.into_iter().fold(sqlx::query(self.sql), |query, value| match value {
            Value::Int(value) => query.bind(value),
            Value::Text(value) => query.bind(value),
            Value::Bytes(value) => query.bind(value),
            Value::Id(value) => query.bind(value),
        })
    }

    /// How many rows it changed.
    pub(crate) async fn execute(self, conn: &mut Conn) -> Result<u64, sqlx::Error> {
        let result = match conn.driver() {
            Driver::Sqlite(conn) => self.bound::<Sqlite>().execute(conn).await.map(|done| done.rows_affected()),
            Driver::Postgres(conn, patience) => {
                within(patience, self.bound::<Postgres>().execute(conn)).await.map(|done| done.rows_affected())
            }
        };
        conn.noted(result)
    }

    /// Every row.
    pub(crate) async fn fetch_all(self, conn: &mut Conn) -> Result<Vec<Row>, sqlx::Error> {
        let result = match conn.driver() {
            Driver::Sqlite(conn) => {
                let rows = self.bound::<Sqlite>().fetch_all(conn).await;
                rows.map(|rows| rows.into_iter().map(Row::Sqlite).collect())
            }
            Driver::Postgres(conn, patience) => {
                let rows = within(patience, self.bound::<Postgres>().fetch_all(conn)).await;
                rows.map(|rows| rows.into_iter().map(Row::Postgres).collect())
            }
        };
        conn.noted(result)
    }

    /// The first row, if there is one.
    pub(crate) async fn fetch_optional(self, conn: &mut Conn) -> Result<Option<Row>, sqlx::Error> {
        let result = match conn.driver() {
            Driver::Sqlite(conn) => self.bound::<Sqlite>().fetch_optional(conn).await.map(|row| row.map(Row::Sqlite)),
            Driver::Postgres(conn, patience) => {
                let row = within(patience, self.bound::<Postgres>().fetch_optional(conn)).await;
                row.map(|row| row.map(Row::Postgres))
            }
        };
        conn.noted(result)
    }

    /// The row that must be there.
    pub(crate) async fn fetch_one(self, conn: &mut Conn) -> Result<Row, sqlx::Error> {
        self.fetch_optional(conn).await?.ok_or(sqlx::Error::RowNotFound)
    }
}

/// A type that reads from a column of either engine: `i64`, `String`, `&str`, `Vec<u8>`, `&[u8]`, `Uuid`, `Option` of them.
pub(crate) trait Stored<'r>: Decode<'r, Sqlite> + Type<Sqlite> + Decode<'r, Postgres> + Type<Postgres> {}
impl<'r, T: Decode<'r, Sqlite> + Type<Sqlite> + Decode<'r, Postgres> + Type<Postgres>> Stored<'r> for T {}

/// A row of either engine.
pub(crate) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

impl Row {
    /// The column of this name.
    pub(crate) fn try_get<'r, T: Stored<'r>>(&'r self, column: &str) -> Result<T, sqlx::Error> {
        match self {
            Self::Sqlite(row) => row.try_get(column),
            Self::Postgres(row) => row.try_get(column),
        }
    }

    /// The boolean of this name.
    pub(crate) fn flag(&self, column: &str) -> Result<bool, sqlx::Error> {
        match self.try_get::<i64>(column)? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(sqlx::Error::Decode(format!("{column} is {other}, not 0 or 1").into())),
        }
    }
}

/// A server that says nothing for so long counts as gone.
async fn within<T>(
    patience: Duration,
    statement: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    let silent = |_| Err(sqlx::Error::Io(io::ErrorKind::TimedOut.into()));
    tokio::time::timeout(patience, statement).await.unwrap_or_else(silent)
}
