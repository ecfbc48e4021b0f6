//! `audit`: a tenant's entries as they are asked for, exported and checked.
//!
//! Invariant: however long the audit, the memory of one page is used.

use super::{Deployment, say, show};
use crate::{outcome::Outcome, table::instant_ms};
use anyhow::{Context as _, ensure};
use biometrics::{ChallengeId, TenantId, UserId};
use gateway::desk::Desk;
use serde_json::{Value, json};
use std::{
    fs::File,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
};
use store::{About, AuditEntry, AuditQuery, Chain, Walk};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// What to do with an audit.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Audit {
    /// Entries that answer a question, oldest first.
    Query {
        #[command(flatten)]
        at: Deployment,
        #[command(flatten)]
        asked: Asked,
        /// Most entries.
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: usize,
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// All entries that answer a question, one JSON object a line, each with its place in the hash chain.
    Export {
        #[command(flatten)]
        at: Deployment,
        #[command(flatten)]
        asked: Asked,
    },
    /// Walk the chain, of the database or of an export; refused where an entry does not follow from the one before.
    Verify {
        /// Settings of the gateway, to look into the database.
        #[arg(long, env = super::CONFIG, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Whose audit, in the database.
        #[arg(required_unless_present = "file")]
        tenant: Option<TenantId>,
        /// An export of everything, or what the file sink wrote for one tenant, instead of the database.
        #[arg(long, value_name = "FILE", conflicts_with = "tenant")]
        file: Option<PathBuf>,
    },
}

/// A question.
#[derive(Debug, clap::Args)]
pub(crate) struct Asked {
    /// Whose audit.
    tenant: TenantId,
    /// About this user alone.
    #[arg(long, conflicts_with = "challenge")]
    user: Option<UserId>,
    /// About this challenge alone.
    #[arg(long)]
    challenge: Option<ChallengeId>,
    /// Of this kind alone, such as `attempt.decided`.
    #[arg(long)]
    kind: Option<String>,
    /// Not before this time, RFC 3339.
    #[arg(long, value_parser = unix_ms, value_name = "TIME")]
    from: Option<i64>,
    /// Before this time, RFC 3339.
    #[arg(long, value_parser = unix_ms, value_name = "TIME")]
    until: Option<i64>,
}

fn unix_ms(text: &str) -> Result<i64, String> {
    let instant = OffsetDateTime::parse(text, &Rfc3339).map_err(|error| error.to_string())?;
    i64::try_from(instant.unix_timestamp_nanos() / 1_000_000).map_err(|error| error.to_string())
}

impl Asked {
    fn query(self) -> AuditQuery {
        let about = match (self.user, self.challenge) {
            (Some(user), _) => About::User(user),
            (None, Some(challenge)) => About::Challenge(challenge),
            (None, None) => About::Everything,
        };
        AuditQuery { tenant: self.tenant, about, kind: self.kind, from_ms: self.from, until_ms: self.until }
    }
}

impl Audit {
    pub(super) async fn run(self) -> anyhow::Result<Outcome> {
        match self {
            Self::Query { at, asked, limit, json } => {
                let (asked, mut rows) = (asked.query(), Vec::new());
                let desk = at.desk().await?;
                each(&desk, &asked, |entry| {
                    rows.push(row(&asked, entry));
                    Ok(rows.len() < limit)
                })
                .await?;
                desk.close().await;
                show(&rows, &["seq", "at", "kind", "body"], json)?;
                Ok(Outcome::Done)
            }
            Self::Export { at, asked } => {
                let asked = asked.query();
                let desk = at.desk().await?;
                each(&desk, &asked, |entry| say(entry.line(asked.tenant)).map(|()| true)).await?;
                desk.close().await;
                Ok(Outcome::Done)
            }
            Self::Verify { file: Some(file), .. } => told(&walk(&file)?),
            Self::Verify { config, tenant, .. } => {
                let config = config.context("--config is needed to look into the database")?;
                let desk = Deployment { config }.desk().await?;
                let chain = desk.verify_audit(tenant.context("a tenant")?).await?;
                desk.close().await;
                told(&chain)
            }
        }
    }
}

/// Gives every entry that answers the question to `take`, page by page, until it says that it has enough.
async fn each(
    desk: &Desk,
    asked: &AuditQuery,
    mut take: impl FnMut(&AuditEntry) -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    let mut after = 0;
    loop {
        let page = desk.audit(asked, after).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.seq;
        for entry in &page {
            if !take(entry)? {
                return Ok(());
            }
        }
    }
}

fn row(asked: &AuditQuery, entry: &AuditEntry) -> Value {
    let body = serde_json::from_str::<Value>(&entry.body).unwrap_or_default();
    json!({
        "tenant": asked.tenant.to_string(), "seq": entry.seq, "at": instant_ms(entry.at_ms), "at_ms": entry.at_ms,
        "kind": entry.kind, "body": body,
    })
}

/// Walks along a file. What a sink wrote of a transaction that then failed is followed by the entry that took its place.
fn walk(path: &Path) -> anyhow::Result<Chain> {
    let file = File::open(path).with_context(|| format!("{}: cannot be read", path.display()))?;
    let (mut walked, mut pending): (Option<Walk>, Option<AuditEntry>) = (None, None);
    let mut of = None;
    for line in BufReader::new(file).lines() {
        let Some((tenant, entry)) = AuditEntry::read_line(&line?) else { continue };
        ensure!(*of.get_or_insert(tenant) == tenant, "{}: holds entries of several tenants", path.display());
        let replaces = pending.as_ref().is_some_and(|before| before.seq == entry.seq);
        if let Some(before) = pending.replace(entry).filter(|_| !replaces) {
            let walk = walked.get_or_insert_with(|| Walk::from(tenant, &before));
            if !walk.step(&before) {
                return Ok(Chain::Broken { seq: walk.next() });
            }
        }
    }
    let (Some(tenant), Some(last)) = (of, pending) else { return Ok(Chain::Intact { entries: 0, head: [0; 32] }) };
    let mut walk = walked.unwrap_or_else(|| Walk::from(tenant, &last));
    Ok(if walk.step(&last) { walk.intact() } else { Chain::Broken { seq: walk.next() } })
}

fn told(chain: &Chain) -> anyhow::Result<Outcome> {
    match chain {
        Chain::Intact { entries, head } => {
            say(format!("{entries} entries, each follows from the one before; head {}", receipt::base64url(head)))?;
            Ok(Outcome::Done)
        }
        Chain::Broken { seq } => {
            say(format!("broken: entry {seq} does not follow from the one before"))?;
            Ok(Outcome::Refused)
        }
    }
}
