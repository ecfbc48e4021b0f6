//! Missing, malformed, passed and kept, for gRPC and JSON.

use super::*;
use axum::{Router, body::to_bytes, routing::post};
use proptest::prelude::*;
use std::{future::pending, sync::Arc};
use tokio::sync::Notify;
use tower::ServiceExt as _;

fn answer(fault: DeadlineFault, is_grpc: bool) -> Response<Body> {
    Response::new(Body::from(format!("{fault:?} {is_grpc}")))
}

fn router(clock: &Clock) -> Router {
    let shown = async |request: Request<Body>| {
        request.extensions().get::<Deadline>().map_or("none".to_owned(), |deadline| deadline.at.as_millis().to_string())
    };
    let layer = DeadlineLayer {
        clock: clock.clone(),
        max: Duration::from_secs(30),
        exempt: &["/grpc.health.v1.Health/", "/.well-known/"],
        answer,
    };
    Router::new()
        .route("/shown", post(shown))
        .route("/.well-known/jwks.json", post(shown))
        .route("/grpc.health.v1.Health/Check", post(shown))
        .route("/never", post(async || pending::<()>().await))
        .layer(layer)
}

async fn call(path: &str, headers: &[(&'static str, &str)]) -> String {
    let clock = Clock::manual(0);
    clock.advance(Duration::from_secs(1));
    let mut request = Request::post(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = router(&clock).oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    String::from_utf8(to_bytes(response.into_body(), 1024).await.unwrap().to_vec()).unwrap()
}

const GRPC: (&str, &str) = ("content-type", "application/grpc+proto");

#[tokio::test]
async fn a_call_without_a_deadline_is_refused_in_its_own_language() {
    assert_eq!(call("/shown", &[]).await, "Missing false");
    assert_eq!(call("/shown", &[GRPC]).await, "Missing true");
    assert_eq!(call("/shown", &[GRPC, ("request-timeout", "5")]).await, "Missing true");
    assert_eq!(call("/shown", &[("grpc-timeout", "5S")]).await, "Missing false");
    assert_eq!(call("/shown", &[("request-timeout", "soon")]).await, "Missing false");
    assert_eq!(call("/shown", &[("request-timeout", "5"), ("request-timeout", "5")]).await, "Missing false");
}

#[tokio::test]
async fn a_deadline_is_handed_on_and_shortened_to_the_maximum() {
    assert_eq!(call("/shown", &[("request-timeout", "2.5")]).await, "3500");
    assert_eq!(call("/shown", &[GRPC, ("grpc-timeout", "250m")]).await, "1250");
    assert_eq!(call("/shown", &[GRPC, ("grpc-timeout", "9H")]).await, "31000");
}

#[tokio::test]
async fn exempt_paths_need_no_deadline() {
    assert_eq!(call("/.well-known/jwks.json", &[]).await, "none");
    assert_eq!(call("/grpc.health.v1.Health/Check", &[GRPC]).await, "none");
    assert_eq!(call("/.well-known/jwks.json", &[("request-timeout", "1")]).await, "2000");
}

#[tokio::test]
async fn a_passed_deadline_is_answered_in_its_own_language() {
    assert_eq!(call("/never", &[("request-timeout", "0.02")]).await, "Exceeded false");
    assert_eq!(call("/never", &[GRPC, ("grpc-timeout", "20m")]).await, "Exceeded true");
    assert_eq!(call("/never", &[GRPC, ("grpc-timeout", "0n")]).await, "Exceeded true");
}

#[tokio::test]
async fn work_does_not_go_on_after_the_deadline() {
    struct Told(Arc<Notify>);
    impl Drop for Told {
        fn drop(&mut self) {
            self.0.notify_one();
        }
    }
    let dropped = Arc::new(Notify::new());
    let told = Arc::clone(&dropped);
    let work = async move || {
        let _told = Told(told);
        pending::<()>().await;
    };
    let layer = DeadlineLayer { clock: Clock::system(), max: Duration::from_secs(1), exempt: &[], answer };
    let router = Router::new().route("/", post(work)).layer(layer);
    let request = Request::post("/").header("request-timeout", "0.02").body(Body::empty()).unwrap();
    router.oneshot(request).await.unwrap();
    dropped.notified().await;
}

#[test]
fn grpc_timeouts_are_digits_and_a_unit() {
    assert_eq!(grpc_timeout("1H"), Some(Duration::from_secs(3600)));
    assert_eq!(grpc_timeout("2M"), Some(Duration::from_secs(120)));
    assert_eq!(grpc_timeout("99999999n"), Some(Duration::from_nanos(99_999_999)));
    assert_eq!(grpc_timeout("3u"), Some(Duration::from_micros(3)));
    for bad in ["", "S", "1", "1s", "-1S", "+1S", "1.5S", "123456789S", "1 S", "1é"] {
        assert_eq!(grpc_timeout(bad), None, "{bad}");
    }
}

#[test]
fn request_timeouts_are_seconds() {
    assert_eq!(request_timeout("10"), Some(Duration::from_secs(10)));
    assert_eq!(request_timeout("0.05"), Some(Duration::from_millis(50)));
    for bad in ["", ".5", "5.", "-1", "1e3", "1234567", "0.0001", "1.2.3", "5s", " 5"] {
        assert_eq!(request_timeout(bad), None, "{bad}");
    }
}

proptest! {
    #[test]
    fn garbage_never_panics(text in ".{0,16}") {
        let _ = (grpc_timeout(&text), request_timeout(&text));
    }
}
