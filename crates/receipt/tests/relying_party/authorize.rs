//! What an authentic receipt may and may not authorise.

use crate::support::{
    COMMITMENT, IAT, LEDGER, NONCE, TENANT, action, claims, expected, gates, kid, ledger_key, ledger_keys, receipt_key,
    receipt_keys, signer, token,
};
use biometrics::{Gate, GateStatus, Purpose, Verdict};
use receipt::{
    Claim, CoversClaim, DeletionClaims, EncodeError, Expected, ExpectedDeletion, KeyFault, LiveStore, Malformed,
    ReceiptClaims, Refused, SpendError, Typ, authorize, base64url, encode, evidence, refusal, verify_deletion_proof,
    verify_enrollment, withheld_nonce,
};
use std::{collections::HashSet, convert::Infallible};

fn outcome(claims: &ReceiptClaims, not_run: &[Gate]) -> Result<(), Refused> {
    let (action, keys) = (action(), receipt_keys());
    let expected = Expected { accepted_not_run: not_run, ..expected(&action) };
    authorize(&token(claims), &keys, &expected, IAT).map(drop)
}

#[test]
fn a_receipt_is_spent_once_and_keyed_on_its_id() {
    let (action, keys) = (action(), receipt_keys());
    let mut spent = HashSet::new();
    let mut spend = |token: &str| {
        let receipt = authorize(token, &keys, &expected(&action), IAT).unwrap();
        receipt.spend(|key| Ok::<_, Infallible>(spent.insert(key))).map(|receipt| receipt.claims().clone())
    };
    assert_eq!(spend(&token(&claims())).unwrap(), claims());
    assert!(matches!(spend(&token(&claims())), Err(SpendError::AlreadySpent)));
    let same_id = ReceiptClaims { sub: "other bytes, same id".into(), ..claims() };
    assert!(matches!(spend(&token(&same_id)), Err(SpendError::AlreadySpent)));
}

#[test]
fn a_failing_record_spends_nothing() {
    let (action, keys) = (action(), receipt_keys());
    let unspent = || authorize(&token(&claims()), &keys, &expected(&action), IAT).unwrap();
    assert!(matches!(unspent().spend(|_| Err("database away")), Err(SpendError::Record("database away"))));
    assert!(unspent().settle(false).is_err());
    assert!(unspent().settle(true).is_ok());
}

#[test]
fn every_gate_must_pass_unless_named() {
    assert_eq!(outcome(&claims(), &[]), Ok(()));
    for gate in Gate::ALL {
        let with = |status| ReceiptClaims { gates: Some(gates(Some((gate, status)))), ..claims() };
        assert_eq!(outcome(&with(GateStatus::NotRun), &[]), Err(Refused::GateNotRun { gate }));
        assert_eq!(outcome(&with(GateStatus::NotRun), &[gate]), Ok(()));
        for status in [GateStatus::Fail, GateStatus::Inconclusive] {
            assert_eq!(outcome(&with(status), &Gate::ALL), Err(Refused::GateNotPassed { gate }));
        }
    }
}

#[test]
fn any_other_list_of_gates_is_incomplete() {
    let mut swapped = gates(None);
    swapped.swap(1, 2);
    let mut doubled = gates(None);
    doubled.push(doubled[4].clone());
    for list in [None, Some(vec![]), Some(gates(None)[..4].to_vec()), Some(swapped), Some(doubled)] {
        assert_eq!(outcome(&ReceiptClaims { gates: list, ..claims() }, &Gate::ALL), Err(Refused::GatesIncomplete));
    }
}

#[test]
fn a_refusal_never_authorises_and_names_its_gate() {
    let (action, keys) = (action(), receipt_keys());
    let gate = Gate::Comparison;
    let refused =
        ReceiptClaims { vrd: Verdict::Refuse, gates: Some(gates(Some((gate, GateStatus::Fail)))), ..claims() };
    assert_eq!(outcome(&refused, &Gate::ALL), Err(Refused::VerdictRefuse { gate: Some(gate) }));
    let for_device = ReceiptClaims { gates: None, ..refused.clone() };
    assert_eq!(outcome(&for_device, &Gate::ALL), Err(Refused::VerdictRefuse { gate: None }));
    assert_eq!(refusal(&token(&refused), &keys, &expected(&action), IAT).unwrap().claims(), &refused);
    assert_eq!(refusal(&token(&claims()), &keys, &expected(&action), IAT), Err(Refused::VerdictAccept));
    let foreign = Expected { aud: "tn_x", ..expected(&action) };
    assert_eq!(refusal(&token(&refused), &keys, &foreign, IAT), Err(Claim::Audience.into()));
}

#[test]
fn the_use_window_has_thirty_seconds_of_leeway_on_both_ends() {
    let (action, keys) = (action(), receipt_keys());
    let at = |now| authorize(&token(&claims()), &keys, &expected(&action), now).map(drop);
    assert_eq!((at(IAT + 149), at(IAT + 150)), (Ok(()), Err(Refused::Expired)));
    assert_eq!((at(IAT - 30), at(IAT - 31)), (Ok(()), Err(Refused::NotYetValid)));
    assert_eq!((at(i64::MAX), at(i64::MIN)), (Err(Refused::Expired), Err(Refused::NotYetValid)));
    assert!(evidence(&token(&claims()), &keys).is_ok(), "evidence holds whatever the time");
}

