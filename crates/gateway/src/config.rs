//! Owns the gateway's settings as they stand in `gateway.toml`; the documented sample is `deploy/config/gateway.toml`.
//!
//! Must never know: what the settings are used for. Invariant: an unknown field is refused, a secret is a path to a file.

mod database;

pub use database::{Postgres, Role, Store};

use custody::KmsConfig;
use ipnet::IpNet;
use serde::Deserialize;
use service::{serve::ServeLimits, telemetry::TelemetryConfig, tls::ClientTls};
use std::{net::SocketAddr, path::PathBuf, time::Duration};
use store::{SinkConfig, SinkPlace, StoreConfig};

/// All settings of one gateway process.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where gRPC and JSON are served, over TLS.
    pub listen: SocketAddr,
    /// Where health, readiness and metrics are served, in the clear; keep it off public networks.
    pub admin_listen: SocketAddr,
    /// Public base address without a trailing slash; `<public_url>/ledger` is the issuer of deletion proofs.
    pub public_url: String,
    /// Certificate of the public port.
    pub tls: Tls,
    /// The database.
    pub store: Store,
    /// Where the ledger key lives: it signs deletion proofs.
    pub kms: KmsConfig,
    /// Secret files of this process.
    pub keys: Keys,
    /// Public documents that are served as they lie on disk.
    pub documents: Documents,
    /// How workers are reached.
    pub inference: Inference,
    /// What is refused before an attempt is opened.
    #[serde(default)]
    pub limits: Limits,
    /// Where calls come from.
    #[serde(default)]
    pub network: Network,
    /// What takes the audit beside the database.
    #[serde(default)]
    pub audit: Option<Audit>,
    /// Where operators are told of finished jobs, holds, rotations and alarms.
    #[serde(default)]
    pub events: Option<Events>,
    /// Where deletions are kept in mind outside of the database.
    #[serde(default)]
    pub journal: Option<Journal>,
    /// How long-running work is done.
    #[serde(default)]
    pub jobs: Jobs,
    /// Bounds of connections and of the drain.
    #[serde(default)]
    pub serve: ServeLimits,
    /// How logs are written.
    #[serde(default)]
    pub telemetry: TelemetryConfig,
}

/// Certificate chain and key of the public port, both PEM files.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// Certificate chain, leaf first.
    pub cert: PathBuf,
    /// Private key of the leaf.
    pub key: PathBuf,
}

/// The deletion journal: without one a restored backup brings deleted references back.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Journal {
    /// One file for all gateways of a database, outside of its backups; made when it is missing.
    pub path: PathBuf,
}

/// Secret files, made by `countersign keys init`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    /// 32 bytes that key the MAC of API keys.
    pub pepper: PathBuf,
    /// The pepper before this one, while API keys made under it are still taken.
    #[serde(default)]
    pub previous_pepper: Option<PathBuf>,
    /// 32 bytes that key the MAC of capture tokens.
    pub capture: PathBuf,
}

/// Public documents, signed by the root elsewhere and served as they are.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Documents {
    /// Receipt keys of the production issuer.
    pub jwks: PathBuf,
    /// Receipt keys of the test issuer.
    pub test_jwks: PathBuf,
    /// Ledger keys.
    pub ledger_jwks: PathBuf,
}

/// How workers are reached: mutual TLS, calls spread in turn over every worker that answers.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inference {
    /// Workers as `host:port`; at least one.
    pub workers: Vec<String>,
    /// Mutual TLS; `domain` is the name that every worker's certificate must carry.
    pub tls: ClientTls,
    /// Longest wait for a connection, in milliseconds.
    #[serde(default = "default_connect_timeout_ms")]
    pub connect_timeout_ms: u64,
}

/// What is refused before an attempt is opened, so that the retry finds the attempt untouched.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Calls a second and tenant, sustained.
    pub calls_per_second: u32,
    /// Calls that a tenant may make at once after a pause.
    pub burst: u32,
    /// Calls that go on at once over all tenants; each may hold one body (17 MiB of JSON and its 12 MiB of frames).
    pub calls: usize,
    /// Calls of one tenant and its devices that go on at once.
    pub calls_per_tenant: usize,
    /// Captures in flight over all tenants; about twice the workers' engine threads.
    pub in_flight: usize,
    /// Captures in flight of one tenant.
    pub in_flight_per_tenant: usize,
    /// Longest deadline that a caller gets, in milliseconds; a longer one is shortened.
    pub longest_deadline_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            calls_per_second: 200,
            burst: 400,
            calls: 256,
            calls_per_tenant: 128,
            in_flight: 64,
            in_flight_per_tenant: 32,
            longest_deadline_ms: 60_000,
        }
    }
}

