//! One authenticated call: who makes it and how long they wait.
//!
//! Must never know: what is called. Invariant: a call exists only where authentication and the deadline layer passed it.

use crate::{authenticate::Caller, origin::Origin};
use http::Extensions;
use service::deadline::Deadline;
use std::time::Duration;
use wire::Reason;

/// See the module.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call {
    /// Who calls.
    pub(crate) caller: Caller,
    /// When the caller stops waiting, on the monotonic clock.
    pub(crate) deadline: Duration,
    /// Where it comes from.
    pub(crate) origin: Origin,
}

impl Call {
    /// Takes what the layers left in the request.
    ///
    /// # Errors
    /// `INTERNAL` where a layer is missing: a fault of this program, never of a caller.
    pub(crate) fn of(extensions: &Extensions) -> Result<Self, Reason> {
        match (extensions.get::<Caller>(), extensions.get::<Deadline>()) {
            (Some(caller), Some(deadline)) => {
                let origin = extensions.get::<Origin>().copied().unwrap_or_default();
                Ok(Self { caller: *caller, deadline: deadline.at, origin })
            }
            _ => Err(Reason::Internal),
        }
    }
}
