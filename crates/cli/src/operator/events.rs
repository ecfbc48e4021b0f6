//! `event`: notifications to operators, and what their receiver needs to check them.

use super::{Deployment, say, show};
use crate::{outcome::Outcome, table::instant_ms};
use anyhow::{Context as _, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use custody::SecretFile;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use store::EventState;
use uuid::Uuid;

/// What to do with notifications.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Event {
    /// List notifications of the last 30 days, newest first.
    List {
        #[command(flatten)]
        at: Deployment,
        /// Those alone that are not sent any more.
        #[arg(long)]
        dead: bool,
        /// One JSON object a line, with what is sent.
        #[arg(long)]
        json: bool,
    },
    /// Have a dead notification sent again.
    Retry {
        #[command(flatten)]
        at: Deployment,
        /// Its id, as `list` shows it.
        id: Uuid,
    },
    /// Print the secret that the receiver checks signatures with, as Standard Webhooks writes it; made where it is missing.
    Secret {
        #[command(flatten)]
        at: Deployment,
    },
}

impl Event {
    pub(super) async fn run(self) -> anyhow::Result<Outcome> {
        match self {
            Self::List { at, dead, json } => {
                let desk = at.desk().await?;
                let events = desk.events(dead.then_some(EventState::Dead)).await?;
                desk.close().await;
                let rows: Vec<_> = events.iter().map(row).collect();
                show(&rows, &["event", "at", "kind", "tenant", "state", "tries", "error"], json)?;
            }
            Self::Retry { at, id } => {
                let desk = at.desk().await?;
                let revived = desk.revive_event(id).await?;
                desk.close().await;
                ensure!(revived, "there is no such dead notification");
                say("it is sent again")?;
            }
            Self::Secret { at } => {
                let path = at.config()?.events.context("the settings have no [events]")?.secret;
                let secret = if path.exists() { SecretFile::open(&path)? } else { SecretFile::create(&path)? };
                say(format!("whsec_{}", STANDARD.encode(secret.expose_secret())))?;
            }
        }
        Ok(Outcome::Done)
    }
}

fn row(event: &store::Event) -> Value {
    json!({
        "event": event.id.to_string(), "at": instant_ms(event.created_at_ms), "at_ms": event.created_at_ms,
        "kind": event.kind, "tenant": event.tenant.to_string(), "state": event.state.word(), "tries": event.tries,
        "error": event.error, "body": serde_json::from_str::<Value>(&event.body).unwrap_or_default(),
    })
}
