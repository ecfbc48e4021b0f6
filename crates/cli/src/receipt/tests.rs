//! The commands on a receipt signed by keys that `keys init` made.

use crate::{
    Arguments, Command, keys,
    outcome::Outcome,
    small_server::{Manner, serve},
};
use biometrics::{Gate, GateResult, GateStatus};
use clap::Parser as _;
use custody::PemKey;
use receipt::{
    ActClaim, Action, FmrClaim, ModeClaim, ReceiptClaims, RefClaim, StatusClaim, StatusListClaim, StatusListClaims,
    StatusListPlace, Typ, base64url,
};
use service::Clock;
use std::{borrow::Cow, convert::Infallible, fs, path::PathBuf};

const NONCE: [u8; 16] = [9; 16];
const TENANT: &str = "tn_00000000000000000000000000000001";
const ISSUED: i64 = 1_800_000_000;
/// The value of an option that takes none.
const SWITCH: &str = "\0";

/// A key directory, a receipt and its action, as files.
struct Desk {
    folder: tempfile::TempDir,
    root: String,
    issuers: keys::Issuers,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let issuers = keys::Issuers::below("https://countersign.test").unwrap();
        let root =
            keys::init(&folder.path().join("keys"), ("https://countersign.test", None), Clock::manual(ISSUED * 1000))
                .unwrap();
        let desk = Self { folder, root, issuers };
        let action = Action { kind: "withdrawal".into(), amount: "250.00".into(), ..Action::default() };
        fs::write(desk.file("action.json"), serde_json::to_string(&action).unwrap()).unwrap();
        fs::write(desk.file("receipt.jwt"), desk.receipt(&action, None)).unwrap();
        desk
    }

    /// A receipt that names index 7 of the list at `uri`.
    fn with_status(uri: &str) -> Self {
        let desk = Self::new();
        let action = Action { kind: "withdrawal".into(), amount: "250.00".into(), ..Action::default() };
        let status = StatusClaim { status_list: StatusListClaim { idx: 7, uri: uri.into() } };
        fs::write(desk.file("receipt.jwt"), desk.receipt(&action, Some(status))).unwrap();
        desk
    }

    /// A list at `uri`, signed by the ledger `age` seconds before the receipt is looked at.
    fn list(&self, uri: &str, age: i64, revoked: &[u32]) -> String {
        let signer = PemKey::open(self.file("keys/gateway/ledger.pem")).unwrap();
        let place = StatusListPlace { iss: &self.issuers.ledger, uri, iat: ISSUED + 10 - age, ttl: 60, life: 120 };
        let claims = StatusListClaims::new(place, revoked.iter().copied()).unwrap();
        let kid = receipt::thumbprint(&signer.public());
        receipt::encode(Typ::StatusList, &kid, &claims, |message| Ok::<_, Infallible>(signer.sign(message))).unwrap()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn receipt(&self, action: &Action, status: Option<StatusClaim>) -> String {
        let signer = PemKey::open(self.file("keys/worker/test-receipt.pem")).unwrap();
        let result = |gate: Gate| GateResult {
            gate,
            status: if gate == Gate::PresentationAttack { GateStatus::NotRun } else { GateStatus::Pass },
            reasons: Vec::new(),
            version: Cow::Borrowed("test"),
        };
        let claims = ReceiptClaims {
            iss: self.issuers.test_receipts.clone(),
            aud: TENANT.into(),
            sub: "pseudonym".into(),
            iat: ISSUED,
            nbf: ISSUED,
            exp: ISSUED + 120,
            jti: "rc_00000000000000000000000000000002".parse().unwrap(),
            txn: "ch_00000000000000000000000000000003".parse().unwrap(),
            nonce: base64url(&NONCE),
            purpose: biometrics::Purpose::Verify,
            attempt: 1,
            max_attempts: 3,
            mode: ModeClaim { name: biometrics::CaptureMode::Passive, blind_guess: 1.0 },
            act: ActClaim::from(action),
            dsp: None,
            vrd: biometrics::Verdict::Accept,
            gates: Some(Gate::ALL.map(result).to_vec()),
            fmr: FmrClaim { claimed: 1e-3, calibration: "test".into() },
            model: std::collections::BTreeMap::new(),
            pol: "testing-1".into(),
            reference: Some(RefClaim {
                id: "rf_00000000000000000000000000000004".parse().unwrap(),
                epoch: 1,
                commitment: base64url(&[4; 32]),
            }),
            amr: vec!["face".into()],
            consent: None,
            status,
            asserted: Vec::new(),
        };
        let kid = receipt::thumbprint(&signer.public());
        receipt::encode(Typ::Receipt, &kid, &claims, |message| Ok::<_, Infallible>(signer.sign(message))).unwrap()
    }

    /// Runs `countersign receipt verify` on the receipt, with these arguments instead of or beside the right ones.
    fn verify(&self, changed: &[(&str, &str)]) -> anyhow::Result<Outcome> {
        let at = (ISSUED + 10).to_string();
        let jwks = self.file("keys/public/test-jwks.json").display().to_string();
        let action = self.file("action.json").display().to_string();
        let nonce = base64url(&NONCE);
        let mut options = vec![
            ("--jwks", jwks.as_str()),
            ("--root", &self.root),
            ("--issuer", &self.issuers.test_receipts),
            ("--aud", TENANT),
            ("--nonce", &nonce),
            ("--action", &action),
            ("--at", &at),
            ("--accept-not-run", "PRESENTATION_ATTACK"),
        ];
        for (name, value) in changed {
            options.retain(|(known, _)| known != name);
            if !value.is_empty() {
                options.push((name, value));
            }
        }
        let token = self.file("receipt.jwt").display().to_string();
        let mut line = vec!["countersign", "receipt", "verify", &token];
        line.extend(options.into_iter().flat_map(|(name, value)| [name, value]).filter(|word| *word != SWITCH));
        let Command::Receipt(command) = Arguments::try_parse_from(line)?.command else {
            panic!("not a receipt command")
        };
        command.run()
    }
}

