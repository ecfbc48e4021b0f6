//! Domain words as they lie in columns. Owns both directions. Must never know: statements. Invariant: a text that is
//! not one of the words is a corrupt row, never a default.

use crate::StoreError;
use biometrics::{CaptureMode, Purpose, UserId, Verdict};

pub(crate) const fn purpose(value: Purpose) -> &'static str {
    match value {
        Purpose::Enroll => "ENROLL",
        Purpose::Verify => "VERIFY",
    }
}

pub(crate) fn read_purpose(text: &str) -> Result<Purpose, StoreError> {
    match text {
        "ENROLL" => Ok(Purpose::Enroll),
        "VERIFY" => Ok(Purpose::Verify),
        _ => Err(StoreError::Corrupt("purpose")),
    }
}

pub(crate) const fn mode(value: CaptureMode) -> &'static str {
    match value {
        CaptureMode::Passive => "PASSIVE",
        CaptureMode::Motion => "MOTION",
        CaptureMode::Light => "LIGHT",
        CaptureMode::LightAndMotion => "LIGHT_AND_MOTION",
    }
}

pub(crate) fn read_mode(text: &str) -> Result<CaptureMode, StoreError> {
    match text {
        "PASSIVE" => Ok(CaptureMode::Passive),
        "MOTION" => Ok(CaptureMode::Motion),
        "LIGHT" => Ok(CaptureMode::Light),
        "LIGHT_AND_MOTION" => Ok(CaptureMode::LightAndMotion),
        _ => Err(StoreError::Corrupt("mode")),
    }
}

pub(crate) const fn verdict(value: Verdict) -> &'static str {
    match value {
        Verdict::Accept => "ACCEPT",
        Verdict::Refuse => "REFUSE",
    }
}

pub(crate) fn read_verdict(text: &str) -> Result<Verdict, StoreError> {
    match text {
        "ACCEPT" => Ok(Verdict::Accept),
        "REFUSE" => Ok(Verdict::Refuse),
        _ => Err(StoreError::Corrupt("verdict")),
    }
}

pub(crate) fn read_user(text: &str) -> Result<UserId, StoreError> {
    text.parse().map_err(|_| StoreError::Corrupt("user_id"))
}

/// A 32-byte column.
pub(crate) fn read_hash(bytes: &[u8]) -> Result<[u8; 32], StoreError> {
    bytes.try_into().map_err(|_| StoreError::Corrupt("hash"))
}

/// A column that holds a count, version or number from 0.
pub(crate) fn read_u32(value: i64) -> Result<u32, StoreError> {
    u32::try_from(value).map_err(|_| StoreError::Corrupt("number"))
}
