//! The committed vectors, which other languages wrote: an old version must open forever.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use biometrics::Gate;
use ed25519_dalek::SigningKey;
use receipt::{
    Action, DeletionClaims, Expected, ExpectedDeletion, KeySet, Pin, ReceiptClaims, Refused, TrustedKeys, Typ,
    authorize, display_sha256, display_text, encode, evidence, jwks_document, verify_deletion_proof, verify_enrollment,
};
use serde_json::Value;
use std::collections::HashSet;

use crate::support::{public, signer};

const ACTION: &str = include_str!("../../../../tests/vectors/action.json");
pub(crate) const RECEIPT: &str = include_str!("../../../../tests/vectors/receipt.json");

pub(crate) fn load(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

pub(crate) fn typed<T: serde::de::DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap()
}

pub(crate) fn seed(vectors: &Value, name: &str) -> SigningKey {
    let bytes = hex::decode(vectors["seeds"][name].as_str().unwrap()).unwrap();
    SigningKey::from_bytes(&bytes.try_into().unwrap())
}

pub(crate) fn keys(vectors: &Value, document: &str, issuer: &str) -> TrustedKeys {
    let pin = Pin {
        issuer: vectors["issuers"][issuer].as_str().unwrap(),
        root_thumbprint: vectors["root_thumbprint"].as_str().unwrap(),
    };
    TrustedKeys::from_document(&vectors[document].to_string(), pin).unwrap()
}

pub(crate) fn bytes(value: &Value) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(value.as_str().unwrap()).unwrap()
}

/// Runs `check` with the common expectation, members replaced by those of `case`.
pub(crate) fn under<T>(common: &Value, case: &Value, check: impl FnOnce(&Expected<'_>, i64) -> T) -> T {
    let mut members = common.as_object().unwrap().clone();
    members.extend(case["expected"].as_object().cloned().unwrap_or_default());
    let action: Action = typed(&members["action"]);
    let nonce = bytes(&members["nonce"]);
    let named: Vec<Gate> = typed(&members["accepted_not_run"]);
    let expected = Expected {
        txn: typed(&members["txn"]),
        reference_commitment: Some(bytes(&members["reference_commitment"]).try_into().unwrap()),
        display_sha256: Some(bytes(&members["display_sha256"]).try_into().unwrap()),
        mode: typed(&members["mode"]),
        max_attempt: typed(&members["max_attempt"]),
        max_fmr: typed(&members["max_fmr"]),
        accepted_not_run: &named,
        ..Expected::new(members["aud"].as_str().unwrap(), &nonce, &action)
    };
    check(&expected, typed(&members["now"]))
}

#[test]
fn action_hashes_limits_and_display_are_those_of_the_vectors() {
    let vectors = load(ACTION);
    let cases = vectors["cases"].as_array().unwrap();
    let mut hashes = HashSet::new();
    for case in cases {
        let action: Action = typed(&case["action"]);
        assert_eq!(hex::encode(action.sha256()), case["sha256"].as_str().unwrap(), "{}", case["name"]);
        let check = action.check().map_or_else(|e| format!("{}:{:?}", e.field, e.fault), |()| "OK".to_owned());
        assert_eq!(check, case["check"].as_str().unwrap(), "{}", case["name"]);
        assert_eq!(Action::from_json(case["action"].to_string().as_bytes()).unwrap(), action);
        assert!(hashes.insert(action.sha256()), "two actions, one hash: {}", case["name"]);
    }
    assert!(cases.len() >= 12);
    for case in vectors["display"].as_array().unwrap() {
        let text = display_text(&typed(&case["action"]));
        assert_eq!(text, case["text"].as_str().unwrap());
        assert_eq!(hex::encode(display_sha256(&text)), case["sha256"].as_str().unwrap());
    }
    for text in vectors["not_an_action"].as_array().unwrap() {
        assert!(Action::from_json(text.as_str().unwrap().as_bytes()).is_err(), "{text}");
    }
}

#[test]
fn encoding_makes_the_tokens_and_key_sets_of_the_vectors() {
    let vectors = load(RECEIPT);
    let (root, receipt, ledger) = (seed(&vectors, "root"), seed(&vectors, "receipt"), seed(&vectors, "ledger"));
    let kid = |key| receipt::thumbprint(&public(key));
    let claims: ReceiptClaims = typed(&vectors["claims"]);
    assert_eq!(encode(Typ::Receipt, &kid(&receipt), &claims, signer(&receipt)).unwrap(), vectors["token"]);
    let claims: ReceiptClaims = typed(&vectors["enrollment"]["claims"]);
    let token = encode(Typ::EnrollmentReceipt, &kid(&receipt), &claims, signer(&receipt)).unwrap();
    assert_eq!(token, vectors["enrollment"]["token"]);
    let claims: DeletionClaims = typed(&vectors["deletion"]["claims"]);
    let token = encode(Typ::DeletionProof, &kid(&ledger), &claims, signer(&ledger)).unwrap();
    assert_eq!(token, vectors["deletion"]["token"]);
    for (document, issuer, key) in [("jwks", "receipts", &receipt), ("ledger_jwks", "ledger", &ledger)] {
        let iat = keys(&vectors, document, issuer).signed_at();
        let iss = vectors["issuers"][issuer].as_str().unwrap();
        let set = KeySet { iss, iat, keys: &[public(key)], root: public(&root) };
        assert_eq!(load(&jwks_document(&set, signer(&root)).unwrap()), vectors[document]);
    }
}

#[test]
fn the_vectors_are_accepted_and_refused_as_they_say() {
    let vectors = load(RECEIPT);
    let (trusted, common) = (keys(&vectors, "jwks", "receipts"), &vectors["expected"]);
    let run = |case: &Value| {
        let token = case["token"].as_str().unwrap();
        under(common, case, |expected, now| authorize(token, &trusted, expected, now).map(drop))
    };
    for case in vectors["accepted"].as_array().unwrap() {
        assert_eq!(run(case), Ok(()), "{}", case["name"]);
    }
    let refused = vectors["refused"].as_array().unwrap();
    for case in refused {
        assert_eq!(run(case).map_err(Refused::reason), Err(case["reason"].as_str().unwrap()), "{}", case["name"]);
    }
    assert!(refused.len() > 60, "{}", refused.len());
    let claims: ReceiptClaims = typed(&vectors["claims"]);
    assert_eq!(evidence(vectors["token"].as_str().unwrap(), &trusted).unwrap().claims(), &claims);
}

#[test]
fn enrollment_and_deletion_vectors_open() {
    let vectors = load(RECEIPT);
    let (trusted, common) = (keys(&vectors, "jwks", "receipts"), &vectors["expected"]);
    let enrollment = vectors["enrollment"]["token"].as_str().unwrap();
    let receipt = under(common, &Value::Null, |expected, now| verify_enrollment(enrollment, &trusted, expected, now));
    assert_eq!(receipt.unwrap().claims(), &typed(&vectors["enrollment"]["claims"]));
    let commitment = bytes(&common["reference_commitment"]).try_into().unwrap();
    let expected = ExpectedDeletion { aud: common["aud"].as_str().unwrap(), commitment };
    let proof = vectors["deletion"]["token"].as_str().unwrap();
    let opened = verify_deletion_proof(proof, &keys(&vectors, "ledger_jwks", "ledger"), &expected);
    assert_eq!(opened.unwrap().claims(), &typed(&vectors["deletion"]["claims"]));
    assert!(verify_deletion_proof(proof, &trusted, &expected).is_err());
}
