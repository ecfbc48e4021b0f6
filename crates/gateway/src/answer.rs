//! Refusals as HTTP responses, for callers of gRPC and of JSON alike.
//!
//! Must never know: why something was refused. Invariant: the words come from the table in `wire`.

use axum::{body::Body, response::Response};
use http::{HeaderMap, header::CONTENT_TYPE};
use wire::Reason;

/// Whether a request speaks gRPC.
pub(crate) fn is_grpc(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
}

/// The refusal in the caller's own protocol.
pub(crate) fn refusal(reason: &Reason, grpc: bool) -> Response {
    if grpc { reason.grpc_response().map(|()| Body::empty()) } else { reason.http_response().map(Body::from) }
}
