//! Rows of any table from one engine to the other. Owns how a value of either is told apart: by its column in Postgres's catalog.
//! Must never know: which tables there are. Invariant: a table whose columns are not the same on both sides is not copied.

use super::{CopyError, of_source, of_target};
use crate::{
    conn::{Conn, Row, Value, query},
    failpoint,
};
use futures::{StreamExt as _, TryStreamExt as _};
use sqlx::{AssertSqlSafe, Row as _, SqliteConnection};
use std::fmt::Write as _;
use uuid::Uuid;

/// Rows of one INSERT.
const BATCH: usize = 256;

/// A column of both engines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    kind: Kind,
}

/// What a column holds, as [`Value`] has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Int,
    Text,
    Bytes,
    Id,
}

impl Kind {
    fn read(name: &str) -> Option<Self> {
        match name {
            "bigint" => Some(Self::Int),
            "text" => Some(Self::Text),
            "bytea" => Some(Self::Bytes),
            "uuid" => Some(Self::Id),
            _ => None,
        }
    }
}

/// Copies every row and says after each batch how many it had.
pub(super) async fn copy(
    source: &mut SqliteConnection,
    conn: &mut Conn,
    table: &'static str,
    copied: &mut impl FnMut(u64),
) -> Result<(), CopyError> {
    let columns = columns(source, conn, table).await?;
    let names = columns.iter().map(|column| format!("\"{}\"", column.name)).collect::<Vec<_>>().join(", ");
    // Safe: names of our own tables and of their columns.
    let sql = AssertSqlSafe(format!("-- copy.read\nSELECT {names} FROM {table}"));
    let mut batches = sqlx::query(sql).fetch(source).map_ok(Row::Sqlite).try_chunks(BATCH);
    while let Some(batch) = batches.next().await {
        let batch = batch.map_err(|failed| of_source(failed.1))?;
        insert(conn, (table, &names), &columns, &batch).await?;
        copied(batch.len() as u64);
        failpoint("copy.batch");
    }
    Ok(())
}

async fn insert(
    conn: &mut Conn,
    (table, names): (&'static str, &str),
    columns: &[Column],
    batch: &[Row],
) -> Result<(), CopyError> {
    let mut sql = format!("-- copy.write\nINSERT INTO {table} ({names}) VALUES ");
    for row in 0..batch.len() {
        let places = (1..=columns.len()).map(|column| format!("${}", row * columns.len() + column));
        let comma = if row == 0 { "" } else { ", " };
        // A String takes whatever is written.
        let _ = write!(sql, "{comma}({})", places.collect::<Vec<_>>().join(", "));
    }
    // Safe: as above; values are bound.
    let mut query = query(AssertSqlSafe(sql));
    for row in batch {
        for column in columns {
            query = query.bind(value(row, column).map_err(of_source)?);
        }
    }
    query.execute(conn).await.map(drop).map_err(of_target)
}

/// The columns that both catalogs name, in the target's order.
pub(crate) async fn columns(
    source: &mut SqliteConnection,
    conn: &mut Conn,
    table: &'static str,
) -> Result<Vec<Column>, CopyError> {
    let sql = "-- copy.columns
        SELECT CAST(column_name AS TEXT) AS name, CAST(data_type AS TEXT) AS kind FROM information_schema.columns
        WHERE table_schema = current_schema() AND table_name = $1 ORDER BY ordinal_position";
    let mut columns = Vec::new();
    for row in query(sql).bind(table).fetch_all(conn).await.map_err(of_target)? {
        let kind = Kind::read(row.try_get("kind").map_err(of_target)?).ok_or(CopyError::Unlike(table))?;
        columns.push(Column { name: row.try_get("name").map_err(of_target)?, kind });
    }
    let sql = "-- copy.columns
        SELECT name FROM pragma_table_info($1)";
    let rows = sqlx::query(sql).bind(table).fetch_all(source).await.map_err(of_source)?;
    let mut theirs =
        rows.iter().map(|row| row.try_get("name")).collect::<Result<Vec<String>, _>>().map_err(of_source)?;
    let mut ours: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
    ours.sort_unstable();
    theirs.sort_unstable();
    if ours == theirs { Ok(columns) } else { Err(CopyError::Unlike(table)) }
}

/// A row's value of a column, on either engine.
pub(crate) fn value(row: &Row, Column { name, kind }: &Column) -> Result<Value, sqlx::Error> {
    Ok(match kind {
        Kind::Int => Value::Int(row.try_get(name)?),
        Kind::Text => Value::Text(row.try_get(name)?),
        Kind::Bytes => Value::Bytes(row.try_get(name)?),
        Kind::Id => Value::Id(row.try_get::<Option<Uuid>>(name)?),
    })
}

/// How many rows the source has.
pub(super) async fn count_source(source: &mut SqliteConnection, table: &'static str) -> Result<u64, CopyError> {
    let row = sqlx::query(counting(table)).fetch_one(source).await.map_err(of_source)?;
    row.try_get("rows").map(i64::unsigned_abs).map_err(of_source)
}

/// How many rows the target has.
pub(super) async fn count(conn: &mut Conn, table: &'static str) -> Result<u64, CopyError> {
    let row = query(counting(table)).fetch_one(conn).await.map_err(of_target)?;
    row.try_get("rows").map(i64::unsigned_abs).map_err(of_target)
}

/// Safe: the name of a table of ours.
fn counting(table: &'static str) -> AssertSqlSafe<String> {
    AssertSqlSafe(format!("-- copy.count\nSELECT count(*) AS rows FROM {table}"))
}
