//! `countersign-gateway`: serves, and keeps tenants and API keys from the machine that holds the database.

mod commands;

use clap::Parser as _;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match commands::Arguments::parse().command {
        commands::Command::Serve { config } => commands::serve(&config).await,
        commands::Command::Tenant { command } => commands::tenant(command).await,
        commands::Command::Key { command } => commands::key(command).await,
    }
}
