//! Tenants' KEKs as AES-256 objects: `countersign/kek/<tenant>`, with data objects for what is destroyed and for uses.
//!
//! Wrapping is `C_Encrypt` with AES-GCM: 12-byte nonce ‖ ciphertext ‖ 16-byte tag. Must never know: key bytes. Invariants: a note of
//! destruction is on the token before its key goes, and from then on the key is of no use; two processes that make the same
//! version at once lose nothing, because opening tries every object of the version.

use super::{
    fault::{Fault, code},
    objects::{self, Id},
    token::Open,
};
use crate::{CustodyError, KekRef, KekVersion, epitaph::Epitaph, file::files};
use cryptoki::{
    error::{Error, RvError},
    mechanism::{Mechanism, aead::GcmParams},
    object::{Attribute, ObjectClass, ObjectHandle},
};
use std::collections::BTreeMap;
use zeroize::Zeroizing;

const NONCE_LEN: usize = 12;
const TAG_LEN: usize = 16;

/// A [`KekRef`] that can wait for a session.
pub(super) struct Name {
    tenant: String,
    version: u32,
}

impl Name {
    pub(super) fn of(kek: KekRef<'_>) -> Self {
        Self { tenant: kek.tenant.to_owned(), version: kek.version }
    }

    fn uses_label(&self) -> String {
        format!("{}/{}/uses", label(&self.tenant), self.version)
    }
}

fn label(tenant: &str) -> String {
    format!("countersign/kek/{tenant}")
}

fn grave_label(tenant: &str) -> String {
    format!("countersign/kek/{tenant}/destroyed")
}

pub(super) fn make(open: &mut Open, tenant: &str, now_s: i64) -> Result<u32, Fault> {
    let version = list(open, tenant)?.last().map_or(0, |last| last.version) + 1;
    open.session.generate_key(
        &Mechanism::AesKeyGen,
        &[
            Attribute::Token(true),
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::ValueLen(32.into()),
            Attribute::Encrypt(true),
            Attribute::Decrypt(true),
            Attribute::Wrap(false),
            Attribute::Unwrap(false),
            Attribute::Label(label(tenant).into_bytes()),
            Attribute::Id(Id::make(version, now_s)?.encode()),
        ],
    )?;
    Ok(version)
}

pub(super) fn list(open: &mut Open, tenant: &str) -> Result<Vec<KekVersion>, Fault> {
    let mut versions = BTreeMap::new();
    for (id, _) in objects::keys(open, ObjectClass::SECRET_KEY, &label(tenant))? {
        let name = Name { tenant: tenant.to_owned(), version: id.version };
        versions.entry(id.version).or_insert(KekVersion {
            version: id.version,
            made_at_s: Some(id.made_at_s),
            uses: Some(uses(open, &name)?),
            destroyed_at_s: None,
        });
    }
    for (version, epitaph) in graves(open, tenant)? {
        let Epitaph { made_at_s, destroyed_at_s, uses } = epitaph;
        let buried =
            KekVersion { version, made_at_s: Some(made_at_s), uses: Some(uses), destroyed_at_s: Some(destroyed_at_s) };
        if versions.insert(version, buried).is_some_and(|seen| seen.destroyed_at_s.is_none()) {
            // A crash came between the note and the key.
            bury(open, &Name { tenant: tenant.to_owned(), version })?;
        }
    }
    Ok(versions.into_values().collect())
}

pub(super) fn wrap(open: &mut Open, kek: &Name, plaintext: &[u8], aad: &[u8]) -> Result<Vec<u8>, Fault> {
    let key = *lookup(open, kek)?.first().ok_or(CustodyError::NoSuchKey)?;
    let mut nonce = *files::random::<NONCE_LEN>()?;
    let mut wrapped = nonce.to_vec();
    wrapped.extend(open.session.encrypt(&gcm(&mut nonce, aad)?, key, plaintext)?);
    Ok(wrapped)
}

pub(super) fn unwrap(open: &mut Open, kek: &Name, wrapped: &[u8], aad: &[u8]) -> Result<Zeroizing<Vec<u8>>, Fault> {
    let (nonce, sealed) = wrapped.split_first_chunk::<NONCE_LEN>().ok_or(CustodyError::NotAuthentic)?;
    if sealed.len() < TAG_LEN {
        return Err(CustodyError::NotAuthentic.into());
    }
    let keys = lookup(open, kek)?;
    for key in &keys {
        let mut nonce = *nonce;
        match open.session.decrypt(&gcm(&mut nonce, aad)?, *key, sealed) {
            Ok(plaintext) => return Ok(Zeroizing::new(plaintext)),
            Err(error) if may_mean_not_authentic(&error) => works(open, *key)?,
            Err(error) => return Err(error.into()),
        }
    }
    Err(CustodyError::NotAuthentic.into())
}

