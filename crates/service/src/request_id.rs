//! The request id: taken or made, put on the request, the answer and the log.
//!
//! Invariant: an id in a log line is 1 to 64 characters of `[A-Za-z0-9-]`, so nobody writes log lines through it. Paths
//! are logged as routes, never as sent: they may hold a user's name.

use crate::{Clock, deadline::is_grpc};
use axum::{body::Body, extract::MatchedPath};
use http::{HeaderName, HeaderValue, Request, Response};
use ring::rand::{SecureRandom as _, SystemRandom};
use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};
use tower::{Layer, Service};
use tracing::Instrument as _;

/// Header of the request id, on requests and answers.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The request's id, in request extensions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(pub Box<str>);

/// Gives every request an id, a tracing span, a closing log line and a place in `service_request_seconds`.
#[derive(Debug, Clone)]
pub struct RequestIdLayer {
    /// Measures how long requests take.
    pub clock: Clock,
}

impl<S> Layer<S> for RequestIdLayer {
    type Service = Identified<S>;
    fn layer(&self, inner: S) -> Identified<S> {
        Identified { inner, clock: self.clock.clone() }
    }
}

/// A service whose requests have ids.
#[derive(Debug, Clone)]
pub struct Identified<S> {
    inner: S,
    clock: Clock,
}

impl<S> Service<Request<Body>> for Identified<S>
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
        let (header, id) = taken_or_made(&request);
        let route = route(&request);
        let span = tracing::info_span!("request", id = %id.0, method = %request.method(), route = %route);
        request.headers_mut().insert(REQUEST_ID, header.clone());
        request.extensions_mut().insert(id);
        let (clock, begun) = (self.clock.clone(), self.clock.monotonic());
        let call = self.inner.call(request);
        let answered = async move {
            let mut response = call.await?;
            let took = clock.monotonic().saturating_sub(begun);
            let status = response.status().as_u16();
            metrics::histogram!("service_request_seconds", "route" => route.clone(), "status" => status.to_string())
                .record(took.as_secs_f64());
            tracing::info!(status, ms = took.as_millis(), "answered");
            response.headers_mut().insert(REQUEST_ID, header);
            Ok(response)
        };
        Box::pin(answered.instrument(span))
    }
}

/// The caller's id where it is well formed and single, a new one otherwise.
fn taken_or_made(request: &Request<Body>) -> (HeaderValue, RequestId) {
    let allowed =
        |text: &str| (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let mut values = request.headers().get_all(REQUEST_ID).iter();
    if let (Some(value), None) = (values.next(), values.next())
        && let Some(text) = value.to_str().ok().filter(|text| allowed(text))
    {
        return (value.clone(), RequestId(text.into()));
    }
    let text = made();
    let header = HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("none"));
    (header, RequestId(text.into()))
}

/// 128 random bits in hexadecimal; a machine without randomness gets zeros, and has worse problems.
fn made() -> String {
    let mut bits = [0_u8; 16];
    if SystemRandom::new().fill(&mut bits).is_err() {
        tracing::error!("no randomness for a request id");
    }
    format!("{:032x}", u128::from_be_bytes(bits))
}

/// The route as the router states it; a gRPC method by its name, which a matched service has a fixed set of.
fn route(request: &Request<Body>) -> String {
    match request.extensions().get::<MatchedPath>() {
        Some(_) if is_grpc(request) && is_method(request.uri().path()) => request.uri().path().to_owned(),
        Some(matched) => matched.as_str().to_owned(),
        None => "unmatched".to_owned(),
    }
}

/// `/package.Service/Method`, letters, digits, dots and underscores, 96 at most.
fn is_method(path: &str) -> bool {
    path.len() <= 96 && path.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'/' | b'_'))
}

#[cfg(test)]
mod tests;
