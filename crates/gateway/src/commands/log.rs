//! `log`: what an operator does about the transparency log: takes an audit's head away, holds the audit against one, erases a user
//! from it.

use super::{jobs::desk, say};
use anyhow::{Context as _, bail, ensure};
use biometrics::{TenantId, UserId};
use clap::Subcommand;
use gateway::{AuditCheck, Config};
use receipt::{LogProof, Pin, TrustedKeys};
use service::config;
use std::{
    fs,
    path::{Path, PathBuf},
};
use store::EraseSalts;

/// What to do about the log.
#[derive(Subcommand)]
pub(crate) enum LogCommand {
    /// Print the newest head of a tenant's audit chain with its proof in the log. Keep it where nobody who can write the
    /// database can: `log check` holds the audit against it.
    Anchor {
        /// Settings of the gateway.
        #[arg(long)]
        config: PathBuf,
        /// Whose audit.
        tenant: TenantId,
    },
    /// Hold a tenant's audit, and the log, against what `log anchor` printed. Fails where either is not what it was.
    Check {
        /// Settings of the gateway.
        #[arg(long)]
        config: PathBuf,
        /// Whose audit.
        tenant: TenantId,
        /// What `log anchor` printed.
        #[arg(long, value_name = "FILE")]
        held: PathBuf,
        /// Thumbprint of the root key, pinned once, or a file that holds it.
        #[arg(long, value_name = "THUMBPRINT", allow_hyphen_values = true)]
        root: String,
    },
    /// Destroy the salts of a user's leaves: the log stands and tells nothing of the user any more.
    Erase {
        /// Settings of the gateway.
        #[arg(long)]
        config: PathBuf,
        /// Whose user.
        tenant: TenantId,
        /// The user.
        user: UserId,
        /// It cannot be undone, and nobody can prove the user's receipts by the log afterwards but by proofs taken before.
        #[arg(long)]
        yes: bool,
    },
}

/// Does what was asked.
pub(crate) async fn log(command: LogCommand) -> anyhow::Result<()> {
    match command {
        LogCommand::Anchor { config, tenant } => {
            let desk = desk(&config).await?;
            let anchor = desk.audit_anchor(tenant).await?;
            desk.close().await;
            say(anchor.context("the log has not been told of this audit yet: try again in half a minute")?.trim_end())
        }
        LogCommand::Check { config, tenant, held, root } => check(&config, tenant, (&held, &root)).await,
        LogCommand::Erase { config, tenant, user, yes } => {
            ensure!(yes, "--yes says that it is meant: it cannot be undone");
            let desk = desk(&config).await?;
            let erased = desk.erase_salts(tenant, &user).await?;
            desk.close().await;
            match erased {
                EraseSalts::Erased(leaves) => say(&format!("{leaves} leaves tell nothing any more")),
                EraseSalts::Held => bail!("a legal hold of the user stands"),
            }
        }
    }
}

async fn check(path: &Path, tenant: TenantId, (held, root): (&Path, &str)) -> anyhow::Result<()> {
    let settings: Config = config::load(path)?;
    let document =
        fs::read_to_string(&settings.documents.ledger_jwks).context("documents.ledger_jwks does not read")?;
    let root = fs::read_to_string(root).unwrap_or_else(|_| root.to_owned());
    let issuer = format!("{}/ledger", settings.public_url.trim_end_matches('/'));
    let keys = TrustedKeys::from_document(&document, Pin { issuer: &issuer, root_thumbprint: root.trim() })?;
    let text = fs::read_to_string(held).with_context(|| format!("{} does not read", held.display()))?;
    let held = LogProof::read(&text)?.verify(&keys)?;
    let desk = desk(path).await?;
    let found = desk.check_audit(tenant, &held, &keys).await?;
    desk.close().await;
    match found {
        AuditCheck::Holds { entries, covered } => say(&format!("holds: {entries} entries, {covered} of them covered")),
        AuditCheck::Changed { seq } => bail!("ALARM: the audit is not what it was from entry {seq} on"),
        AuditCheck::Log(refused) => bail!("ALARM: the log is not what it was: {}", refused.reason()),
        AuditCheck::OtherLeaf => bail!("the file is not about this tenant's audit"),
    }
}
