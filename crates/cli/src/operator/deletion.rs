//! `delete`, `retention run`, and the artefacts that deletions and rotations leave.

use super::{
    Deployment,
    confirm::Meant,
    jobs::{Wait, queued},
    say,
};
use crate::outcome::Outcome;
use anyhow::{Context as _, ensure};
use biometrics::{JobId, TenantId, UserId};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Whose references are destroyed, and why.
#[derive(Debug, clap::Args)]
pub(crate) struct Delete {
    #[command(flatten)]
    at: Deployment,
    /// The tenant.
    tenant: TenantId,
    /// File of user ids, one a line.
    #[arg(long, conflicts_with = "all", required_unless_present = "all")]
    users: Option<PathBuf>,
    /// Everybody.
    #[arg(long)]
    all: bool,
    /// The word in audit and proofs.
    #[arg(long, default_value = "tenant-request")]
    cause: String,
    #[command(flatten)]
    meant: Meant,
    #[command(flatten)]
    wait: Wait,
}

impl Delete {
    /// Asks whether it is meant, then asks for the job.
    pub(super) async fn run(self) -> anyhow::Result<Outcome> {
        let word = &self.cause;
        ensure!(
            store::may_be_cause(word),
            "--cause must be 1 to 64 printable characters, and none of the store's own words: {}",
            store::OWN_CAUSES.join(", ")
        );
        let users = self.users.as_deref().map(users_of).transpose()?;
        let whom = users.as_ref().map_or_else(|| "every user".to_owned(), |users| format!("{} users", users.len()));
        let tenant = self.tenant.to_string();
        self.meant.or_typed(&format!("This destroys the references of {whom} of {tenant}."), &tenant)?;
        let desk = self.at.desk().await?;
        let job = desk.delete(self.tenant, users.as_deref(), word).await?;
        queued(desk, job, self.wait).await
    }
}

/// What to do about windows.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Retention {
    /// Look now.
    Run {
        #[command(flatten)]
        at: Deployment,
        /// Whose references.
        tenant: TenantId,
        #[command(flatten)]
        wait: Wait,
    },
}

impl Retention {
    pub(super) async fn run(self) -> anyhow::Result<Outcome> {
        let Self::Run { at, tenant, wait } = self;
        let desk = at.desk().await?;
        let job = desk.expire(tenant).await?;
        queued(desk, job, wait).await
    }
}

/// Whose proofs.
#[derive(Debug, Clone, Copy)]
pub(super) enum Of {
    /// What a job erased.
    Job(JobId),
    /// What was ever erased of a tenant.
    Tenant(TenantId),
}

/// Prints proofs, page by page.
pub(super) async fn proofs(at: &Deployment, of: Of) -> anyhow::Result<()> {
    let desk = at.desk().await?;
    let mut after = None;
    loop {
        let page = match of {
            Of::Job(job) => desk.proofs(job, after).await?,
            Of::Tenant(tenant) => desk.tenant_proofs(tenant, after).await?,
        };
        page.proofs.iter().try_for_each(say)?;
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    desk.close().await;
    Ok(())
}

/// Prints a tenant's key-destruction certificates.
pub(super) async fn certificates(at: &Deployment, tenant: TenantId) -> anyhow::Result<()> {
    let desk = at.desk().await?;
    desk.certificates(tenant).await?.iter().try_for_each(say)?;
    desk.close().await;
    Ok(())
}

fn users_of(path: &Path) -> anyhow::Result<Vec<UserId>> {
    let text = fs::read_to_string(path).with_context(|| format!("{}: cannot be read", path.display()))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let read = |(at, line): (usize, &str)| {
        line.trim().parse::<UserId>().with_context(|| format!("{}:{}: not a user id", path.display(), at + 1))
    };
    let users: Vec<UserId> = lines.map(read).collect::<anyhow::Result<_>>()?;
    ensure!(!users.is_empty(), "{}: names no user", path.display());
    Ok(users)
}
