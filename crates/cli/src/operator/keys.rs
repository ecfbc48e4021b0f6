//! `key`: a tenant's API keys and the rotation of its KEK.

use super::{
    Deployment, deletion,
    jobs::{Wait, queued},
    say, show,
};
use crate::outcome::Outcome;
use biometrics::TenantId;
use secrecy::ExposeSecret as _;
use serde_json::json;
use service::Clock;

/// What to do with a tenant's keys.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Key {
    /// Make an API key and print it, once.
    Create {
        #[command(flatten)]
        at: Deployment,
        /// Whose key.
        #[arg(long)]
        tenant: TenantId,
        /// Days until it expires; without it, it does not.
        #[arg(long)]
        days: Option<u32>,
    },
    /// Revoke an API key.
    Revoke {
        #[command(flatten)]
        at: Deployment,
        /// Whose key.
        #[arg(long)]
        tenant: TenantId,
        /// The key's public part: the 16 digits after `cs_live_` or `cs_test_`.
        key_id: String,
    },
    /// List a tenant's API keys: public part and state.
    List {
        #[command(flatten)]
        at: Deployment,
        /// Whose keys.
        #[arg(long)]
        tenant: TenantId,
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Make a new KEK version, wrap everything of the tenant under it while serving, and destroy the old versions. Prints the job.
    Rotate {
        #[command(flatten)]
        at: Deployment,
        /// Whose KEK.
        tenant: TenantId,
        #[command(flatten)]
        wait: Wait,
    },
    /// Certificates of the tenant's KEK versions that are gone: one JWS a line, oldest first.
    Destroyed {
        #[command(flatten)]
        at: Deployment,
        /// Whose KEKs.
        tenant: TenantId,
    },
}

impl Key {
    pub(super) async fn run(self) -> anyhow::Result<Outcome> {
        match self {
            Self::Create { at, tenant, days } => {
                let register = at.register().await?;
                let expires_at_ms = days.map(|days| Clock::system().now_ms() + i64::from(days) * 86_400_000);
                let key = register.create_api_key(tenant, expires_at_ms).await?;
                register.close().await;
                say(key.secret.expose_secret())?;
            }
            Self::Revoke { at, tenant, key_id } => {
                let register = at.register().await?;
                register.revoke_api_key(tenant, &key_id).await?;
                register.close().await;
                say("revoked")?;
            }
            Self::List { at, tenant, json } => {
                let register = at.register().await?;
                let keys = register.list_api_keys(tenant).await?;
                register.close().await;
                let rows: Vec<_> = keys.iter().map(row).collect();
                show(&rows, &["key", "state"], json)?;
            }
            Self::Rotate { at, tenant, wait } => {
                let desk = at.desk().await?;
                let job = desk.rotate(tenant).await?;
                return queued(desk, job, wait).await;
            }
            Self::Destroyed { at, tenant } => deletion::certificates(&at, tenant).await?,
        }
        Ok(Outcome::Done)
    }
}

fn row(key: &store::ApiKeyRow) -> serde_json::Value {
    let state = match (key.revoked, key.expired) {
        (true, _) => "revoked",
        (false, true) => "expired",
        (false, false) => "active",
    };
    json!({ "key": key.key_id, "state": state })
}
