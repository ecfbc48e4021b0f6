//! Which keys a command trusts: a key set document, the pinned root, the issuer that is meant.
//!
//! Must never know: private keys. Invariant: a document that cannot be read is an error, one that is not good a refusal.

use anyhow::Context as _;
use receipt::{Pin, Refused, TrustedKeys};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The keys that the ledger signs proofs, status lists and checkpoints with.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Ledger {
    /// Key set document of the ledger, as published by the gateway.
    #[arg(long, value_name = "FILE")]
    ledger_jwks: PathBuf,
    /// Thumbprint of the root key, pinned once, or a file that holds it.
    #[arg(long, value_name = "THUMBPRINT", allow_hyphen_values = true)]
    root: String,
    /// Issuer of the ledger.
    #[arg(long, value_name = "URL")]
    ledger_issuer: String,
}

impl Ledger {
    /// The trusted keys, or why the document is refused.
    pub(crate) fn keys(&self) -> anyhow::Result<Result<TrustedKeys, Refused>> {
        keys(&self.ledger_jwks, &self.root, &self.ledger_issuer)
    }
}

/// The keys of `issuer` in a document, under a root given as its thumbprint or a file that holds it.
pub(crate) fn keys(jwks: &Path, root: &str, issuer: &str) -> anyhow::Result<Result<TrustedKeys, Refused>> {
    let document = fs::read_to_string(jwks).with_context(|| format!("{} does not read", jwks.display()))?;
    let root = fs::read_to_string(root).unwrap_or_else(|_| root.to_owned());
    Ok(TrustedKeys::from_document(&document, Pin { issuer, root_thumbprint: root.trim() }))
}
