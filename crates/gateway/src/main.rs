//! `countersign-gateway`: serves, and keeps tenants and API keys from the machine that holds the database.

mod commands;

use clap::Parser as _;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match commands::Arguments::parse().command {
        commands::Command::Serve { config } => commands::serve(&config).await,
        commands::Command::Tenant { command } => commands::tenant(command).await,
        commands::Command::Key { command } => commands::key(command).await,
        commands::Command::Job { command } => commands::jobs::job(command).await,
        commands::Command::Delete(delete) => delete.run().await,
        commands::Command::Hold { command } => commands::holds::hold(command).await,
        commands::Command::Log { command } => commands::log::log(command).await,
        commands::Command::Retention { command } => commands::deletion::retention(command).await,
        commands::Command::Store { command } => commands::store::store(command).await,
    }
}
