//! The log as public documents (C2SP tlog-tiles), and the proof of an artefact for whoever holds it.
//!
//! Must never know: who asks. Invariant: nothing is found by guessing: a proof is asked for by the 122 random bits of the
//! artefact's id, and tells no more than the artefact does.

use super::prove::prove;
use crate::{answer::refusal, fault::store_fault, gateway::Gateway};
use axum::{
    Router,
    body::Body,
    extract::{Path, State},
    response::{IntoResponse as _, Response},
    routing::get,
};
use biometrics::Jti;
use bytes::Bytes;
use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE};
use receipt::Tile;
use std::sync::Arc;
use tokio::sync::Semaphore;
use wire::Reason;

/// Paths of the log, which need no deadline and no credential.
pub(crate) const PREFIX: &str = "/v1/log/";
/// Readers of the log at once; more are asked to come again. Strangers never take the database from callers.
const READERS: usize = 16;
/// How long a copy of the newest checkpoint may be kept.
const BRIEFLY: &str = "public, max-age=1";
/// A tile of a width never changes.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
const NEVER: &str = "no-store";
const TEXT: &str = "text/plain; charset=utf-8";
const OCTETS: &str = "application/octet-stream";
/// Artefacts of the ledger that the log tells of.
const LEDGERS: [&str; 2] = ["dl_", "kd_"];

/// How many read the log.
pub(crate) struct Readers(Semaphore);

impl Readers {
    /// Nobody yet.
    pub(crate) fn new() -> Self {
        Self(Semaphore::new(READERS))
    }
}

/// Kind, how long it may be kept, content.
type Document = (&'static str, &'static str, Bytes);

/// Routes of the log.
pub(crate) fn routes(gateway: Arc<Gateway>) -> Router {
    Router::new()
        .route("/v1/log/checkpoint", get(checkpoint))
        .route("/v1/log/tile/{*path}", get(tile))
        .route("/v1/log/proof/{id}", get(proof))
        .with_state(gateway)
}

async fn checkpoint(State(gateway): State<Arc<Gateway>>) -> Response {
    read(&gateway, async {
        let head = gateway.store.log_head().await.map_err(store_fault)?;
        Ok(head.map(|head| (TEXT, BRIEFLY, head.note.into())))
    })
    .await
}

async fn tile(State(gateway): State<Arc<Gateway>>, Path(path): Path<String>) -> Response {
    read(&gateway, async {
        let Some(tile) = Tile::from_path(&format!("tile/{path}")) else { return Ok(None) };
        let bytes = gateway.store.log_tile(tile).await.map_err(store_fault)?;
        Ok(bytes.map(|bytes| (OCTETS, FOR_EVER, bytes.into())))
    })
    .await
}

async fn proof(State(gateway): State<Arc<Gateway>>, Path(id): Path<String>) -> Response {
    read(&gateway, async {
        if !is_artefact(&id) {
            return Ok(None);
        }
        let Some(proof) = prove(&gateway.store, &id).await? else { return Ok(None) };
        let text = proof.to_text().map_err(|_| Reason::Internal)?;
        Ok(Some((TEXT, NEVER, text.into())))
    })
    .await
}

/// Whether it is the id of something that somebody holds; other names in the log are not for everybody.
fn is_artefact(id: &str) -> bool {
    let of_ledger = |prefix: &&str| id.strip_prefix(*prefix).is_some_and(|rest| rest.len() == 32);
    id.parse::<Jti>().is_ok() || LEDGERS.iter().any(of_ledger)
}

async fn read(gateway: &Gateway, document: impl Future<Output = Result<Option<Document>, Reason>>) -> Response {
    let Ok(_place) = gateway.log_readers.0.try_acquire() else {
        return refusal(&Reason::Overloaded { retry_s: 1 }, false);
    };
    match document.await {
        Ok(Some((kind, kept, content))) => {
            let headers = [(CONTENT_TYPE, kind), (CACHE_CONTROL, kept), (ACCESS_CONTROL_ALLOW_ORIGIN, "*")];
            (headers, Body::from(content)).into_response()
        }
        Ok(None) => refusal(&Reason::UnknownRoute, false),
        Err(reason) => refusal(&reason, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_nobody_guesses_are_answered() {
        let digits = "0".repeat(32);
        for good in ["rc_", "dl_", "kd_"] {
            assert!(is_artefact(&format!("{good}{digits}")), "{good}");
        }
        for bad in ["models", "policy", "ledger", &format!("tn_{digits}"), &format!("jb_{digits}"), "dl_", "rc_1"] {
            assert!(!is_artefact(bad), "{bad}");
        }
    }
}
