//! Public documents: key sets, signed by the root elsewhere and served as they lie on disk.
//!
//! Must never know: a private key. Invariant: what is served is byte for byte what was read at start.

use crate::{GatewayError, config};
use axum::{Router, response::IntoResponse, routing::get};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use std::{fs, path::Path};

/// Paths of the documents, which need no deadline and no credential.
pub(crate) const PREFIX: &str = "/.well-known/";
/// How long a copy may be kept: key sets change by rotation only, and tenants pin the root.
const FRESH: &str = "public, max-age=60";

/// Routes of the three documents.
///
/// # Errors
/// [`GatewayError::File`] when one does not read.
pub(crate) fn routes(config: &config::Documents) -> Result<Router, GatewayError> {
    Ok(Router::new()
        .route("/.well-known/jwks.json", document(&config.jwks)?)
        .route("/.well-known/test-jwks.json", document(&config.test_jwks)?)
        .route("/.well-known/ledger-jwks.json", document(&config.ledger_jwks)?))
}

fn document(path: &Path) -> Result<axum::routing::MethodRouter, GatewayError> {
    let content = fs::read(path).map_err(|source| GatewayError::File { path: path.to_owned(), source })?;
    let content = Bytes::from(content);
    Ok(get(async move || {
        let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, FRESH)];
        (headers, content).into_response()
    }))
}
