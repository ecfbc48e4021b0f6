//! What most end-to-end tests begin with: a running cluster, one test tenant and its backend, the keys that a relying party pins
//! and the tenant's audit.
//!
//! Must never know: what a test is about. Invariant: without programs, pack or portraits there is no scene, and that was said.

use crate::{
    caller::{Caller, Tenant},
    cluster::{Cluster, Options, PUBLIC_URL},
    database::Database,
    skips,
};
use anyhow::{Context, Result, ensure};
use receipt::{Pin, TrustedKeys};
use serde_json::Value;
use service::Clock;
use std::{fs, path::PathBuf};
use store::Store;

/// See the module.
#[derive(Debug)]
pub struct Scene {
    /// The processes.
    pub cluster: Cluster,
    /// The test tenant.
    pub tenant: Tenant,
    /// Its backend.
    pub bank: Caller,
}

impl Scene {
    /// A cluster of one worker with two engines on the base pack; `None` where something it needs is missing.
    ///
    /// # Errors
    /// Where all is there and the cluster does not start.
    pub async fn open(test: &str) -> Result<Option<Self>> {
        match skips::options(test, "base") {
            Some(options) => Ok(Some(Self::with(options).await?)),
            None => Ok(None),
        }
    }

    /// As [`Scene::open`], with the database in a file and keys in files, whatever the run is on: for tests that look at them.
    ///
    /// # Errors
    /// As [`Scene::open`].
    pub async fn on_files(test: &str) -> Result<Option<Self>> {
        match skips::options(test, "base") {
            Some(options) => Ok(Some(Self::with(Options { on_tokens: false, on_server: false, ..options }).await?)),
            None => Ok(None),
        }
    }

    /// The database's file, of a scene on files.
    ///
    /// # Errors
    /// Of any other scene.
    pub fn file(&self) -> Result<PathBuf> {
        Ok(self.database().file().context("the database is no file")?.to_path_buf())
    }

    /// A cluster as stated, with a test tenant.
    ///
    /// # Errors
    /// Where it does not start.
    pub async fn with(options: Options) -> Result<Self> {
        let cluster = Cluster::start(options)?;
        let tenant = cluster.make_tenant("bank", true)?;
        let bank = Caller::connect(&cluster, &tenant.api_key).await?;
        Ok(Self { cluster, tenant, bank })
    }

    /// A further test tenant and its backend.
    ///
    /// # Errors
    /// Where the gateway's command fails.
    pub fn neighbour(&self) -> Result<(Tenant, Caller)> {
        let tenant = self.cluster.make_tenant("neighbour", true)?;
        let caller = self.bank.with(&tenant.api_key);
        Ok((tenant, caller))
    }

    /// Keys of the test receipts' issuer, under the pinned root.
    ///
    /// # Errors
    /// Where the document does not verify.
    pub fn receipt_keys(&self) -> Result<TrustedKeys> {
        self.keys("test-jwks.json", "test-receipts")
    }

    /// Keys of the ledger, under the pinned root.
    ///
    /// # Errors
    /// Where the document does not verify.
    pub fn ledger_keys(&self) -> Result<TrustedKeys> {
        self.keys("ledger-jwks.json", "ledger")
    }

    fn keys(&self, file: &str, issuer: &str) -> Result<TrustedKeys> {
        let folder = self.public();
        let (root, issuer) = (fs::read_to_string(folder.join("root.thumbprint"))?, format!("{PUBLIC_URL}/{issuer}"));
        let pin = Pin { issuer: &issuer, root_thumbprint: root.trim() };
        Ok(TrustedKeys::from_document(&fs::read_to_string(folder.join(file))?, pin)?)
    }

    /// The published key sets and the root's thumbprint.
    #[must_use]
    pub fn public(&self) -> PathBuf {
        self.cluster.folder().join("keys/public")
    }

    /// The database.
    #[must_use]
    pub const fn database(&self) -> &Database {
        &self.cluster.database
    }

    /// A folder inside the cluster's own for what a test writes.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub fn desk(&self) -> Result<PathBuf> {
        let desk = self.cluster.folder().join("desk");
        fs::create_dir_all(&desk)?;
        Ok(desk)
    }

    /// Writes a file on the desk and returns its path as text.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn lay(&self, name: &str, content: impl AsRef<[u8]>) -> Result<String> {
        let path = self.desk()?.join(name);
        fs::write(&path, content)?;
        Ok(path.to_string_lossy().into_owned())
    }

    /// Bodies of all audit entries of a kind, in order.
    ///
    /// # Errors
    /// Where the database does not answer.
    pub async fn audit(&self, kind: &str) -> Result<Vec<Value>> {
        self.audit_of(&self.tenant, kind).await
    }

    /// The same of another tenant.
    ///
    /// # Errors
    /// Where the database does not answer.
    pub async fn audit_of(&self, tenant: &Tenant, kind: &str) -> Result<Vec<Value>> {
        audit(self.database(), tenant, kind).await
    }

    /// Reasons of the audited refusals of attempts, in order.
    ///
    /// # Errors
    /// Where the database does not answer.
    pub async fn refusals(&self) -> Result<Vec<String>> {
        let reason = |body: &Value| body["reason"].as_str().unwrap_or("NONE").to_owned();
        Ok(self.audit("attempt.refused").await?.iter().map(reason).collect())
    }

    /// The worker is the process it was and no engine panicked.
    ///
    /// # Errors
    /// Where it ended or panicked.
    pub fn worker_is_unharmed(&mut self) -> Result<()> {
        for worker in &mut self.cluster.workers {
            ensure!(worker.runs()?, "the worker has ended");
            ensure!(worker.metric("worker_engine_panics_total")? == 0.0, "an engine panicked");
        }
        ensure!(self.cluster.gateway.runs()?, "the gateway has ended");
        ensure!(self.cluster.gateway.metric("countersign_panics_total")? == 0.0, "a call panicked");
        Ok(())
    }
}

async fn audit(database: &Database, tenant: &Tenant, kind: &str) -> Result<Vec<Value>> {
    let store = Store::open(database.config()).await?;
    let (id, mut after, mut bodies) = (tenant.id.parse()?, 0, Vec::new());
    loop {
        let page = store.audit_entries(id, after, 1000).await?;
        let Some(last) = page.last() else { break };
        after = last.seq;
        for entry in page.iter().filter(|entry| entry.kind == kind) {
            bodies.push(serde_json::from_str(&entry.body).context("an audit body is no JSON")?);
        }
    }
    store.close().await;
    Ok(bodies)
}

/// Seconds since 1970.
#[must_use]
pub fn now_s() -> i64 {
    Clock::system().now_ms() / 1000
}
