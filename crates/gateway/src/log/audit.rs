//! A tenant's audit chain held against what the log was told of it.
//!
//! Owns the order of the checks. Must never know: what entries say. Invariant: with a proof that was kept elsewhere no change of
//! an entry that it covers passes, whoever made it: the head in the proof is the one that the chain must have had.

use super::prove::with_tiles;
use biometrics::TenantId;
use receipt::{Checkpoint, LogEvent, LogFault, Logged, Refused, TrustedKeys, continues};
use store::{Chain, Store, StoreError};

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditCheck {
    /// The chain holds and runs through every head that the log was told.
    Holds {
        /// Entries of the chain.
        entries: i64,
        /// Up to here no change could pass.
        covered: i64,
    },
    /// From this position on it is not what it was.
    Changed {
        /// The position.
        seq: i64,
    },
    /// The log is not the one that the kept checkpoint belongs to, or does not read.
    Log(Refused),
    /// What was kept is not about this tenant's audit.
    OtherLeaf,
}

/// Position and hash of an entry, as a leaf tells them.
fn anchor(event: &LogEvent, tenant: TenantId) -> Option<(i64, String)> {
    match event {
        LogEvent::AuditHead { aud, seq, head, .. } if *aud == tenant.to_string() => Some((*seq, head.clone())),
        _ => None,
    }
}

/// Checks the chain against `held`, a proof kept elsewhere, and against the newest head that the log itself still tells.
///
/// # Errors
/// The store's.
pub(crate) async fn check(
    store: &Store,
    (tenant, held): (TenantId, &Logged),
    keys: &TrustedKeys,
) -> Result<AuditCheck, StoreError> {
    let Some(kept) = anchor(held.event(), tenant) else { return Ok(AuditCheck::OtherLeaf) };
    if let Err(refused) = log_goes_on(store, held.checkpoint(), keys).await? {
        return Ok(AuditCheck::Log(refused));
    }
    let mut anchors = vec![kept];
    if let Some(newest) = store.log_leaf(&tenant.to_string()).await? {
        anchors.extend(newest.leaf.event().ok().and_then(|event| anchor(&event, tenant)));
    }
    let covered = anchors.iter().map(|(seq, _)| *seq).max().unwrap_or(0);
    Ok(match store.verify_audit_through(tenant, &anchors).await? {
        Chain::Intact { entries, .. } => AuditCheck::Holds { entries, covered },
        Chain::Broken { seq } => AuditCheck::Changed { seq },
    })
}

/// Whether the log in the database continues a checkpoint.
async fn log_goes_on(store: &Store, held: &Checkpoint, keys: &TrustedKeys) -> Result<Result<(), Refused>, StoreError> {
    let Some(now) = store.log_head().await? else { return Ok(Err(LogFault::Rollback.into())) };
    let now = match Checkpoint::verify(&now.note, keys) {
        Ok(now) => now,
        Err(refused) => return Ok(Err(refused)),
    };
    let step = with_tiles(store, |read| continues(&held.head(), &now, read)).await?;
    Ok(step.map(drop).map_err(Refused::from))
}
