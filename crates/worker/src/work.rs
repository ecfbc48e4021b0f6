//! What an engine thread is asked to do and what it gives back.
//!
//! Invariant: frame bytes are overwritten when the last owner lets go of them, on every path: served, shed, dropped, failed.

use wire::{v1, wipe};

/// The frames of one request; overwritten on drop.
pub(crate) struct Capture(Vec<v1::Frame>);

impl Capture {
    /// Takes the frames over from the request.
    pub(crate) const fn new(frames: Vec<v1::Frame>) -> Self {
        Self(frames)
    }

    /// The frames as they came off the wire.
    pub(crate) fn frames(&self) -> &[v1::Frame] {
        &self.0
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        wipe::frames(&mut self.0);
    }
}

/// One request.
pub(crate) enum Work {
    /// Make a reference from a capture.
    Enroll {
        /// What the gateway knows of the attempt.
        context: v1::AttemptContext,
        /// What the camera saw.
        capture: Capture,
    },
    /// Compare a capture with a reference.
    Verify {
        /// What the gateway knows of the attempt.
        context: v1::AttemptContext,
        /// What the camera saw.
        capture: Capture,
        /// What it is compared with.
        given: Box<Given>,
    },
}

/// A user's references as they lie in the store.
pub(crate) struct Given {
    /// The one that counts.
    pub(crate) reference: v1::SealedReference,
    /// The successor beside it, with the secrets that it was laid out with.
    pub(crate) successor: Option<(v1::SealedReference, v1::WrappedTenantSecrets)>,
    /// What a new successor is laid out with; `None`: none is to be made.
    pub(crate) present_secrets: Option<v1::WrappedTenantSecrets>,
}

impl Work {
    /// Label of metrics and logs.
    pub(crate) const fn purpose(&self) -> &'static str {
        match self {
            Self::Enroll { .. } => "enroll",
            Self::Verify { .. } => "verify",
        }
    }
}

/// What came of it; holds nothing in the clear but outcomes.
pub(crate) enum Answer {
    /// To [`Work::Enroll`].
    Enroll(v1::InferenceServiceEnrollResponse),
    /// To [`Work::Verify`].
    Verify(v1::InferenceServiceVerifyResponse),
}
