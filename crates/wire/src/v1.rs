//! Package `countersign.v1` as generated from `proto/`; nothing here is written by hand.
//!
//! Types implement `prost::Message` and the proto3 JSON mapping (`serde`). Read JSON through [`crate::json::parse`], which
//! also refuses duplicate keys.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::unwrap_used,
    clippy::panic,
    clippy::allow_attributes_without_reason,
    reason = "generated from proto/, where the comments are"
)]

include!(concat!(env!("OUT_DIR"), "/countersign.v1.rs"));
include!(concat!(env!("OUT_DIR"), "/countersign.v1.serde.rs"));