pub(super) fn lease_uses(open: &mut Open, kek: &Name, more: u64) -> Result<u64, Fault> {
    lookup(open, kek)?;
    objects::note(open, &kek.uses_label(), more.to_be_bytes().to_vec())?;
    uses(open, kek)
}

pub(super) fn destroy(open: &mut Open, kek: &Name, now_s: i64) -> Result<(), Fault> {
    open.keks.remove(&(kek.tenant.clone(), kek.version));
    if !graves(open, &kek.tenant)?.iter().any(|(version, _)| *version == kek.version) {
        let found = of_version(open, kek)?;
        let made_at_s = found.first().ok_or(CustodyError::NoSuchKey)?.0.made_at_s;
        let epitaph = Epitaph { made_at_s, destroyed_at_s: now_s, uses: uses(open, kek)? };
        let note = [&kek.version.to_be_bytes()[..], &epitaph.encode()].concat();
        objects::note(open, &grave_label(&kek.tenant), note)?;
    }
    bury(open, kek)?;
    if of_version(open, kek)?.is_empty() { Ok(()) } else { Err(Fault::Broken(crate::Outage::Failed, None)) }
}

/// Takes the key objects and the notes of uses off the token.
fn bury(open: &mut Open, kek: &Name) -> Result<(), Fault> {
    for (_, object) in of_version(open, kek)? {
        open.session.destroy_object(object)?;
    }
    for (object, _) in objects::notes(open, &kek.uses_label())? {
        open.session.destroy_object(object)?;
    }
    Ok(())
}

/// The objects of a version that is not destroyed.
fn lookup(open: &mut Open, kek: &Name) -> Result<Vec<ObjectHandle>, Fault> {
    let name = (kek.tenant.clone(), kek.version);
    if let Some(found) = open.keks.get(&name) {
        return Ok(found.clone());
    }
    if graves(open, &kek.tenant)?.iter().any(|(version, _)| *version == kek.version) {
        return Err(CustodyError::Destroyed.into());
    }
    let found: Vec<_> = of_version(open, kek)?.into_iter().map(|(_, object)| object).collect();
    if found.is_empty() {
        return Err(CustodyError::NoSuchKey.into());
    }
    open.keks.insert(name, found.clone());
    Ok(found)
}

fn of_version(open: &Open, kek: &Name) -> Result<Vec<(Id, ObjectHandle)>, Fault> {
    let mut found = objects::keys(open, ObjectClass::SECRET_KEY, &label(&kek.tenant))?;
    found.retain(|(id, _)| id.version == kek.version);
    Ok(found)
}

fn graves(open: &Open, tenant: &str) -> Result<Vec<(u32, Epitaph)>, Fault> {
    let read = |value: Vec<u8>| {
        let (version, epitaph) = value.split_first_chunk::<4>()?;
        Some((u32::from_be_bytes(*version), Epitaph::decode(epitaph)?))
    };
    Ok(objects::notes(open, &grave_label(tenant))?.into_iter().filter_map(|(_, value)| read(value)).collect())
}

fn uses(open: &Open, kek: &Name) -> Result<u64, Fault> {
    let notes = objects::notes(open, &kek.uses_label())?;
    let counts = notes.iter().filter_map(|(_, value)| value.as_array().map(|count| u64::from_be_bytes(*count)));
    Ok(counts.fold(0, u64::saturating_add))
}

fn gcm<'a>(nonce: &'a mut [u8; NONCE_LEN], aad: &'a [u8]) -> Result<Mechanism<'a>, Fault> {
    Ok(Mechanism::AesGcm(GcmParams::new(nonce, aad, 128.into())?))
}

/// Tokens say it differently; SoftHSM 2 says a general error, which may be anything.
fn may_mean_not_authentic(error: &Error) -> bool {
    matches!(
        code(error),
        Some(
            RvError::GeneralError
                | RvError::FunctionFailed
                | RvError::DataInvalid
                | RvError::EncryptedDataInvalid
                | RvError::EncryptedDataLenRange
                | RvError::SignatureInvalid
                | RvError::VendorDefined(_)
                | RvError::UnknownErrorCode(_)
        )
    )
}

/// The control behind "does not authenticate": the same key opens what it wraps now, so the token is not to blame. These few wraps
/// are not counted; the limit leaves room for three times 2^30 of them.
fn works(open: &Open, key: ObjectHandle) -> Result<(), Fault> {
    let mut nonce = *files::random::<NONCE_LEN>()?;
    let control = open.session.encrypt(&gcm(&mut nonce, b"control")?, key, &[0; 16])?;
    let opened = Zeroizing::new(open.session.decrypt(&gcm(&mut nonce, b"control")?, key, &control)?);
    if *opened == [0; 16] { Ok(()) } else { Err(Fault::Broken(crate::Outage::Failed, None)) }
}
