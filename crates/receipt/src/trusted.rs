//! The keys of one issuer, taken from a key set document only under a pinned root.
//!
//! Must never know: how the document was fetched. Invariant: every key in hand is a full-order Ed25519 key that the
//! pinned root listed for the pinned issuer.

use crate::{
    from_base64url,
    jwk::{Document, KeySetClaims, MAX_KEYS, PublicJwk},
    jws::{self, Typ},
    refused::{KeyFault, Malformed, Refused},
    strict_json,
};
use ed25519_dalek::VerifyingKey;
use serde::de::DeserializeOwned;
use serde_json::Value;

const MAX_DOCUMENT_BYTES: usize = 128 * 1024;

/// What a relying party pins once, out of band.
///
/// One root signs the key sets of several issuers (receipts, test receipts, ledger); the issuer says which is meant, so
/// that none of the others, served in its place, is taken for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pin<'a> {
    /// The issuer whose tokens shall be trusted.
    pub issuer: &'a str,
    /// Thumbprint of the root key (RFC 7638).
    pub root_thumbprint: &'a str,
}

/// Keys of one issuer that the pinned root has signed.
#[derive(Debug, Clone)]
pub struct TrustedKeys {
    issuer: String,
    signed_at: i64,
    keys: Vec<(String, VerifyingKey)>,
}

impl TrustedKeys {
    /// Reads a key set document and checks it against the pinned root and issuer.
    ///
    /// # Errors
    /// [`Refused`] where the document is malformed, the root is another, its signature fails, the issuer is another,
    /// the listed keys are not the signed ones, or a key is unsound.
    pub fn from_document(json: &str, pin: Pin<'_>) -> Result<Self, Refused> {
        if json.len() > MAX_DOCUMENT_BYTES {
            return Err(Malformed::TooLarge.into());
        }
        let document: Document = typed(strict_json::parse(json.as_bytes())?)?;
        let (root_id, root) = sound_key(&document.root)?;
        if root_id != pin.root_thumbprint {
            return Err(KeyFault::Root.into());
        }
        let (_, claims) = jws::open(&document.signed, &[Typ::JwkSet], |kid| (kid == root_id).then_some(&root))?;
        let claims: KeySetClaims = typed(Value::Object(claims))?;
        if claims.iss != pin.issuer {
            return Err(KeyFault::Issuer.into());
        }
        if claims.keys != document.keys || claims.keys.is_empty() || claims.keys.len() > MAX_KEYS {
            return Err(KeyFault::KeyList.into());
        }
        let mut keys: Vec<(String, VerifyingKey)> = Vec::with_capacity(claims.keys.len());
        for jwk in &claims.keys {
            let (kid, key) = sound_key(jwk)?;
            if kid == root_id || keys.iter().any(|(known, _)| *known == kid) {
                return Err(KeyFault::Key.into());
            }
            keys.push((kid, key));
        }
        Ok(Self { issuer: claims.iss, signed_at: claims.iat, keys })
    }

    /// The issuer whose tokens these keys verify.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// When the root signed the set, in seconds since 1970.
    #[must_use]
    pub const fn signed_at(&self) -> i64 {
        self.signed_at
    }

    /// The key ids, in the order of the document.
    pub fn key_ids(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|(kid, _)| kid.as_str())
    }

    /// The keys themselves, for signatures that are no JWS.
    pub(crate) fn verifying(&self) -> impl Iterator<Item = &VerifyingKey> {
        self.keys.iter().map(|(_, key)| key)
    }

    /// Checks form, type, key, signature and issuer of a token and hands out its claims.
    pub(crate) fn open<C: DeserializeOwned>(&self, token: &str, types: &[Typ]) -> Result<(Typ, C), Refused> {
        let key = |kid: &str| self.keys.iter().find(|(known, _)| known == kid).map(|(_, key)| key);
        let (typ, claims) = jws::open(token, types, key)?;
        if claims.get("iss").and_then(Value::as_str) != Some(&self.issuer) {
            return Err(KeyFault::Issuer.into());
        }
        Ok((typ, typed(Value::Object(claims))?))
    }
}

fn typed<T: DeserializeOwned>(value: Value) -> Result<T, Malformed> {
    serde_json::from_value(value).map_err(|_| Malformed::Claims)
}

/// A key that is described exactly as [`PublicJwk::new`] would, canonically encoded and not of small order.
fn sound_key(jwk: &PublicJwk) -> Result<(String, VerifyingKey), KeyFault> {
    let bytes: [u8; 32] = from_base64url(&jwk.x).and_then(|bytes| bytes.try_into().ok()).ok_or(KeyFault::Key)?;
    let key = VerifyingKey::from_bytes(&bytes).map_err(|_| KeyFault::Key)?;
    let canonical = key.to_edwards().compress().to_bytes() == bytes;
    if *jwk != PublicJwk::new(&bytes) || !canonical || key.is_weak() {
        return Err(KeyFault::Key);
    }
    Ok((jwk.kid.clone(), key))
}
