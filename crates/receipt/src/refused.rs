//! Every reason for which a token or a key set is not taken, as values without payloads from the token.
//!
//! Must never know: the content of what was refused. Invariant: one condition, one code.

mod log;
mod status;

pub use log::LogFault;
pub use status::StatusFault;

use biometrics::Gate;

/// The token or document is not of the strict form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[error("malformed: {}", self.reason())]
pub enum Malformed {
    /// Larger than allowed.
    TooLarge,
    /// Not three parts divided by dots (RFC 7515 §7.1).
    Parts,
    /// A part is not canonical base64url: padding, stray bits or another alphabet.
    Base64,
    /// A part is not UTF-8 JSON, or not an object.
    Json,
    /// A JSON object names a member twice, at any depth.
    DuplicateMember,
    /// A claim is missing, of another type, or contradicts another claim.
    Claims,
}

/// The token is well formed but nobody trusted has signed it as what it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyFault {
    /// `alg` is not `EdDSA`.
    Algorithm,
    /// `typ` is missing or names another kind of token.
    Type,
    /// There is no `kid`.
    KeyIdMissing,
    /// `kid` names no trusted key.
    KeyIdUnknown,
    /// The header brings or points to a key (`jwk`, `jku`, `x5u`, `x5c`, `x5t`).
    EmbeddedKey,
    /// The header has `crit`.
    Critical,
    /// The header has any other member.
    UnknownHeader,
    /// The signature does not verify (strict Ed25519).
    Signature,
    /// `iss` is not the issuer of the trusted keys.
    Issuer,
    /// The key set's root is not the pinned one.
    Root,
    /// A key is of small order, not canonical, listed twice or not named by its thumbprint.
    Key,
    /// The listed keys are not the signed ones, none, or too many.
    KeyList,
}

/// A claim that differs from what was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Claim {
    /// `aud`: the receipt is for another tenant.
    Audience,
    /// `purpose`: enrollment and verification are confused.
    Purpose,
    /// `txn`: another challenge.
    Challenge,
    /// `nonce`: another nonce.
    Nonce,
    /// `act`: another action.
    Action,
    /// `dsp`: another displayed text, or none.
    Display,
    /// `ref`: another reference, or none.
    Reference,
    /// `mode`: another capture mode.
    Mode,
    /// `attempt`: more attempts than accepted.
    Attempt,
    /// `fmr`: a larger false match rate than accepted.
    FalseMatchRate,
    /// `kek`: another version of the key.
    KekVersion,
    /// `proofs`: over other deletion proofs.
    Proofs,
}

/// Why a token, a key set or something of the log was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[error("refused: {}", self.reason())]
pub enum Refused {
    /// Not of the strict form.
    Malformed(Malformed),
    /// Not signed, as this kind of token, by a trusted key.
    Untrusted(KeyFault),
    /// The use window is over, leeway included.
    Expired,
    /// `nbf` or `iat` lie in the future, leeway included.
    NotYetValid,
    /// Authentic, but about something else.
    Mismatch(Claim),
    /// The receipt does not list the five gates in their order.
    GatesIncomplete,
    /// A gate was not run and the caller did not name it as dispensable.
    GateNotRun {
        /// The gate.
        gate: Gate,
    },
    /// An accepting receipt lists a gate that did not pass.
    GateNotPassed {
        /// The gate.
        gate: Gate,
    },
    /// Authentic and about this action: a signed refusal.
    VerdictRefuse {
        /// The first gate that did not pass, where the receipt lists gates.
        gate: Option<Gate>,
    },
    /// An acceptance where a refusal was to be checked.
    VerdictAccept,
    /// The status list is not taken, or does not say VALID.
    Status(StatusFault),
    /// Something of the transparency log is not taken.
    Log(LogFault),
}

impl Refused {
    /// Stable code of the reason.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Malformed(fault) => fault.reason(),
            Self::Untrusted(fault) => fault.reason(),
            Self::Mismatch(claim) => claim.reason(),
            Self::Expired => "EXPIRED",
            Self::NotYetValid => "NOT_YET_VALID",
            Self::GatesIncomplete => "GATES_INCOMPLETE",
            Self::GateNotRun { .. } => "GATE_NOT_RUN",
            Self::GateNotPassed { .. } => "GATE_NOT_PASSED",
            Self::VerdictRefuse { .. } => "VERDICT_REFUSE",
            Self::VerdictAccept => "VERDICT_ACCEPT",
            Self::Status(fault) => fault.reason(),
            Self::Log(fault) => fault.reason(),
        }
    }

    /// The gate that the reason is about, if it is about one.
    #[must_use]
    pub const fn gate(self) -> Option<Gate> {
        match self {
            Self::GateNotRun { gate } | Self::GateNotPassed { gate } => Some(gate),
            Self::VerdictRefuse { gate } => gate,
            _ => None,
        }
    }
}

impl Malformed {
    const fn reason(self) -> &'static str {
        match self {
            Self::TooLarge => "TOO_LARGE",
            Self::Parts => "NOT_COMPACT",
            Self::Base64 => "BASE64",
            Self::Json => "JSON",
            Self::DuplicateMember => "DUPLICATE_MEMBER",
            Self::Claims => "CLAIMS",
        }
    }
}

impl KeyFault {
    const fn reason(self) -> &'static str {
        match self {
            Self::Algorithm => "ALGORITHM",
            Self::Type => "TYPE",
            Self::KeyIdMissing => "KEY_ID_MISSING",
            Self::KeyIdUnknown => "KEY_ID_UNKNOWN",
            Self::EmbeddedKey => "EMBEDDED_KEY",
            Self::Critical => "CRITICAL_HEADER",
            Self::UnknownHeader => "UNKNOWN_HEADER",
            Self::Signature => "SIGNATURE",
            Self::Issuer => "ISSUER",
            Self::Root => "ROOT",
            Self::Key => "KEY",
            Self::KeyList => "KEY_LIST",
        }
    }
}

impl Claim {
    const fn reason(self) -> &'static str {
        match self {
            Self::Audience => "AUDIENCE",
            Self::Purpose => "PURPOSE",
            Self::Challenge => "CHALLENGE",
            Self::Nonce => "NONCE",
            Self::Action => "ACTION",
            Self::Display => "DISPLAY",
            Self::Reference => "REFERENCE",
            Self::Mode => "MODE",
            Self::Attempt => "ATTEMPT",
            Self::FalseMatchRate => "FALSE_MATCH_RATE",
            Self::KekVersion => "KEK_VERSION",
            Self::Proofs => "PROOFS",
        }
    }
}

impl From<Malformed> for Refused {
    fn from(fault: Malformed) -> Self {
        Self::Malformed(fault)
    }
}

impl From<KeyFault> for Refused {
    fn from(fault: KeyFault) -> Self {
        Self::Untrusted(fault)
    }
}

impl From<Claim> for Refused {
    fn from(claim: Claim) -> Self {
        Self::Mismatch(claim)
    }
}

impl From<StatusFault> for Refused {
    fn from(fault: StatusFault) -> Self {
        Self::Status(fault)
    }
}

impl From<LogFault> for Refused {
    fn from(fault: LogFault) -> Self {
        Self::Log(fault)
    }
}
