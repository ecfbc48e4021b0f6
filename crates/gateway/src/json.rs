//! The same service as HTTP/JSON: the routes of CONTRACT "Services", proto3 JSON, refusals from the same table.
//!
//! Owns addresses, body limits and content types. Must never know: what a method does. Invariant: a body is read only after
//! its sender was authenticated, and never past its limit.

use crate::{answer::refusal, call::Call, gateway::Gateway};
use axum::{
    Router,
    body::Body,
    extract::{Path, Query, Request, State},
    response::Response,
    routing::{get, post},
};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::sync::Arc;
use wire::{Reason, frames::MAX_JSON_BYTES, json, v1};

/// From this size on a body is parsed where it keeps no other call waiting.
const LARGE_BYTES: usize = 64 << 10;

/// Every JSON route of the verification service.
pub(crate) fn routes(gateway: Arc<Gateway>) -> Router {
    Router::new()
        .route("/v1/challenges", post(create_challenge))
        .route("/v1/enrollments", post(enroll))
        .route("/v1/verifications", post(verify))
        .route("/v1/users/{user_id}/reference", get(get_reference).delete(delete_reference))
        .route("/v1/receipts/{receipt}", post(revoke_receipt))
        .method_not_allowed_fallback(async || refusal(&Reason::MethodNotAllowed, false))
        .with_state(gateway)
}

async fn create_challenge(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    answered(request, async |call, body| {
        let message = parsed(body).await?;
        gateway.answer("CreateChallenge", &call, gateway.create_challenge(&call, message)).await
    })
    .await
}

async fn enroll(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    answered(request, async |call, body| {
        let message = parsed(body).await?;
        gateway.answer("Enroll", &call, gateway.enroll(&call, message)).await
    })
    .await
}

async fn verify(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    answered(request, async |call, body| {
        let message = parsed(body).await?;
        gateway.answer("Verify", &call, gateway.verify(&call, message)).await
    })
    .await
}

async fn get_reference(State(gateway): State<Arc<Gateway>>, Path(user_id): Path<String>, request: Request) -> Response {
    answered_without_body(request, async |call| {
        let message = v1::GetReferenceRequest { user_id };
        gateway.answer("GetReference", &call, gateway.get_reference(&call, message)).await
    })
    .await
}

/// Query of `DELETE /v1/users/{user_id}/reference`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Deletion {
    #[serde(default)]
    cause: String,
}

async fn delete_reference(
    State(gateway): State<Arc<Gateway>>,
    Path(user_id): Path<String>,
    query: Result<Query<Deletion>, axum::extract::rejection::QueryRejection>,
    request: Request,
) -> Response {
    answered_without_body(request, async |call| {
        let Query(Deletion { cause }) = query.map_err(|_| Reason::InvalidArgument { field: "cause" })?;
        let message = v1::DeleteReferenceRequest { user_id, cause };
        gateway.answer("DeleteReference", &call, gateway.delete_reference(&call, message)).await
    })
    .await
}

/// `POST /v1/receipts/{jti}:revoke`; the router knows no suffixes, so the verb is read here.
async fn revoke_receipt(
    State(gateway): State<Arc<Gateway>>,
    Path(receipt): Path<String>,
    request: Request,
) -> Response {
    answered_without_body(request, async |call| {
        let jti = receipt.strip_suffix(":revoke").ok_or(Reason::UnknownRoute)?.to_owned();
        let message = v1::RevokeReceiptRequest { jti };
        gateway.answer("RevokeReceipt", &call, gateway.revoke_receipt(&call, message)).await
    })
    .await
}

/// Reads the body within its limit, calls the method and writes its answer.
async fn answered<A: Serialize>(
    request: Request,
    method: impl AsyncFnOnce(Call, Bytes) -> Result<A, Reason>,
) -> Response {
    let answer = async {
        let call = Call::of(request.extensions())?;
        method(call, body(request).await?).await
    };
    written(answer.await)
}

/// Calls a method whose whole request stands in the address.
async fn answered_without_body<A: Serialize>(
    request: Request,
    method: impl AsyncFnOnce(Call) -> Result<A, Reason>,
) -> Response {
    let call = Call::of(request.extensions());
    // What is left of the request cannot be shared between threads, so it ends before the method begins.
    drop(request);
    match call {
        Ok(call) => written(method(call).await),
        Err(reason) => written::<A>(Err(reason)),
    }
}

fn written<A: Serialize>(answer: Result<A, Reason>) -> Response {
    let bytes = answer.and_then(|answer| serde_json::to_vec(&answer).map_err(|_| Reason::Internal));
    match bytes {
        Ok(bytes) => {
            let mut response = Response::new(Body::from(bytes));
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            response
        }
        Err(reason) => refusal(&reason, false),
    }
}

/// The whole body; a length over the limit is refused before a byte of it is read.
async fn body(request: Request) -> Result<Bytes, Reason> {
    if !is_json(request.headers()) {
        return Err(Reason::UnsupportedMediaType);
    }
    let announced = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > MAX_JSON_BYTES as u64) {
        return Err(Reason::BodyTooLarge);
    }
    match Limited::new(request.into_body(), MAX_JSON_BYTES).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Reason::BodyTooLarge),
        Err(_) => Err(Reason::InvalidArgument { field: "body" }),
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

/// Parses a body and overwrites it; one of a size that would keep other calls waiting, on a thread of its own.
async fn parsed<T: DeserializeOwned + Send + 'static>(body: Bytes) -> Result<T, Reason> {
    let large = body.len() > LARGE_BYTES;
    let parse = move || {
        let message = json::parse(&body);
        wipe(body);
        message
    };
    if large { tokio::task::spawn_blocking(parse).await.map_err(|_| Reason::Internal)? } else { parse() }
}

/// Overwrites a body. One that somebody else still holds (none does) is left to them.
fn wipe(body: Bytes) {
    if let Ok(mut body) = body.try_into_mut() {
        body.fill(0);
    }
}
