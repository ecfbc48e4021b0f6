//! What happened, as a leaf of the log: a canonical body under a salt.
//!
//! Must never know: users, features, frames. Invariant: an entry is a hash under 32 random bytes; without them it tells
//! nothing, not even whether it is about a body that somebody guesses. Who destroys the salt has erased the entry, and the
//! tree above it stands.

use super::event::LogEvent;
use crate::{
    base64url, from_base64url,
    refused::{Malformed, Refused},
    strict_json,
};
use ring::{
    digest::{Context, SHA256},
    rand::{SecureRandom, SystemRandom},
};
use serde_json::Value;

const DOMAIN: &[u8] = b"countersign/log-leaf/v1\0";
/// Largest body, in bytes of its canonical form.
const MAX_BODY: usize = 4 * 1024;

/// 32 random bytes that make an entry tell nothing. Kept beside the body, outside of backups; destroyed with the user.
#[derive(Clone, PartialEq, Eq)]
pub struct Salt([u8; 32]);

impl std::fmt::Debug for Salt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Salt(..)")
    }
}

impl Salt {
    /// Fresh randomness of the system; `None` where it gives none.
    #[must_use]
    pub fn random() -> Option<Self> {
        let mut bytes = [0; 32];
        SystemRandom::new().fill(&mut bytes).ok().map(|()| Self(bytes))
    }

    /// A salt that was kept.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, to keep them.
    #[must_use]
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

/// A body with its salt: all that is needed to recompute one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    /// Canonical JSON (RFC 8785).
    body: String,
    salt: Salt,
}

impl Leaf {
    /// The leaf of an event.
    ///
    /// # Errors
    /// [`Malformed::TooLarge`] where the body has more than 4 KiB.
    pub fn new(event: &LogEvent, salt: Salt) -> Result<Self, Malformed> {
        let body = serde_json_canonicalizer::to_string(event).map_err(|_| Malformed::Claims)?;
        Self::of_body(body, salt)
    }

    /// A leaf that was kept: its canonical body and its salt.
    ///
    /// # Errors
    /// [`Malformed`] where the body is not one JSON object in canonical form of at most 4 KiB.
    pub fn of_body(body: String, salt: Salt) -> Result<Self, Malformed> {
        if body.len() > MAX_BODY {
            return Err(Malformed::TooLarge);
        }
        let members = strict_json::parse_object(body.as_bytes())?;
        if canonical(&Value::Object(members))? != body {
            return Err(Malformed::Json);
        }
        Ok(Self { body, salt })
    }

    /// The canonical body.
    #[must_use]
    pub fn body(&self) -> &str {
        &self.body
    }

    /// The salt.
    #[must_use]
    pub const fn salt(&self) -> &Salt {
        &self.salt
    }

    /// The entry as the log holds it: SHA-256(`countersign/log-leaf/v1` ‖ 0 ‖ salt ‖ body).
    #[must_use]
    pub fn entry(&self) -> [u8; 32] {
        let mut context = Context::new(&SHA256);
        context.update(DOMAIN);
        context.update(&self.salt.0);
        context.update(self.body.as_bytes());
        let mut entry = [0; 32];
        entry.copy_from_slice(context.finish().as_ref());
        entry
    }

    /// What the body tells of.
    ///
    /// # Errors
    /// [`Malformed::Claims`] where it is of no kind that this crate knows.
    pub fn event(&self) -> Result<LogEvent, Malformed> {
        serde_json::from_str(&self.body).map_err(|_| Malformed::Claims)
    }

    /// The leaf as one JSON object `{leaf, salt}`, canonical: what is kept beside a receipt until it is proven.
    ///
    /// # Errors
    /// [`Malformed`] never for a leaf that was made here.
    pub fn to_json(&self) -> Result<String, Malformed> {
        let body: Value = serde_json::from_str(&self.body).map_err(|_| Malformed::Json)?;
        canonical(&serde_json::json!({ "leaf": body, "salt": base64url(&self.salt.0) }))
    }

    /// Reads what [`Leaf::to_json`] writes.
    ///
    /// # Errors
    /// [`Refused::Malformed`] for any other text.
    pub fn from_json(json: &[u8]) -> Result<Self, Refused> {
        if json.len() > 2 * MAX_BODY {
            return Err(Malformed::TooLarge.into());
        }
        let members = strict_json::parse_object(json)?;
        let (Some(leaf @ Value::Object(_)), Some(salt), 2) =
            (members.get("leaf"), members.get("salt").and_then(Value::as_str), members.len())
        else {
            return Err(Malformed::Claims.into());
        };
        let salt = from_base64url(salt).and_then(|bytes| bytes.try_into().ok()).ok_or(Malformed::Base64)?;
        Ok(Self::of_body(canonical(leaf)?, Salt(salt))?)
    }
}

fn canonical(value: &Value) -> Result<String, Malformed> {
    serde_json_canonicalizer::to_string(value).map_err(|_| Malformed::Json)
}
