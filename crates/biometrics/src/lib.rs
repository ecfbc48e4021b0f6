//! The vocabulary of ISO/IEC 2382-37 and 30107-3 as types, and the arithmetic on them.
//!
//! Owns ids, features, comparison scores, the keyed transform, gates, policy, the capture script and error rates.
//! Must never know: the wire, SQL, ONNX, pixels, async. Invariant: a value that is not finite never compares as a match.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise"))]

pub mod calibration;
pub mod capture_integrity;
pub mod challenge;
pub mod challenge_response;
pub mod error_rates;
pub mod features;
pub mod gate;
pub mod ids;
pub mod instruction;
pub mod mode;
pub mod observation;
pub mod policy;
pub mod score;
pub mod strikes;
pub mod transform;

pub use calibration::{CalibrationTable, OperatingPoint};
pub use challenge::{CaptureScript, Head, ScriptInputs, Step, Target, blind_guess_bound};
pub use features::{DIMENSION, Features, FeaturesError};
pub use gate::{Gate, GateReason, GateResult, GateStatus, Verdict, decide};
pub use ids::{ChallengeId, HoldId, JobId, Jti, ReferenceId, TenantId, UserId};
pub use instruction::Instruction;
pub use mode::{CaptureMode, Purpose};
pub use policy::Policy;
pub use score::ComparisonScore;
pub use transform::{KeyedTransform, TransformKey};
