//! The one table of reasons: what could not be decided and why, as gRPC status, HTTP answer and fixed sentence.
//!
//! Owns stable reason codes (CONTRACT "Outcomes and errors"). Must never know what a component's own errors look like: whoever
//! refuses picks a row. Invariant: a code never changes its meaning, and no sentence holds anything a caller sent.

mod received;
#[cfg(test)]
mod tests;

pub use received::Received;

use biometrics::{Jti, Verdict};
use serde_json::{Value, json};
use std::{collections::HashMap, fmt, time::Duration};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

/// `google.rpc.ErrorInfo.domain` of every reason.
pub const DOMAIN: &str = "countersign.v1";

/// What a caller may do after a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// The same call will be refused again.
    No,
    /// The same call may be sent again, after the stated delay where there is one.
    Yes,
    /// The same call may succeed after the stated delay, but not by an automatic retry.
    Later,
}

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Stable reason code, SCREAMING_SNAKE_CASE.
    pub code: &'static str,
    /// gRPC status.
    pub status: Code,
    /// HTTP status of the JSON answer.
    pub http: u16,
    /// What the caller may do.
    pub retry: Retry,
    /// The fixed sentence.
    pub sentence: &'static str,
}

macro_rules! reasons {
    ($($name:ident $({ $($field:ident: $kind:ty),+ })? = $code:literal $status:ident $http:literal $retry:ident $sentence:literal;)+) => {
        /// Why no decision could be made. Each variant is one row of [`TABLE`]; its fields travel as ErrorInfo metadata.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Reason {
            $(#[doc = $sentence] $name $({ $(#[doc = concat!("Metadata `", stringify!($field), "`.")] $field: $kind),+ })?),+
        }

        /// Every row, in the order of CONTRACT.
        pub const TABLE: &[Row] =
            &[$(Row { code: $code, status: Code::$status, http: $http, retry: Retry::$retry, sentence: $sentence }),+];

        impl Reason {
            /// This reason's row.
            #[must_use]
            pub const fn row(&self) -> &'static Row {
                match self {
                    $(Self::$name { .. } => {
                        &Row { code: $code, status: Code::$status, http: $http, retry: Retry::$retry, sentence: $sentence }
                    })+
                }
            }

            /// The fields of this reason, as ErrorInfo metadata.
            #[must_use]
            pub fn metadata(&self) -> Vec<(&'static str, String)> {
                match self {
                    $(Self::$name $({ $($field),+ })? => vec![$($((stringify!($field), $field.text())),+)?],)+
                }
            }
        }
    };
}

