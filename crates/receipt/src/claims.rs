//! The claims of receipts (CONTRACT "Receipt"). Plain data: the worker fills it, relying parties read it after checking.
//!
//! Must never know: scores. Invariant: binary values are base64url without padding, model digests are hexadecimal.

use biometrics::{CaptureMode, ChallengeId, GateResult, Jti, Purpose, ReferenceId, Verdict};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Values of the `amr` claim (RFC 8176).
pub mod amr {
    /// A face was compared.
    pub const FACE: &str = "face";
    /// A hardware-attested, device-bound key signed the action hash, checked by the worker.
    pub const HARDWARE_KEY: &str = "hwk";
    /// A key of another kind signed the action hash.
    pub const SOFTWARE_KEY: &str = "swk";
}

/// Claims of a receipt or enrollment receipt. Members that a verifier does not know are ignored (RFC 7519 §4).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReceiptClaims {
    /// Issuer of receipts; its keys are in the receipt key set.
    pub iss: String,
    /// The tenant's id.
    pub aud: String,
    /// Pairwise pseudonym of the user at this tenant.
    pub sub: String,
    /// Issued at, in seconds since 1970, by the worker's clock.
    pub iat: i64,
    /// Not before: equal to `iat`.
    pub nbf: i64,
    /// End of the use window, in seconds since 1970.
    pub exp: i64,
    /// The receipt's id; makes it spendable once.
    pub jti: Jti,
    /// The challenge that was answered.
    pub txn: ChallengeId,
    /// The tenant's nonce, base64url; in a refusal handed to a device [`withheld_nonce`](crate::withheld_nonce) of it.
    pub nonce: String,
    /// What the challenge was for; tied to the token's type.
    pub purpose: Purpose,
    /// Which attempt this was, from 1.
    pub attempt: u32,
    /// How many attempts the challenge allowed.
    pub max_attempts: u32,
    /// What the capture performed.
    pub mode: ModeClaim,
    /// The action.
    pub act: ActClaim,
    /// SHA-256 of the text that was to be displayed, base64url.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dsp: Option<String>,
    /// The verdict.
    pub vrd: Verdict,
    /// All five gates in order; absent in a refusal that is handed to a device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gates: Option<Vec<GateResult>>,
    /// At which false match rate features were compared.
    pub fmr: FmrClaim,
    /// Digests of the models, by role, as 64 hexadecimal digits.
    pub model: BTreeMap<String, String>,
    /// Version of the tenant's policy.
    pub pol: String,
    /// The reference; absent where none was made.
    #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<RefClaim>,
    /// What was present (RFC 8176): see [`amr`].
    pub amr: Vec<String>,
    /// Consent as the tenant recorded it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consent: Option<ConsentClaim>,
    /// Where the receipt's revocation status is published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<StatusClaim>,
    /// Names of claims that the worker took on the gateway's word.
    pub asserted: Vec<String>,
}

/// The capture mode and what it binds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ModeClaim {
    /// The mode.
    pub name: CaptureMode,
    /// Probability, 0 to 1, that a capture made without knowing the script answers it.
    pub blind_guess: f64,
}

/// The action and its hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActClaim {
    /// Kind of action.
    #[serde(rename = "type")]
    pub kind: String,
    /// The action hash over all fields, base64url.
    pub sha256: String,
    /// Decimal number, or empty.
    pub amount: String,
    /// ISO 4217 code, or empty.
    pub currency: String,
    /// Who is paid, or empty.
    pub payee: String,
}

impl From<&crate::Action> for ActClaim {
    fn from(action: &crate::Action) -> Self {
        Self {
            kind: action.kind.clone(),
            sha256: crate::base64url(&action.sha256()),
            amount: action.amount.clone(),
            currency: action.currency.clone(),
            payee: action.payee.clone(),
        }
    }
}

/// The claimed error rate (ISO/IEC 19795-1).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FmrClaim {
    /// False match rate per comparison, above 0 and below 1.
    pub claimed: f64,
    /// Which calibration table the threshold came from.
    pub calibration: String,
}

/// A reference, by id, epoch and key commitment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefClaim {
    /// The reference.
    pub id: ReferenceId,
    /// Its epoch; renewal makes a new one.
    pub epoch: u32,
    /// Its 32-byte key commitment, base64url.
    pub commitment: String,
}

/// Consent as the tenant recorded it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsentClaim {
    /// SHA-256 of the text that was shown, base64url.
    pub text_sha256: String,
    /// BCP 47 language tag.
    pub locale: String,
    /// Version of the text.
    pub version: String,
}

/// Where the status is published (Token Status List).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusClaim {
    /// The list and the index in it.
    pub status_list: StatusListClaim,
}

/// A place in a status list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusListClaim {
    /// Index of the receipt.
    pub idx: u32,
    /// Address of the list's token.
    pub uri: String,
}
