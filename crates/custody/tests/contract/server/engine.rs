//! The transit engine: keys with versions and bounds, AES-256-GCM under derived keys, Ed25519.

use aes_gcm::{
    Aes256Gcm, KeyInit as _, Nonce,
    aead::{Aead as _, Payload},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signer as _, SigningKey};
use ring::{
    hkdf,
    rand::{SecureRandom as _, SystemRandom},
};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Seconds since 1970 of the first key; each version is a second later than the one before.
const EPOCH_S: i64 = 1_800_000_000;

/// See the module.
#[derive(Default)]
pub(super) struct Engine {
    keys: BTreeMap<String, Key>,
    made: i64,
}

struct Key {
    kind: String,
    derived: bool,
    exportable: bool,
    /// Versions that are not trimmed: when made, and 32 bytes.
    versions: BTreeMap<u32, (i64, [u8; 32])>,
    latest: u32,
    min_available: u32,
    min_decryption: u32,
    min_encryption: u32,
}

type Told = Result<Value, (u16, String)>;

impl Engine {
    /// Status and data, or errors.
    pub(super) fn answer(&mut self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let parts: Vec<&str> = path.split('/').collect();
        let told = match (method, parts.as_slice()) {
            ("GET", ["keys", name]) => self.read(name),
            ("POST" | "PUT", ["keys", name]) => self.make(name, body),
            ("POST" | "PUT", ["keys", name, "rotate"]) => self.rotate(name),
            ("POST" | "PUT", ["keys", name, "config"]) => self.configure(name, body),
            ("POST" | "PUT", ["keys", name, "trim"]) => self.trim(name, body),
            ("POST" | "PUT", ["encrypt", name]) => self.encrypt(name, body),
            ("POST" | "PUT", ["decrypt", name]) => self.decrypt(name, body),
            ("POST" | "PUT", ["sign", name]) => self.sign(name, body),
            _ => Err((404, "unsupported path".into())),
        };
        match told {
            Ok(data) => (200, data),
            Err((404, error)) if error.is_empty() => (404, json!([])),
            Err((status, error)) => (status, json!([error])),
        }
    }

    fn read(&self, name: &str) -> Told {
        let key = self.keys.get(name).ok_or((404, String::new()))?;
        let mut versions = Map::new();
        for (version, (made, secret)) in key.versions.range(key.min_decryption..) {
            let told = if key.kind == "ed25519" {
                let public = SigningKey::from_bytes(secret).verifying_key().to_bytes();
                let instant = time::OffsetDateTime::from_unix_timestamp(*made).unwrap();
                let instant = instant.format(&time::format_description::well_known::Rfc3339).unwrap();
                let instant = instant.replace('Z', ".123456789Z");
                json!({"creation_time": instant, "name": "ed25519", "public_key": STANDARD.encode(public), "certificate_chain": ""})
            } else {
                json!(made)
            };
            versions.insert(version.to_string(), told);
        }
        Ok(json!({
            "name": name, "type": key.kind, "derived": key.derived, "exportable": key.exportable,
            "allow_plaintext_backup": false, "deletion_allowed": false, "latest_version": key.latest,
            "min_available_version": key.min_available, "min_decryption_version": key.min_decryption,
            "min_encryption_version": key.min_encryption, "keys": versions, "imported_key": false,
            "supports_encryption": key.kind != "ed25519", "supports_decryption": key.kind != "ed25519",
            "supports_derivation": true, "supports_signing": key.kind == "ed25519", "auto_rotate_period": 0,
        }))
    }

    fn make(&mut self, name: &str, body: &Value) -> Told {
        let kind = body["type"].as_str().unwrap_or("aes256-gcm96").to_owned();
        if !["aes256-gcm96", "ed25519"].contains(&kind.as_str()) {
            return Err((400, format!("unknown key type {kind}")));
        }
        if !self.keys.contains_key(name) {
            let flag = |field: &str| body[field].as_bool().unwrap_or(false);
            let key = Key {
                kind,
                derived: flag("derived"),
                exportable: flag("exportable"),
                versions: BTreeMap::new(),
                latest: 0,
                min_available: 0,
                min_decryption: 1,
                min_encryption: 0,
            };
            self.keys.insert(name.to_owned(), key);
            self.rotate(name)?;
        }
        self.read(name)
    }

