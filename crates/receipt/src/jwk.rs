//! Public keys as JWK (RFC 7517, RFC 8037), their thumbprints (RFC 7638) and the signed key set document.
//!
//! Must never know: private keys. Invariant: a key is named by its thumbprint.

use crate::{
    base64url,
    jws::{EncodeError, Typ, encode},
};
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

/// Most keys in one set, retired ones included.
pub const MAX_KEYS: usize = 64;

/// An Ed25519 public key as stock libraries read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublicJwk {
    /// `OKP`.
    pub kty: String,
    /// `Ed25519`.
    pub crv: String,
    /// The 32 bytes of the key, base64url.
    pub x: String,
    /// The key's thumbprint.
    pub kid: String,
    /// `sig`.
    pub r#use: String,
    /// `EdDSA`.
    pub alg: String,
}

impl PublicJwk {
    /// Describes a public key.
    #[must_use]
    pub fn new(public: &[u8; 32]) -> Self {
        Self {
            kty: "OKP".into(),
            crv: "Ed25519".into(),
            x: base64url(public),
            kid: thumbprint(public),
            r#use: "sig".into(),
            alg: "EdDSA".into(),
        }
    }
}

/// RFC 7638 thumbprint (SHA-256, base64url) of an Ed25519 public key: 43 characters, used as `kid`.
#[must_use]
pub fn thumbprint(public: &[u8; 32]) -> String {
    let required = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, base64url(public));
    base64url(digest(&SHA256, required.as_bytes()).as_ref())
}

/// What a key set document says.
#[derive(Debug, Clone, Copy)]
pub struct KeySet<'a> {
    /// The issuer whose tokens these keys sign.
    pub iss: &'a str,
    /// When the set was signed, in seconds since 1970.
    pub iat: i64,
    /// The keys, 1 to [`MAX_KEYS`], current first.
    pub keys: &'a [[u8; 32]],
    /// The root key that signs the set.
    pub root: [u8; 32],
}

/// What the root signs.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeySetClaims {
    pub(crate) iss: String,
    pub(crate) iat: i64,
    pub(crate) keys: Vec<PublicJwk>,
}

/// The published document.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Document {
    pub(crate) keys: Vec<PublicJwk>,
    pub(crate) root: PublicJwk,
    pub(crate) signed: String,
}

/// Makes a published key set: `keys` as stock libraries read them, the `root`, and the set `signed` by the root.
///
/// # Errors
/// [`EncodeError`] where the number of keys is out of range or `sign` (by the root key) fails.
pub fn jwks_document<E>(
    set: &KeySet<'_>,
    sign: impl FnOnce(&[u8]) -> Result<[u8; 64], E>,
) -> Result<String, EncodeError<E>> {
    if set.keys.is_empty() || set.keys.len() > MAX_KEYS {
        return Err(EncodeError::Claims);
    }
    let keys: Vec<_> = set.keys.iter().map(PublicJwk::new).collect();
    let root = PublicJwk::new(&set.root);
    let claims = KeySetClaims { iss: set.iss.to_owned(), iat: set.iat, keys: keys.clone() };
    let signed = encode(Typ::JwkSet, &root.kid, &claims, sign)?;
    serde_json::to_string_pretty(&Document { keys, root, signed }).map_err(|_| EncodeError::Claims)
}
