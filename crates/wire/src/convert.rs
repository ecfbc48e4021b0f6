//! The only conversions between wire and domain. Reading checks, writing cannot fail.
//!
//! Invariant: a domain value made here is well formed; an unknown or unspecified enum value is refused by field name,
//! never taken as something else.

mod action;
mod script;
#[cfg(test)]
mod tests;
mod time;

pub use action::{action, action_to_wire};
pub use script::{script, script_to_wire};
pub use time::{timestamp, timestamp_ms};

use crate::{Reason, v1};
use biometrics::{CaptureMode, Gate, GateReason, GateResult, GateStatus, Purpose, Verdict};
use serde::{Deserialize as _, de::IntoDeserializer, de::value::Error as ValueError};
use std::str::FromStr;

/// Refusal of one field.
const fn invalid(field: &'static str) -> Reason {
    Reason::InvalidArgument { field }
}

/// Reads an identifier (or anything else that parses), naming the field where it does not.
///
/// # Errors
/// `INVALID_ARGUMENT` with the field.
pub fn parsed<T: FromStr>(text: &str, field: &'static str) -> Result<T, Reason> {
    text.parse().map_err(|_| invalid(field))
}

/// Takes a message field that must be there.
///
/// # Errors
/// `INVALID_ARGUMENT` with the field.
pub fn required<T>(value: Option<T>, field: &'static str) -> Result<T, Reason> {
    value.ok_or_else(|| invalid(field))
}

/// Takes bytes of a fixed length.
///
/// # Errors
/// `INVALID_ARGUMENT` with the field.
pub fn fixed<const N: usize>(bytes: &[u8], field: &'static str) -> Result<[u8; N], Reason> {
    bytes.try_into().map_err(|_| invalid(field))
}

macro_rules! enums {
    ($($(#[$doc:meta])* $read:ident $write:ident $wire:ident $domain:ident $field:literal { $($variant:ident),+ })+) => {$(
        $(#[$doc])*
        ///
        /// # Errors
        /// `INVALID_ARGUMENT` for an unspecified or unknown value.
        pub fn $read(value: i32) -> Result<$domain, Reason> {
            match v1::$wire::try_from(value) {
                $(Ok(v1::$wire::$variant) => Ok($domain::$variant),)+
                Ok(v1::$wire::Unspecified) | Err(_) => Err(invalid($field)),
            }
        }
        #[doc = concat!("Writes what [`", stringify!($read), "`] reads.")]
        #[must_use]
        pub const fn $write(value: $domain) -> v1::$wire {
            match value {
                $($domain::$variant => v1::$wire::$variant,)+
            }
        }
    )+};
}

enums! {
    /// What a challenge is for.
    purpose purpose_to_wire Purpose Purpose "purpose" { Enroll, Verify }
    /// One of the five gates.
    gate gate_to_wire Gate Gate "gate" {
        CaptureIntegrity, Quality, PresentationAttack, ChallengeResponse, Comparison
    }
    /// What a gate found.
    gate_status gate_status_to_wire GateStatus GateStatus "status" { Pass, Fail, Inconclusive, NotRun }
    /// The decision.
    verdict verdict_to_wire Verdict Verdict "verdict" { Accept, Refuse }
    /// What the capture performs, stated. Where unspecified means the policy's choice, see [`capture_mode_or`].
    capture_mode capture_mode_to_wire CaptureMode CaptureMode "mode" { Passive, Motion, Light, LightAndMotion }
}

/// What the capture performs; unspecified takes the policy's default.
///
/// # Errors
/// `INVALID_ARGUMENT` for an unknown value.
pub fn capture_mode_or(value: i32, default: CaptureMode) -> Result<CaptureMode, Reason> {
    if value == v1::CaptureMode::Unspecified as i32 { Ok(default) } else { capture_mode(value) }
}

/// A list of gates without repetition, in any order.
///
/// # Errors
/// `INVALID_ARGUMENT` for an unknown or repeated gate.
pub fn gates(values: &[i32]) -> Result<Vec<Gate>, Reason> {
    let mut gates = values.iter().map(|value| gate(*value)).collect::<Result<Vec<_>, _>>()?;
    let given = gates.len();
    gates.sort_unstable();
    gates.dedup();
    if gates.len() == given { Ok(gates) } else { Err(invalid("gate")) }
}

/// Gates as the wire writes a repeated enum.
#[must_use]
pub fn gates_to_wire(gates: &[Gate]) -> Vec<i32> {
    gates.iter().map(|gate| gate_to_wire(*gate).into()).collect()
}

/// One gate's result.
///
/// # Errors
/// `INVALID_ARGUMENT` naming the field: unknown gate, status or reason code, or a version past 64 characters.
pub fn gate_result(value: &v1::GateResult) -> Result<GateResult, Reason> {
    if value.version.len() > 64 {
        return Err(invalid("version"));
    }
    Ok(GateResult {
        gate: gate(value.gate)?,
        status: gate_status(value.status)?,
        reasons: value.reasons.iter().map(|code| gate_reason(code)).collect::<Result<_, _>>()?,
        version: value.version.clone().into(),
    })
}

/// One gate's result, for the wire.
#[must_use]
pub fn gate_result_to_wire(value: &GateResult) -> v1::GateResult {
    v1::GateResult {
        gate: gate_to_wire(value.gate).into(),
        status: gate_status_to_wire(value.status).into(),
        reasons: value.reasons.iter().map(|reason| gate_reason_code(*reason)).collect(),
        version: value.version.to_string(),
    }
}

/// All five results, exactly the five gates in their order.
///
/// # Errors
/// `INVALID_ARGUMENT` naming `gates` for another list, or the field of one result.
pub fn gate_results(values: &[v1::GateResult]) -> Result<Vec<GateResult>, Reason> {
    let results = values.iter().map(gate_result).collect::<Result<Vec<_>, _>>()?;
    if results.iter().map(|result| result.gate).eq(Gate::ALL) { Ok(results) } else { Err(invalid("gates")) }
}

/// A gate's reason from its stable code.
///
/// # Errors
/// `INVALID_ARGUMENT` for an unknown code.
pub fn gate_reason(code: &str) -> Result<GateReason, Reason> {
    GateReason::deserialize(IntoDeserializer::<ValueError>::into_deserializer(code)).map_err(|_| invalid("reasons"))
}

/// The stable code of a gate's reason, such as `QUALITY_SHARPNESS`.
#[must_use]
pub fn gate_reason_code(reason: GateReason) -> String {
    match serde_json::to_value(reason) {
        Ok(serde_json::Value::String(code)) => code,
        _ => String::new(),
    }
}
