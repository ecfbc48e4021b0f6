//! Tenants' KEKs as transit keys, one a version: `<prefix>-kek-<tenant>-<version>`.
//!
//! Keys are `derived`: the server wraps under HKDF(KEK, context), and the context is the digest of the wrap's whole place, so no two
//! places share a key and random nonces have no bound to come near. A version is destroyed by rotating its transit key and trimming
//! the first version away; the key that remains opens nothing and is the note that the number was used. Must never know: key bytes.
//! Invariant: wrapping never makes a key, though servers may where a token is allowed to.

use super::transit::{Key, Kind, Transit};
use crate::{CustodyError, KekRef, KekVersion, Outage};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::PoisonError};
use zeroize::Zeroizing;

/// The one version of a transit key that wraps.
const FIRST: u32 = 1;
/// What the server writes before what that version wraps.
const HEAD: &str = "vault:v1:";

#[derive(Serialize)]
struct Encrypt<'a> {
    plaintext: &'a str,
    associated_data: &'a str,
    context: &'a str,
    key_version: u32,
}

#[derive(Deserialize)]
struct Encrypted {
    ciphertext: String,
}

#[derive(Serialize)]
struct Decrypt<'a> {
    ciphertext: &'a str,
    associated_data: &'a str,
    context: &'a str,
}

#[derive(Deserialize)]
struct Decrypted {
    plaintext: String,
}

fn name(transit: &Transit, kek: KekRef<'_>) -> String {
    format!("{}-kek-{}-{}", transit.prefix, kek.tenant, kek.version)
}

const fn is_destroyed(key: &Key) -> bool {
    key.min_available_version > FIRST
}

pub(super) fn make(transit: &Transit, tenant: &str) -> Result<u32, CustodyError> {
    let version = list(transit, tenant)?.last().map_or(0, |last| last.version) + 1;
    let name = name(transit, KekRef { tenant, version });
    transit.make(&name, Kind::Kek)?;
    transit.read(&name, Kind::Kek)?.ok_or(Outage::Failed)?;
    Ok(version)
}

/// Numbers have no gaps: the first that is not there ends the list.
pub(super) fn list(transit: &Transit, tenant: &str) -> Result<Vec<KekVersion>, CustodyError> {
    let mut versions = Vec::new();
    for version in 1.. {
        let Some(key) = transit.read(&name(transit, KekRef { tenant, version }), Kind::Kek)? else { break };
        let made = key.versions();
        let at = |wanted: u32| made.iter().find(|(version, ..)| *version == wanted).and_then(|(_, at, _)| *at);
        let destroyed_at_s = is_destroyed(&key).then(|| at(key.min_available_version).unwrap_or_default());
        versions.push(KekVersion { version, made_at_s: at(FIRST), uses: None, destroyed_at_s });
    }
    Ok(versions)
}

pub(super) fn wrap(transit: &Transit, kek: KekRef<'_>, plaintext: &[u8], aad: &[u8]) -> Result<Vec<u8>, CustodyError> {
    let name = name(transit, kek);
    // Where the token may make keys, the server would make one that is not there.
    if !transit.seen.lock().unwrap_or_else(PoisonError::into_inner).contains(&name) {
        live(transit, &name)?;
        transit.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone());
    }
    match encrypt(transit, &name, plaintext, aad)? {
        Some(wrapped) => Ok(wrapped),
        None => live(transit, &name).and(Err(Outage::Failed.into())),
    }
}

pub(super) fn unwrap(
    transit: &Transit,
    kek: KekRef<'_>,
    wrapped: &[u8],
    aad: &[u8],
) -> Result<Zeroizing<Vec<u8>>, CustodyError> {
    let name = name(transit, kek);
    if let Some(plaintext) = decrypt(transit, &name, wrapped, aad)? {
        return Ok(plaintext);
    }
    live(transit, &name)?;
    // The control behind "does not authenticate": the same key opens what it wraps now, so the server is not to blame.
    let control = encrypt(transit, &name, &[0; 16], b"control")?.ok_or(Outage::Failed)?;
    let opened = decrypt(transit, &name, &control, b"control")?.ok_or(Outage::Failed)?;
    Err(if *opened == [0; 16] { CustodyError::NotAuthentic } else { Outage::Failed.into() })
}

pub(super) fn destroy(transit: &Transit, kek: KekRef<'_>) -> Result<(), CustodyError> {
    let name = name(transit, kek);
    let key = transit.read(&name, Kind::Kek)?.ok_or(CustodyError::NoSuchKey)?;
    let next = FIRST + 1;
    if !is_destroyed(&key) {
        if key.latest_version < next {
            transit.rotate(&name)?;
        }
        let bounds = BTreeMap::from([("min_decryption_version", next), ("min_encryption_version", next)]);
        transit.configure(&name, &bounds)?;
        transit.trim(&name, next)?;
    }
    let left = transit.read(&name, Kind::Kek)?.ok_or(Outage::Failed)?;
    let gone = is_destroyed(&left) && left.versions().iter().all(|(version, ..)| *version > FIRST);
    if gone { Ok(()) } else { Err(Outage::Failed.into()) }
}

fn live(transit: &Transit, name: &str) -> Result<(), CustodyError> {
    let key = transit.read(name, Kind::Kek)?.ok_or(CustodyError::NoSuchKey)?;
    // Bounds are raised before a version is trimmed: from then on it is of no use.
    if is_destroyed(&key) || key.min_decryption_version > FIRST { Err(CustodyError::Destroyed) } else { Ok(()) }
}

fn encrypt(transit: &Transit, name: &str, plaintext: &[u8], aad: &[u8]) -> Result<Option<Vec<u8>>, CustodyError> {
    let plaintext = Zeroizing::new(STANDARD.encode(plaintext));
    let (associated_data, context) = place(aad);
    let (associated_data, context) = (associated_data.as_str(), context.as_str());
    let body = Encrypt { plaintext: &plaintext, associated_data, context, key_version: FIRST };
    let Some(Encrypted { ciphertext }) = transit.operate(&format!("encrypt/{name}"), &body)? else { return Ok(None) };
    let wrapped = ciphertext.strip_prefix(HEAD).and_then(|text| STANDARD.decode(text).ok());
    wrapped.map(Some).ok_or_else(|| Outage::Answer.into())
}

fn decrypt(
    transit: &Transit,
    name: &str,
    wrapped: &[u8],
    aad: &[u8],
) -> Result<Option<Zeroizing<Vec<u8>>>, CustodyError> {
    let ciphertext = format!("{HEAD}{}", STANDARD.encode(wrapped));
    let (associated_data, context) = place(aad);
    let body = Decrypt { ciphertext: &ciphertext, associated_data: &associated_data, context: &context };
    let Some(Decrypted { plaintext }) = transit.operate(&format!("decrypt/{name}"), &body)? else { return Ok(None) };
    let plaintext = Zeroizing::new(plaintext);
    let opened = STANDARD.decode(plaintext.as_bytes()).map_err(|_| Outage::Answer)?;
    Ok(Some(Zeroizing::new(opened)))
}

/// Associated data, and the context from which the server derives the key; both in base64.
fn place(aad: &[u8]) -> (String, String) {
    (STANDARD.encode(aad), STANDARD.encode(digest(&SHA256, aad)))
}
