//! Reading a token without believing it, for people at a terminal.
//!
//! Must never know: keys. Invariant: nothing here returns a type that the rest of the crate takes for checked.

use crate::{
    jws::{MAX_STATUS_LIST_BYTES, Parts},
    refused::Refused,
};
use serde_json::{Map, Value};

/// What a token claims to say. Nobody has checked who wrote it.
#[derive(Debug, Clone, PartialEq)]
pub struct UnverifiedToken {
    /// The header.
    pub header: Map<String, Value>,
    /// The claims.
    pub claims: Map<String, Value>,
}

/// Shows header and claims of a token WITHOUT checking signature, key, issuer or time. Never decide anything on it.
///
/// # Errors
/// [`Refused::Malformed`] where the token is not of the strict form.
pub fn inspect_unverified(token: &str) -> Result<UnverifiedToken, Refused> {
    let parts = Parts::split(token, MAX_STATUS_LIST_BYTES)?;
    let claims = parts.payload()?;
    Ok(UnverifiedToken { header: parts.header, claims })
}
