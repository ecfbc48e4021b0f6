//! `log`: what an operator does about the transparency log: takes an audit's head away, holds the audit against one, erases a user
//! from it.

use super::{Deployment, confirm::Meant, say};
use crate::outcome::Outcome;
use anyhow::{Context as _, bail};
use biometrics::{TenantId, UserId};
use gateway::AuditCheck;
use receipt::{LogProof, Pin, TrustedKeys};
use std::{
    fs,
    path::{Path, PathBuf},
};
use store::EraseSalts;

/// What to do about the log.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Ledger {
    /// Print the newest head of a tenant's audit chain with its proof in the log. Keep it where nobody who can write the
    /// database can: `log check` holds the audit against it.
    Anchor {
        #[command(flatten)]
        at: Deployment,
        /// Whose audit.
        tenant: TenantId,
    },
    /// Print the newest leaf about a signing key with its proof in the log: that it was destroyed, or that it took over as root.
    Key {
        #[command(flatten)]
        at: Deployment,
        /// The key's id, as `keys list` prints it.
        #[arg(allow_hyphen_values = true)]
        kid: String,
    },
    /// Hold a tenant's audit, and the log, against what `log anchor` printed. Exit status 3 where either is not what it was.
    Check {
        #[command(flatten)]
        at: Deployment,
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
        #[command(flatten)]
        at: Deployment,
        /// Whose user.
        tenant: TenantId,
        /// The user.
        user: UserId,
        #[command(flatten)]
        meant: Meant,
    },
}

impl Ledger {
    pub(super) async fn run(self) -> anyhow::Result<Outcome> {
        match self {
            Self::Anchor { at, tenant } => {
                let desk = at.desk().await?;
                let anchor = desk.audit_anchor(tenant).await?;
                desk.close().await;
                say(anchor
                    .context("the log has not been told of this audit yet: try again in half a minute")?
                    .trim_end())?;
                Ok(Outcome::Done)
            }
            Self::Key { at, kid } => {
                let desk = at.desk().await?;
                let leaf = desk.key_leaf(&kid).await?;
                desk.close().await;
                say(leaf
                    .context("the log tells of no such key; a new leaf has its place after a second or two")?
                    .trim_end())?;
                Ok(Outcome::Done)
            }
            Self::Check { at, tenant, held, root } => check(&at, tenant, (&held, &root)).await,
            Self::Erase { at, tenant, user, meant } => {
                let consequence =
                    "From then on nobody can prove the user's receipts by the log but by proofs taken before.";
                meant.or_typed(consequence, user.as_str())?;
                let desk = at.desk().await?;
                let erased = desk.erase_salts(tenant, &user).await?;
                desk.close().await;
                match erased {
                    EraseSalts::Erased(leaves) => say(format!("{leaves} leaves tell nothing any more"))?,
                    EraseSalts::Held => bail!("a legal hold of the user stands"),
                }
                Ok(Outcome::Done)
            }
        }
    }
}

async fn check(at: &Deployment, tenant: TenantId, (held, root): (&Path, &str)) -> anyhow::Result<Outcome> {
    let settings = at.config()?;
    let document =
        fs::read_to_string(&settings.documents.ledger_jwks).context("documents.ledger_jwks does not read")?;
    let root = fs::read_to_string(root).unwrap_or_else(|_| root.to_owned());
    let issuer = format!("{}/ledger", settings.public_url.trim_end_matches('/'));
    let keys = TrustedKeys::from_document(&document, Pin { issuer: &issuer, root_thumbprint: root.trim() })?;
    let text = fs::read_to_string(held).with_context(|| format!("{} does not read", held.display()))?;
    let held = LogProof::read(&text)?.verify(&keys)?;
    let desk = at.desk().await?;
    let found = desk.check_audit(tenant, &held, &keys).await?;
    desk.close().await;
    let alarm = match found {
        AuditCheck::Holds { entries, covered } => {
            say(format!("holds: {entries} entries, {covered} of them covered"))?;
            return Ok(Outcome::Done);
        }
        AuditCheck::Changed { seq } => format!("the audit is not what it was from entry {seq} on"),
        AuditCheck::Log(refused) => format!("the log is not what it was: {}", refused.reason()),
        AuditCheck::OtherLeaf => bail!("the file is not about this tenant's audit"),
    };
    eprintln!("ALARM: {alarm}");
    Ok(Outcome::Alarm)
}
