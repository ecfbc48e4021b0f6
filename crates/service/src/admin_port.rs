//! What probes and scrapers read, on a port of its own: `/healthz`, `/readyz`, `/metrics`. No secret is behind it, and it
//! has no TLS: bind it to loopback or a pod network.

use crate::readiness::{Readiness, State};
use axum::{Router, extract, http::StatusCode, routing::get};
use metrics_exporter_prometheus::PrometheusHandle;

/// Routes of the admin port. `/healthz` answers 200 while the process lives, `/readyz` 503 unless it takes work.
pub fn router(readiness: Readiness, metrics: PrometheusHandle) -> Router {
    let ready = async |extract::State(readiness): extract::State<Readiness>| match readiness.state() {
        State::Ready => (StatusCode::OK, "ready\n"),
        State::Starting => (StatusCode::SERVICE_UNAVAILABLE, "starting\n"),
        State::Draining => (StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
    };
    let scrape = async move || ([("content-type", "text/plain; version=0.0.4; charset=utf-8")], metrics.render());
    Router::new()
        .route("/healthz", get(async || "alive\n"))
        .route("/readyz", get(ready).with_state(readiness))
        .route("/metrics", get(scrape))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::{body::Body, http::Request};
    use tower::ServiceExt as _;

    async fn status(router: &Router, path: &str) -> StatusCode {
        router.clone().oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap().status()
    }

    #[tokio::test]
    async fn readyz_follows_readiness_and_healthz_does_not() {
        let readiness = Readiness::starting();
        let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
        let router = router(readiness.clone(), recorder.handle());
        assert_eq!(status(&router, "/readyz").await, 503);
        readiness.set_ready();
        assert_eq!(status(&router, "/readyz").await, 200);
        readiness.set_draining();
        assert_eq!(status(&router, "/readyz").await, 503);
        assert_eq!(status(&router, "/healthz").await, 200);
        assert_eq!(status(&router, "/metrics").await, 200);
        assert_eq!(status(&router, "/v1/challenges").await, 404);
    }
}
