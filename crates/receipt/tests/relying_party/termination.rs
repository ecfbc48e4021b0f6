//! Termination certificates: over exactly the proofs that the tenant holds, signed by the ledger, never taken for anything else.

use crate::support::{IAT, ISSUER, LEDGER, TENANT, kid, ledger_key, ledger_keys, receipt_key, signer};
use receipt::{
    Claim, ExpectedTermination, KeyFault, Malformed, ProofsClaim, ProofsHash, Refused, TerminationClaims, Typ,
    base64url, encode, verify_termination,
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
