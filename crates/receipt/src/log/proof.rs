//! Proofs that travel (C2SP tlog-proof): one text that shows, offline, that the log holds a leaf.
//!
//! Must never know: how the proof was made. Invariant: a [`Logged`] in hand was led to a root that the ledger signed.

use super::{checkpoint::Checkpoint, event::LogEvent, hashes, leaf::Leaf};
use crate::{
    base64url,
    deletion::DeletionProof,
    refused::{LogFault, Refused},
    trusted::TrustedKeys,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::digest::{SHA256, digest};
use tlog_tiles::{Hash, check_record, record_hash};

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";
const MAX_PROOF_BYTES: usize = 128 * 1024;
/// A proof has as many hashes as the tree has levels.
const MAX_HASHES: usize = 40;

/// All that one proof says: the leaf, its place, the way to the root, and who signed the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogProof {
    /// The leaf.
    pub leaf: Leaf,
    /// Its place in the log, from 0.
    pub index: u64,
    /// The way to the root, from the leaf's sibling up (RFC 6962 §2.1.1).
    pub hashes: Vec<[u8; 32]>,
    /// The signed checkpoint.
    pub checkpoint: String,
}

/// A leaf that the log holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    event: LogEvent,
    index: u64,
    checkpoint: Checkpoint,
}

impl LogProof {
    /// The proof as a text: the leaf and its salt ride in the `extra` line.
    ///
    /// # Errors
    /// [`Refused::Malformed`] never for a leaf that was made here.
    pub fn to_text(&self) -> Result<String, Refused> {
        let extra = STANDARD.encode(self.leaf.to_json()?);
        let way: String = self.hashes.iter().map(|hash| STANDARD.encode(hash) + "\n").collect();
        Ok(format!("{FIRST_LINE}\nextra {extra}\nindex {}\n{way}\n{}", self.index, self.checkpoint))
    }

    /// Reads a proof without believing it: to renew it, or to [`verify`](Self::verify) it.
    ///
    /// # Errors
    /// [`LogFault::ProofForm`], or [`Refused::Malformed`] for the leaf.
    pub fn read(text: &str) -> Result<Self, Refused> {
        let form = || Refused::from(LogFault::ProofForm);
        let (head, checkpoint) = text.split_once("\n\n").filter(|_| text.len() <= MAX_PROOF_BYTES).ok_or_else(form)?;
        let mut lines = head.split('\n');
        let extra = lines.next().filter(|first| *first == FIRST_LINE).and_then(|_| lines.next());
        let extra = extra.and_then(|line| line.strip_prefix("extra ")).and_then(|line| STANDARD.decode(line).ok());
        let index = lines.next().and_then(|line| line.strip_prefix("index ")).and_then(decimal);
        let hashes: Option<Vec<[u8; 32]>> =
            lines.map(|line| STANDARD.decode(line).ok().and_then(|bytes| bytes.try_into().ok())).collect();
        let (Some(extra), Some(index), Some(hashes)) = (extra, index, hashes) else { return Err(form()) };
        if hashes.len() > MAX_HASHES {
            return Err(form());
        }
        Ok(Self { leaf: Leaf::from_json(&extra)?, index, hashes, checkpoint: checkpoint.to_owned() })
    }

    /// Checks the proof; `keys` are the ledger's.
    ///
    /// # Errors
    /// As [`Checkpoint::verify`]; [`LogFault::Size`], [`LogFault::Inclusion`]; [`Refused::Malformed`] for a leaf of no known
    /// kind.
    pub fn verify(&self, keys: &TrustedKeys) -> Result<Logged, Refused> {
        let checkpoint = Checkpoint::verify(&self.checkpoint, keys)?;
        let head = checkpoint.head();
        if self.index >= head.size {
            return Err(LogFault::Size.into());
        }
        let leaf = record_hash(&self.leaf.entry());
        check_record(&hashes(&self.hashes), head.size, Hash(head.root), self.index, leaf)
            .map_err(|_| LogFault::Inclusion)?;
        Ok(Logged { event: self.leaf.event()?, index: self.index, checkpoint })
    }
}

impl Logged {
    /// What happened.
    #[must_use]
    pub const fn event(&self) -> &LogEvent {
        &self.event
    }

    /// Its place in the log, from 0.
    #[must_use]
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// The checkpoint that holds it: keep the newest, to see that the log goes on from there.
    #[must_use]
    pub const fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// Whether the leaf is the one of this receipt, given in its compact form.
    ///
    /// # Errors
    /// [`LogFault::OtherLeaf`].
    pub fn check_receipt(&self, token: &str) -> Result<(), LogFault> {
        let hash = base64url(digest(&SHA256, token.as_bytes()).as_ref());
        let same = matches!(&self.event, LogEvent::Receipt { sha256, .. } if *sha256 == hash);
        if same { Ok(()) } else { Err(LogFault::OtherLeaf) }
    }

    /// Whether the leaf is the one of this deletion.
    ///
    /// # Errors
    /// [`LogFault::OtherLeaf`].
    pub fn check_deletion(&self, proof: &DeletionProof) -> Result<(), LogFault> {
        let claims = proof.claims();
        let same = matches!(&self.event, LogEvent::Deletion { aud, jti, reference, at }
            if *aud == claims.aud && *jti == claims.jti && *reference == claims.reference && *at == claims.deleted_at);
        if same { Ok(()) } else { Err(LogFault::OtherLeaf) }
    }
}

/// A decimal number as it would be written.
fn decimal(text: &str) -> Option<u64> {
    text.parse().ok().filter(|number: &u64| number.to_string() == text)
}
