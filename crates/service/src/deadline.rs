//! Every call has a deadline: read from the request, required, enforced, and handed on.
//!
//! Owns the two spellings, `grpc-timeout` and `Request-Timeout: seconds`. Must never know how a refusal looks: the process
//! gives the answers. Invariant: past its deadline a call's future is dropped, so no work goes on for it here.

mod parse;
#[cfg(test)]
mod tests;

pub use parse::{grpc_timeout, request_timeout};

use crate::Clock;
use axum::body::Body;
use http::{Request, Response, header::CONTENT_TYPE};
use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tower::{Layer, Service};

/// What is wrong with a call's deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeadlineFault {
    /// None was given, or it does not read.
    Missing,
    /// It passed.
    Exceeded,
}

/// When a call's answer is no longer wanted; in request extensions of every call that has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    /// On [`Clock::monotonic`] of the clock that the layer was given.
    pub at: Duration,
}

impl Deadline {
    /// What is left at `now` (`Clock::monotonic`); zero once passed.
    #[must_use]
    pub const fn remaining(&self, now: Duration) -> Duration {
        self.at.saturating_sub(now)
    }
}

/// How deadlines are kept.
#[derive(Debug, Clone)]
pub struct DeadlineLayer {
    /// Clock of [`Deadline::at`].
    pub clock: Clock,
    /// Longest deadline; a longer one is shortened to it.
    pub max: Duration,
    /// Path prefixes that need none (health, reflection, public documents); one that is given still holds.
    pub exempt: &'static [&'static str],
    /// The answer to a fault; the flag says whether the call is gRPC.
    pub answer: fn(DeadlineFault, bool) -> Response<Body>,
}

impl<S> Layer<S> for DeadlineLayer {
    type Service = Deadlined<S>;
    fn layer(&self, inner: S) -> Deadlined<S> {
        Deadlined { inner, settings: self.clone() }
    }
}

/// A service whose calls have deadlines.
#[derive(Debug, Clone)]
pub struct Deadlined<S> {
    inner: S,
    settings: DeadlineLayer,
}

impl<S> Service<Request<Body>> for Deadlined<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let DeadlineLayer { clock, max, exempt, answer } = &self.settings;
        let (answer, is_grpc) = (*answer, is_grpc(&request));
        let Some(left) = given(&request, is_grpc) else {
            if exempt.iter().any(|prefix| request.uri().path().starts_with(prefix)) {
                return Box::pin(self.inner.call(request));
            }
            return Box::pin(async move { Ok(answer(DeadlineFault::Missing, is_grpc)) });
        };
        let left = left.min(*max);
        request.extensions_mut().insert(Deadline { at: clock.monotonic() + left });
        let call = self.inner.call(request);
        Box::pin(async move {
            match tokio::time::timeout(left, call).await {
                Ok(answered) => answered,
                Err(_) => Ok(answer(DeadlineFault::Exceeded, is_grpc)),
            }
        })
    }
}

/// A call of gRPC or grpc-web, by content type.
#[must_use]
pub fn is_grpc<B>(request: &Request<B>) -> bool {
    request.headers().get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

/// The deadline as given: gRPC calls speak `grpc-timeout`, others `Request-Timeout`. Given twice is not given.
fn given(request: &Request<Body>, is_grpc: bool) -> Option<Duration> {
    let name = if is_grpc { "grpc-timeout" } else { "request-timeout" };
    let mut values = request.headers().get_all(name).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let text = value.to_str().ok()?;
    if is_grpc { grpc_timeout(text) } else { request_timeout(text) }
}
