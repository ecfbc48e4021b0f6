//! `tenant`: relying parties, from their making on.

use super::{
    Deployment,
    confirm::Meant,
    deletion::{self, Of},
    jobs::{Wait, queued},
    say, show,
};
use crate::outcome::Outcome;
use anyhow::Context as _;
use biometrics::{Policy, TenantId};
use gateway::tenants::TenantRequest;
use serde_json::json;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// What to do with tenants.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Tenant {
    /// Make a tenant and print its id. A worker must be running: it makes the tenant's secrets.
    Create {
        #[command(flatten)]
        at: Deployment,
        /// What operators call it.
        #[arg(long)]
        name: String,
        /// A test tenant: `cs_test_` keys, receipts of the test issuer; by default gates 3 and 4 are not required.
        #[arg(long)]
        test: bool,
        /// Policy as a JSON file; by default every gate, or those of a test tenant.
        #[arg(long)]
        policy: Option<PathBuf>,
    },
    /// Have a tenant's calls, and those of its devices, refused until it is resumed; nothing is erased, jobs go on.
    Suspend {
        #[command(flatten)]
        at: Deployment,
        /// Whose calls.
        tenant: TenantId,
    },
    /// Have a suspended tenant's calls taken again.
    Resume {
        #[command(flatten)]
        at: Deployment,
        /// Whose calls.
        tenant: TenantId,
    },
    /// End a tenant: calls refused from now on, every reference erased and proved, every key destroyed; its audit goes three weeks
    /// later. Prints the job. There is no way back.
    Terminate {
        #[command(flatten)]
        at: Deployment,
        /// Who ends.
        tenant: TenantId,
        #[command(flatten)]
        meant: Meant,
        #[command(flatten)]
        wait: Wait,
    },
    /// Every deletion proof of a tenant, whatever it was for: one JWS a line, in the order of their ids, the same whenever they are
    /// asked for. Of a tenant that ended, until its audit is gone.
    Proofs {
        #[command(flatten)]
        at: Deployment,
        /// Whose.
        tenant: TenantId,
    },
    /// The certificate of a tenant that ended, over every deletion proof that it ever had: one JWS.
    Certificate {
        #[command(flatten)]
        at: Deployment,
        /// Who ended.
        tenant: TenantId,
    },
    /// List every tenant, oldest first.
    List {
        #[command(flatten)]
        at: Deployment,
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
}

impl Tenant {
    pub(super) async fn run(self) -> anyhow::Result<Outcome> {
        match self {
            Self::Create { at, name, test, policy } => {
                let policy = match policy {
                    Some(path) => policy_in(&path)?,
                    None if test => Policy::testing(),
                    None => Policy::production(),
                };
                let register = at.register().await?;
                let tenant = register.create_tenant(TenantRequest { name, test, policy }).await?;
                register.close().await;
                say(tenant)?;
            }
            Self::Suspend { at, tenant } => {
                let register = at.register().await?;
                register.suspend(tenant).await?;
                register.close().await;
                say("suspended")?;
            }
            Self::Resume { at, tenant } => {
                let register = at.register().await?;
                register.resume(tenant).await?;
                register.close().await;
                say("resumed")?;
            }
            Self::Terminate { at, tenant, meant, wait } => {
                let consequence = format!("This ends {tenant}: every reference and every key of it is destroyed.");
                meant.or_typed(&consequence, &tenant.to_string())?;
                let desk = at.desk().await?;
                let job = desk.terminate(tenant).await?;
                return queued(desk, job, wait).await;
            }
            Self::Proofs { at, tenant } => deletion::proofs(&at, Of::Tenant(tenant)).await?,
            Self::Certificate { at, tenant } => {
                let desk = at.desk().await?;
                let certificate = desk.termination(tenant).await?;
                desk.close().await;
                say(certificate)?;
            }
            Self::List { at, json } => {
                let register = at.register().await?;
                let tenants = register.list_tenants().await?;
                register.close().await;
                let rows: Vec<_> = tenants.iter().map(row).collect();
                show(&rows, &["tenant", "kind", "state", "policy", "name"], json)?;
            }
        }
        Ok(Outcome::Done)
    }
}

fn row(tenant: &store::Tenant) -> serde_json::Value {
    json!({
        "tenant": tenant.id.to_string(), "kind": if tenant.test { "test" } else { "production" },
        "state": tenant.state.word(), "policy": tenant.policy.version, "name": tenant.name, "created_at_ms": tenant.created_at_ms,
        "kek_version": tenant.secrets.kek_version,
    })
}

/// The policy that a file holds.
pub(super) fn policy_in(path: &Path) -> anyhow::Result<Policy> {
    let text = fs::read_to_string(path).with_context(|| format!("{}: cannot be read", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{}: not a policy", path.display()))
}
