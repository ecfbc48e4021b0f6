//! `countersign receipt verify|evidence|verify-proof|verify-termination|inspect`: what a relying party checks, without a network unless asked.
//!
//! Must never know: private keys. Invariant: only `inspect` shows claims that nobody checked, and it says so.

mod check;
mod evidence;
mod inspect;
mod revocation;
mod termination;
#[cfg(test)]
mod tests;

use crate::{outcome::Outcome, trust};
use anyhow::Context as _;
use std::{
    convert::Infallible,
    fs,
    io::{self, Read as _},
    path::PathBuf,
    str::FromStr,
};

/// Check or show receipts and deletion proofs, offline.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Receipt {
    /// Check an accepting receipt before the action it is about (`authorize`), or an enrollment receipt.
    Verify(Box<check::Verify>),
    /// Check who signed a receipt or refusal, whatever its time and verdict, for a dispute.
    Evidence(evidence::Evidence),
    /// Check a deletion proof.
    VerifyProof(evidence::VerifyProof),
    /// Check the certificate of a tenant that ended against its exported proofs.
    VerifyTermination(termination::VerifyTermination),
    /// Show header and claims WITHOUT checking anything.
    Inspect(inspect::Inspect),
}

impl Receipt {
    /// Does what was asked.
    pub(crate) fn run(self) -> anyhow::Result<Outcome> {
        match self {
            Self::Verify(verify) => verify.run(),
            Self::Evidence(evidence) => evidence.run(),
            Self::VerifyProof(proof) => proof.run(),
            Self::VerifyTermination(termination) => termination.run(),
            Self::Inspect(inspect) => inspect.run(),
        }
    }
}

/// A token as the caller names it: `-` for standard input, a file, or the compact token itself.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Token {
    /// File with the token, `-` for standard input, or the token itself.
    token: String,
}

impl FromStr for Token {
    type Err = Infallible;
    fn from_str(token: &str) -> Result<Self, Infallible> {
        Ok(Self { token: token.to_owned() })
    }
}

impl Token {
    /// The token, without the white space around it.
    pub(crate) fn read(&self) -> anyhow::Result<String> {
        let text = if self.token == "-" {
            let mut text = String::new();
            io::stdin().read_to_string(&mut text).context("standard input does not read")?;
            text
        } else if self.token.matches('.').count() == 2 && self.token.starts_with("eyJ") {
            self.token.clone()
        } else {
            fs::read_to_string(&self.token).with_context(|| format!("{} does not read", self.token))?
        };
        Ok(text.trim().to_owned())
    }
}

/// Which keys are trusted.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Trust {
    /// Key set document, as published by the gateway.
    #[arg(long, value_name = "FILE")]
    jwks: PathBuf,
    /// Thumbprint of the root key, pinned once, or a file that holds it.
    #[arg(long, value_name = "THUMBPRINT", allow_hyphen_values = true)]
    root: String,
    /// Issuer whose tokens are expected.
    #[arg(long, value_name = "URL")]
    issuer: String,
}

impl Trust {
    /// The trusted keys, or why the document is refused.
    fn keys(&self) -> anyhow::Result<Result<receipt::TrustedKeys, receipt::Refused>> {
        trust::keys(&self.jwks, &self.root, &self.issuer)
    }
}
