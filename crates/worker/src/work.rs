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
        /// The reference as it lies in the store.
        reference: v1::SealedReference,
    },
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
