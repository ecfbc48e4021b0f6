//! `countersign receipt evidence|verify-proof`: what is shown in a dispute, and that the log holds it.

use super::{
    Token, Trust,
    check::{commitment, say_receipt, say_refused},
};
use crate::{outcome::Outcome, trust};
use anyhow::Context as _;
use receipt::{ExpectedDeletion, LogProof, Logged, Receipt, Refused, TrustedKeys};
use std::{fs, path::PathBuf};

/// Check who signed a receipt or refusal, and that the log holds it.
#[derive(Debug, clap::Args)]
pub(crate) struct Evidence {
    #[command(flatten)]
    token: Token,
    #[command(flatten)]
    trust: Trust,
    /// Proof that the log holds the receipt, a `.tlog-proof` file.
    #[arg(long, value_name = "FILE", requires = "ledger_jwks", requires = "ledger_issuer")]
    log_proof: Option<PathBuf>,
    /// Key set document of the ledger, which signs the log.
    #[arg(long, value_name = "FILE")]
    ledger_jwks: Option<PathBuf>,
    /// Issuer of the ledger.
    #[arg(long, value_name = "URL")]
    ledger_issuer: Option<String>,
    /// Print the checked claims as JSON.
    #[arg(long)]
    json: bool,
}

impl Evidence {
    /// Checks and prints.
    pub(crate) fn run(self) -> anyhow::Result<Outcome> {
        let token = self.token.read()?;
        let checked = self.trust.keys()?.and_then(|keys| receipt::evidence(&token, &keys));
        let logged = match (&self.log_proof, &self.ledger_jwks, &self.ledger_issuer) {
            (Some(path), Some(jwks), Some(issuer)) => Some((path, trust::keys(jwks, &self.trust.root, issuer)?)),
            _ => None,
        };
        let logged = logged.map(|(path, keys)| log_proof(path, keys)).transpose()?;
        if logged.is_none() {
            eprintln!("the log was not looked at: --log-proof FILE");
        }
        let held = |receipt: Receipt| match logged {
            Some(logged) => logged?.check_receipt(&token).map(|()| receipt).map_err(Refused::from),
            None => Ok(receipt),
        };
        match checked.and_then(held) {
            Ok(receipt) => say_receipt(receipt.claims(), self.json).map(|()| Outcome::Done),
            Err(refused) => Ok(say_refused(refused)),
        }
    }
}

/// A proof file, checked against the ledger's keys.
fn log_proof(path: &PathBuf, keys: Result<TrustedKeys, Refused>) -> anyhow::Result<Result<Logged, Refused>> {
    let text = fs::read_to_string(path).with_context(|| format!("{} does not read", path.display()))?;
    Ok(keys.and_then(|keys| LogProof::read(&text)?.verify(&keys)))
}

/// Check a deletion proof.
#[derive(Debug, clap::Args)]
pub(crate) struct VerifyProof {
    #[command(flatten)]
    token: Token,
    #[command(flatten)]
    trust: Trust,
    /// Your tenant id.
    #[arg(long, value_name = "TENANT")]
    aud: String,
    /// The commitment given at enrollment, base64url without padding.
    #[arg(long, value_name = "BASE64URL", allow_hyphen_values = true)]
    commitment: String,
    /// Proof that the log holds the deletion, a `.tlog-proof` file.
    #[arg(long, value_name = "FILE")]
    log_proof: Option<PathBuf>,
}

impl VerifyProof {
    /// Checks and prints the proof's claims as JSON.
    pub(crate) fn run(self) -> anyhow::Result<Outcome> {
        let token = self.token.read()?;
        let expected = ExpectedDeletion { aud: &self.aud, commitment: commitment(&self.commitment)? };
        let keys = self.trust.keys()?;
        let logged = self.log_proof.as_ref().map(|path| log_proof(path, keys.clone())).transpose()?;
        let checked = keys.and_then(|keys| receipt::verify_deletion_proof(&token, &keys, &expected)).and_then(
            |proof| match logged {
                Some(logged) => logged?.check_deletion(&proof).map(|()| proof).map_err(Refused::from),
                None => Ok(proof),
            },
        );
        match checked {
            Ok(proof) => {
                println!("{}", serde_json::to_string_pretty(proof.claims())?);
                Ok(Outcome::Done)
            }
            Err(refused) => Ok(say_refused(refused)),
        }
    }
}
