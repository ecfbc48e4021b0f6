//! Why a call has no checked answer.
//!
//! Must never know: what the call was about. Invariant: an outcome (a signed refusal) is never one of these.

use std::time::Duration;
use tonic::{Code, Status};
use wire::{Reason, reason::Received, reason::Retry};

/// A call ended without a checked answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// A member of the configuration is unusable.
    #[error("configuration: {0}")]
    Configuration(&'static str),
    /// No connection.
    #[error("no connection to the service")]
    Connect(#[source] tonic::transport::Error),
    /// The deadline passed, waiting between tries included.
    #[error("the deadline passed")]
    Deadline,
    /// The service says that no decision could be made.
    #[error("the service refused the call: {0}")]
    Service(Box<Failure>),
    /// The answer is not what the contract says, at this field.
    #[error("malformed answer: {0}")]
    Answer(&'static str),
    /// The receipt or proof does not check.
    #[error("the signed answer does not check")]
    Receipt(#[from] receipt::Refused),
}

impl ClientError {
    /// The service's stable reason code, where it gave one.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Service(failure) => failure.reason.as_ref().map(|reason| reason.code.as_str()),
            _ => None,
        }
    }
}

/// What is known of a failed call.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{status:?} {} (request {})", self.reason_code(), self.request_id.as_deref().unwrap_or("unknown"))]
pub struct Failure {
    /// The gRPC status.
    pub status: Code,
    /// The reason of `countersign.v1`; absent when no Countersign service answered.
    pub reason: Option<Received>,
    /// Id of the request, to find it in the service's log.
    pub request_id: Option<String>,
}

impl Failure {
    pub(crate) fn new(status: &Status) -> Self {
        let id = status.metadata().get("x-request-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
        Self { status: status.code(), reason: Reason::from_status(status), request_id: id }
    }

    /// Whether the service itself says that the same call may be sent again.
    pub(crate) fn invites_retry(&self) -> bool {
        let row = self.reason.as_ref().and_then(|reason| reason.row);
        row.is_some_and(|row| row.retry == Retry::Yes)
    }

    /// Whether nobody answered: the call may or may not have been served.
    pub(crate) fn is_transport(&self) -> bool {
        self.status == Code::Unavailable && self.reason.is_none()
    }

    pub(crate) fn retry_after(&self) -> Option<Duration> {
        self.reason.as_ref().and_then(|reason| reason.retry_after)
    }

    fn reason_code(&self) -> &str {
        self.reason.as_ref().map_or("no reason", |reason| &reason.code)
    }
}
