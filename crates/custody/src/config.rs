//! The `[kms]` table as it stands in `worker.toml`, `gateway.toml` and `keys.toml`.
//!
//! Must never know: a secret. Invariant: an unknown field is refused, a secret is a path to a file.

use serde::Deserialize;
use std::{path::PathBuf, time::Duration};

/// Where a process's keys live.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "provider", rename_all = "lowercase", deny_unknown_fields)]
pub enum KmsConfig {
    /// Files of mode 0600.
    File {
        /// Key directory of mode 0700, made by `countersign keys init`.
        directory: PathBuf,
    },
    /// A token behind a PKCS#11 module.
    Pkcs11(Pkcs11Config),
    /// HashiCorp Vault or OpenBao, transit secrets engine.
    Vault(VaultConfig),
}

/// A PKCS#11 token.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pkcs11Config {
    /// The module's shared library.
    pub module: PathBuf,
    /// Label of the token.
    pub token: String,
    /// File with the user PIN, mode 0600; read again whenever the token asks for it.
    pub pin_file: PathBuf,
    /// Sessions, each with a thread of its own.
    #[serde(default = "default_sessions")]
    pub sessions: usize,
    /// Longest wait for one operation, in milliseconds.
    #[serde(default = "default_timeout_ms")]
    pub timeout_ms: u64,
}

/// A Vault or OpenBao server.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VaultConfig {
    /// `https://host:port`; plain `http://` to the loopback alone, where an agent listens.
    pub address: String,
    /// Authority of the server's certificate (PEM); needed for `https`.
    pub ca: Option<PathBuf>,
    /// Namespace, where the server has them.
    pub namespace: Option<String>,
    /// Mount of the transit engine.
    #[serde(default = "default_mount")]
    pub mount: String,
    /// First part of every key's name.
    #[serde(default = "default_prefix")]
    pub prefix: String,
    /// Who we are.
    pub auth: VaultAuth,
    /// Longest wait for one answer, in milliseconds.
    #[serde(default = "default_timeout_ms")]
    pub timeout_ms: u64,
}

/// How a token of the server is had.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "method", rename_all = "lowercase", deny_unknown_fields)]
pub enum VaultAuth {
    /// From a file that somebody else renews, such as an agent's sink.
    Token {
        /// The file, mode 0600.
        file: PathBuf,
    },
    /// AppRole login.
    Approle {
        /// Mount of the method.
        #[serde(default = "default_approle_mount")]
        mount: String,
        /// File with the role id, mode 0600.
        role_id_file: PathBuf,
        /// File with the secret id, mode 0600.
        secret_id_file: PathBuf,
    },
    /// Kubernetes login with the pod's service account.
    Kubernetes {
        /// Mount of the method.
        #[serde(default = "default_kubernetes_mount")]
        mount: String,
        /// Role of the server.
        role: String,
        /// Projected token of the service account.
        #[serde(default = "default_jwt_file")]
        jwt_file: PathBuf,
    },
}

impl Pkcs11Config {
    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms.max(1))
    }
}

impl VaultConfig {
    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms.max(1))
    }
}

const fn default_sessions() -> usize {
    4
}

const fn default_timeout_ms() -> u64 {
    2_000
}

fn default_mount() -> String {
    "transit".to_owned()
}

fn default_prefix() -> String {
    "countersign".to_owned()
}

fn default_approle_mount() -> String {
    "approle".to_owned()
}

fn default_kubernetes_mount() -> String {
    "kubernetes".to_owned()
}

fn default_jwt_file() -> PathBuf {
    PathBuf::from("/var/run/secrets/kubernetes.io/serviceaccount/token")
}
