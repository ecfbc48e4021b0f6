//! Pixels to evidence: model packs, ONNX sessions, strict decoding, the face pipeline and the measurements of gates 1 and 2.
//!
//! Owns everything that touches a picture. Must never know: keys, the wire, tenants, SQL, async, clocks.
//! Invariant: nothing is loaded from a pack that its manifest does not vouch for, and what cannot be judged is INCONCLUSIVE,
//! never PASS.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "tests"))]

mod alignment;
mod capture_integrity;
mod challenge_response;
mod decode;
mod detector;
mod engine;
mod error;
mod evidence;
mod integrity;
mod mesh;
pub mod pack;
mod picture;
mod presentation_attack;
mod quality;
mod resample;
mod runtime;
mod segments;
mod session;

pub use decode::{MAX_FRAME_BYTES, MAX_SIDE_PX};
pub use engine::{Engine, EngineOptions, Role};
pub use error::{FrameFault, VisionError};
pub use evidence::{Evidence, ExamineOptions, Face, Frame, FrameEvidence, Point, Pose, Rectangle, Sample};
pub use pack::{Pack, PackError, PackFault, PreviousPack};
pub use presentation_attack::fuse as fuse_bona_fide;
pub use quality::MIN_INTER_EYE_PX;
pub use runtime::{Runtime, RuntimeError};
