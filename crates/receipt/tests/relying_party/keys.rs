//! Key set documents: what the pinned root signed, and nothing else.

use crate::support::{
    IAT, ISSUER, LEDGER, action, claims, document, expected, kid, ledger_key, public, receipt_key, root, signer, token,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::SigningKey;
use receipt::{
    KeyFault, KeySet, Malformed, Pin, PublicJwk, Refused, TrustedKeys, authorize, jwks_document, thumbprint,
};
use serde_json::{Value, json};

fn read(document: &str) -> Result<TrustedKeys, Refused> {
    TrustedKeys::from_document(document, Pin { issuer: ISSUER, root_thumbprint: &kid(&root()) })
}

fn good() -> String {
    document(ISSUER, &[public(&receipt_key())])
}

/// The good document with one change.
fn changed(change: impl FnOnce(&mut Value)) -> String {
    let mut value = serde_json::from_str(&good()).unwrap();
    change(&mut value);
    value.to_string()
}

#[test]
fn thumbprints_follow_rfc_8037_appendix_a_3() {
    let x = URL_SAFE_NO_PAD.decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap();
    assert_eq!(thumbprint(&x.try_into().unwrap()), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

#[test]
fn a_document_under_the_pinned_root_is_taken() {
    let keys = read(&good()).unwrap();
    assert_eq!((keys.issuer(), keys.signed_at()), (ISSUER, IAT));
    assert_eq!(keys.key_ids().collect::<Vec<_>>(), [kid(&receipt_key())]);
}

#[test]
fn a_retired_key_stays_good_for_its_receipts() {
    let keys = read(&document(ISSUER, &[public(&ledger_key()), public(&receipt_key())])).unwrap();
    let action = action();
    assert!(authorize(&token(&claims()), &keys, &expected(&action), IAT).is_ok());
}

#[test]
fn a_swapped_root_is_refused() {
    let stranger = SigningKey::from_bytes(&[8; 32]);
    let set = KeySet { iss: ISSUER, iat: IAT, keys: &[public(&receipt_key())], root: public(&stranger) };
    assert_eq!(read(&jwks_document(&set, signer(&stranger)).unwrap()).err(), Some(KeyFault::Root.into()));
    let claimed = KeySet { root: public(&root()), ..set };
    assert_eq!(read(&jwks_document(&claimed, signer(&stranger)).unwrap()).err(), Some(KeyFault::Signature.into()));
    let own_key = KeySet { root: public(&receipt_key()), ..set };
    assert_eq!(read(&jwks_document(&own_key, signer(&receipt_key())).unwrap()).err(), Some(KeyFault::Root.into()));
}

#[test]
fn the_ledger_document_is_not_taken_for_the_receipt_document() {
    let ledger = document(LEDGER, &[public(&ledger_key())]);
    assert_eq!(read(&ledger).err(), Some(KeyFault::Issuer.into()));
}

#[test]
fn keys_that_the_root_did_not_list_are_refused() {
    let stranger = json!(PublicJwk::new(&public(&SigningKey::from_bytes(&[8; 32]))));
    let added = changed(|d| d["keys"].as_array_mut().unwrap().push(stranger.clone()));
    let replaced = changed(|d| d["keys"] = json!([stranger]));
    let removed = changed(|d| d["keys"] = json!([]));
    for document in [added, replaced, removed] {
        assert_eq!(read(&document).err(), Some(KeyFault::KeyList.into()));
    }
}

#[test]
fn small_order_and_non_canonical_keys_are_refused_even_under_the_root() {
    let hex = |text: &str| <[u8; 32]>::try_from(hex::decode(text).unwrap()).unwrap();
    let unsound = [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "0100000000000000000000000000000000000000000000000000000000000080",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "0200000000000000000000000000000000000000000000000000000000000000",
    ];
    for key in unsound.map(hex) {
        assert_eq!(read(&document(ISSUER, &[key])).err(), Some(KeyFault::Key.into()), "{}", hex::encode(key));
    }
}

#[test]
fn a_listed_root_or_a_key_listed_twice_is_refused() {
    let receipt = public(&receipt_key());
    for keys in [[receipt, receipt], [receipt, public(&root())]] {
        assert_eq!(read(&document(ISSUER, &keys)).err(), Some(KeyFault::Key.into()));
    }
}

#[test]
fn an_empty_or_overlong_list_is_not_made() {
    for count in [0, receipt::MAX_KEYS + 1] {
        let keys = vec![public(&receipt_key()); count];
        let set = KeySet { iss: ISSUER, iat: IAT, keys: &keys, root: public(&root()) };
        assert!(jwks_document(&set, signer(&root())).is_err());
    }
}

#[test]
fn documents_of_another_form_are_refused() {
    assert_eq!(read("").err(), Some(Malformed::Json.into()));
    assert_eq!(read(&" ".repeat(200_000)).err(), Some(Malformed::TooLarge.into()));
    assert_eq!(read(&good().replacen('{', "{\"signed\":\"\",", 1)).err(), Some(Malformed::DuplicateMember.into()));
    let broken = [
        changed(|d| d["keys"][0]["d"] = json!("private")),
        changed(|d| d["extra"] = json!(1)),
        changed(|d| drop(d.as_object_mut().unwrap().remove("root"))),
        changed(|d| d["signed"] = json!(7)),
    ];
    for document in broken {
        assert_eq!(read(&document).err(), Some(Malformed::Claims.into()));
    }
    let misnamed = changed(|d| d["root"]["kid"] = json!(kid(&receipt_key())));
    assert_eq!(read(&misnamed).err(), Some(KeyFault::Key.into()));
    let token_as_set = changed(|d| d["signed"] = json!(token(&claims())));
    assert_eq!(read(&token_as_set).err(), Some(KeyFault::Type.into()));
}

#[test]
fn every_single_bit_flip_of_a_document_is_refused_or_changes_nothing() {
    let good = good();
    for bit in 0..good.len() * 8 {
        let mut bytes = good.clone().into_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let Ok(flipped) = String::from_utf8(bytes) else { continue };
        if let Ok(keys) = read(&flipped) {
            assert!(serde_json::from_str::<Value>(&flipped).unwrap() == serde_json::from_str::<Value>(&good).unwrap());
            assert_eq!(keys.key_ids().collect::<Vec<_>>(), [kid(&receipt_key())], "white space alone may differ");
        }
    }
}
