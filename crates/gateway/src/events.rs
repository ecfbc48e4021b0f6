//! Notifications to operators, signed after Standard Webhooks (HMAC-SHA256): taken from the outbox, posted, tried again with
//! growing pauses, given up after a few days.
//!
//! Must never know: what happened; the outbox holds it. Invariants: nothing is posted in the clear but to this machine; an answer
//! other than 2xx is a failure; what failed is never lost, it waits or is dead.

use crate::{GatewayError, authenticate::MacKey, config, gateway::Gateway};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use rustls_pki_types::{CertificateDer, pem::PemObject as _};
use std::{path::Path, sync::Arc, time::Duration};
use store::{Event, StoreError};
use tokio::{task::spawn_blocking, time::sleep};
use ureq::{
    Agent,
    tls::{Certificate, RootCerts, TlsConfig, TlsConfigBuilder, TlsProvider},
};

/// Between two looks into the outbox.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Notifications of one look.
const AT_ONCE: u32 = 16;
/// How long a sender that died keeps its notifications from others.
const LEASE_MS: u32 = 120_000;
const SECOND: u64 = 1_000;
const HOUR: u64 = 3_600 * SECOND;
/// Pauses after the first, second, ... failure, as Standard Webhooks recommends; then the notification is dead.
const PAUSES: [u64; 9] =
    [5 * SECOND, 300 * SECOND, 1_800 * SECOND, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR];
/// The receiver wants no more of them.
const GONE: u16 = 410;

/// Where notifications go.
pub(crate) struct Events {
    agent: Agent,
    url: String,
    secret: MacKey,
}

impl Events {
    /// Reads the secret and the authority that `config` names.
    ///
    /// # Errors
    /// `EventsUrl` unless it is `https://` or a loopback address, `Custody` for the secret, `File` for the authority.
    pub(crate) fn open(config: &config::Events) -> Result<Self, GatewayError> {
        let tls = match &config.ca {
            _ if !is_private(&config.url) => return Err(GatewayError::EventsUrl),
            Some(ca) => trusted().root_certs(authorities(ca)?),
            None => trusted(),
        };
        let options = Agent::config_builder()
            .tls_config(tls.build())
            .timeout_global(Some(Duration::from_millis(config.timeout_ms)))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .user_agent("countersign");
        Ok(Self { agent: options.build().new_agent(), url: config.url.clone(), secret: MacKey::open(&config.secret)? })
    }

    /// Posts a notification, signed at `now_s`.
    fn post(&self, event: &Event, now_s: i64) -> Result<(), Failed> {
        let (id, at) = (format!("evt_{}", event.id.simple()), now_s.to_string());
        let signature = sign(&self.secret, (&id, &at), &event.body);
        let request = self
            .agent
            .post(&self.url)
            .header("content-type", "application/json")
            .header("webhook-id", &id)
            .header("webhook-timestamp", &at)
            .header("webhook-signature", &signature);
        match request.send(&event.body).map(|answer| answer.status().as_u16()) {
            Ok(200..=299) => Ok(()),
            Ok(status) => Err(Failed { why: format!("status {status}"), gone: status == GONE }),
            Err(error) => Err(Failed { why: error.to_string(), gone: false }),
        }
    }
}

/// A post that was not taken.
struct Failed {
    why: String,
    gone: bool,
}

/// The value of `webhook-signature` over id, time and body.
fn sign(secret: &MacKey, (id, at): (&str, &str), body: &str) -> String {
    let mac = secret.mac(format!("{id}.{at}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(mac))
}

/// Sends for ever.
pub(crate) async fn sending(gateway: &Gateway) {
    let Some(events) = &gateway.events else { return std::future::pending().await };
    loop {
        if let Err(error) = send_due(gateway, events).await {
            tracing::warn!(%error, "notifications wait for the database");
        }
        sleep(LOOK_EVERY).await;
    }
}

async fn send_due(gateway: &Gateway, events: &Arc<Events>) -> Result<(), StoreError> {
    for event in gateway.store.claim_events(AT_ONCE, LEASE_MS).await? {
        let (sender, now_s, sent) = (Arc::clone(events), gateway.clock.now_ms().div_euclid(1000), event.clone());
        let posted = spawn_blocking(move || sender.post(&sent, now_s)).await;
        match posted.unwrap_or_else(|error| Err(Failed { why: error.to_string(), gone: false })) {
            Ok(()) => gateway.store.event_delivered(&event).await?,
            Err(failed) => give_back(gateway, &event, &failed).await?,
        }
    }
    Ok(())
}

async fn give_back(gateway: &Gateway, event: &Event, failed: &Failed) -> Result<(), StoreError> {
    let pause = PAUSES.get(event.tries.saturating_sub(1) as usize).copied().filter(|_| !failed.gone);
    let (kind, why) = (event.kind.as_str(), failed.why.as_str());
    if pause.is_none() {
        metrics::counter!("countersign_events_dead_total").increment(1);
        tracing::error!(kind, why, alarm = true, "a notification is not sent any more");
    } else {
        tracing::warn!(kind, why, tries = event.tries, "a notification was not taken");
    }
    gateway.store.event_failed(event, why, pause).await
}

fn trusted() -> TlsConfigBuilder {
    TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
}

fn authorities(path: &Path) -> Result<RootCerts, GatewayError> {
    let unread = |source| GatewayError::File { path: path.to_owned(), source };
    let ders = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let ders = ders.map_err(|error| unread(std::io::Error::other(error)))?;
    let roots: Vec<_> = ders.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
    Ok(RootCerts::from(roots))
}

/// Over TLS, or no further than this machine.
fn is_private(url: &str) -> bool {
    let Ok(url) = url.parse::<http::Uri>() else { return false };
    match (url.scheme_str(), url.host()) {
        (Some("https"), Some(_)) => true,
        (Some("http"), Some(host)) => matches!(host, "127.0.0.1" | "localhost" | "[::1]"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_posted_in_the_clear_but_to_this_machine() {
        for good in ["https://ops.example/hook", "http://127.0.0.1:8080/", "http://localhost/x", "http://[::1]:1/"] {
            assert!(is_private(good), "{good}");
        }
        for bad in ["http://ops.example", "http://127.0.0.1.example/", "ftp://localhost", "localhost:1", ""] {
            assert!(!is_private(bad), "{bad}");
        }
    }

    #[test]
    fn the_signature_is_that_of_the_standards_own_example() {
        // Standard Webhooks, "Signature scheme": the libraries' shared vector.
        let secret = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let at = ("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330");
        let signature = sign(&MacKey::of(&secret), at, "{\"test\": 2432232314}");
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
