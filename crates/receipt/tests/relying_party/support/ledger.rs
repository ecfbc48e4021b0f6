//! A ledger on the spot: status lists and a log in memory, signed by the ledger key of the tests.

use super::{IAT, LEDGER, ledger_key, public, signer};
use crate::support::kid;
use ed25519_dalek::SigningKey;
use receipt::{
    Checkpoint, EncodeError, Growth, Leaf, LogEvent, LogProof, Salt, StatusListClaims, StatusListPlace, Tile, TreeHead,
    Typ, checkpoint_note, edge, encode, grow, prove_inclusion,
};
use std::collections::HashMap;

pub(crate) const LIST: &str = "https://verify.example/v1/status/1";

pub(crate) fn list_claims(revoked: &[u32]) -> StatusListClaims {
    let place = StatusListPlace { iss: LEDGER, uri: LIST, iat: IAT, ttl: 15, life: 60 };
    StatusListClaims::new(place, revoked.iter().copied()).unwrap()
}

pub(crate) fn list_token(claims: &StatusListClaims) -> String {
    encode(Typ::StatusList, &kid(&ledger_key()), claims, signer(&ledger_key())).unwrap()
}

/// A log: every tile that was ever written, and the leaves.
#[derive(Clone)]
pub(crate) struct Log {
    pub(crate) head: TreeHead,
    pub(crate) tiles: HashMap<Tile, Vec<u8>>,
    pub(crate) leaves: Vec<Leaf>,
}

impl Log {
    pub(crate) fn new() -> Self {
        Self { head: TreeHead::EMPTY, tiles: HashMap::new(), leaves: Vec::new() }
    }

    pub(crate) fn with(count: u64) -> Self {
        let mut log = Self::new();
        log.add((0..count).map(leaf));
        log
    }

    pub(crate) fn add(&mut self, leaves: impl IntoIterator<Item = Leaf>) {
        let new: Vec<Leaf> = leaves.into_iter().collect();
        let entries: Vec<_> = new.iter().map(Leaf::entry).collect();
        let edge: Vec<_> = edge(self.head.size).into_iter().map(|tile| (tile, self.tiles[&tile].clone())).collect();
        let Growth { head, tiles } = grow(&self.head, &edge, &entries).unwrap();
        self.head = head;
        self.tiles.extend(tiles);
        self.leaves.extend(new);
    }

    pub(crate) fn note(&self) -> String {
        note_of(&self.head, LEDGER, &ledger_key()).unwrap()
    }

    pub(crate) fn checkpoint(&self) -> Checkpoint {
        Checkpoint::verify(&self.note(), &super::ledger_keys()).unwrap()
    }

    pub(crate) fn read(&self) -> impl Fn(Tile) -> Option<Vec<u8>> {
        |tile| self.tiles.get(&tile).cloned()
    }

    pub(crate) fn proof(&self, index: u64) -> LogProof {
        let hashes = prove_inclusion(&self.checkpoint(), index, &self.read()).unwrap();
        let leaf = self.leaves[usize::try_from(index).unwrap()].clone();
        LogProof { leaf, index, hashes, checkpoint: self.note() }
    }
}

pub(crate) fn note_of(
    head: &TreeHead,
    issuer: &str,
    key: &SigningKey,
) -> Result<String, EncodeError<std::convert::Infallible>> {
    checkpoint_note(head, issuer, &public(key), signer(key))
}

/// The n-th of many leaves that say different things.
pub(crate) fn leaf(n: u64) -> Leaf {
    let event = LogEvent::AuditHead { aud: "tn_1".into(), seq: n as i64 + 1, head: "AAAA".into(), at: IAT };
    let mut salt = [0; 32];
    salt[..8].copy_from_slice(&n.to_be_bytes());
    Leaf::new(&event, Salt::new(salt)).unwrap()
}
