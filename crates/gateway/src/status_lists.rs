//! Status lists as public documents: which receipts were revoked, signed by the ledger, kept for a few seconds.
//!
//! Must never know: whose an index is. Invariant: what was revoked before a list was signed stands in it; no list is served
//! past the time to live that it names. Anybody may ask: of all who ask for one list one reads, whoever asks for another waits for
//! none of them, and numbers far beyond the newest list reach the database not at all.

use crate::{answer::refusal, authenticate::MacKey, fault::store_fault, gateway::Gateway};
use axum::{
    Router,
    body::Body,
    extract::{Path, State},
    response::{IntoResponse as _, Response},
    routing::get,
};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH},
};
use ring::digest::{SHA256, digest};
use std::{
    collections::HashMap,
    sync::{Arc, PoisonError},
    time::Duration,
};
use store::{StatusPosition, StatusSecret};
use tokio::sync::Mutex;
use wire::Reason;

/// Paths of the lists, which need no deadline and no credential.
pub(crate) const PREFIX: &str = "/v1/status/";
/// Separates the order of indexes from every other use of the capture key.
const ORDER: &[u8] = b"countersign/status-order/v1\0";
/// How long a copy may be kept, in seconds: `receipt::ONLINE_SECONDS`, beyond which no reader takes one anyway.
const TTL_S: i64 = receipt::ONLINE_SECONDS;
/// After how many seconds a list is over for every reader.
const LIFE_S: i64 = 60;
/// How long a list is served before it is signed anew, here and in caches on the way: together below the time to live.
const KEPT: Duration = Duration::from_secs(5);
const FRESH: &str = "public, max-age=5";
const KIND: &str = "application/statuslist+jwt";

/// See the module.
pub(crate) struct StatusLists {
    /// Orders the indexes of all lists.
    pub(crate) secret: StatusSecret,
    /// Address of a list without its number.
    base: String,
    places: std::sync::Mutex<HashMap<u32, Place>>,
    /// The newest list, and when on the monotonic clock it was looked for.
    newest: Mutex<Option<(Duration, u32)>>,
}

/// Where one list is kept. Held until the list is there: of many who ask at once one reads and signs.
type Place = Arc<Mutex<Option<Kept>>>;

/// A list that was signed, and when on the monotonic clock.
#[derive(Clone)]
struct Kept {
    signed_at: Duration,
    token: Bytes,
    etag: HeaderValue,
}

/// Which list, where, and what stands in it.
pub(crate) struct Listed {
    /// Its address, as receipts name it.
    pub(crate) uri: String,
    /// Indexes that are INVALID.
    pub(crate) revoked: Vec<u32>,
    /// Seconds since 1970.
    pub(crate) iat: i64,
    /// As the claim.
    pub(crate) ttl: i64,
    /// `exp` less `iat`.
    pub(crate) life: i64,
}

impl StatusLists {
    /// The lists of the deployment at `public_url`.
    pub(crate) fn new(capture: &MacKey, public_url: &str) -> Self {
        let base = format!("{}{PREFIX}", public_url.trim_end_matches('/'));
        let secret = StatusSecret::new(&capture.mac(ORDER));
        Self { secret, base, places: std::sync::Mutex::default(), newest: Mutex::default() }
    }

    /// Where the list of a position is published.
    pub(crate) fn uri(&self, position: StatusPosition) -> String {
        format!("{}{}", self.base, position.list)
    }

