//! Ids taken, made, refused and echoed.

use super::*;
use axum::{Extension, Router, body::to_bytes, routing::get};
use tower::ServiceExt as _;

async fn call(ids: &[&str]) -> (String, String) {
    let shown = async |id: Extension<RequestId>| id.0.0.into_string();
    let router = Router::new().route("/", get(shown)).layer(RequestIdLayer { clock: Clock::manual(0) });
    let mut request = Request::get("/");
    for id in ids {
        request = request.header(REQUEST_ID, *id);
    }
    let response = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let echoed = response.headers()[REQUEST_ID].to_str().unwrap().to_owned();
    (String::from_utf8(to_bytes(response.into_body(), 1024).await.unwrap().to_vec()).unwrap(), echoed)
}

#[tokio::test]
async fn a_well_formed_id_is_taken_and_echoed() {
    assert_eq!(call(&["Call-7"]).await, ("Call-7".to_owned(), "Call-7".to_owned()));
}

#[tokio::test]
async fn no_id_two_ids_and_a_malformed_one_get_a_new_one() {
    let long = "a".repeat(65);
    for ids in [&[][..], &["a", "b"], &["a b"], &["a{\"x\":1}"], &[""], &[&long]] {
        let (seen, echoed) = call(ids).await;
        assert_eq!(seen, echoed);
        assert!(seen.len() == 32 && !ids.contains(&seen.as_str()), "{seen}");
    }
    assert_ne!(call(&[]).await, call(&[]).await);
}

#[test]
fn an_unmatched_path_is_not_logged() {
    let request = Request::get("/v1/users/alice/reference").body(Body::empty()).unwrap();
    assert_eq!(route(&request), "unmatched");
    assert!(is_method("/countersign.v1.VerificationService/Verify"));
    assert!(!is_method("/v1/users/a b") && !is_method(&"/a".repeat(60)));
}
