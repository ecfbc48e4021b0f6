//! HTTP to the server: one request, one answer, one deadline. Only the stated authority is trusted, redirects and proxies are not taken.
//!
//! Must never know: what is asked. Invariant: a status that is no answer to the question is an outage that names what to look at.

use crate::{CustodyError, Outage, VaultConfig};
use rustls_pki_types::{CertificateDer, pem::PemObject as _};
use std::{path::Path, sync::Arc};
use ureq::{
    Agent,
    http::{Request, StatusCode},
    tls::{Certificate, RootCerts, TlsConfig, TlsProvider},
};
use zeroize::Zeroizing;

/// Largest answer that is read.
const LONGEST_ANSWER: u64 = 1 << 20;

/// What the server said to a question that it understood.
pub(super) enum Answer {
    /// 200 with a body, 204 without.
    Done(Zeroizing<Vec<u8>>),
    /// 404.
    Absent,
    /// 400: it will not do that.
    Refused,
    /// 403: not with this token.
    Denied,
}

/// One question.
pub(super) struct Question<'a> {
    /// Path below `/v1/`.
    pub(super) path: &'a str,
    /// JSON to post; without it, a GET.
    pub(super) body: Option<Zeroizing<Vec<u8>>>,
    /// Token to ask with; none for a login.
    pub(super) token: Option<&'a str>,
    /// Whether asking twice does the same as asking once.
    pub(super) repeatable: bool,
}

/// See the module.
pub(super) struct Client {
    agent: Agent,
    address: String,
    namespace: Option<String>,
}

impl Client {
    pub(super) fn new(config: &VaultConfig) -> Result<Self, CustodyError> {
        let tls = match (&config.ca, config.address.strip_prefix("https://")) {
            (Some(ca), Some(_)) => trusting(ca)?,
            (None, None) if is_loopback(&config.address) => TlsConfig::builder().build(),
            (None, Some(_)) => return Err(CustodyError::Setting { field: "ca" }),
            _ => return Err(CustodyError::Setting { field: "address" }),
        };
        let options = Agent::config_builder()
            .tls_config(tls)
            .timeout_global(Some(config.timeout()))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .user_agent("countersign");
        Ok(Self {
            agent: options.build().new_agent(),
            address: config.address.trim_end_matches('/').to_owned(),
            namespace: config.namespace.clone(),
        })
    }

    /// Asks, once more on a fresh connection where the server had closed the old one.
    pub(super) fn ask(&self, question: &Question<'_>) -> Result<Answer, CustodyError> {
        match self.once(question) {
            Err(error) if question.repeatable && !matches!(error, ureq::Error::Timeout(_)) => self.once(question),
            other => other,
        }
        .map_err(|error| match error {
            ureq::Error::Timeout(_) => CustodyError::outage(Outage::Late, error),
            error => CustodyError::outage(Outage::Unreachable, error),
        })?
    }

    fn once(&self, question: &Question<'_>) -> Result<Result<Answer, CustodyError>, ureq::Error> {
        let url = format!("{}/v1/{}", self.address, question.path);
        // Agents and some proxies in front of servers refuse requests without it.
        let mut request = Request::builder().uri(url).header("x-vault-request", "true");
        if let Some(token) = question.token {
            request = request.header("x-vault-token", token);
        }
        if let Some(namespace) = &self.namespace {
            request = request.header("x-vault-namespace", namespace);
        }
        let mut response = match &question.body {
            None => self.agent.run(request.method("GET").body(())?)?,
            Some(body) => {
                let request = request.method("POST").header("content-type", "application/json");
                self.agent.run(request.body(&body[..])?)?
            }
        };
        let body = response.body_mut().with_config().limit(LONGEST_ANSWER).read_to_vec()?;
        Ok(answer(response.status(), Zeroizing::new(body)))
    }
}

fn answer(status: StatusCode, body: Zeroizing<Vec<u8>>) -> Result<Answer, CustodyError> {
    Err(match status.as_u16() {
        200 | 204 => return Ok(Answer::Done(body)),
        400 => return Ok(Answer::Refused),
        403 => return Ok(Answer::Denied),
        404 => return Ok(Answer::Absent),
        // 307: a standby that does not forward; 472, 473: a standby of a replica; 503: sealed or in maintenance.
        307 | 472 | 473 | 503 => Outage::Sealed,
        // 412: a replica that has not caught up.
        412 | 429 => Outage::Throttled,
        500..=599 => Outage::Failed,
        _ => Outage::Answer,
    }
    .into())
}

fn trusting(ca: &Path) -> Result<TlsConfig, CustodyError> {
    let malformed = || CustodyError::Malformed { path: ca.to_owned() };
    if !ca.exists() {
        return Err(CustodyError::Missing { path: ca.to_owned() });
    }
    let certificates =
        CertificateDer::pem_file_iter(ca).and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(|_| malformed())?;
    if certificates.is_empty() {
        return Err(malformed());
    }
    let roots: Vec<_> = certificates.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
    Ok(TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .root_certs(RootCerts::from(roots))
        .build())
}

/// Plain HTTP is for an agent on this machine alone.
fn is_loopback(address: &str) -> bool {
    let host = address.strip_prefix("http://").map(|rest| rest.split('/').next().unwrap_or_default());
    let host = host.map(|host| host.rsplit_once(':').map_or(host, |(name, _port)| name));
    matches!(host, Some("127.0.0.1" | "localhost" | "[::1]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_the_loopback_alone() {
        for good in ["http://127.0.0.1:8200", "http://localhost:8200/", "http://[::1]:8200"] {
            assert!(is_loopback(good), "{good}");
        }
        for bad in
            ["http://vault:8200", "http://127.0.0.1.example:8200", "https://localhost", "http://", "localhost:8200"]
        {
            assert!(!is_loopback(bad), "{bad}");
        }
    }
}