    fn rotate(&mut self, name: &str) -> Told {
        let key = self.keys.get_mut(name).ok_or((400, "key not found".to_owned()))?;
        let mut secret = [0; 32];
        SystemRandom::new().fill(&mut secret).unwrap();
        key.latest += 1;
        self.made += 1;
        key.versions.insert(key.latest, (EPOCH_S + self.made, secret));
        self.read(name)
    }

    fn configure(&mut self, name: &str, body: &Value) -> Told {
        let missing = (400, format!("no existing key named {name} could be found"));
        let key = self.keys.get_mut(name).ok_or(missing)?;
        let bound = |field: &str, now: u32| body[field].as_u64().map_or(now, |value| value as u32);
        let decryption = bound("min_decryption_version", key.min_decryption).max(1);
        let encryption = bound("min_encryption_version", key.min_encryption);
        if decryption > key.latest {
            return Err((
                400,
                format!("cannot set min decryption version of {decryption}, latest key version is {}", key.latest),
            ));
        }
        if encryption > key.latest {
            return Err((
                400,
                format!("cannot set min encryption version of {encryption}, latest key version is {}", key.latest),
            ));
        }
        if encryption > 0 && encryption < decryption {
            return Err((400, "cannot set min encryption/decryption values".into()));
        }
        if key.min_available > encryption || key.min_available > decryption {
            return Err((400, "min version should not be less than min available version".into()));
        }
        (key.min_decryption, key.min_encryption) = (decryption, encryption);
        self.read(name)
    }

    fn trim(&mut self, name: &str, body: &Value) -> Told {
        let key = self.keys.get_mut(name).ok_or((400, "invalid key name".to_owned()))?;
        let wanted =
            body["min_available_version"].as_u64().ok_or((400, "missing min_available_version".to_owned()))? as u32;
        let refused = match () {
            () if wanted < key.min_available => "minimum available version cannot be decremented",
            () if key.min_encryption == 0 => {
                "minimum available version cannot be set when minimum encryption version is not set"
            }
            () if wanted > key.min_encryption => {
                "minimum available version cannot be greater than minmum encryption version"
            }
            () if wanted > key.min_decryption => {
                "minimum available version cannot be greater than minimum decryption version"
            }
            () if wanted == 0 => "minimum available version should be positive",
            () => "",
        };
        if !refused.is_empty() {
            return Err((400, refused.into()));
        }
        key.min_available = wanted;
        key.versions.retain(|version, _| *version >= wanted);
        self.read(name)
    }

    fn encrypt(&mut self, name: &str, body: &Value) -> Told {
        if !self.keys.contains_key(name) {
            // The test's token may make keys, as a careless policy lets it.
            self.make(name, &json!({"derived": !body["context"].is_null()}))?;
        }
        let key = &self.keys[name];
        let version = match body["key_version"].as_u64().unwrap_or(0) as u32 {
            0 => key.latest,
            version => version,
        };
        if version > key.latest {
            return Err((400, "requested version for encryption is higher than the latest key version".into()));
        }
        if version < key.min_encryption {
            return Err((
                400,
                "requested version for encryption is less than the minimum encryption key version".into(),
            ));
        }
        let cipher = key.cipher(version, body)?;
        let mut nonce = [0; 12];
        SystemRandom::new().fill(&mut nonce).unwrap();
        let (plaintext, aad) = (decoded(body, "plaintext")?, decoded(body, "associated_data")?);
        let sealed = cipher.encrypt(&Nonce::from(nonce), Payload { msg: &plaintext, aad: &aad }).unwrap();
        let text = STANDARD.encode([&nonce[..], &sealed].concat());
        Ok(json!({"ciphertext": format!("vault:v{version}:{text}"), "key_version": version}))
    }

