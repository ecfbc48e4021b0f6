//! All that a relying party needs: the action hash, receipts, deletion proofs, status lists, the transparency log's
//! checkpoints and proofs, and the keys that may sign them.
//!
//! Owns payloads, the canonical action hash, compact JWS (RFC 7515) with EdDSA (RFC 8037), the signed key sets (RFC 7517),
//! status lists and the log's formats (C2SP). Must never know: scores, frames, tokio, tonic, where private keys live, how
//! anything is fetched. Invariant: outside [`inspect_unverified`] no claim can be read from a token whose signature, type,
//! key and issuer were not checked.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking"))]

mod action;
mod claims;
mod deletion;
mod destruction;
mod exported;
mod inspect;
mod jwk;
mod jws;
mod log;
mod permutation;
mod refused;
mod spend;
mod status_list;
mod strict_json;
mod termination;
mod trusted;
mod verify;

pub use action::{Action, ActionError, ActionFault, display_sha256, display_text};
pub use claims::{
    ActClaim, ConsentClaim, FmrClaim, ModeClaim, ReceiptClaims, RefClaim, StatusClaim, StatusListClaim, amr,
};
pub use deletion::{
    CoversClaim, DeletionClaims, DeletionProof, Exception, ExpectedDeletion, LiveStore, verify_deletion_proof,
};
pub use destruction::{DestructionClaims, ExpectedDestruction, KekClaim, KeyDestruction, verify_key_destruction};
pub use exported::{Disagreement, ExportedProofs};
pub use inspect::{UnverifiedToken, inspect_unverified};
pub use jwk::{KeySet, MAX_KEYS, PublicJwk, jwks_document, thumbprint};
pub use jws::{EncodeError, MAX_TOKEN_BYTES, Typ, encode};
pub use log::{
    Checkpoint, Continues, Growth, KeyName, KeyUse, Leaf, LogEvent, LogProof, Logged, MAX_NOTE_BYTES, MAX_TREE, Salt,
    TILE_WIDTH, Tile, TreeHead, check_consistency, checkpoint_note, continues, edge, grow, log_origin, path_to_root,
    prove_consistency, prove_inclusion,
};
pub use permutation::{IndexOrder, LIST_ENTRIES};
pub use refused::{Claim, KeyFault, LogFault, Malformed, Refused, StatusFault};
pub use spend::{AlreadySpent, SpendError, SpendKey, Unspent};
pub use status_list::{
    MAX_LIST_BYTES, ONLINE_SECONDS, STATUS_LEEWAY_SECONDS, Status, StatusList, StatusListClaims, StatusListPlace,
};
pub use termination::{
    ExpectedTermination, ProofsClaim, ProofsHash, TenantTermination, TerminationClaims, verify_termination,
};
pub use trusted::{Pin, TrustedKeys};
pub use verify::{Expected, LEEWAY_SECONDS, Receipt, authorize, evidence, refusal, verify_enrollment, withheld_nonce};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

/// Writes bytes as base64url without padding (RFC 4648 §5), the form of every binary claim.
#[must_use]
pub fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads what [`base64url`] writes and nothing else: no padding, no stray bits, no other alphabet.
pub(crate) fn from_base64url(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}
