//! Termination certificates: over exactly the proofs that the tenant holds, signed by the ledger, never taken for anything else.

use crate::support::{IAT, ISSUER, LEDGER, TENANT, kid, ledger_key, ledger_keys, receipt_key, signer};
use receipt::{
    Claim, CoversClaim, DeletionClaims, Disagreement, ExpectedTermination, ExportedProofs, KeyFault, LiveStore,
    Malformed, ProofsClaim, ProofsHash, RefClaim, Refused, TerminationClaims, Typ, base64url, encode,
    verify_termination,
};

fn proofs(commitments: &[u8]) -> (u64, [u8; 32]) {
    let mut hash = ProofsHash::default();
    for (n, mark) in commitments.iter().enumerate() {
        assert!(hash.add(&format!("dl_{n}"), &[*mark; 32]));
    }
    hash.finish()
}

fn claims() -> TerminationClaims {
    let (count, sha256) = proofs(&[1, 2]);
    TerminationClaims {
        iss: LEDGER.into(),
        aud: TENANT.into(),
        iat: IAT,
        jti: "tc_1".into(),
        proofs: ProofsClaim { count, sha256: base64url(&sha256) },
        keks: vec![1, 2],
        ended_at: IAT - 5,
        audit_until: IAT + 5,
        asserted: vec!["keks".into()],
    }
}

fn signed(claims: &TerminationClaims) -> String {
    encode(Typ::Termination, &kid(&ledger_key()), claims, signer(&ledger_key())).unwrap()
}

fn check(token: &str, commitments: &[u8]) -> Result<TerminationClaims, Refused> {
    let expected = ExpectedTermination { aud: TENANT, proofs: proofs(commitments) };
    verify_termination(token, &ledger_keys(), &expected).map(|ended| ended.claims().clone())
}

#[test]
fn a_certificate_is_over_the_proofs_of_one_tenant_and_no_others() {
    assert_eq!(check(&signed(&claims()), &[1, 2]), Ok(claims()));
    for others in [&[1][..], &[2, 1], &[1, 2, 3], &[1, 3]] {
        assert_eq!(check(&signed(&claims()), others), Err(Claim::Proofs.into()), "{others:?}");
    }
    let others = [
        (TerminationClaims { aud: "tn_x".into(), ..claims() }, Refused::from(Claim::Audience)),
        (TerminationClaims { ended_at: IAT + 1, ..claims() }, Malformed::Claims.into()),
        (TerminationClaims { audit_until: IAT - 6, ..claims() }, Malformed::Claims.into()),
        (TerminationClaims { keks: Vec::new(), ..claims() }, Malformed::Claims.into()),
        (TerminationClaims { iss: ISSUER.into(), ..claims() }, KeyFault::Issuer.into()),
    ];
    for (other, refused) in others {
        assert_eq!(check(&signed(&other), &[1, 2]), Err(refused));
    }
}

#[test]
fn proofs_are_taken_in_the_order_of_their_ids_alone() {
    let mut hash = ProofsHash::default();
    assert!(hash.add("dl_2", &[1; 32]));
    assert!(!hash.add("dl_1", &[1; 32]) && !hash.add("dl_2", &[1; 32]));
    assert_eq!(hash.finish().0, 1);
}

#[test]
fn nothing_else_passes_for_a_certificate() {
    let as_proof = encode(Typ::DeletionProof, &kid(&ledger_key()), &claims(), signer(&ledger_key())).unwrap();
    assert_eq!(check(&as_proof, &[1, 2]), Err(KeyFault::Type.into()));
    let by_receipt_key = encode(Typ::Termination, &kid(&receipt_key()), &claims(), signer(&receipt_key())).unwrap();
    assert_eq!(check(&by_receipt_key, &[1, 2]), Err(KeyFault::KeyIdUnknown.into()));
}

/// The proof of deletion `dl_n`.
fn proof(n: u8) -> DeletionClaims {
    let reference = RefClaim {
        id: "rf_00000000000000000000000000000004".parse().unwrap(),
        epoch: 1,
        commitment: base64url(&[n + 1; 32]),
    };
    DeletionClaims {
        iss: LEDGER.into(),
        aud: TENANT.into(),
        iat: IAT,
        jti: format!("dl_{n}"),
        sub: None,
        reference,
        covers: CoversClaim { live_store: LiveStore::Erased, backups_until: IAT + 100, exception: None },
        cause: "user-request".into(),
        deleted_at: IAT - 10,
    }
}

