//! One bounded GET: what public documents are fetched with.
//!
//! Must never know: what is fetched. Invariant: no answer is waited for past its deadline, none read past its limit, and
//! nothing is believed because of where it came from: whoever fetches checks signatures.

use anyhow::{Context as _, bail, ensure};
use std::{fs, path::PathBuf, time::Duration};
use ureq::{
    Agent,
    tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem},
};

const MAX_REDIRECTS: u32 = 3;

/// How documents are fetched.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Fetching {
    /// Certificate authority to trust instead of the public ones, PEM.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Longest wait for one document, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=300))]
    timeout: u64,
}

/// Fetches documents.
#[derive(Debug, Clone)]
pub(crate) struct Fetcher(Agent);

impl Fetching {
    /// What fetches this way.
    pub(crate) fn fetcher(&self) -> anyhow::Result<Fetcher> {
        let mut tls = TlsConfig::builder();
        if let Some(path) = &self.ca {
            tls = tls.root_certs(RootCerts::new_with_certs(&authorities(path)?));
        }
        let config = Agent::config_builder()
            .tls_config(tls.build())
            .timeout_global(Some(Duration::from_secs(self.timeout)))
            .max_redirects(MAX_REDIRECTS)
            .http_status_as_error(false)
            .user_agent(concat!("countersign/", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(Fetcher(config.new_agent()))
    }
}

impl Fetcher {
    /// The document at an address; `None` where there is none (404, 410).
    ///
    /// # Errors
    /// Where there is no answer in time, the answer is no success, or has more than `limit` bytes.
    pub(crate) fn get(&self, url: &str, limit: usize) -> anyhow::Result<Option<Vec<u8>>> {
        let mut answer = self.0.get(url).call().with_context(|| format!("{url} gives no answer"))?;
        match answer.status().as_u16() {
            200 => {}
            404 | 410 => return Ok(None),
            status => bail!("{url} answers {status}"),
        }
        let body = answer.body_mut().with_config().limit(limit as u64 + 1).read_to_vec();
        let body = body.with_context(|| format!("{url}: the answer ends early, or has more than {limit} bytes"))?;
        ensure!(body.len() <= limit, "{url}: the answer has more than {limit} bytes");
        Ok(Some(body))
    }
}

fn authorities(path: &PathBuf) -> anyhow::Result<Vec<Certificate<'static>>> {
    let pem = fs::read(path).with_context(|| format!("{} does not read", path.display()))?;
    let mut found = Vec::new();
    for item in parse_pem(&pem) {
        if let PemItem::Certificate(certificate) = item.with_context(|| format!("{} is no PEM file", path.display()))? {
            found.push(certificate);
        }
    }
    ensure!(!found.is_empty(), "{} holds no certificate", path.display());
    Ok(found)
}
