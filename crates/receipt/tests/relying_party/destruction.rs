//! Key-destruction certificates: about one version of one tenant, signed by the ledger, never taken for anything else.

use crate::support::{IAT, ISSUER, LEDGER, TENANT, kid, ledger_key, ledger_keys, receipt_key, receipt_keys, signer};
use receipt::{
    Claim, DestructionClaims, ExpectedDestruction, KekClaim, KeyFault, Malformed, Refused, Typ, encode,
    verify_key_destruction,
};

fn claims() -> DestructionClaims {
    DestructionClaims {
        iss: LEDGER.into(),
        aud: TENANT.into(),
        iat: IAT,
        jti: "kd_1".into(),
        kek: KekClaim { version: 3, successor: Some(4), provider: "file".into() },
        destroyed_at: IAT - 5,
        asserted: vec!["destroyed_at".into(), "kek".into()],
    }
}

fn signed(claims: &DestructionClaims) -> String {
    encode(Typ::KeyDestruction, &kid(&ledger_key()), claims, signer(&ledger_key())).unwrap()
}

const EXPECTED: ExpectedDestruction<'static> = ExpectedDestruction { aud: TENANT, kek_version: 3 };

fn check(token: &str) -> Result<DestructionClaims, Refused> {
    verify_key_destruction(token, &ledger_keys(), &EXPECTED).map(|gone| gone.claims().clone())
}

#[test]
fn a_certificate_is_about_one_version_of_one_tenant() {
    assert_eq!(check(&signed(&claims())), Ok(claims()));
    let of_an_end = DestructionClaims { kek: KekClaim { successor: None, ..claims().kek }, ..claims() };
    assert_eq!(check(&signed(&of_an_end)), Ok(of_an_end), "of a tenant that ended");
    let others = [
        (DestructionClaims { aud: "tn_x".into(), ..claims() }, Claim::Audience.into()),
        (
            DestructionClaims { kek: KekClaim { version: 2, ..claims().kek }, ..claims() },
            Refused::from(Claim::KekVersion),
        ),
        (DestructionClaims { destroyed_at: IAT + 1, ..claims() }, Malformed::Claims.into()),
        (
            DestructionClaims { kek: KekClaim { successor: Some(3), ..claims().kek }, ..claims() },
            Malformed::Claims.into(),
        ),
        (DestructionClaims { iss: ISSUER.into(), ..claims() }, KeyFault::Issuer.into()),
    ];
    for (other, refused) in others {
        assert_eq!(check(&signed(&other)), Err(refused));
    }
}

#[test]
fn nothing_else_passes_for_a_certificate() {
    let as_proof = encode(Typ::DeletionProof, &kid(&ledger_key()), &claims(), signer(&ledger_key())).unwrap();
    assert_eq!(check(&as_proof), Err(KeyFault::Type.into()));
    let by_receipt_key = encode(Typ::KeyDestruction, &kid(&receipt_key()), &claims(), signer(&receipt_key())).unwrap();
    assert_eq!(check(&by_receipt_key), Err(KeyFault::KeyIdUnknown.into()));
    let refused = verify_key_destruction(&signed(&claims()), &receipt_keys(), &EXPECTED).map(drop);
    assert_eq!(refused, Err(KeyFault::KeyIdUnknown.into()));
}
