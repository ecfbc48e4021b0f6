//! Timestamps: `google.protobuf.Timestamp` on the wire, unix milliseconds inside.

use super::invalid;
use crate::{Reason, timestamp::Timestamp};

/// First instant taken, 0001-01-01T00:00:00Z, in unix milliseconds.
const FIRST_MS: i64 = -62_135_596_800_000;
/// Last instant taken, 9999-12-31T23:59:59.999Z, in unix milliseconds.
const LAST_MS: i64 = 253_402_300_799_999;

/// Writes unix milliseconds; instants outside years 1 to 9999 are clamped, as the wire type has no others.
#[must_use]
pub fn timestamp(ms: i64) -> Timestamp {
    let ms = ms.clamp(FIRST_MS, LAST_MS);
    let nanos = i32::try_from(ms.rem_euclid(1000)).unwrap_or_default() * 1_000_000;
    Timestamp { seconds: ms.div_euclid(1000), nanos }
}

/// Reads unix milliseconds, rounding down.
///
/// # Errors
/// `INVALID_ARGUMENT` naming the field: absent, nanos outside 0 to 999,999,999, or outside years 1 to 9999.
pub fn timestamp_ms(value: Option<&Timestamp>, field: &'static str) -> Result<i64, Reason> {
    let value = value.ok_or_else(|| invalid(field))?;
    if !(0..1_000_000_000).contains(&value.nanos) {
        return Err(invalid(field));
    }
    let ms = value.seconds.checked_mul(1000).and_then(|ms| ms.checked_add(i64::from(value.nanos / 1_000_000)));
    ms.filter(|ms| (FIRST_MS..=LAST_MS).contains(ms)).ok_or_else(|| invalid(field))
}
