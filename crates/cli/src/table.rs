//! Rows of JSON as a table for people.
//!
//! Must never know: what the rows are. Invariant: a table shows nothing that the JSON form of the same rows does not hold.

use comfy_table::{Table, presets};
use serde_json::Value;

/// The columns of the rows, in their order, under their names.
pub(crate) fn of(rows: &[Value], columns: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(columns);
    for row in rows {
        table.add_row(columns.iter().map(|column| match &row[*column] {
            Value::String(text) => text.clone(),
            Value::Null => "-".to_owned(),
            other => other.to_string(),
        }));
    }
    table
}

/// Milliseconds since 1970 as RFC 3339 in UTC, to the second.
pub(crate) fn instant_ms(unix_ms: i64) -> String {
    instant(unix_ms.div_euclid(1000))
}

/// Seconds since 1970 as RFC 3339 in UTC.
pub(crate) fn instant(unix_s: i64) -> String {
    use time::{OffsetDateTime, format_description::well_known::Rfc3339};
    let instant = OffsetDateTime::from_unix_timestamp(unix_s).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    instant.format(&Rfc3339).unwrap_or_default()
}
