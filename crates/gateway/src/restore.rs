//! A database that came back from a backup: is it older than the deletion journal, and if so, what came back with it is erased
//! once more.
//!
//! Must never know: users' names, the journal's form. Invariants: nobody is served from a database that is older than its journal; the
//! replay may be done again after any death, and what it promises is checkpointed before it says so.

use crate::{
    GatewayError,
    journal::{Entry, Journal},
};
use biometrics::TenantId;
use std::collections::{BTreeMap, BTreeSet};
use store::{Erased, JournalHead, Store, StoreError};
use tokio::task::spawn_blocking;

/// Deletions noted in one transaction.
const BATCH: u32 = 500;

/// What a replay of the journal came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Entries of the journal.
    pub entries: u64,
    /// Entries that the database had not seen.
    pub unseen: u64,
    /// Those of which it holds the deletion itself.
    pub known: u64,
    /// References that had come back and are erased again, with their users' live receipts.
    pub erased: Vec<Erased>,
    /// References that the database does not hold: it is older than they are.
    pub absent: u64,
}

/// Unseen entries whose deletion the database lacks, and the journal's end.
struct Standing {
    entries: u64,
    unseen: u64,
    lacking: Vec<Entry>,
    head: Option<JournalHead>,
}

/// Refuses a database that is older than its journal, or whose journal is not named any more.
///
/// # Errors
/// `DatabaseOlder`, `JournalUnnamed`, `Journal`, `Store`.
pub(crate) async fn check(store: &Store, journal: Option<&Journal>) -> Result<(), GatewayError> {
    let Some(journal) = journal else {
        if store.journal_head().await?.is_some() {
            return Err(GatewayError::JournalUnnamed);
        }
        tracing::warn!("no [journal] is named: a restored backup would bring deleted references back");
        return Ok(());
    };
    let standing = standing(store, journal).await?;
    if !standing.lacking.is_empty() {
        return Err(GatewayError::DatabaseOlder(standing.lacking.len()));
    }
    seen(store, standing.head).await
}

/// Erases what came back, and checkpoints before it notes that the database is as new as its journal.
///
/// # Errors
/// `JournalUnnamed`, `Journal`, `Store`.
pub(crate) async fn replay(store: &Store, journal: Option<&Journal>) -> Result<Replayed, GatewayError> {
    let standing = standing(store, journal.ok_or(GatewayError::JournalUnnamed)?).await?;
    let mut replayed = Replayed {
        entries: standing.entries,
        unseen: standing.unseen,
        known: standing.unseen - standing.lacking.len() as u64,
        ..Replayed::default()
    };
    let mut by_tenant: BTreeMap<TenantId, u64> = BTreeMap::new();
    for entry in &standing.lacking {
        match store.erase_restored(entry.tenant, entry.reference).await? {
            Some(erased) => {
                *by_tenant.entry(entry.tenant).or_default() += 1;
                replayed.erased.push(erased);
            }
            None => replayed.absent += 1,
        }
    }
    let checkpoint = store.checkpoint().await?;
    for erased in &replayed.erased {
        store.deletion_proved(erased, checkpoint).await?;
    }
    if let Some(head) = standing.head {
        for (tenant, erased) in by_tenant {
            store.note_replay(tenant, erased, head).await?;
        }
        // They are in it under their references already.
        store.note_journaled(&replayed.erased, head).await?;
    }
    Ok(replayed)
}

/// Makes entries of deletions that have none yet, as the database told, and notes them; without a journal nothing is done.
///
/// # Errors
/// The journal's or the store's: no proof of these deletions may leave.
pub(crate) async fn write(store: &Store, journal: Option<&Journal>, due: Vec<Erased>) -> Result<(), WriteError> {
    let Some(journal) = journal.cloned().filter(|_| !due.is_empty()) else { return Ok(()) };
    let entries = due.clone();
    let head = spawn_blocking(move || journal.append(&entries)).await.map_err(|_| WriteError::Thread)??;
    Ok(store.note_journaled(&due, head).await?)
}

/// The same for every deletion that has no entry.
///
/// # Errors
/// As [`write`].
pub(crate) async fn write_due(store: &Store, journal: Option<&Journal>) -> Result<(), WriteError> {
    if journal.is_none() {
        return Ok(());
    }
    loop {
        let due = store.deletions_to_journal(BATCH).await?;
        if due.is_empty() {
            return Ok(());
        }
        write(store, journal, due).await?;
    }
}

/// Why deletions have no entries.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    /// The file does not take them.
    #[error(transparent)]
    Journal(#[from] crate::journal::JournalError),
    /// The database does not note them.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The thread that wrote them ended.
    #[error("the thread that writes the deletion journal ended")]
    Thread,
}

async fn standing(store: &Store, journal: &Journal) -> Result<Standing, GatewayError> {
    let (seen, journal) = (store.journal_head().await?, journal.clone());
    let (later, head) = spawn_blocking(move || journal.after(seen)).await.map_err(GatewayError::Thread)??;
    let unseen = later.len() as u64;
    let (mut lacking, mut met) = (Vec::new(), BTreeSet::new());
    for entry in later {
        // Two processes may have written the entry of one deletion.
        if met.insert((entry.tenant, entry.reference)) && !store.knows_deletion(entry.tenant, entry.reference).await? {
            lacking.push(entry);
        }
    }
    let head = Some(head).filter(|head| head.position > 0);
    Ok(Standing { entries: head.map_or(0, |head| head.position), unseen, lacking, head })
}

async fn seen(store: &Store, head: Option<JournalHead>) -> Result<(), GatewayError> {
    match head {
        Some(head) => Ok(store.note_journaled(&[], head).await?),
        None => Ok(()),
    }
}
