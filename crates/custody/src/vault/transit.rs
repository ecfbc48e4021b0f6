//! The transit engine's operations as we use them, on keys by name.
//!
//! Must never know: what a key is for. Invariant: a key that could be exported, or that is not of the wanted kind, is not used.

use super::{
    client::{Answer, Client, Question},
    login::{Login, json},
};
use crate::{CustodyError, Outage, VaultConfig};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use service::Clock;
use std::{
    collections::{BTreeMap, HashSet},
    sync::Mutex,
};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use zeroize::Zeroizing;

/// See the module.
pub(super) struct Transit {
    client: Client,
    login: Login,
    mount: String,
    /// First part of every key's name.
    pub(super) prefix: String,
    /// Names of keys that were seen; a key that is there stays there.
    pub(super) seen: Mutex<HashSet<String>>,
}

/// What the server says of a key.
#[derive(Debug, Deserialize)]
pub(super) struct Key {
    r#type: String,
    #[serde(default)]
    derived: bool,
    #[serde(default)]
    exportable: bool,
    #[serde(default)]
    allow_plaintext_backup: bool,
    pub(super) latest_version: u32,
    #[serde(default)]
    pub(super) min_available_version: u32,
    #[serde(default)]
    pub(super) min_decryption_version: u32,
    #[serde(default)]
    pub(super) min_encryption_version: u32,
    keys: BTreeMap<String, Value>,
}

/// Kinds of keys that we make.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `aes256-gcm96` with a derived key for each context.
    Kek,
    /// `ed25519`.
    Signing,
}

#[derive(Serialize)]
struct MakeKey {
    r#type: &'static str,
    derived: bool,
    exportable: bool,
    allow_plaintext_backup: bool,
}

#[derive(Deserialize)]
struct Envelope<T> {
    data: T,
}

impl Key {
    fn check(self, kind: Kind) -> Result<Self, CustodyError> {
        let wanted = match kind {
            Kind::Kek => self.r#type == "aes256-gcm96" && self.derived,
            Kind::Signing => self.r#type == "ed25519" && !self.derived,
        };
        if wanted && !self.exportable && !self.allow_plaintext_backup {
            return Ok(self);
        }
        tracing::error!(
            alarm = true,
            kind = self.r#type,
            "a transit key of our name is not of our making; it is not used"
        );
        Err(Outage::Answer.into())
    }

    /// Its versions that can still be used to open or verify: version, when it was made, public key of a signing key.
    pub(super) fn versions(&self) -> Vec<(u32, Option<i64>, Option<[u8; 32]>)> {
        let mut versions: Vec<_> = self
            .keys
            .iter()
            .filter_map(|(version, told)| {
                let version = version.parse().ok()?;
                Some((version, made_at_s(told), public(told)))
            })
            .collect();
        versions.sort_unstable_by_key(|(version, ..)| *version);
        versions
    }
}

/// A symmetric key's version is told by its time alone, an asymmetric one's with more.
fn made_at_s(told: &Value) -> Option<i64> {
    match told {
        Value::Number(seconds) => seconds.as_i64(),
        Value::String(instant) => Some(OffsetDateTime::parse(instant, &Rfc3339).ok()?.unix_timestamp()),
        Value::Object(fields) => made_at_s(fields.get("creation_time")?),
        _ => None,
    }
}

fn public(told: &Value) -> Option<[u8; 32]> {
    STANDARD.decode(told.get("public_key")?.as_str()?).ok()?.try_into().ok()
}

impl Transit {
    pub(super) fn open(config: &VaultConfig, clock: Clock) -> Result<Self, CustodyError> {
        let sound = |text: &str| {
            let graphic = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
            !text.is_empty() && text.bytes().all(graphic)
        };
        if !sound(&config.prefix) {
            return Err(CustodyError::Setting { field: "prefix" });
        }
        if !config.mount.split('/').all(sound) {
            return Err(CustodyError::Setting { field: "mount" });
        }
        Ok(Self {
            client: Client::new(config)?,
            login: Login::new(config.auth.clone(), clock)?,
            mount: config.mount.clone(),
            prefix: config.prefix.clone(),
            seen: Mutex::default(),
        })
    }

    /// A key, `None` where there is none of this name.
    pub(super) fn read(&self, name: &str, kind: Kind) -> Result<Option<Key>, CustodyError> {
        match self.ask(&format!("keys/{name}"), None, true)? {
            Answer::Done(body) => data::<Key>(&body)?.check(kind).map(Some),
            Answer::Absent => Ok(None),
            _ => Err(Outage::Answer.into()),
        }
    }

    /// Makes a key; one that is there is left as it is.
    pub(super) fn make(&self, name: &str, kind: Kind) -> Result<(), CustodyError> {
        let r#type = if kind == Kind::Kek { "aes256-gcm96" } else { "ed25519" };
        let body = MakeKey { r#type, derived: kind == Kind::Kek, exportable: false, allow_plaintext_backup: false };
        self.done(&format!("keys/{name}"), &body, true)
    }

    /// Makes a key's next version.
    pub(super) fn rotate(&self, name: &str) -> Result<(), CustodyError> {
        self.done(&format!("keys/{name}/rotate"), &BTreeMap::<&str, u32>::new(), false)
    }

    /// Sets lower bounds of usable versions.
    pub(super) fn configure(&self, name: &str, bounds: &BTreeMap<&str, u32>) -> Result<(), CustodyError> {
        self.done(&format!("keys/{name}/config"), bounds, true)
    }

    /// Destroys every version below this one.
    pub(super) fn trim(&self, name: &str, min_available_version: u32) -> Result<(), CustodyError> {
        self.done(
            &format!("keys/{name}/trim"),
            &BTreeMap::from([("min_available_version", min_available_version)]),
            true,
        )
    }

    /// An operation with an answer; `None` where the server refuses to do it.
    pub(super) fn operate<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<Option<T>, CustodyError> {
        match self.ask(path, Some(json(body)?), true)? {
            Answer::Done(body) => data(&body).map(Some),
            Answer::Refused | Answer::Absent => Ok(None),
            Answer::Denied => Err(Outage::Denied.into()),
        }
    }

    fn done(&self, path: &str, body: &impl Serialize, repeatable: bool) -> Result<(), CustodyError> {
        match self.ask(path, Some(json(body)?), repeatable)? {
            Answer::Done(_) => Ok(()),
            _ => Err(Outage::Failed.into()),
        }
    }

    /// Asks with a token, and with another where the server denies the first.
    fn ask(&self, path: &str, body: Option<Zeroizing<Vec<u8>>>, repeatable: bool) -> Result<Answer, CustodyError> {
        let path = format!("{}/{path}", self.mount);
        let mut tries = 0;
        loop {
            let token = self.login.token(&self.client)?;
            let question = Question { path: &path, body: body.clone(), token: Some(&token), repeatable };
            let answer = self.client.ask(&question)?;
            let denied = matches!(answer, Answer::Denied);
            if !denied {
                return Ok(answer);
            }
            tries += 1;
            if !self.login.denied(&token) || tries > 1 {
                return Err(Outage::Denied.into());
            }
        }
    }
}

fn data<T: DeserializeOwned>(body: &[u8]) -> Result<T, CustodyError> {
    serde_json::from_slice::<Envelope<T>>(body).map(|envelope| envelope.data).map_err(|_| Outage::Answer.into())
}
