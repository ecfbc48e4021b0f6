//! Signing keys as Ed25519 pairs, `countersign/<use>`: retired is a version whose private object is gone and whose public one is kept.
//!
//! Must never know: private keys. Invariant: of two pairs that processes made as the same version at once, every process
//! takes the same one.

use super::{
    fault::Fault,
    objects::{self, Id},
    token::Open,
};
use crate::{CustodyError, KeyUse, Outage, SigningVersion};
use cryptoki::{
    mechanism::{
        Mechanism,
        eddsa::{EddsaParams, EddsaSignatureScheme},
    },
    object::{Attribute, AttributeType, ObjectClass, ObjectHandle},
};

/// DER of the object identifier 1.3.101.112 (RFC 8410 section 3).
const ED25519: [u8; 5] = [0x06, 0x03, 0x2b, 0x65, 0x70];

fn label(used: KeyUse) -> String {
    format!("countersign/{used}")
}

pub(super) fn make(open: &mut Open, used: KeyUse, now_s: i64) -> Result<SigningVersion, Fault> {
    let version = list(open, used)?.last().map_or(0, |last| last.version) + 1;
    let id = Id::make(version, now_s)?.encode();
    let (public, _) = open.session.generate_key_pair(
        &Mechanism::EccEdwardsKeyPairGen,
        &[
            Attribute::Token(true),
            Attribute::Private(false),
            Attribute::Verify(true),
            Attribute::EcParams(ED25519.to_vec()),
            Attribute::Label(label(used).into_bytes()),
            Attribute::Id(id.clone()),
        ],
        &[
            Attribute::Token(true),
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Sign(true),
            Attribute::Label(label(used).into_bytes()),
            Attribute::Id(id),
        ],
    )?;
    Ok(SigningVersion { version, public: point(open, public)?, made_at_s: now_s, retired: false })
}

pub(super) fn list(open: &mut Open, used: KeyUse) -> Result<Vec<SigningVersion>, Fault> {
    let private = objects::keys(open, ObjectClass::PRIVATE_KEY, &label(used))?;
    let mut versions: Vec<SigningVersion> = Vec::new();
    for (id, object) in objects::keys(open, ObjectClass::PUBLIC_KEY, &label(used))? {
        if versions.last().is_some_and(|last| last.version == id.version) {
            continue;
        }
        let retired = !private.iter().any(|(other, _)| *other == id);
        versions.push(SigningVersion {
            version: id.version,
            public: point(open, object)?,
            made_at_s: id.made_at_s,
            retired,
        });
    }
    Ok(versions)
}

pub(super) fn sign(open: &mut Open, (used, version): (KeyUse, u32), message: &[u8]) -> Result<[u8; 64], Fault> {
    let key = match open.signing.get(&(used, version)) {
        Some(key) => *key,
        None => {
            let private = objects::keys(open, ObjectClass::PRIVATE_KEY, &label(used))?;
            let found = private.into_iter().find(|(id, _)| id.version == version);
            let (_, key) = found.ok_or(CustodyError::Destroyed)?;
            open.signing.insert((used, version), key);
            key
        }
    };
    let pure = Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Ed25519));
    let signature = open.session.sign(&pure, key, message)?;
    signature.try_into().map_err(|_| Fault::Broken(Outage::Answer, None))
}

pub(super) fn retire(open: &mut Open, used: KeyUse, up_to: u32) -> Result<(), Fault> {
    remove(open, ObjectClass::PRIVATE_KEY, (used, up_to))
}

pub(super) fn destroy(open: &mut Open, used: KeyUse, up_to: u32) -> Result<(), Fault> {
    remove(open, ObjectClass::PRIVATE_KEY, (used, up_to))?;
    remove(open, ObjectClass::PUBLIC_KEY, (used, up_to))
}

fn remove(open: &mut Open, class: ObjectClass, (used, up_to): (KeyUse, u32)) -> Result<(), Fault> {
    open.signing.clear();
    for (id, object) in objects::keys(open, class, &label(used))? {
        if id.version <= up_to {
            open.session.destroy_object(object)?;
        }
    }
    Ok(())
}

/// CKA_EC_POINT: 32 bytes, bare or as a DER octet string (PKCS#11 v3.1 section 6.3.3 says the latter, some tokens the former).
fn point(open: &Open, public: ObjectHandle) -> Result<[u8; 32], Fault> {
    let attributes = open.session.get_attributes(public, &[AttributeType::EcPoint])?;
    let point = attributes.into_iter().find_map(|attribute| match attribute {
        Attribute::EcPoint(point) => Some(point),
        _ => None,
    });
    let point = point.unwrap_or_default();
    let bare = if point.len() == 34 { point.strip_prefix(&[0x04, 0x20]) } else { Some(&point[..]) };
    bare.and_then(|bare| bare.as_array().copied()).ok_or(Fault::Broken(Outage::Answer, None))
}
