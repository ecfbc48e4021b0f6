//! `hold`: legal holds as an operator places, releases and lists them.

use super::{Deployment, say, show};
use crate::{outcome::Outcome, table::instant_ms};
use anyhow::{bail, ensure};
use biometrics::{HoldId, TenantId, UserId};
use serde_json::json;
use store::ReleaseHold;

/// Longest name of a matter, in characters.
const MAX_MATTER_CHARS: usize = 128;
const COLUMNS: [&str; 5] = ["hold", "user_id", "matter", "tell_the_tenant_by", "state"];

/// What to do with holds.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Hold {
    /// Place a hold and print its id: nothing of the user is erased or expires while it stands.
    Place {
        #[command(flatten)]
        at: Deployment,
        /// Whose user.
        tenant: TenantId,
        /// The user.
        user: UserId,
        /// The legal matter.
        #[arg(long)]
        matter: String,
    },
    /// Release a hold and do what waited for it.
    Release {
        #[command(flatten)]
        at: Deployment,
        /// Whose user.
        tenant: TenantId,
        /// The hold.
        hold: HoldId,
    },
    /// List a tenant's holds, with the date by which the tenant is to be told of each.
    List {
        #[command(flatten)]
        at: Deployment,
        /// Whose users.
        tenant: TenantId,
        /// Released ones too.
        #[arg(long)]
        all: bool,
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
}

impl Hold {
    pub(super) async fn run(self) -> anyhow::Result<Outcome> {
        match self {
            Self::Place { at, tenant, user, matter } => {
                let sound =
                    (1..=MAX_MATTER_CHARS).contains(&matter.chars().count()) && !matter.chars().any(char::is_control);
                ensure!(sound, "--matter must be 1 to 128 printable characters");
                let desk = at.desk().await?;
                let hold = desk.hold(tenant, &user, &matter).await?;
                desk.close().await;
                say(hold.id)?;
            }
            Self::Release { at, tenant, hold } => {
                let desk = at.desk().await?;
                let released = desk.release(tenant, hold).await?;
                desk.close().await;
                say(match released {
                    ReleaseHold::Unknown => bail!("the tenant has no such standing hold"),
                    ReleaseHold::Released { erased: true, .. } => "released; the deletion that waited is done",
                    ReleaseHold::Released { still_held: true, .. } => "released; another hold of the user stands",
                    ReleaseHold::Released { .. } => "released",
                })?;
            }
            Self::List { at, tenant, all, json } => {
                let desk = at.desk().await?;
                let holds = desk.holds(tenant, !all).await?;
                desk.close().await;
                let rows: Vec<_> = holds.iter().map(row).collect();
                show(&rows, &COLUMNS, json)?;
            }
        }
        Ok(Outcome::Done)
    }
}

fn row(hold: &store::Hold) -> serde_json::Value {
    json!({
        "hold": hold.id.to_string(), "tenant": hold.tenant.to_string(), "user_id": hold.user.as_str(),
        "matter": hold.matter, "placed_by": hold.placed_by, "placed_at_ms": hold.placed_at_ms,
        "notice_due_ms": hold.notice_due_ms, "tell_the_tenant_by": instant_ms(hold.notice_due_ms),
        "released_at_ms": hold.released_at_ms,
        "state": if hold.released_at_ms.is_some() { "released" } else { "stands" },
    })
}
