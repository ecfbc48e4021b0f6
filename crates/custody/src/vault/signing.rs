//! Signing keys as transit keys of type `ed25519`, `<prefix>-<use>`, with the server's own versions.
//!
//! Retired is a version below `min_encryption_version`: the server signs with it no more and still tells its public key. Whoever may
//! configure the key can take that back; destroying cannot be taken back. Must never know: private keys.

use super::transit::{Key, Kind, Transit};
use crate::{CustodyError, KeyUse, Outage, SigningVersion};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Serialize)]
struct Sign<'a> {
    input: &'a str,
    key_version: u32,
}

#[derive(Deserialize)]
struct Signed {
    signature: String,
}

fn name(transit: &Transit, used: KeyUse) -> String {
    format!("{}-{used}", transit.prefix)
}

pub(super) fn make(transit: &Transit, used: KeyUse) -> Result<SigningVersion, CustodyError> {
    let name = name(transit, used);
    match transit.read(&name, Kind::Signing)? {
        None => transit.make(&name, Kind::Signing)?,
        Some(_) => transit.rotate(&name)?,
    }
    list(transit, used)?.pop().ok_or_else(|| Outage::Failed.into())
}

pub(super) fn list(transit: &Transit, used: KeyUse) -> Result<Vec<SigningVersion>, CustodyError> {
    let Some(key) = transit.read(&name(transit, used), Kind::Signing)? else { return Ok(Vec::new()) };
    let read = |(version, made, public)| {
        let (Some(made_at_s), Some(public)) = (made, public) else { return Err(Outage::Answer.into()) };
        Ok(SigningVersion { version, public, made_at_s, retired: is_retired(&key, version) })
    };
    key.versions().into_iter().map(read).collect()
}

pub(super) fn sign(
    transit: &Transit,
    (used, version): (KeyUse, u32),
    message: &[u8],
) -> Result<[u8; 64], CustodyError> {
    let name = name(transit, used);
    let body = Sign { input: &STANDARD.encode(message), key_version: version };
    let Some(Signed { signature }) = transit.operate(&format!("sign/{name}"), &body)? else {
        let key = transit.read(&name, Kind::Signing)?.ok_or(CustodyError::NoSuchKey)?;
        let gone = is_retired(&key, version) || version > key.latest_version;
        return Err(if gone { CustodyError::Destroyed } else { Outage::Failed.into() });
    };
    let text = signature.strip_prefix(&format!("vault:v{version}:")).ok_or(Outage::Answer)?;
    let bytes = STANDARD.decode(text).map_err(|_| Outage::Answer)?;
    bytes.try_into().map_err(|_| Outage::Answer.into())
}

pub(super) fn retire(transit: &Transit, used: KeyUse, up_to: u32) -> Result<(), CustodyError> {
    let name = name(transit, used);
    let key = transit.read(&name, Kind::Signing)?.ok_or(CustodyError::NoSuchKey)?;
    if key.min_encryption_version > up_to {
        return Ok(());
    }
    transit.configure(&name, &BTreeMap::from([("min_encryption_version", up_to + 1)]))
}

pub(super) fn destroy(transit: &Transit, used: KeyUse, up_to: u32) -> Result<(), CustodyError> {
    let name = name(transit, used);
    let key = transit.read(&name, Kind::Signing)?.ok_or(CustodyError::NoSuchKey)?;
    let first = (up_to + 1).max(key.min_available_version);
    let bounds = BTreeMap::from([
        ("min_decryption_version", first.max(key.min_decryption_version)),
        ("min_encryption_version", first.max(key.min_encryption_version)),
    ]);
    transit.configure(&name, &bounds)?;
    transit.trim(&name, first)
}

const fn is_retired(key: &Key, version: u32) -> bool {
    version < key.min_encryption_version
}
