//! Owns the worker's settings as they stand in `worker.toml`; the documented sample is `deploy/config/worker.toml`.
//!
//! Must never know: what the settings are used for. Invariant: an unknown field is refused, a secret is a path to a file.

use custody::KmsConfig;
use serde::Deserialize;
use service::{serve::ServeLimits, telemetry::TelemetryConfig, tls::ServerTls};
use std::{net::SocketAddr, path::PathBuf, thread};

/// All settings of one worker process.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where `InferenceService` is served, over mutual TLS.
    pub listen: SocketAddr,
    /// Where health, readiness and metrics are served, in the clear; keep it off public networks.
    pub admin_listen: SocketAddr,
    /// This worker's certificate and the gateways it admits.
    pub tls: Tls,
    /// Where tenants' KEKs and the receipt keys live.
    pub kms: KmsConfig,
    /// Names under which receipts are signed.
    pub issuers: Issuers,
    /// Models and the runtime they run on.
    pub models: Models,
    /// Engine threads and the queue before them.
    #[serde(default)]
    pub engine: Engine,
    /// Bounds of the serving side; the fields are documented in the sample.
    #[serde(default)]
    pub limits: ServeLimits,
    /// How logs are written.
    #[serde(default)]
    pub telemetry: TelemetryConfig,
}

/// Mutual TLS; all files are PEM.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// Certificate chain, leaf first.
    pub cert: PathBuf,
    /// Private key of the leaf.
    pub key: PathBuf,
    /// Authority that signed the gateways' certificates.
    pub client_ca: PathBuf,
    /// DNS or URI names of which a gateway's certificate must carry one; at least one.
    pub allowed_peers: Vec<String>,
}

impl Tls {
    /// As the TLS side takes it.
    pub(crate) fn server(&self) -> ServerTls {
        ServerTls {
            cert: self.cert.clone(),
            key: self.key.clone(),
            client_ca: Some(self.client_ca.clone()),
            allowed_peers: self.allowed_peers.clone(),
        }
    }
}

/// Receipt issuers, as they stand in the two receipt JWKS documents.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Issuers {
    /// `iss` of receipts of production tenants.
    pub production: String,
    /// `iss` of receipts of test tenants; no production verifier knows it.
    pub test: String,
}

/// Models and the runtime they run on.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Models {
    /// Directory of the model pack, with its `pack.toml`.
    pub pack: PathBuf,
    /// Directory of the pack before, of another feature space: users whose reference it made need not enroll again.
    pub previous_pack: Option<PathBuf>,
    /// ONNX Runtime's shared library.
    pub onnxruntime: PathBuf,
}

/// Engine threads and the queue before them.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Engine {
    /// Engines, each with its own thread and sessions; 0 takes one per core.
    pub threads: usize,
    /// Captures that may wait for a thread; one more is answered `OVERLOADED`.
    pub queue: usize,
    /// ONNX Runtime's own memory arena and pattern planning: faster, but what lies in it is never overwritten.
    pub arena: bool,
}

impl Default for Engine {
    fn default() -> Self {
        Self { threads: 0, queue: 16, arena: false }
    }
}

impl Engine {
    /// Engines to start.
    #[must_use]
    pub fn threads(&self) -> usize {
        match self.threads {
            0 => thread::available_parallelism().map_or(1, usize::from),
            chosen => chosen,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = include_str!("../../../deploy/config/worker.toml");

    #[test]
    fn the_documented_sample_is_a_configuration() {
        let config: Config = toml::from_str(SAMPLE).unwrap();
        assert_eq!(config.tls.allowed_peers, ["gateway.countersign.internal"]);
        assert_eq!(config.engine.queue, Engine::default().queue, "the sample shows the defaults");
        assert_eq!(config.limits, ServeLimits::default());
        assert!(config.engine.threads() >= 1 && !config.engine.arena);
    }

    #[test]
    fn an_unknown_field_is_refused() {
        let wrong = SAMPLE.replace("queue = ", "que = ");
        assert_ne!(wrong, SAMPLE, "positive control");
        assert!(toml::from_str::<Config>(&wrong).is_err());
    }

    #[test]
    fn the_documented_providers_stand_in_for_files() {
        let provider = |sample: &str| {
            let mut config: toml::Table = toml::from_str(SAMPLE).unwrap();
            let mut parts: toml::Table = toml::from_str(sample).unwrap();
            config.insert("kms".to_owned(), parts.remove("worker").unwrap());
            config.try_into::<Config>().unwrap().kms
        };
        let pkcs11 = include_str!("../../../deploy/config/providers-pkcs11.toml");
        let vault = include_str!("../../../deploy/config/providers-vault.toml");
        assert!(matches!(provider(pkcs11), KmsConfig::Pkcs11(_)));
        assert!(matches!(provider(vault), KmsConfig::Vault(_)));
    }
}
