//! The vocabulary of ISO/IEC 2382-37 and 30107-3 as types, and the arithmetic on them.
//!
//! Owns ids, features, comparison scores, the keyed transform, gates, policy, the capture script and error rates.
//! Must never know: the wire, SQL, ONNX, pixels, async. Invariant: a value that is not finite never compares as a match.

pub mod gate;
pub mod ids;
pub mod mode;

pub use gate::{Gate, GateReason, GateResult, GateStatus, Verdict};
pub use ids::{ChallengeId, Jti, ReferenceId, TenantId, UserId};
pub use mode::{CaptureMode, Purpose};
