//! `hold`: legal holds as an operator places, releases and lists them.

use super::{jobs::desk, say};
use anyhow::{bail, ensure};
use biometrics::{HoldId, TenantId, UserId};
use clap::Subcommand;
use comfy_table::{Table, presets::UTF8_HORIZONTAL_ONLY};
use serde_json::json;
use std::path::PathBuf;
use store::{Hold, ReleaseHold};

/// Longest name of a matter, in characters.
const MAX_MATTER_CHARS: usize = 128;

/// What to do with holds.
#[derive(Subcommand)]
pub(crate) enum HoldCommand {
    /// Place a hold and print its id: nothing of the user is erased or expires while it stands.
    Place {
        /// Settings of the gateway.
        #[arg(long)]
        config: PathBuf,
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
        /// Settings of the gateway.
        #[arg(long)]
        config: PathBuf,
        /// Whose user.
        tenant: TenantId,
        /// The hold.
        hold: HoldId,
    },
    /// List a tenant's holds, with the date by which the tenant is to be told of each.
    List {
        /// Settings of the gateway.
        #[arg(long)]
        config: PathBuf,
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

/// Places, releases or lists holds.
pub(crate) async fn hold(command: HoldCommand) -> anyhow::Result<()> {
    match command {
        HoldCommand::Place { config, tenant, user, matter } => {
            let sound =
                (1..=MAX_MATTER_CHARS).contains(&matter.chars().count()) && !matter.chars().any(char::is_control);
            ensure!(sound, "--matter must be 1 to 128 printable characters");
            let desk = desk(&config).await?;
            let hold = desk.hold(tenant, &user, &matter).await?;
            desk.close().await;
            say(&hold.id.to_string())
        }
        HoldCommand::Release { config, tenant, hold } => {
            let desk = desk(&config).await?;
            let released = desk.release(tenant, hold).await?;
            desk.close().await;
            match released {
                ReleaseHold::Unknown => bail!("the tenant has no such standing hold"),
                ReleaseHold::Released { erased: true, .. } => say("released; the deletion that waited is done"),
                ReleaseHold::Released { still_held: true, .. } => say("released; another hold of the user stands"),
                ReleaseHold::Released { .. } => say("released"),
            }
        }
        HoldCommand::List { config, tenant, all, json } => {
            let desk = desk(&config).await?;
            let holds = desk.holds(tenant, !all).await?;
            desk.close().await;
            if json { holds.iter().try_for_each(|hold| say(&as_json(hold).to_string())) } else { table(&holds) }
        }
    }
}

fn table(holds: &[Hold]) -> anyhow::Result<()> {
    let mut table = Table::new();
    table.load_preset(UTF8_HORIZONTAL_ONLY).set_header(["hold", "user", "matter", "tell the tenant within", "state"]);
    let now_ms = service::Clock::system().now_ms();
    for hold in holds {
        let left = (hold.notice_due_ms - now_ms).div_euclid(3_600_000);
        let due = if left < 0 { "overdue".to_owned() } else { format!("{left} h") };
        let state = if hold.released_at_ms.is_some() { "released" } else { "stands" };
        table.add_row([hold.id.to_string(), hold.user.to_string(), hold.matter.clone(), due, state.to_owned()]);
    }
    say(&table.to_string())
}

fn as_json(hold: &Hold) -> serde_json::Value {
    json!({
        "hold": hold.id.to_string(), "tenant": hold.tenant.to_string(), "user_id": hold.user.as_str(),
        "matter": hold.matter, "placed_by": hold.placed_by, "placed_at_ms": hold.placed_at_ms,
        "notice_due_ms": hold.notice_due_ms, "released_at_ms": hold.released_at_ms,
    })
}
