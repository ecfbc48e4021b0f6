//! What every call passes before its method: panics caught, deadline, credential, rate; and codec faults renamed after it.
//!
//! Must never know: methods. Invariant: a call that reaches a method has a caller and a deadline.

use crate::{
    admit::Going,
    answer::{is_grpc, refusal},
    authenticate::Caller,
    fault::store_fault,
    gateway::Gateway,
};
use axum::{
    body::Body,
    extract::{ConnectInfo, Request, State},
    middleware::Next,
    response::Response,
};
use futures::FutureExt as _;
use http::HeaderMap;
use service::deadline::DeadlineFault;
use std::{net::SocketAddr, panic::AssertUnwindSafe, sync::Arc};
use wire::Reason;

/// Finds out who calls and whether they may call now, before a byte of the body is read.
pub(crate) async fn admit(State(gateway): State<Arc<Gateway>>, mut request: Request, next: Next) -> Response {
    let grpc = is_grpc(request.headers());
    match admitted(&gateway, request.headers()).await {
        // The place is held until the call is answered.
        Ok((caller, _going)) => {
            let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| *peer);
            let origin = gateway.origins.of(peer, request.headers());
            request.extensions_mut().insert(origin);
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(reason) => {
            metrics::counter!("countersign_turned_away_total", "reason" => reason.code()).increment(1);
            refusal(&reason, grpc)
        }
    }
}

/// The caller, of a tenant whose calls are taken, with the place of its call.
async fn admitted(gateway: &Gateway, headers: &HeaderMap) -> Result<(Caller, Going), Reason> {
    let caller = gateway.credentials.caller(&gateway.store, headers, gateway.clock.now_ms()).await?;
    let going = gateway.admission.call(&caller)?;
    let active = gateway.store.tenant_is_active(caller.tenant()).await.map_err(store_fault)?;
    if active { Ok((caller, going)) } else { Err(Reason::PermissionDenied) }
}

/// A panic is answered as INTERNAL; the connection and the process go on.
pub(crate) async fn catch_panic(request: Request, next: Next) -> Response {
    let grpc = is_grpc(request.headers());
    AssertUnwindSafe(next.run(request)).catch_unwind().await.unwrap_or_else(|_| {
        metrics::counter!("countersign_panics_total").increment(1);
        tracing::error!(alarm = true, "a call panicked");
        refusal(&Reason::Internal, grpc)
    })
}

/// The codec's own words for a message that is too large or does not parse become ours: a status of ours carries details,
/// one of the codec does not.
pub(crate) async fn rename_codec_faults(request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let headers = response.headers();
    let status = headers.get("grpc-status").filter(|_| !headers.contains_key("grpc-status-details-bin"));
    match status.map(http::HeaderValue::as_bytes) {
        Some(b"11") => refusal(&Reason::BodyTooLarge, true),
        Some(b"13") => refusal(&Reason::InvalidArgument { field: "message" }, true),
        _ => response,
    }
}

/// The answer to a call without a deadline, or past it.
pub(crate) fn deadline(fault: DeadlineFault, grpc: bool) -> http::Response<Body> {
    let reason = match fault {
        DeadlineFault::Missing => Reason::DeadlineRequired,
        DeadlineFault::Exceeded => Reason::DeadlineExceeded,
    };
    refusal(&reason, grpc)
}

/// The answer at an address where nothing is.
pub(crate) async fn unknown_route(request: Request) -> Response {
    refusal(&Reason::UnknownRoute, is_grpc(request.headers()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::{Router, middleware, routing::get};
    use http::header::CONTENT_TYPE;
    use tower::ServiceExt as _;

    #[tokio::test]
    async fn a_panic_is_answered_as_internal_in_the_callers_protocol() {
        async fn panics() {
            panic!("on purpose");
        }
        let router = Router::new().route("/", get(panics)).layer(middleware::from_fn(catch_panic));
        let json = Request::get("/").body(Body::empty()).unwrap();
        assert_eq!(router.clone().oneshot(json).await.unwrap().status(), 500);
        let grpc = Request::get("/").header(CONTENT_TYPE, "application/grpc").body(Body::empty()).unwrap();
        let answer = router.oneshot(grpc).await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.headers()["grpc-status"].as_bytes()), (200, &b"13"[..]));
        assert!(answer.headers().contains_key("grpc-status-details-bin"), "a reason of ours, not the codec's");
    }
}
