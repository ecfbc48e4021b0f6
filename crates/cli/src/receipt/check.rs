//! `countersign receipt verify`: a receipt before its action. Reads the files, asks the `receipt` crate, and prints the verdict
//! or the refusal's code.

use super::{Token, Trust, revocation::Revocation};
use crate::outcome::Outcome;
use anyhow::{Context as _, anyhow};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use biometrics::{ChallengeId, Gate};
use receipt::{Action, Expected, Receipt, ReceiptClaims, Refused, StatusFault, TrustedKeys};
use serde::{
    Serialize,
    de::{DeserializeOwned, IntoDeserializer, value::Error as ValueError},
};
use service::Clock;
use std::{fs, path::PathBuf};

/// Check an accepting receipt before the action it is about.
#[derive(Debug, clap::Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    token: Token,
    #[command(flatten)]
    trust: Trust,
    /// Your tenant id.
    #[arg(long, value_name = "TENANT")]
    aud: String,
    /// The nonce you gave with the challenge, base64url without padding.
    #[arg(long, value_name = "BASE64URL", allow_hyphen_values = true)]
    nonce: String,
    /// The action you are about to do, as JSON {type, amount, currency, payee, fields}.
    #[arg(long, value_name = "FILE")]
    action: PathBuf,
    /// The challenge; any with this nonce otherwise.
    #[arg(long, value_name = "CHALLENGE")]
    txn: Option<ChallengeId>,
    /// Commitment pinned at enrollment, base64url; any reference otherwise.
    #[arg(long, value_name = "BASE64URL", allow_hyphen_values = true)]
    commitment: Option<String>,
    /// Last attempt accepted.
    #[arg(long, value_name = "N", default_value_t = 3)]
    max_attempt: u32,
    /// Largest false match rate accepted.
    #[arg(long, value_name = "RATE")]
    max_fmr: Option<f64>,
    /// A gate that need not have run, such as PRESENTATION_ATTACK; repeatable. Every other gate must PASS.
    #[arg(long, value_name = "GATE", value_parser = gate)]
    accept_not_run: Vec<Gate>,
    /// Check as of this time, in seconds since 1970, instead of now.
    #[arg(long, value_name = "SECONDS")]
    at: Option<i64>,
    /// An enrollment receipt is expected, which approves no action by itself.
    #[arg(long)]
    enrollment: bool,
    #[command(flatten)]
    revocation: Revocation,
    /// Print the checked claims as JSON.
    #[arg(long)]
    json: bool,
}

impl Verify {
    /// Checks and prints.
    pub(crate) fn run(self) -> anyhow::Result<Outcome> {
        let token = self.token.read()?;
        let nonce = bytes(&self.nonce).context("--nonce is not base64url without padding")?;
        let action = read_action(&self.action)?;
        let reference_commitment = self.commitment.as_deref().map(commitment).transpose()?;
        let expected = Expected {
            txn: self.txn,
            reference_commitment,
            max_attempt: self.max_attempt,
            max_fmr: self.max_fmr,
            accepted_not_run: &self.accept_not_run,
            ..Expected::new(&self.aud, &nonce, &action)
        };
        let now_s = self.at.unwrap_or_else(|| Clock::system().now_ms() / 1000);
        let keys = match self.trust.keys()? {
            Ok(keys) => keys,
            Err(refused) => return Ok(say_refused(refused)),
        };
        match self.check(&token, &keys, &expected, now_s)? {
            Ok(receipt) => {
                say_receipt(receipt.claims(), self.json)?;
                if !self.revocation.is_asked() {
                    eprintln!("revocation was not looked at: --online, or --status-list FILE");
                }
                if !self.enrollment {
                    eprintln!("not spent: insert (iss, jti) as a unique row in the transaction that does the action");
                }
                Ok(Outcome::Done)
            }
            Err(refused) => Ok(say_refused(refused)),
        }
    }

    /// First the receipt in itself, then what its status list says of it.
    fn check(
        &self,
        token: &str,
        keys: &TrustedKeys,
        expected: &Expected<'_>,
        now_s: i64,
    ) -> anyhow::Result<Result<Receipt, Refused>> {
        let checked = |expected: &Expected<'_>| {
            if self.enrollment {
                receipt::verify_enrollment(token, keys, expected, now_s)
            } else {
                // The command has no ledger of spent receipts: it says so instead of claiming to have spent this one.
                receipt::authorize(token, keys, expected, now_s).and_then(|_unspent| receipt::evidence(token, keys))
            }
        };
        let receipt = match checked(expected) {
            Ok(receipt) if self.revocation.is_asked() => receipt,
            whole => return Ok(whole),
        };
        let Some(status) = &receipt.claims().status else { return Ok(Err(StatusFault::Missing.into())) };
        let list = self.revocation.list(&status.status_list.uri, &self.trust.root, now_s)?;
        Ok(list.and_then(|list| checked(&Expected { status: Some(&list), ..*expected })))
    }
}

pub(super) fn say_receipt(claims: &ReceiptClaims, as_json: bool) -> anyhow::Result<()> {
    if as_json {
        println!("{}", serde_json::to_string_pretty(claims)?);
        return Ok(());
    }
    println!("verdict    {}", code(&claims.vrd));
    println!("action     {} {} {}", claims.act.kind, claims.act.amount, claims.act.currency);
    println!("payee      {}", claims.act.payee);
    println!("challenge  {} attempt {}", claims.txn, claims.attempt);
    println!("receipt    {} {}", claims.iss, claims.jti);
    println!("FMR        {:e} ({})", claims.fmr.claimed, claims.fmr.calibration);
    for result in claims.gates.iter().flatten() {
        let reasons: Vec<String> = result.reasons.iter().map(code).collect();
        println!("gate       {:<20} {:<12} {}", code(&result.gate), code(&result.status), reasons.join(" "));
    }
    Ok(())
}

/// Prints the code, and the gate where it is about one.
pub(super) fn say_refused(refused: Refused) -> Outcome {
    match refused.gate() {
        Some(gate) => eprintln!("refused: {} {}", refused.reason(), code(&gate)),
        None => eprintln!("refused: {}", refused.reason()),
    }
    Outcome::Refused
}

/// The stable code of a gate, status, verdict or reason.
fn code<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(code)) => code,
        _ => String::new(),
    }
}

fn gate(text: &str) -> Result<Gate, String> {
    parse_code(text).map_err(|error| error.to_string())
}

fn parse_code<T: DeserializeOwned>(text: &str) -> Result<T, ValueError> {
    T::deserialize(text.into_deserializer())
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

pub(super) fn commitment(text: &str) -> anyhow::Result<[u8; 32]> {
    let given = bytes(text).and_then(|bytes| bytes.try_into().ok());
    given.ok_or_else(|| anyhow!("--commitment is not 32 bytes in base64url without padding"))
}

fn read_action(path: &PathBuf) -> anyhow::Result<Action> {
    let text = fs::read(path).with_context(|| format!("{} does not read", path.display()))?;
    let action = Action::from_json(&text).map_err(|fault| anyhow!("{}: {fault}", path.display()))?;
    action.check().map_err(|error| anyhow!("{}: {error}", path.display()))?;
    Ok(action)
}