fn signed_proof(claims: &DeletionClaims) -> String {
    encode(Typ::DeletionProof, &kid(&ledger_key()), claims, signer(&ledger_key())).unwrap()
}

/// Everything in which the certificate over `dl_0` and `dl_1` does not agree with these.
fn disagreements(proofs: &[String]) -> Vec<Disagreement> {
    let keys = ledger_keys();
    let mut exported = ExportedProofs::new(&keys, TENANT);
    proofs.iter().for_each(|proof| exported.add(proof));
    exported.check(&signed(&claims())).unwrap().1
}

#[test]
fn a_certificate_agrees_with_exactly_its_proofs_in_any_order() {
    let [first, second] = [signed_proof(&proof(0)), signed_proof(&proof(1))];
    assert_eq!(disagreements(&[first.clone(), second.clone()]), []);
    assert_eq!(disagreements(&[second, first]), []);
}

#[test]
fn whatever_does_not_belong_to_a_certificate_is_named() {
    let [first, second, third] = [0, 1, 2].map(|n| signed_proof(&proof(n)));
    let both = [first.clone(), second.clone()];
    let with = |more: String| disagreements(&[&both[..], &[more]].concat());
    let refused = |at, why| Disagreement::Refused { at, why };
    assert_eq!(disagreements(&both[..1]), [Disagreement::Missing(1)]);
    assert_eq!(disagreements(&[]), [Disagreement::Missing(2)]);
    assert_eq!(with(third.clone()), [Disagreement::Additional(1)]);
    assert_eq!(disagreements(&[first.clone(), third]), [Disagreement::Others], "as many, and not these");
    assert_eq!(with(first.clone()), [Disagreement::Doubled { at: 3, first: 1 }]);
    let later = signed_proof(&DeletionClaims { deleted_at: IAT - 1, ..proof(2) });
    assert_eq!(with(later), [Disagreement::Later { at: 3 }, Disagreement::Additional(1)]);

    let elsewhere = DeletionClaims { aud: "tn_x".into(), ..proof(1) };
    let short = RefClaim { commitment: "AAAA".into(), ..proof(1).reference };
    let wrong: [(String, Refused); 6] = [
        (signed_proof(&elsewhere), Claim::Audience.into()),
        (
            signed_proof(&DeletionClaims { iss: "https://other.test/ledger".into(), ..proof(1) }),
            KeyFault::Issuer.into(),
        ),
        (
            encode(Typ::DeletionProof, &kid(&receipt_key()), &proof(1), signer(&receipt_key())).unwrap(),
            KeyFault::KeyIdUnknown.into(),
        ),
        (encode(Typ::Receipt, &kid(&ledger_key()), &proof(1), signer(&ledger_key())).unwrap(), KeyFault::Type.into()),
        (signed_proof(&DeletionClaims { reference: short, ..proof(1) }), Malformed::Claims.into()),
        ("a.b.c".into(), Malformed::Base64.into()),
    ];
    for (token, why) in wrong {
        let found = disagreements(&[first.clone(), token.clone()]);
        assert!(matches!(found[..], [Disagreement::Refused { at: 2, .. }, Disagreement::Missing(1)]), "{found:?}");
        if token != "a.b.c" {
            assert_eq!(with(token), [refused(3, why)], "beside the right ones");
        }
    }
}

#[test]
fn a_certificate_that_is_not_authentic_agrees_with_nothing() {
    let keys = ledger_keys();
    let check = |certificate: &str, aud| ExportedProofs::new(&keys, aud).check(certificate).map(|_| ());
    assert_eq!(check(&signed(&claims()), TENANT), Ok(()), "positive control");
    assert_eq!(check(&signed(&claims()), "tn_x"), Err(Claim::Audience.into()));
    let forged = encode(Typ::Termination, &kid(&receipt_key()), &claims(), signer(&receipt_key())).unwrap();
    assert_eq!(check(&forged, TENANT), Err(KeyFault::KeyIdUnknown.into()));
    assert_eq!(check(&signed_proof(&proof(0)), TENANT), Err(KeyFault::Type.into()));
}