reasons! {
    // malformed field, frame over a limit
    InvalidArgument { field: &'static str } = "INVALID_ARGUMENT" InvalidArgument 400 No "A field of the request is missing or malformed.";
    MalformedJson { line: usize, column: usize } = "MALFORMED_JSON" InvalidArgument 400 No "The body is not the JSON of this request, at the given place.";
    BodyTooLarge = "BODY_TOO_LARGE" InvalidArgument 413 No "The request is larger than this method takes.";
    UnsupportedMediaType = "UNSUPPORTED_MEDIA_TYPE" InvalidArgument 415 No "The body's content type is not application/json.";
    FrameCount { count: usize } = "FRAME_COUNT" InvalidArgument 400 No "A capture holds 1 to 16 frames.";
    FrameTooLarge { index: usize } = "FRAME_TOO_LARGE" InvalidArgument 400 No "A frame is larger than 2 MiB.";
    FramesTooLarge = "FRAMES_TOO_LARGE" InvalidArgument 400 No "The frames are larger than 12 MiB together.";
    FrameFormat { index: usize } = "FRAME_FORMAT" InvalidArgument 400 No "A frame is not of an allowed image format.";
    FrameDimensions { index: usize } = "FRAME_DIMENSIONS" InvalidArgument 400 No "A frame has no pixels or more than 2048 a side.";
    FrameUndecodable { index: usize } = "FRAME_UNDECODABLE" InvalidArgument 400 No "A frame does not decode strictly.";
    DeadlineRequired = "DEADLINE_REQUIRED" InvalidArgument 400 No "A deadline is required: grpc-timeout, or Request-Timeout in seconds.";
    // credentials: uniform text
    Unauthenticated = "UNAUTHENTICATED" Unauthenticated 401 No "No valid credential was given.";
    PermissionDenied = "PERMISSION_DENIED" PermissionDenied 403 No "This credential does not allow that.";
    // state
    NoReference = "NO_REFERENCE" NotFound 404 No "The user has no reference.";
    ReferenceExists = "REFERENCE_EXISTS" AlreadyExists 409 No "The user has a reference and the challenge does not replace it.";
    UnknownChallenge = "UNKNOWN_CHALLENGE" NotFound 404 No "There is no such challenge.";
    UnknownReceipt = "UNKNOWN_RECEIPT" NotFound 404 No "There is no such unexpired receipt.";
    IdempotencyConflict = "IDEMPOTENCY_CONFLICT" AlreadyExists 409 No "The idempotency key was used for another request.";
    ChallengeSpent = "CHALLENGE_SPENT" FailedPrecondition 400 No "The challenge has authorised already.";
    ChallengeExpired = "CHALLENGE_EXPIRED" FailedPrecondition 400 No "The challenge has expired.";
    NoAttemptsLeft = "NO_ATTEMPTS_LEFT" FailedPrecondition 400 No "The challenge has no attempts left.";
    WrongPurpose = "WRONG_PURPOSE" FailedPrecondition 400 No "The challenge is of another purpose.";
    WrongAttempt = "WRONG_ATTEMPT" FailedPrecondition 400 No "The capture answers an attempt that is not the next one.";
    ActionChanged = "ACTION_CHANGED" FailedPrecondition 400 No "The displayed action is not the action of the challenge.";
    FeatureSpace = "FEATURE_SPACE" FailedPrecondition 400 No "The reference belongs to another feature space; enroll again.";
    LegalHold = "LEGAL_HOLD" FailedPrecondition 400 No "The user's data is under a legal hold; a deletion waits for its release.";
    PolicyUnsupported = "POLICY_UNSUPPORTED" FailedPrecondition 400 No "The worker's models cannot serve the tenant's policy.";
    AlreadyDecided { jti: Jti, verdict: Verdict } = "ALREADY_DECIDED" FailedPrecondition 400 No "The attempt was decided; its receipt is not kept.";
    AttemptOpen = "ATTEMPT_OPEN" FailedPrecondition 400 Later "An attempt of this challenge is being decided.";
    Locked { retry_s: u32 } = "LOCKED" FailedPrecondition 400 Later "The user is locked for a time.";
    LockedUntilReset = "LOCKED_UNTIL_RESET" FailedPrecondition 400 No "The user is locked until an operator unlocks or the user enrolls again.";
    Stop = "STOP" FailedPrecondition 400 No "The capture ends here.";
    ClockSkew = "CLOCK_SKEW" FailedPrecondition 400 No "The clocks of gateway and worker differ by more than 5 s.";
    // limits, before an attempt is opened
    RateLimited { retry_s: u32 } = "RATE_LIMITED" ResourceExhausted 429 Yes "Too many calls.";
    QuotaExhausted { retry_s: u32 } = "QUOTA_EXHAUSTED" ResourceExhausted 429 Yes "The user has too many open challenges.";
    Overloaded { retry_s: u32 } = "OVERLOADED" ResourceExhausted 429 Yes "No capacity is free.";
    // our own faults
    UnavailableDatabase = "UNAVAILABLE_DATABASE" Unavailable 503 Yes "The database is unavailable.";
    UnavailableKms = "UNAVAILABLE_KMS" Unavailable 503 Yes "The key service is unavailable.";
    UnavailableWorker = "UNAVAILABLE_WORKER" Unavailable 503 Yes "No worker is available.";
    UnavailableAudit = "UNAVAILABLE_AUDIT" Unavailable 503 Yes "The audit is unavailable.";
    Draining = "DRAINING" Unavailable 503 Yes "The process is shutting down.";
    DeadlineExceeded = "DEADLINE_EXCEEDED" DeadlineExceeded 504 Later "The deadline passed; nothing is done after it.";
    DataLoss = "DATA_LOSS" DataLoss 500 No "A stored envelope does not authenticate.";
    Internal = "INTERNAL" Internal 500 No "Internal error; details are in the log under the request id.";
    Unimplemented = "UNIMPLEMENTED" Unimplemented 501 No "This method is not served yet.";
    UnknownRoute = "UNKNOWN_ROUTE" Unimplemented 404 No "There is nothing at this address.";
    MethodNotAllowed = "METHOD_NOT_ALLOWED" Unimplemented 405 No "This address does not take that HTTP method.";
}

/// How a field of a reason is written as metadata.
trait Text {
    fn text(&self) -> String;
}
macro_rules! text_by_display {
    ($($kind:ty),+) => {$(impl Text for $kind { fn text(&self) -> String { self.to_string() } })+};
}
text_by_display!(&'static str, usize, u32, Jti);
impl Text for Verdict {
    fn text(&self) -> String {
        match self {
            Self::Accept => "ACCEPT".to_owned(),
            Self::Refuse => "REFUSE".to_owned(),
        }
    }
}

impl Reason {
    /// Stable reason code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.row().code
    }

    /// HTTP status of the JSON answer.
    #[must_use]
    pub const fn http(&self) -> u16 {
        self.row().http
    }

    /// The same call may be sent again by a machine.
    #[must_use]
    pub fn retryable(&self) -> bool {
        self.row().retry == Retry::Yes
    }

    /// How long to wait before the next call, where the reason says so.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Locked { retry_s }
            | Self::RateLimited { retry_s }
            | Self::QuotaExhausted { retry_s }
            | Self::Overloaded { retry_s } => Some(Duration::from_secs(*retry_s as u64)),
            _ => None,
        }
    }

    /// What a capture device may learn of this reason: nothing that tells whether the user exists, is locked, or which
    /// reference stands. An envelope that does not authenticate is one more fault of ours.
    #[must_use]
    pub fn for_device(self) -> Self {
        match self {
            Self::NoReference
            | Self::ReferenceExists
            | Self::FeatureSpace
            | Self::LegalHold
            | Self::PolicyUnsupported
            | Self::Locked { .. }
            | Self::LockedUntilReset => Self::Stop,
            Self::DataLoss => Self::Internal,
            other => other,
        }
    }

    /// The gRPC status, with `google.rpc.ErrorInfo` and, where there is a delay, `google.rpc.RetryInfo`.
    #[must_use]
    pub fn status(&self) -> Status {
        let row = self.row();
        let metadata: HashMap<String, String> =
            self.metadata().into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        let mut details = ErrorDetails::with_error_info(row.code, DOMAIN, metadata);
        if let Some(delay) = self.retry_after() {
            details.set_retry_info(Some(delay));
        }
        Status::with_error_details(row.status, row.sentence, details)
    }

    /// The JSON body (AIP-193): `{"error": {code, status, message, details: [ErrorInfo, RetryInfo?]}}`.
    #[must_use]
    pub fn json(&self) -> Value {
        let row = self.row();
        let metadata: serde_json::Map<String, Value> =
            self.metadata().into_iter().map(|(key, value)| (key.to_owned(), value.into())).collect();
        let mut details = vec![json!({
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": row.code, "domain": DOMAIN, "metadata": metadata,
        })];
        if let Some(delay) = self.retry_after() {
            let delay = format!("{}s", delay.as_secs());
            details.push(json!({ "@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay }));
        }
        json!({ "error": { "code": row.http, "status": status_name(row.status), "message": row.sentence, "details": details } })
    }

    /// The whole JSON answer, with `Retry-After` where there is a delay.
    #[must_use]
    pub fn http_response(&self) -> http::Response<bytes::Bytes> {
        let mut response = http::Response::new(bytes::Bytes::from(self.json().to_string()));
        *response.status_mut() =
            http::StatusCode::from_u16(self.http()).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
        if let Some(delay) = self.retry_after() {
            headers.insert(http::header::RETRY_AFTER, delay.as_secs().into());
        }
        response
    }

    /// The whole gRPC answer as a trailers-only HTTP response, for layers that refuse before a service is reached.
    #[must_use]
    pub fn grpc_response<B: Default>(&self) -> http::Response<B> {
        self.status().into_http()
    }

    /// Reads a reason of this domain back out of a status.
    #[must_use]
    pub fn from_status(status: &Status) -> Option<Received> {
        Received::read(status)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code(), self.row().sentence)
    }
}

impl std::error::Error for Reason {}

impl From<Reason> for Status {
    fn from(reason: Reason) -> Self {
        reason.status()
    }
}

/// Name of a status as `google.rpc.Code` spells it.
const fn status_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