#[test]
fn a_good_receipt_is_accepted_and_every_other_expectation_refuses_it() {
    let desk = Desk::new();
    assert_eq!(desk.verify(&[]).unwrap(), Outcome::Done);
    let ledger = desk.file("keys/public/ledger-jwks.json").display().to_string();
    let late = (ISSUED + 151).to_string();
    let changed = desk.file("changed.json");
    fs::write(&changed, r#"{"type":"withdrawal","amount":"250.01"}"#).unwrap();
    let changed = changed.display().to_string();
    for wrong in [
        ("--accept-not-run", ""),
        ("--accept-not-run", "QUALITY"),
        ("--aud", "tn_00000000000000000000000000000009"),
        ("--nonce", "AAAA"),
        ("--action", &changed),
        ("--at", &late),
        ("--jwks", &ledger),
        ("--issuer", "https://countersign.test/receipts"),
        ("--root", "another"),
        ("--commitment", &base64url(&[5; 32])),
        ("--txn", "ch_00000000000000000000000000000009"),
        ("--max-fmr", "0.0001"),
    ] {
        assert_eq!(desk.verify(&[wrong]).unwrap(), Outcome::Refused, "{wrong:?}");
    }
}

#[test]
fn what_cannot_be_asked_is_an_error_and_no_refusal() {
    let desk = Desk::new();
    for wrong in [("--action", "/nowhere"), ("--nonce", "a+b="), ("--accept-not-run", "LUCK"), ("--jwks", "/nowhere")] {
        assert!(desk.verify(&[wrong]).is_err(), "{wrong:?}");
    }
}

#[test]
fn a_revoked_receipt_is_refused_by_a_list_from_a_file() {
    let uri = "https://countersign.test/v1/status/1";
    let desk = Desk::with_status(uri);
    let jwks = desk.file("keys/public/ledger-jwks.json").display().to_string();
    let file = desk.file("list.jwt").display().to_string();
    let verify = |token: &str| {
        fs::write(&file, token).unwrap();
        let given =
            [("--status-list", file.as_str()), ("--ledger-jwks", &jwks), ("--ledger-issuer", &desk.issuers.ledger)];
        desk.verify(&given).unwrap()
    };
    assert_eq!(verify(&desk.list(uri, 0, &[6, 8])), Outcome::Done);
    assert_eq!(verify(&desk.list(uri, 59, &[])), Outcome::Done, "a file serves until its ttl");
    assert_eq!(verify(&desk.list(uri, 65, &[])), Outcome::Refused, "and no longer");
    assert_eq!(verify(&desk.list(uri, 0, &[7])), Outcome::Refused);
    assert_eq!(verify(&desk.list("https://countersign.test/v1/status/2", 0, &[])), Outcome::Refused);
    assert_eq!(verify("a.b.c"), Outcome::Refused);
    assert_eq!(verify(&Desk::new().list(uri, 0, &[])), Outcome::Refused, "another deployment's");
    assert_eq!(desk.verify(&[]).unwrap(), Outcome::Done, "control: without a list nobody looks");
    assert!(desk.verify(&[("--status-list", &file)]).is_err(), "a list without the keys that sign it");
}

#[test]
fn a_list_is_fetched_kept_and_fetched_again_when_it_is_old() {
    let served = tempfile::tempdir().unwrap();
    let uri = format!("{}/1", serve(served.path().to_owned(), Manner::Honest));
    let desk = Desk::with_status(&uri);
    let jwks = desk.file("keys/public/ledger-jwks.json").display().to_string();
    let cache = desk.file("cache.jwt").display().to_string();
    let online = [("--online", SWITCH), ("--ledger-jwks", &jwks), ("--ledger-issuer", &desk.issuers.ledger)];
    let cached = [online.as_slice(), &[("--status-list", &cache)]].concat();
    let publish = |token: &str| fs::write(served.path().join("1"), token).unwrap();
    assert!(desk.verify(&online).is_err(), "there is no list: nothing can be said");
    publish(&desk.list(&uri, 0, &[]));
    assert_eq!(desk.verify(&online).unwrap(), Outcome::Done);
    publish(&desk.list(&uri, 20, &[]));
    assert_eq!(desk.verify(&online).unwrap(), Outcome::Refused, "online a list of twenty seconds is old");
    publish(&desk.list(&uri, 5, &[]));
    assert_eq!(desk.verify(&cached).unwrap(), Outcome::Done);
    let kept = fs::read_to_string(&cache).unwrap();
    publish(&desk.list(&uri, 0, &[7]));
    assert_eq!(desk.verify(&cached).unwrap(), Outcome::Done, "the kept one is fresh");
    fs::write(&cache, desk.list(&uri, 20, &[])).unwrap();
    assert_eq!(desk.verify(&cached).unwrap(), Outcome::Refused, "the kept one is old, the new one revokes");
    assert_ne!(fs::read_to_string(&cache).unwrap(), kept);
    fs::remove_file(served.path().join("1")).unwrap();
    assert_eq!(desk.verify(&cached).unwrap(), Outcome::Refused, "from the cache");
}

#[test]
fn a_list_that_is_not_answered_is_an_error_in_time() {
    for manner in [Manner::Silent, Manner::Endless, Manner::Half, Manner::Error, Manner::Circle] {
        let served = tempfile::tempdir().unwrap();
        let uri = format!("{}/1", serve(served.path().to_owned(), manner));
        let desk = Desk::with_status(&uri);
        fs::write(served.path().join("1"), desk.list(&uri, 0, &[])).unwrap();
        let jwks = desk.file("keys/public/ledger-jwks.json").display().to_string();
        let issuer = &desk.issuers.ledger;
        let given = [("--online", SWITCH), ("--ledger-jwks", &jwks), ("--ledger-issuer", issuer), ("--timeout", "1")];
        assert!(desk.verify(&given).is_err(), "{manner:?}");
    }
}