/// How long-running work is done: one gateway of a database does it, under a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Jobs {
    /// How long a gateway that died keeps others from going on, in milliseconds.
    pub lease_ms: u32,
    /// Rows of one batch: 1 to 1024. A batch is one call to a worker and one transaction.
    pub batch: u32,
    /// After how many days a tenant's KEK is rotated by itself; 0 for never. One that has wrapped too often is in any case.
    pub rotate_after_days: u32,
}

impl Default for Jobs {
    fn default() -> Self {
        Self { lease_ms: 10_000, batch: 256, rotate_after_days: 365 }
    }
}

/// Where calls come from, as the audit tells of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Network {
    /// Networks of the operator's own proxies, whose `X-Forwarded-For` is believed. Nobody else's is.
    pub trusted_proxies: Vec<IpNet>,
    /// MaxMind DB file that tells the country of an address.
    pub country_database: Option<PathBuf>,
}

/// What takes the audit beside the database.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Audit {
    /// What it is.
    pub sink: AuditSink,
    /// The file, or the socket of the machine's syslog.
    pub path: PathBuf,
    /// Whether a request fails whose entry it does not take.
    #[serde(default = "default_required")]
    pub required: bool,
    /// How long a request waits for it, in milliseconds.
    #[serde(default = "default_sink_wait_ms")]
    pub wait_ms: u64,
}

/// Kinds of sinks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditSink {
    /// JSON lines, appended and synced.
    File,
    /// RFC 5424 messages to a datagram socket.
    Syslog,
}

/// Where operators are told of what happened.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Events {
    /// Where notifications are posted: `https://`, or `http://` on this machine.
    pub url: String,
    /// File of the 32 bytes that key the signature.
    pub secret: PathBuf,
    /// Certificate authority to trust instead of the public ones, PEM.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// Longest wait for an answer, in milliseconds.
    #[serde(default = "default_events_timeout_ms")]
    pub timeout_ms: u64,
}

impl Config {
    /// What the store is opened with.
    pub(crate) fn store_config(&self) -> StoreConfig {
        let sink = self.audit.as_ref().map(|audit| SinkConfig {
            place: match audit.sink {
                AuditSink::File => SinkPlace::File(audit.path.clone()),
                AuditSink::Syslog => SinkPlace::Syslog(audit.path.clone()),
            },
            required: audit.required,
            wait: Duration::from_millis(audit.wait_ms),
        });
        StoreConfig { sink, ..StoreConfig::from(&self.store) }
    }
}

const fn default_required() -> bool {
    true
}

const fn default_sink_wait_ms() -> u64 {
    2_000
}

const fn default_events_timeout_ms() -> u64 {
    10_000
}

const fn default_connect_timeout_ms() -> u64 {
    1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = include_str!("../../../deploy/config/gateway.toml");

    #[test]
    fn the_documented_sample_is_a_configuration_and_shows_the_defaults() {
        let config: Config = toml::from_str(SAMPLE).unwrap();
        assert_eq!(config.inference.workers, ["worker:7443"]);
        assert_eq!(config.inference.connect_timeout_ms, default_connect_timeout_ms());
        let (shown, default) = (config.limits, Limits::default());
        assert_eq!(format!("{shown:?}"), format!("{default:?}"));
        assert_eq!(config.serve, ServeLimits::default());
        assert_eq!(config.jobs, Jobs::default());
        assert_eq!((config.network, config.audit, config.events), (Network::default(), None, None));
    }

    #[test]
    fn what_the_sample_shows_in_comments_is_a_configuration_too() {
        let shown: String =
            SAMPLE.lines().map(|line| format!("{}\n", line.strip_prefix("#= ").unwrap_or(line))).collect();
        let config: Config = toml::from_str(&shown).unwrap();
        let audit = config.audit.unwrap();
        assert_eq!((audit.sink, audit.required, audit.wait_ms), (AuditSink::File, true, default_sink_wait_ms()));
        assert_eq!(config.events.unwrap().timeout_ms, default_events_timeout_ms());
        assert_eq!(config.network.trusted_proxies.len(), 1);
    }

    #[test]
    fn an_unknown_field_is_refused() {
        let wrong = SAMPLE.replace("in_flight = ", "inflight = ");
        assert_ne!(wrong, SAMPLE, "positive control");
        assert!(toml::from_str::<Config>(&wrong).is_err());
    }

    #[test]
    fn the_documented_providers_stand_in_for_files() {
        let provider = |sample: &str| {
            let mut config: toml::Table = toml::from_str(SAMPLE).unwrap();
            let mut parts: toml::Table = toml::from_str(sample).unwrap();
            config.insert("kms".to_owned(), parts.remove("gateway").unwrap());
            config.try_into::<Config>().unwrap().kms
        };
        let pkcs11 = include_str!("../../../deploy/config/providers-pkcs11.toml");
        let vault = include_str!("../../../deploy/config/providers-vault.toml");
        assert!(matches!(provider(pkcs11), KmsConfig::Pkcs11(_)));
        assert!(matches!(provider(vault), KmsConfig::Vault(_)));
    }
}
