//! The one place of this process where randomness comes from: the system, through ring.
//!
//! Must never know: what it is for. Invariant: no randomness, no identifier.

use ring::rand::{SecureRandom as _, SystemRandom};
use uuid::{Builder, Uuid};
use wire::Reason;

/// A random UUID (RFC 9562 version 4).
///
/// # Errors
/// `INTERNAL` when the system gives no randomness.
pub(crate) fn uuid() -> Result<Uuid, Reason> {
    let mut bytes = [0; 16];
    SystemRandom::new().fill(&mut bytes).map_err(|_| Reason::Internal)?;
    Ok(Builder::from_random_bytes(bytes).into_uuid())
}
