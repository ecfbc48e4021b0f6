//! Proofs made from the tiles in the database.
//!
//! Must never know: keys. Invariant: no hash is used that does not lead to the root beside the signed checkpoint, so a database
//! that was changed gives no proof, and never a wrong one.

use crate::{fault::store_fault, jobs::stored};
use receipt::{LogFault, LogProof, Tile, path_to_root};
use std::{cell::RefCell, collections::HashMap};
use store::{LogHead, Store, StoreError};
use wire::Reason;

/// The proof of the newest leaf under a name; `None` where the log holds none, or its salt was destroyed.
///
/// # Errors
/// `UNAVAILABLE_DATABASE`; `INTERNAL`, an alarm, where the tiles do not lead to the root.
pub(crate) async fn prove(store: &Store, subject: &str) -> Result<Option<LogProof>, Reason> {
    let Some(kept) = stored(store.log_leaf(subject).await)? else { return Ok(None) };
    let Some(LogHead { head, note }) = stored(store.log_head().await)? else { return Ok(None) };
    let path = with_tiles(store, |read| path_to_root(&head, kept.place, read)).await.map_err(store_fault)?;
    match path {
        Ok(hashes) => Ok(Some(LogProof { leaf: kept.leaf, index: kept.place, hashes, checkpoint: note })),
        Err(_) => {
            metrics::counter!("countersign_log_alarms_total").increment(1);
            tracing::error!(alarm = true, "the log's tiles do not lead to its root");
            Err(Reason::Internal)
        }
    }
}

/// Runs `work` on the database's tiles: again with each round of tiles that it asked for, until it asks for none.
///
/// # Errors
/// The store's. What `work` says of whole tiles is a value.
pub(crate) async fn with_tiles<T>(
    store: &Store,
    work: impl Fn(&dyn Fn(Tile) -> Option<Vec<u8>>) -> Result<T, LogFault>,
) -> Result<Result<T, LogFault>, StoreError> {
    let mut known: HashMap<Tile, Option<Vec<u8>>> = HashMap::new();
    loop {
        let (answer, wanted) = on_known(&known, &work);
        if answer.is_ok() || wanted.is_empty() {
            return Ok(answer);
        }
        for tile in wanted {
            known.insert(tile, store.log_tile(tile).await?);
        }
    }
}

/// One round: what came of it, and which tiles were asked for that nobody had looked for.
fn on_known<T>(
    known: &HashMap<Tile, Option<Vec<u8>>>,
    work: impl Fn(&dyn Fn(Tile) -> Option<Vec<u8>>) -> Result<T, LogFault>,
) -> (Result<T, LogFault>, Vec<Tile>) {
    let wanted = RefCell::new(Vec::new());
    let answer = work(&|tile: Tile| {
        let found = known.get(&tile);
        if found.is_none() {
            wanted.borrow_mut().push(tile);
        }
        found.cloned().flatten()
    });
    (answer, wanted.into_inner())
}