#[test]
fn contradicting_claims_are_malformed() {
    let broken = [
        ReceiptClaims { nbf: IAT + 1, ..claims() },
        ReceiptClaims { exp: IAT, ..claims() },
        ReceiptClaims { attempt: 0, ..claims() },
        ReceiptClaims { attempt: 4, ..claims() },
        ReceiptClaims { iat: -5, nbf: -5, ..claims() },
    ];
    for claims in broken {
        assert_eq!(outcome(&claims, &[]), Err(Malformed::Claims.into()));
    }
    assert_eq!(outcome(&ReceiptClaims { purpose: Purpose::Enroll, ..claims() }, &[]), Err(Claim::Purpose.into()));
}

#[test]
fn an_enrollment_receipt_is_no_receipt_and_the_other_way_round() {
    let (action, keys) = (action(), receipt_keys());
    let enrolled = ReceiptClaims { purpose: Purpose::Enroll, ..claims() };
    let enrollment = encode(Typ::EnrollmentReceipt, &kid(&receipt_key()), &enrolled, signer(&receipt_key())).unwrap();
    let expected = expected(&action);
    let receipt = verify_enrollment(&enrollment, &keys, &expected, IAT).unwrap();
    assert_eq!((receipt.typ(), receipt.claims()), (Typ::EnrollmentReceipt, &enrolled));
    assert_eq!(authorize(&enrollment, &keys, &expected, IAT).map(drop), Err(KeyFault::Type.into()));
    assert_eq!(verify_enrollment(&token(&claims()), &keys, &expected, IAT), Err(KeyFault::Type.into()));
    let without = ReceiptClaims { reference: None, ..enrolled };
    let token = encode(Typ::EnrollmentReceipt, &kid(&receipt_key()), &without, signer(&receipt_key())).unwrap();
    assert_eq!(verify_enrollment(&token, &keys, &expected, IAT), Err(Claim::Reference.into()));
}

fn deletion() -> DeletionClaims {
    DeletionClaims {
        iss: LEDGER.into(),
        aud: TENANT.into(),
        iat: IAT,
        jti: "dl_1".into(),
        sub: None,
        reference: claims().reference.unwrap(),
        covers: CoversClaim { live_store: LiveStore::Erased, backups_until: IAT + 86_400, exception: None },
        cause: "user-request".into(),
        deleted_at: IAT,
    }
}

#[test]
fn a_deletion_proof_is_about_one_reference_and_never_a_receipt() {
    let (action, ledger) = (action(), ledger_keys());
    let sign = |claims: &DeletionClaims| {
        encode(Typ::DeletionProof, &kid(&ledger_key()), claims, signer(&ledger_key())).unwrap()
    };
    let (proof, expected_proof) = (sign(&deletion()), ExpectedDeletion { aud: TENANT, commitment: COMMITMENT });
    let check = |token: &str, expected: &ExpectedDeletion<'_>| {
        verify_deletion_proof(token, &ledger, expected).map(|p| p.claims().clone())
    };
    assert_eq!(check(&proof, &expected_proof), Ok(deletion()));
    let other = ExpectedDeletion { commitment: [0; 32], ..expected_proof };
    assert_eq!(check(&proof, &other), Err(Claim::Reference.into()));
    assert_eq!(check(&proof, &ExpectedDeletion { aud: "x", ..expected_proof }), Err(Claim::Audience.into()));
    let early = DeletionClaims { deleted_at: IAT + 1, ..deletion() };
    assert_eq!(check(&sign(&early), &expected_proof), Err(Malformed::Claims.into()));
    for keys in [&ledger, &receipt_keys()] {
        let refused = authorize(&proof, keys, &expected(&action), IAT).map(drop);
        assert_eq!(refused, Err(KeyFault::Type.into()), "a proof is no receipt");
    }
    let by_receipt_key = encode(Typ::DeletionProof, &kid(&receipt_key()), &deletion(), signer(&receipt_key())).unwrap();
    assert_eq!(check(&by_receipt_key, &expected_proof), Err(KeyFault::KeyIdUnknown.into()));
}

#[test]
fn a_token_that_would_be_refused_for_its_size_is_not_made() {
    let claims = ReceiptClaims { sub: "x".repeat(13_000), ..claims() };
    let made = encode(Typ::Receipt, "k", &claims, signer(&receipt_key()));
    assert!(matches!(made, Err(EncodeError::Claims)));
    let failed = encode(Typ::Receipt, "k", &deletion(), |_| Err("hsm away"));
    assert!(matches!(failed, Err(EncodeError::Sign("hsm away"))));
}

#[test]
fn a_refusal_handed_to_a_device_is_bound_to_the_nonce_without_saying_it() {
    let (action, keys) = (action(), receipt_keys());
    let withheld =
        ReceiptClaims { vrd: Verdict::Refuse, gates: None, reference: None, nonce: withheld_nonce(&NONCE), ..claims() };
    assert!(!withheld.nonce.contains(&base64url(&NONCE)), "control");
    assert!(refusal(&token(&withheld), &keys, &expected(&action), IAT).is_ok());
    let other = Expected { nonce: &[8; 16], ..expected(&action) };
    assert_eq!(refusal(&token(&withheld), &keys, &other, IAT).err(), Some(Refused::Mismatch(Claim::Nonce)));
    let accepting = ReceiptClaims { nonce: withheld.nonce, ..claims() };
    let refused = authorize(&token(&accepting), &keys, &expected(&action), IAT).err();
    assert_eq!(refused, Some(Refused::Mismatch(Claim::Nonce)), "an acceptance names the nonce itself");
}