    fn decrypt(&mut self, name: &str, body: &Value) -> Told {
        let key = self.keys.get(name).ok_or((400, "encryption key not found".to_owned()))?;
        let text = body["ciphertext"].as_str().unwrap_or_default();
        let rest = text.strip_prefix("vault:v").ok_or((400, "invalid ciphertext: no prefix".to_owned()))?;
        let (version, text) =
            rest.split_once(':').ok_or((400, "invalid ciphertext: wrong number of fields".to_owned()))?;
        let version: u32 =
            version.parse().map_err(|_| (400, "invalid ciphertext: version number could not be decoded".to_owned()))?;
        if version > key.latest {
            return Err((400, "invalid ciphertext: version is too new".into()));
        }
        if version < key.min_decryption {
            return Err((400, "ciphertext or signature version is disallowed by policy (too old)".into()));
        }
        let cipher = key.cipher(version, body)?;
        let bytes =
            STANDARD.decode(text).map_err(|_| (400, "invalid ciphertext: could not decode base64".to_owned()))?;
        let (nonce, sealed) = bytes
            .split_first_chunk::<12>()
            .filter(|(_, sealed)| sealed.len() >= 16)
            .ok_or((400, "invalid ciphertext length".to_owned()))?;
        let aad = decoded(body, "associated_data")?;
        let opened = cipher.decrypt(&Nonce::from(*nonce), Payload { msg: sealed, aad: &aad });
        let plaintext = opened.map_err(|_| (400, "cipher: message authentication failed".to_owned()))?;
        Ok(json!({"plaintext": STANDARD.encode(plaintext)}))
    }

    fn sign(&mut self, name: &str, body: &Value) -> Told {
        let key = self.keys.get(name).ok_or((400, "signing key not found".to_owned()))?;
        if key.kind != "ed25519" {
            return Err((400, format!("key type {} does not support signing", key.kind)));
        }
        let version = match body["key_version"].as_u64().unwrap_or(0) as u32 {
            0 => key.latest,
            version => version,
        };
        if version > key.latest {
            return Err((400, "requested version for signing is higher than the latest key version".into()));
        }
        if version < key.min_encryption {
            return Err((400, "requested version for signing is less than the minimum encryption key version".into()));
        }
        let secret = key.versions.get(&version).ok_or((400, "no such key version".to_owned()))?.1;
        let signature = SigningKey::from_bytes(&secret).sign(&decoded(body, "input")?).to_bytes();
        Ok(json!({"signature": format!("vault:v{version}:{}", STANDARD.encode(signature)), "key_version": version}))
    }
}

impl Key {
    /// AES-256-GCM under HKDF-SHA256 of a version's key and the context, as `derived` keys are used.
    fn cipher(&self, version: u32, body: &Value) -> Result<Aes256Gcm, (u16, String)> {
        let secret = self.versions.get(&version).ok_or((400, "no such key version".to_owned()))?.1;
        if !self.derived {
            return Ok(Aes256Gcm::new((&secret).into()));
        }
        let context = decoded(body, "context")?;
        if context.is_empty() {
            return Err((400, "missing 'context' for key derivation".into()));
        }
        let mut derived = [0; 32];
        let extracted = hkdf::Salt::new(hkdf::HKDF_SHA256, &[]).extract(&secret);
        extracted.expand(&[&context], hkdf::HKDF_SHA256).unwrap().fill(&mut derived).unwrap();
        Ok(Aes256Gcm::new((&derived).into()))
    }
}

fn decoded(body: &Value, field: &str) -> Result<Vec<u8>, (u16, String)> {
    let text = body[field].as_str().unwrap_or_default();
    STANDARD.decode(text).map_err(|_| (400, format!("failed to base64-decode {field}")))
}
