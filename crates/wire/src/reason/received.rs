//! A reason as it comes back from a peer: what can be known of it, without trusting the peer's words.

use super::{DOMAIN, Reason, Row, TABLE};
use biometrics::Verdict;
use std::{collections::HashMap, time::Duration};
use tonic::Status;
use tonic_types::StatusExt as _;

/// A reason read out of a peer's status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Row of our own table; an unknown code has none.
    pub row: Option<&'static Row>,
    /// The code as the peer wrote it.
    pub code: String,
    /// Metadata as the peer wrote it.
    pub metadata: HashMap<String, String>,
    /// Delay before the next call.
    pub retry_after: Option<Duration>,
}

impl Received {
    /// Reads ErrorInfo and RetryInfo; `None` when the status carries no reason of our domain.
    pub(super) fn read(status: &Status) -> Option<Self> {
        let info = status.get_details_error_info().filter(|info| info.domain == DOMAIN)?;
        Some(Self {
            row: TABLE.iter().find(|row| row.code == info.reason && row.status == status.code()),
            code: info.reason,
            metadata: info.metadata,
            retry_after: status.get_details_retry_info().and_then(|info| info.retry_delay),
        })
    }

    /// The reason itself, where code and metadata are ones that a worker sends: what a gateway may pass on.
    /// Anything else is `None`, to be answered as INTERNAL.
    #[must_use]
    pub fn reason(&self) -> Option<Reason> {
        let number = |key: &str| self.metadata.get(key)?.parse().ok();
        let retry_s = || u32::try_from(self.retry_after?.as_secs()).ok();
        Some(match self.row?.code {
            "INVALID_ARGUMENT" => Reason::InvalidArgument { field: "request" },
            "FRAME_COUNT" => Reason::FrameCount { count: number("count")? },
            "FRAME_TOO_LARGE" => Reason::FrameTooLarge { index: number("index")? },
            "FRAMES_TOO_LARGE" => Reason::FramesTooLarge,
            "FRAME_FORMAT" => Reason::FrameFormat { index: number("index")? },
            "FRAME_DIMENSIONS" => Reason::FrameDimensions { index: number("index")? },
            "FRAME_UNDECODABLE" => Reason::FrameUndecodable { index: number("index")? },
            "ACTION_CHANGED" => Reason::ActionChanged,
            "FEATURE_SPACE" => Reason::FeatureSpace,
            "POLICY_UNSUPPORTED" => Reason::PolicyUnsupported,
            "ALREADY_DECIDED" => Reason::AlreadyDecided {
                jti: self.metadata.get("jti")?.parse().ok()?,
                verdict: match self.metadata.get("verdict")?.as_str() {
                    "ACCEPT" => Verdict::Accept,
                    "REFUSE" => Verdict::Refuse,
                    _ => return None,
                },
            },
            "CLOCK_SKEW" => Reason::ClockSkew,
            "OVERLOADED" => Reason::Overloaded { retry_s: retry_s()? },
            "UNAVAILABLE_KMS" => Reason::UnavailableKms,
            "UNAVAILABLE_WORKER" => Reason::UnavailableWorker,
            "DRAINING" => Reason::Draining,
            "DEADLINE_REQUIRED" => Reason::DeadlineRequired,
            "DEADLINE_EXCEEDED" => Reason::DeadlineExceeded,
            "DATA_LOSS" => Reason::DataLoss,
            "UNIMPLEMENTED" => Reason::Unimplemented,
            _ => return None,
        })
    }
}
