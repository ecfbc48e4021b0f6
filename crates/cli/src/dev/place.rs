//! The directory of a development cluster: made once, used again, configured anew at each start.
//!
//! Invariant: keys and certificates are made together; where one is missing the directory is refused, not patched.

use crate::{
    certificates,
    keys::{self, GATEWAY, Issuers, WORKER},
};
use anyhow::{Context as _, ensure};
use serde::de::DeserializeOwned;
use service::{Clock, config};
use std::{
    fs::{self, DirBuilder},
    net::SocketAddr,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

/// Base of the issuers. A name, not an address: it stays when the port changes.
const PUBLIC_URL: &str = "https://localhost";

/// See the module.
pub(crate) struct Place {
    dir: PathBuf,
    issuers: Issuers,
    _temporary: Option<tempfile::TempDir>,
}

/// What the worker runs.
pub(crate) struct Models {
    /// Directory of the pack.
    pub(crate) pack: PathBuf,
    /// ONNX Runtime's shared library.
    pub(crate) onnxruntime: PathBuf,
}

impl Models {
    /// As stated, or as `cargo xtask` leaves them below the working directory.
    pub(crate) fn find(pack: Option<PathBuf>, onnxruntime: Option<PathBuf>) -> anyhow::Result<Self> {
        let pack = pack.unwrap_or_else(|| PathBuf::from("target/packs/base"));
        ensure!(
            pack.join("pack.toml").is_file(),
            "{}: no model pack; `cargo xtask pack base` makes one, --pack names another",
            pack.display()
        );
        let library = onnxruntime.or_else(built_runtime);
        let onnxruntime =
            library.context("no ONNX Runtime; `cargo xtask pack base` fetches it, --onnxruntime names one")?;
        Ok(Self { pack: pack.canonicalize()?, onnxruntime })
    }
}

fn built_runtime() -> Option<PathBuf> {
    let entries = fs::read_dir("target/onnxruntime").ok()?;
    let named = |path: &PathBuf| path.to_string_lossy().contains("libonnxruntime.so");
    entries.filter_map(|entry| entry.ok()?.path().canonicalize().ok()).find(named)
}

impl Place {
    /// Opens `dir`, or makes it; without one makes a temporary directory, which goes at the end unless it is kept.
    pub(crate) fn prepare(dir: Option<PathBuf>, keep: bool) -> anyhow::Result<Self> {
        let (dir, temporary) = match dir {
            Some(dir) => (dir, None),
            None => {
                let made = tempfile::Builder::new().prefix("countersign-dev-").tempdir()?;
                if keep { (made.keep(), None) } else { (made.path().to_owned(), Some(made)) }
            }
        };
        DirBuilder::new().recursive(true).mode(0o700).create(dir.join("data"))?;
        let dir = dir.canonicalize()?;
        let issuers = Issuers::below(PUBLIC_URL)?;
        let (has_keys, has_tls) = (dir.join("keys").exists(), dir.join("tls").exists());
        ensure!(has_keys == has_tls, "{}: not made by `dev`, or only in part", dir.display());
        if !has_keys {
            keys::init(&dir.join("keys"), (PUBLIC_URL, None), Clock::system())?;
            let public = &["localhost", "127.0.0.1", "::1"];
            certificates::make(&dir.join("tls"), &certificates::Names { public, gateway: GATEWAY, worker: WORKER })?;
        }
        Ok(Self { dir, issuers, _temporary: temporary })
    }

    /// The directory.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Names under which receipts and proofs are signed.
    pub(crate) const fn issuers(&self) -> &Issuers {
        &self.issuers
    }

    /// Writes and reads `worker.toml`.
    pub(crate) fn worker(&self, models: &Models, threads: usize) -> anyhow::Result<worker::Config> {
        let text = format!(
            "listen = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\n\n\
             [tls]\ncert = {cert}\nkey = {key}\nclient_ca = {ca}\nallowed_peers = [\"{GATEWAY}\"]\n\n\
             [kms]\nprovider = \"file\"\ndirectory = {keys}\n\n\
             [issuers]\nproduction = \"{production}\"\ntest = \"{test}\"\n\n\
             [models]\npack = {pack}\nonnxruntime = {library}\n\n\
             [engine]\nthreads = {threads}\n",
            cert = self.quoted("tls/worker.pem"),
            key = self.quoted("tls/worker.key"),
            ca = self.quoted("tls/ca.pem"),
            keys = self.quoted("keys/worker"),
            production = self.issuers.receipts,
            test = self.issuers.test_receipts,
            pack = quoted(&models.pack),
            library = quoted(&models.onnxruntime),
        );
        self.write_and_read("worker.toml", &text)
    }

    /// Writes and reads `gateway.toml`.
    pub(crate) fn gateway(&self, listen: SocketAddr, worker: SocketAddr) -> anyhow::Result<gateway::Config> {
        let text = format!(
            "listen = \"{listen}\"\nadmin_listen = \"127.0.0.1:0\"\npublic_url = \"{PUBLIC_URL}\"\n\n\
             [tls]\ncert = {cert}\nkey = {key}\n\n\
             [store]\npath = {database}\n\n\
             [journal]\npath = {journal}\n\n\
             [kms]\nprovider = \"file\"\ndirectory = {keys}\n\n\
             [keys]\npepper = {pepper}\ncapture = {capture}\n\n\
             [documents]\njwks = {jwks}\ntest_jwks = {test_jwks}\nledger_jwks = {ledger_jwks}\n\n\
             [inference]\nworkers = [\"{worker}\"]\n\n\
             [inference.tls]\nca = {ca}\ncert = {client_cert}\nkey = {client_key}\ndomain = \"{WORKER}\"\n",
            cert = self.quoted("tls/public.pem"),
            key = self.quoted("tls/public.key"),
            database = self.quoted("data/countersign.sqlite"),
            journal = self.quoted("deletions.journal"),
            keys = self.quoted("keys/gateway"),
            pepper = self.quoted("keys/gateway/pepper"),
            capture = self.quoted("keys/gateway/capture.key"),
            jwks = self.quoted("keys/public/jwks.json"),
            test_jwks = self.quoted("keys/public/test-jwks.json"),
            ledger_jwks = self.quoted("keys/public/ledger-jwks.json"),
            ca = self.quoted("tls/ca.pem"),
            client_cert = self.quoted("tls/gateway.pem"),
            client_key = self.quoted("tls/gateway.key"),
        );
        self.write_and_read("gateway.toml", &text)
    }

    fn quoted(&self, below: &str) -> String {
        quoted(&self.dir.join(below))
    }

    fn write_and_read<T: DeserializeOwned>(&self, name: &str, text: &str) -> anyhow::Result<T> {
        let path = self.dir.join(name);
        fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))?;
        Ok(config::load(&path)?)
    }
}

/// A path as a TOML string.
fn quoted(path: &Path) -> String {
    toml::Value::String(path.to_string_lossy().into_owned()).to_string()
}
