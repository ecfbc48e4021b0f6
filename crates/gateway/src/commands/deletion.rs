//! `delete`, `retention run`, and the artefacts that deletions and rotations leave. What destroys asks first.

use super::{
    jobs::{desk, queued},
    say,
};
use anyhow::{Context as _, bail, ensure};
use biometrics::{JobId, TenantId, UserId};
use clap::{Args, Subcommand};
use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

/// Longest word of a cause, in characters.
const MAX_CAUSE_CHARS: usize = 64;

/// Whose references are destroyed, and why.
#[derive(Args)]
pub(crate) struct Delete {
    /// Settings of the gateway.
    #[arg(long)]
    config: PathBuf,
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
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    /// Stay until it is done.
    #[arg(long)]
    wait: bool,
}

impl Delete {
    /// Asks whether it is meant, then asks for the job.
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let word = &self.cause;
        let sound = (1..=MAX_CAUSE_CHARS).contains(&word.chars().count()) && !word.chars().any(char::is_control);
        ensure!(sound && word != "replaced", "--cause must be 1 to 64 printable characters, and not `replaced`");
        let users = self.users.as_deref().map(users_of).transpose()?;
        let whom = users.as_ref().map_or_else(|| "every user".to_owned(), |users| format!("{} users", users.len()));
        if !self.yes {
            confirm(
                &format!("This destroys the references of {whom} of {}. It cannot be undone.", self.tenant),
                self.tenant,
            )?;
        }
        let desk = desk(&self.config).await?;
        let job = desk.delete(self.tenant, users.as_deref(), word).await?;
        queued(desk, job, self.wait).await
    }
}

/// What to do about windows.
#[derive(Subcommand)]
pub(crate) enum RetentionCommand {
    /// Look now.
    Run {
        /// Settings of the gateway.
        #[arg(long)]
        config: PathBuf,
        /// Whose references.
        tenant: TenantId,
        /// Stay until it is done.
        #[arg(long)]
        wait: bool,
    },
}

/// Asks for an expiry.
pub(crate) async fn retention(command: RetentionCommand) -> anyhow::Result<()> {
    let RetentionCommand::Run { config, tenant, wait } = command;
    let desk = desk(&config).await?;
    let job = desk.expire(tenant).await?;
    queued(desk, job, wait).await
}

/// Prints a job's proofs, page by page.
pub(super) async fn proofs(path: &Path, job: JobId) -> anyhow::Result<()> {
    let desk = desk(path).await?;
    let mut after = None;
    loop {
        let page = desk.proofs(job, after).await?;
        page.proofs.iter().try_for_each(|proof| say(proof))?;
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    desk.close().await;
    Ok(())
}

/// Prints a tenant's key-destruction certificates.
pub(super) async fn certificates(path: &Path, tenant: TenantId) -> anyhow::Result<()> {
    let desk = desk(path).await?;
    desk.certificates(tenant).await?.iter().try_for_each(|certificate| say(certificate))?;
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
    if users.is_empty() { bail!("{}: names no user", path.display()) } else { Ok(users) }
}

/// Goes on only where the tenant's id is typed.
fn confirm(what: &str, tenant: TenantId) -> anyhow::Result<()> {
    write!(io::stdout(), "{what}\nType the tenant's id to go on: ")?;
    io::stdout().flush()?;
    let mut typed = String::new();
    io::stdin().read_line(&mut typed)?;
    ensure!(typed.trim() == tenant.to_string(), "nothing was done");
    Ok(())
}
