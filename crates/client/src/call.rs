//! One call: deadline, credential, and repetition where it is harmless.
//!
//! Must never know: what is called. Invariant: every try carries a `grpc-timeout`, and none starts after the deadline.

use crate::{Client, ClientError, error::Failure};
use backon::{ExponentialBuilder, Retryable as _};
use std::{future::Future, time::Duration};
use tokio::time::{Instant, timeout_at};
use tonic::{Code, Request, Response, Status, transport::Channel};
use wire::v1::verification_service_client::VerificationServiceClient;

/// Whether a call may be sent again when nobody answered it, so that it may have been served already.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unanswered {
    /// Serving it twice is the same as once.
    Repeat,
    /// A second serving would answer otherwise than the first.
    GiveUp,
}

const TRIES: usize = 5;
const FIRST_DELAY: Duration = Duration::from_millis(100);
const LONGEST_DELAY: Duration = Duration::from_secs(5);

impl Client {
    /// Sends a request until it is answered, refused for good, or the deadline passes.
    pub(crate) async fn call<Q, A, F>(
        &self,
        request: Q,
        unanswered: Unanswered,
        send: impl Fn(VerificationServiceClient<Channel>, Request<Q>) -> F,
    ) -> Result<A, ClientError>
    where
        Q: Clone,
        F: Future<Output = Result<Response<A>, Status>>,
    {
        let deadline = Instant::now() + self.deadline;
        let once = || {
            let sent = send(self.service.clone(), self.dressed(request.clone(), deadline));
            async { sent.await.map(Response::into_inner).map_err(|status| Failure::new(&status)) }
        };
        let backoff = ExponentialBuilder::new()
            .with_min_delay(FIRST_DELAY)
            .with_max_delay(LONGEST_DELAY)
            .with_max_times(TRIES - 1)
            .with_jitter();
        let answered = once
            .retry(backoff)
            .sleep(tokio::time::sleep)
            .when(|failure| failure.invites_retry() || (failure.is_transport() && unanswered == Unanswered::Repeat))
            .adjust(|failure, delay| wait(failure, delay, deadline));
        match timeout_at(deadline, answered).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(failure)) if failure.status == Code::DeadlineExceeded => Err(ClientError::Deadline),
            // The channel runs on the same deadline, and may notice it first, as CANCELLED.
            Ok(Err(failure)) if failure.reason.is_none() && Instant::now() >= deadline => Err(ClientError::Deadline),
            Ok(Err(failure)) => Err(ClientError::Service(Box::new(failure))),
            Err(_) => Err(ClientError::Deadline),
        }
    }

    fn dressed<Q>(&self, message: Q, deadline: Instant) -> Request<Q> {
        let mut request = Request::new(message);
        request.set_timeout(deadline.saturating_duration_since(Instant::now()));
        request.metadata_mut().insert("authorization", self.authorization.clone());
        request
    }
}

/// At least as long as the service asks; not at all where that would pass the deadline.
fn wait(failure: &Failure, delay: Option<Duration>, deadline: Instant) -> Option<Duration> {
    let delay = delay?.max(failure.retry_after().unwrap_or_default());
    (Instant::now() + delay < deadline).then_some(delay)
}
