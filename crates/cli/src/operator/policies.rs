//! `policy`: what a tenant's verifications require, in versions.

use super::{Deployment, say, show, tenants::policy_in};
use crate::{outcome::Outcome, table::instant_ms};
use biometrics::TenantId;
use serde_json::json;
use std::path::PathBuf;

/// What to do with policies.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Policies {
    /// Print the policy in force as JSON, as `put` takes it.
    Show {
        #[command(flatten)]
        at: Deployment,
        /// Whose.
        tenant: TenantId,
    },
    /// Put a policy into force for attempts from now on; the versions before it stay on record as long as the audit.
    Put {
        #[command(flatten)]
        at: Deployment,
        /// Whose.
        tenant: TenantId,
        /// Policy as a JSON file, with a `version` that the tenant has not had.
        file: PathBuf,
    },
    /// List every version, newest first, with who put it into force and when.
    History {
        #[command(flatten)]
        at: Deployment,
        /// Whose.
        tenant: TenantId,
        /// One JSON object a line, with the policies themselves.
        #[arg(long)]
        json: bool,
    },
}

impl Policies {
    pub(super) async fn run(self) -> anyhow::Result<Outcome> {
        match self {
            Self::Show { at, tenant } => {
                let register = at.register().await?;
                let found = register.tenant(tenant).await?;
                register.close().await;
                say(serde_json::to_string_pretty(&found.policy)?)?;
            }
            Self::Put { at, tenant, file } => {
                let policy = policy_in(&file)?;
                let register = at.register().await?;
                let n = register.put_policy(tenant, &policy).await?;
                register.close().await;
                say(format!("{} is in force, version {n} of the tenant's policies", policy.version))?;
            }
            Self::History { at, tenant, json } => {
                let register = at.register().await?;
                let versions = register.policies(tenant).await?;
                register.close().await;
                let row = |version: &store::PolicyVersion| {
                    json!({
                        "n": version.n, "version": version.policy.version, "since": instant_ms(version.since_ms),
                        "since_ms": version.since_ms, "changed_by": version.changed_by, "policy": version.policy,
                    })
                };
                let rows: Vec<_> = versions.iter().map(row).collect();
                show(&rows, &["n", "version", "since", "changed_by"], json)?;
            }
        }
        Ok(Outcome::Done)
    }
}
