//! `dev.json`: everything that a tool needs to call a development cluster, and the credential that makes it work.
//!
//! Invariant: the file holds an API key, so it is 0600.

use super::place::{Models, Place};
use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    net::SocketAddr,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

const FILE: &str = "dev.json";

/// What stands in `dev.json`.
#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    /// Base address for JSON.
    pub(crate) url: String,
    /// Target for gRPC, `host:port`.
    pub(crate) grpc: String,
    /// Certificate of the private authority.
    pub(crate) ca: PathBuf,
    /// The test tenant and its key.
    #[serde(flatten)]
    pub(crate) credential: Credential,
    /// Issuer of receipts of production tenants.
    pub(crate) receipt_issuer: String,
    /// Issuer of receipts of this test tenant.
    pub(crate) test_receipt_issuer: String,
    /// Issuer of deletion proofs.
    pub(crate) ledger_issuer: String,
    /// What relying parties pin.
    pub(crate) root_thumbprint: String,
    /// Signed key set of [`Summary::receipt_issuer`].
    pub(crate) jwks: PathBuf,
    /// Signed key set of [`Summary::test_receipt_issuer`].
    pub(crate) test_jwks: PathBuf,
    /// Signed key set of [`Summary::ledger_issuer`].
    pub(crate) ledger_jwks: PathBuf,
    /// Health, readiness and metrics of the gateway.
    pub(crate) admin: SocketAddr,
    /// Where the worker is served.
    pub(crate) worker: SocketAddr,
    /// Health, readiness and metrics of the worker.
    pub(crate) worker_admin: SocketAddr,
    /// The model pack.
    pub(crate) pack: PathBuf,
    /// The database.
    pub(crate) database: PathBuf,
    /// Settings, for `countersign tenant`, `key` and the like.
    pub(crate) gateway_config: PathBuf,
    /// Process id.
    pub(crate) pid: u32,
}

/// Who may call.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Credential {
    /// The test tenant.
    pub(crate) tenant_id: String,
    /// Public part of the key.
    pub(crate) key_id: String,
    /// The key.
    pub(crate) api_key: String,
}

/// Where everything listens.
pub(crate) struct Addresses {
    /// gRPC and JSON.
    pub(crate) public: SocketAddr,
    /// The gateway's admin port.
    pub(crate) admin: SocketAddr,
    /// The worker.
    pub(crate) worker: SocketAddr,
    /// The worker's admin port.
    pub(crate) worker_admin: SocketAddr,
}

impl Summary {
    /// Gathers it.
    pub(crate) fn new(
        place: &Place,
        models: &Models,
        addresses: Addresses,
        credential: Credential,
    ) -> anyhow::Result<Self> {
        let (dir, issuers) = (place.dir(), place.issuers());
        let public = dir.join("keys/public");
        let root = fs::read_to_string(public.join("root.thumbprint")).context("root.thumbprint does not read")?;
        let port = addresses.public.port();
        Ok(Self {
            url: format!("https://localhost:{port}"),
            grpc: format!("localhost:{port}"),
            ca: dir.join("tls/ca.pem"),
            credential,
            receipt_issuer: issuers.receipts.clone(),
            test_receipt_issuer: issuers.test_receipts.clone(),
            ledger_issuer: issuers.ledger.clone(),
            root_thumbprint: root.trim().to_owned(),
            jwks: public.join("jwks.json"),
            test_jwks: public.join("test-jwks.json"),
            ledger_jwks: public.join("ledger-jwks.json"),
            admin: addresses.admin,
            worker: addresses.worker,
            worker_admin: addresses.worker_admin,
            pack: models.pack.clone(),
            database: dir.join("data/countersign.sqlite"),
            gateway_config: dir.join("gateway.toml"),
            pid: std::process::id(),
        })
    }

    /// The credential that an earlier start left in this directory.
    pub(crate) fn credential_in(dir: &Path) -> Option<Credential> {
        serde_json::from_str(&fs::read_to_string(dir.join(FILE)).ok()?).ok()
    }

    /// Writes the file.
    pub(crate) fn write(&self, dir: &Path) -> anyhow::Result<()> {
        write_private(&dir.join(FILE), &(serde_json::to_string_pretty(self)? + "\n"))
    }
}

/// Writes a file that only its owner reads.
pub(crate) fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    let context = || format!("{} cannot be written", path.display());
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path).with_context(context)?;
    file.write_all(text.as_bytes()).with_context(context)
}
