//! Keys, claims and tokens made on the spot; signing here is a development aid, products sign in `custody`.

pub(crate) mod ledger;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use biometrics::{CaptureMode, ChallengeId, Gate, GateResult, GateStatus, Jti, Purpose, ReferenceId, Verdict};
use ed25519_dalek::{Signer, SigningKey};
use receipt::{
    ActClaim, Action, Expected, FmrClaim, KeySet, ModeClaim, Pin, ReceiptClaims, RefClaim, TrustedKeys, Typ, base64url,
    encode, jwks_document, thumbprint,
};
use std::convert::Infallible;

pub(crate) const ISSUER: &str = "https://verify.example/receipts";
pub(crate) const LEDGER: &str = "https://verify.example/ledger";
pub(crate) const TENANT: &str = "tn_000000000000000000000000000000a1";
pub(crate) const NONCE: [u8; 16] = [7; 16];
pub(crate) const COMMITMENT: [u8; 32] = [9; 32];
pub(crate) const IAT: i64 = 1_790_000_000;

pub(crate) fn root() -> SigningKey {
    SigningKey::from_bytes(&[1; 32])
}
pub(crate) fn receipt_key() -> SigningKey {
    SigningKey::from_bytes(&[2; 32])
}
pub(crate) fn ledger_key() -> SigningKey {
    SigningKey::from_bytes(&[3; 32])
}
pub(crate) fn public(key: &SigningKey) -> [u8; 32] {
    key.verifying_key().to_bytes()
}
pub(crate) fn kid(key: &SigningKey) -> String {
    thumbprint(&public(key))
}
pub(crate) fn signer(key: &SigningKey) -> impl FnOnce(&[u8]) -> Result<[u8; 64], Infallible> {
    |message| Ok(key.sign(message).to_bytes())
}

pub(crate) fn document(iss: &str, keys: &[[u8; 32]]) -> String {
    let set = KeySet { iss, iat: IAT, keys, root: public(&root()) };
    jwks_document(&set, signer(&root())).unwrap()
}

pub(crate) fn trusted(issuer: &str, key: &SigningKey) -> TrustedKeys {
    let pin = Pin { issuer, root_thumbprint: &kid(&root()) };
    TrustedKeys::from_document(&document(issuer, &[public(key)]), pin).unwrap()
}
pub(crate) fn receipt_keys() -> TrustedKeys {
    trusted(ISSUER, &receipt_key())
}
pub(crate) fn ledger_keys() -> TrustedKeys {
    trusted(LEDGER, &ledger_key())
}

pub(crate) fn action() -> Action {
    Action {
        kind: "withdrawal".into(),
        amount: "250.00".into(),
        currency: "EUR".into(),
        payee: "Zoë".into(),
        fields: [("iban".to_owned(), "DE02".to_owned())].into(),
    }
}

pub(crate) fn gates(not_pass: Option<(Gate, GateStatus)>) -> Vec<GateResult> {
    let status = |gate| not_pass.filter(|(g, _)| *g == gate).map_or(GateStatus::Pass, |(_, status)| status);
    let result = |gate| GateResult { gate, status: status(gate), reasons: vec![], version: "1".into() };
    Gate::ALL.map(result).to_vec()
}

pub(crate) fn claims() -> ReceiptClaims {
    ReceiptClaims {
        iss: ISSUER.into(),
        aud: TENANT.into(),
        sub: "pseudonym".into(),
        iat: IAT,
        nbf: IAT,
        exp: IAT + 120,
        jti: Jti::new(uuid::Uuid::from_u128(3)),
        txn: challenge(),
        nonce: base64url(&NONCE),
        purpose: Purpose::Verify,
        attempt: 1,
        max_attempts: 3,
        mode: ModeClaim { name: CaptureMode::Passive, blind_guess: 1.0 },
        act: ActClaim::from(&action()),
        dsp: None,
        vrd: Verdict::Accept,
        gates: Some(gates(None)),
        fmr: FmrClaim { claimed: 1e-4, calibration: "test-1".into() },
        model: [("recogniser".to_owned(), "ab".repeat(32))].into(),
        pol: "1".into(),
        reference: Some(RefClaim {
            id: ReferenceId::new(uuid::Uuid::from_u128(4)),
            epoch: 1,
            commitment: base64url(&COMMITMENT),
        }),
        amr: vec![receipt::amr::FACE.into()],
        consent: None,
        status: None,
        asserted: vec![],
    }
}

pub(crate) fn challenge() -> ChallengeId {
    ChallengeId::new(uuid::Uuid::from_u128(2))
}

pub(crate) fn token(claims: &ReceiptClaims) -> String {
    encode(Typ::Receipt, &kid(&receipt_key()), claims, signer(&receipt_key())).unwrap()
}

/// A token with any header and payload, honestly signed by the receipt key.
pub(crate) fn raw_token(header: &str, payload: &str) -> String {
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let signature = receipt_key().sign(signed.as_bytes()).to_bytes();
    format!("{signed}.{}", base64url(&signature))
}

pub(crate) fn expected(action: &Action) -> Expected<'_> {
    let pins = Expected::new(TENANT, &NONCE, action);
    Expected { txn: Some(challenge()), reference_commitment: Some(COMMITMENT), ..pins }
}
