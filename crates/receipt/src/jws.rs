//! Compact JWS (RFC 7515 §7.1) with Ed25519 (RFC 8037), in one strict form.
//!
//! Must never know: what the claims mean, where the private key lives. Invariant: the header is exactly `alg`, `kid`,
//! `typ`; a payload leaves this module only after its signature verified.

use crate::{
    base64url, from_base64url,
    refused::{KeyFault, Malformed, Refused},
    strict_json,
};
use ed25519_dalek::{Signature, VerifyingKey};
use serde::Serialize;
use serde_json::{Map, Value};

/// Largest receipt or proof, in bytes of the compact form.
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;
/// Largest signed key set, in bytes of the compact form.
pub(crate) const MAX_KEY_SET_BYTES: usize = 64 * 1024;
/// Largest status list, in bytes of the compact form: room for 2^20 indexes of two bits that do not compress.
pub(crate) const MAX_STATUS_LIST_BYTES: usize = 512 * 1024;

/// What a token is; its `typ` header (RFC 8725 §3.11). One kind is never taken for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Typ {
    /// Outcome of a verification.
    Receipt,
    /// Outcome of an enrollment.
    EnrollmentReceipt,
    /// A reference was destroyed.
    DeletionProof,
    /// Which receipts were revoked (draft-ietf-oauth-status-list §5.1).
    StatusList,
    /// A KEK version was destroyed.
    KeyDestruction,
    /// A tenant ended.
    Termination,
    /// A key set, signed by the root.
    JwkSet,
}

impl Typ {
    /// The header's value.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Receipt => "stepup-receipt+jwt",
            Self::EnrollmentReceipt => "enrollment-receipt+jwt",
            Self::DeletionProof => "deletion-proof+jwt",
            Self::StatusList => "statuslist+jwt",
            Self::KeyDestruction => "key-destruction+jwt",
            Self::Termination => "tenant-termination+jwt",
            Self::JwkSet => "jwk-set+jwt",
        }
    }

    const fn max_bytes(self) -> usize {
        match self {
            Self::JwkSet => MAX_KEY_SET_BYTES,
            Self::StatusList => MAX_STATUS_LIST_BYTES,
            _ => MAX_TOKEN_BYTES,
        }
    }
}

/// A token could not be made.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError<E> {
    /// The claims do not serialise to an object within the size limit.
    #[error("claims do not fit a token")]
    Claims,
    /// The signer failed.
    #[error("signing failed")]
    Sign(#[source] E),
}

#[derive(Serialize)]
struct Header<'a> {
    alg: &'static str,
    kid: &'a str,
    typ: &'static str,
}

/// Makes a compact JWS: header `alg`, `kid`, `typ`; payload in RFC 8785 form; `sign` gets the signing input.
///
/// # Errors
/// [`EncodeError`] where the claims do not fit or `sign` fails.
pub fn encode<E>(
    typ: Typ,
    kid: &str,
    claims: &impl Serialize,
    sign: impl FnOnce(&[u8]) -> Result<[u8; 64], E>,
) -> Result<String, EncodeError<E>> {
    let header = serde_json::to_vec(&Header { alg: "EdDSA", kid, typ: typ.as_str() });
    let header = header.map_err(|_| EncodeError::Claims)?;
    let payload = serde_json_canonicalizer::to_vec(claims).map_err(|_| EncodeError::Claims)?;
    let mut token = format!("{}.{}", base64url(&header), base64url(&payload));
    let signature = sign(token.as_bytes()).map_err(EncodeError::Sign)?;
    token.push('.');
    token.push_str(&base64url(&signature));
    if payload.first() != Some(&b'{') || token.len() > typ.max_bytes() {
        return Err(EncodeError::Claims);
    }
    Ok(token)
}

/// The three parts of a token whose form was checked and nothing else.
pub(crate) struct Parts<'a> {
    pub(crate) header: Map<String, Value>,
    signed: &'a [u8],
    payload: Vec<u8>,
    signature: Vec<u8>,
}

impl<'a> Parts<'a> {
    pub(crate) fn split(token: &'a str, most: usize) -> Result<Self, Malformed> {
        if token.len() > most {
            return Err(Malformed::TooLarge);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(Malformed::Parts)?;
        let (header, payload) = signed.split_once('.').ok_or(Malformed::Parts)?;
        if payload.contains('.') {
            return Err(Malformed::Parts);
        }
        let bytes = |part: &str| from_base64url(part).ok_or(Malformed::Base64);
        let (header, payload, signature) = (bytes(header)?, bytes(payload)?, bytes(signature)?);
        let header = strict_json::parse_object(&header)?;
        Ok(Self { header, signed: signed.as_bytes(), payload, signature })
    }

    pub(crate) fn payload(&self) -> Result<Map<String, Value>, Malformed> {
        strict_json::parse_object(&self.payload)
    }
}

/// Checks form, header and signature; `key` finds the trusted key of a `kid`. Returns which of `types` it was and its claims.
pub(crate) fn open<'k>(
    token: &str,
    types: &[Typ],
    key: impl FnOnce(&str) -> Option<&'k VerifyingKey>,
) -> Result<(Typ, Map<String, Value>), Refused> {
    let most = types.iter().map(|typ| typ.max_bytes()).max().unwrap_or(MAX_TOKEN_BYTES);
    let parts = Parts::split(token, most)?;
    let (typ, kid) = check_header(&parts.header, types)?;
    let key = key(kid).ok_or(KeyFault::KeyIdUnknown)?;
    let signature = Signature::from_slice(&parts.signature).map_err(|_| KeyFault::Signature)?;
    key.verify_strict(parts.signed, &signature).map_err(|_| KeyFault::Signature)?;
    Ok((typ, parts.payload()?))
}

fn check_header<'h>(header: &'h Map<String, Value>, types: &[Typ]) -> Result<(Typ, &'h str), KeyFault> {
    for name in header.keys() {
        match name.as_str() {
            "alg" | "kid" | "typ" => {}
            "crit" => return Err(KeyFault::Critical),
            "jwk" | "jku" | "x5u" | "x5c" | "x5t" | "x5t#S256" => return Err(KeyFault::EmbeddedKey),
            _ => return Err(KeyFault::UnknownHeader),
        }
    }
    let text = |name: &str| header.get(name).and_then(Value::as_str);
    if text("alg") != Some("EdDSA") {
        return Err(KeyFault::Algorithm);
    }
    let typ = types.iter().copied().find(|typ| text("typ") == Some(typ.as_str())).ok_or(KeyFault::Type)?;
    Ok((typ, text("kid").ok_or(KeyFault::KeyIdMissing)?))
}