    /// Has every list read and signed anew: something was revoked here. What is being read meanwhile is kept by nobody.
    pub(crate) fn forget(&self) {
        self.places.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn place(&self, number: u32) -> Place {
        Arc::clone(self.places.lock().unwrap_or_else(PoisonError::into_inner).entry(number).or_default())
    }
}

/// The route of the lists.
pub(crate) fn routes(gateway: Arc<Gateway>) -> Router {
    Router::new().route("/v1/status/{list}", get(list)).with_state(gateway)
}

async fn list(State(gateway): State<Arc<Gateway>>, Path(list): Path<String>, headers: HeaderMap) -> Response {
    let number = list.parse().ok().filter(|number: &u32| number.to_string() == list);
    let kept = match number {
        Some(number) => gateway.status_list(number).await,
        None => Err(Reason::UnknownRoute),
    };
    let Kept { token, etag, .. } = match kept {
        Ok(kept) => kept,
        Err(reason) => return refusal(&reason, false),
    };
    let seen = headers.get(IF_NONE_MATCH).is_some_and(|seen| *seen == etag);
    let (status, body) = if seen { (StatusCode::NOT_MODIFIED, Bytes::new()) } else { (StatusCode::OK, token) };
    let fixed = HeaderValue::from_static;
    let headers = [
        (CONTENT_TYPE, fixed(KIND)),
        (CACHE_CONTROL, fixed(FRESH)),
        (ETAG, etag),
        (ACCESS_CONTROL_ALLOW_ORIGIN, fixed("*")),
    ];
    (status, headers, Body::from(body)).into_response()
}

impl Gateway {
    /// The signed list, at most [`KEPT`] old; older where the ledger key gives no signature, within its time to live.
    async fn status_list(&self, number: u32) -> Result<Kept, Reason> {
        // Another gateway may have opened the next one since.
        if number == 0 || number > self.newest_status_list().await?.saturating_add(1) {
            return Err(Reason::UnknownRoute);
        }
        let place = self.status.place(number);
        let mut kept = place.lock().await;
        let age = |kept: &Kept| self.clock.monotonic().saturating_sub(kept.signed_at);
        if let Some(kept) = kept.as_ref().filter(|kept| age(kept) < KEPT) {
            return Ok(kept.clone());
        }
        match self.sign_status_list(number).await {
            Ok(signed) => Ok(kept.insert(signed).clone()),
            Err(reason) => {
                let lives = |kept: &&Kept| age(kept) < Duration::from_secs(TTL_S.unsigned_abs());
                kept.as_ref().filter(lives).filter(|_| reason.retryable()).cloned().ok_or(reason)
            }
        }
    }

    /// Number of the newest list, 0 where there is none: looked for once in [`KEPT`], also while the database is away, so that lists
    /// that are kept are served without a wait for it.
    async fn newest_status_list(&self) -> Result<u32, Reason> {
        let mut newest = self.status.newest.lock().await;
        let now = self.clock.monotonic();
        if let Some((_, number)) = newest.filter(|(at, _)| now.saturating_sub(*at) < KEPT) {
            return Ok(number);
        }
        match (self.store.newest_status_list().await, *newest) {
            (Ok(number), _) => Ok(newest.insert((now, number)).1),
            // From after the wait: the next one is spared it.
            (Err(_), Some((_, number))) => Ok(newest.insert((self.clock.monotonic(), number)).1),
            (Err(error), None) => Err(store_fault(error)),
        }
    }

    async fn sign_status_list(&self, number: u32) -> Result<Kept, Reason> {
        // Both clocks before the database is read: a list is never taken for younger than what stands in it.
        let (signed_at, iat) = (self.clock.monotonic(), self.clock.now_ms().div_euclid(1000));
        let revoked = self.store.revoked(number).await.map_err(store_fault)?.ok_or(Reason::UnknownRoute)?;
        let uri = format!("{}{number}", self.status.base);
        let token = self.ledger.status_list(Listed { uri, revoked, iat, ttl: TTL_S, life: LIFE_S }).await?;
        let etag = format!("\"{}\"", receipt::base64url(&digest(&SHA256, token.as_bytes()).as_ref()[..16]));
        let etag = HeaderValue::from_str(&etag).map_err(|_| Reason::Internal)?;
        Ok(Kept { signed_at, token: token.into(), etag })
    }
}
