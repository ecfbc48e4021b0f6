//! The language spoken on the wire: generated protobuf types and services, their proto3 JSON mapping, the only
//! conversions between wire and domain, header checks of frames, and the one table of reasons.
//!
//! Must never know: SQL, keys, pixels. Invariant: nothing read from the wire panics, and every refusal is a [`Reason`].

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise"))]

pub mod convert;
pub mod frames;
pub mod json;
pub mod reason;
mod redact;
pub mod timestamp;
pub mod v1;
pub mod wipe;

pub use reason::Reason;

/// The protos as an encoded `google.protobuf.FileDescriptorSet`, imports included; what reflection serves.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
