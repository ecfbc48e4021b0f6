//! The binary's arguments and what each subcommand does. Output of commands goes to standard output, logs elsewhere.

pub(crate) mod deletion;
pub(crate) mod holds;
pub(crate) mod jobs;
pub(crate) mod log;
pub(crate) mod store;

use anyhow::Context as _;
use biometrics::{Policy, TenantId};
use clap::{Parser, Subcommand};
use gateway::{
    Config,
    tenants::{Register, TenantRequest},
};
use secrecy::ExposeSecret as _;
use service::{Clock, config, drain, heap, telemetry};
use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

/// The exposed process of Countersign.
#[derive(Parser)]
#[command(version, about)]
pub(crate) struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Serve gRPC and JSON until SIGTERM, then drain.
    Serve {
        /// Settings, as documented in deploy/config/gateway.toml.
        #[arg(long)]
        config: PathBuf,
    },
    /// Make or list tenants.
    Tenant {
        #[command(subcommand)]
        command: TenantCommand,
    },
    /// Make, revoke or list API keys; rotate a tenant's KEK.
    Key {
        #[command(subcommand)]
        command: KeyCommand,
    },
    /// See how far long-running work is.
    Job {
        #[command(subcommand)]
        command: jobs::JobCommand,
    },
    /// Destroy many references of a tenant, with one proof for each user. Prints the job.
    Delete(deletion::Delete),
    /// Keep users' data from being erased for a legal matter.
    Hold {
        #[command(subcommand)]
        command: holds::HoldCommand,
    },
    /// Take an audit's head out of the transparency log, hold the audit against one, erase a user from the log.
    Log {
        #[command(subcommand)]
        command: log::LogCommand,
    },
    /// Destroy references that outlived the window of the tenant's policy. Gateways do so by themselves, every ten minutes.
    Retention {
        #[command(subcommand)]
        command: deletion::RetentionCommand,
    },
    /// Bring the database's schema up to date; move an SQLite deployment to Postgres.
    Store {
        #[command(subcommand)]
        command: store::StoreCommand,
    },
}

/// What to do with tenants.
#[derive(Subcommand)]
pub(crate) enum TenantCommand {
    /// Make a tenant and print its id. A worker must be running: it makes the tenant's secrets.
    Create {
        /// Settings of the gateway.
        #[arg(long)]
        config: PathBuf,
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
    /// List every tenant: id, kind, policy, name.
    List {
        /// Settings of the gateway.
        #[arg(long)]
        config: PathBuf,
    },
}

/// What to do with API keys.
#[derive(Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a key and print it, once.
    Create {
        /// Settings of the gateway.
        #[arg(long)]
        config: PathBuf,
        /// Whose key.
        #[arg(long)]
        tenant: TenantId,
        /// Days until it expires; without it, it does not.
        #[arg(long)]
        days: Option<u32>,
    },
    /// Revoke a key.
    Revoke {
        /// Settings of the gateway.
        #[arg(long)]
        config: PathBuf,
        /// Whose key.
        #[arg(long)]
        tenant: TenantId,
        /// The key's public part: the 16 digits after `cs_live_` or `cs_test_`.
        key_id: String,
    },
    /// Make a new KEK version, wrap everything of the tenant under it while serving, and destroy the old versions. Prints the job.
    Rotate {
        /// Settings of the gateway.
        #[arg(long)]
        config: PathBuf,
        /// Whose KEK.
        tenant: TenantId,
        /// Stay until it is done.
        #[arg(long)]
        wait: bool,
    },
    /// Certificates of the tenant's KEK versions that are gone: one JWS a line, oldest first.
    Destroyed {
        /// Settings of the gateway.
        #[arg(long)]
        config: PathBuf,
        /// Whose KEKs.
        tenant: TenantId,
    },
    /// List a tenant's keys: public part and state.
    List {
        /// Settings of the gateway.
        #[arg(long)]
        config: PathBuf,
        /// Whose keys.
        #[arg(long)]
        tenant: TenantId,
    },
}

/// Serves until SIGTERM or SIGINT.
pub(crate) async fn serve(path: &Path) -> anyhow::Result<()> {
    heap::reexec_wiped().context("starting again with a heap that is wiped")?;
    let config: Config = config::load(path)?;
    telemetry::init(&config.telemetry)?;
    let running = gateway::start(config, Clock::system(), drain::signal()).await?;
    let drained = running.join.await?;
    anyhow::ensure!(drained.cut == 0, "{} connections were cut at the drain deadline", drained.cut);
    Ok(())
}

/// Makes or lists tenants.
pub(crate) async fn tenant(command: TenantCommand) -> anyhow::Result<()> {
    match command {
        TenantCommand::Create { config, name, test, policy } => {
            let policy = policy_of(policy.as_deref(), test)?;
            let register = register(&config).await?;
            let tenant = register.create_tenant(TenantRequest { name, test, policy }).await?;
            register.close().await;
            say(&tenant.to_string())
        }
        TenantCommand::List { config } => {
            let register = register(&config).await?;
            for tenant in register.list_tenants().await? {
                let kind = if tenant.test { "test" } else { "production" };
                say(&format!("{}\t{kind}\t{}\t{}", tenant.id, tenant.policy.version, tenant.name))?;
            }
            register.close().await;
            Ok(())
        }
    }
}

/// Makes, revokes or lists API keys.
pub(crate) async fn key(command: KeyCommand) -> anyhow::Result<()> {
    match command {
        KeyCommand::Create { config, tenant, days } => {
            let register = register(&config).await?;
            let expires_at_ms = days.map(|days| Clock::system().now_ms() + i64::from(days) * 86_400_000);
            let key = register.create_api_key(tenant, expires_at_ms).await?;
            register.close().await;
            say(key.secret.expose_secret())
        }
        KeyCommand::Revoke { config, tenant, key_id } => {
            let register = register(&config).await?;
            register.revoke_api_key(tenant, &key_id).await?;
            register.close().await;
            say("revoked")
        }
        KeyCommand::Destroyed { config, tenant } => deletion::certificates(&config, tenant).await,
        KeyCommand::Rotate { config, tenant, wait } => jobs::rotate(&config, tenant, wait).await,
        KeyCommand::List { config, tenant } => {
            let register = register(&config).await?;
            for key in register.list_api_keys(tenant).await? {
                let state = match (key.revoked, key.expired) {
                    (true, _) => "revoked",
                    (false, true) => "expired",
                    (false, false) => "active",
                };
                say(&format!("{}\t{state}", key.key_id))?;
            }
            register.close().await;
            Ok(())
        }
    }
}

async fn register(path: &Path) -> anyhow::Result<Register> {
    let config: Config = config::load(path)?;
    Ok(Register::open(&config, Clock::system()).await?)
}

fn policy_of(path: Option<&Path>, test: bool) -> anyhow::Result<Policy> {
    match (path, test) {
        (Some(path), _) => {
            let text = fs::read_to_string(path).with_context(|| format!("{}: cannot be read", path.display()))?;
            serde_json::from_str(&text).with_context(|| format!("{}: not a policy", path.display()))
        }
        (None, true) => Ok(Policy::testing()),
        (None, false) => Ok(Policy::production()),
    }
}

fn say(line: &str) -> anyhow::Result<()> {
    Ok(writeln!(io::stdout(), "{line}")?)
}
