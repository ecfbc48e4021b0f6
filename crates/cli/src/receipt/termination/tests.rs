//! The command on proofs and certificates signed by keys that `keys init` made.

use super::*;
use crate::{Arguments, Command, keys};
use clap::Parser as _;
use custody::PemKey;
use receipt::{
    CoversClaim, DeletionClaims, LiveStore, ProofsClaim, ProofsHash, RefClaim, TerminationClaims, Typ, base64url,
};
use service::Clock;
use std::{convert::Infallible, fs};

const TENANT: &str = "tn_00000000000000000000000000000001";
const ENDED: i64 = 1_800_000_000;

/// A deployment's keys, and what its ledger signed, as files.
struct Desk(tempfile::TempDir, String);

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = ("https://countersign.test", None);
        let root = keys::init(&folder.path().join("keys"), place, Clock::manual(ENDED * 1000)).unwrap();
        Self(folder, root)
    }

    fn file(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    fn sign(&self, typ: Typ, claims: &impl serde::Serialize) -> String {
        let key = PemKey::open(self.file("keys/gateway/ledger.pem")).unwrap();
        let kid = receipt::thumbprint(&key.public());
        receipt::encode(typ, &kid, claims, |message| Ok::<_, Infallible>(key.sign(message))).unwrap()
    }

    fn proof(&self, n: u8) -> String {
        let id = "rf_00000000000000000000000000000004".parse().unwrap();
        let covers = CoversClaim { live_store: LiveStore::Erased, backups_until: ENDED, exception: None };
        let claims = DeletionClaims {
            iss: "https://countersign.test/ledger".into(),
            aud: TENANT.into(),
            iat: ENDED,
            jti: format!("dl_{n}"),
            sub: None,
            reference: RefClaim { id, epoch: 1, commitment: base64url(&[n; 32]) },
            covers,
            cause: "closing".into(),
            deleted_at: ENDED - 9,
        };
        self.sign(Typ::DeletionProof, &claims)
    }

    /// The certificate over the proofs 1 to `proofs`.
    fn certificate(&self, proofs: u8) -> String {
        let mut hash = ProofsHash::default();
        (1..=proofs).for_each(|n| assert!(hash.add(&format!("dl_{n}"), &[n; 32])));
        let claims = TerminationClaims {
            iss: "https://countersign.test/ledger".into(),
            aud: TENANT.into(),
            iat: ENDED,
            jti: "tc_1".into(),
            proofs: ProofsClaim::of(hash.finish()),
            keks: vec![1],
            ended_at: ENDED,
            audit_until: ENDED,
            asserted: Vec::new(),
        };
        self.sign(Typ::Termination, &claims)
    }

    /// Runs the command on the proofs, divided among two files.
    fn check(&self, certificate: &str, proofs: &[String]) -> anyhow::Result<Outcome> {
        let (first, second) = proofs.split_at(proofs.len() / 2);
        fs::write(self.file("first"), first.join("\n")).unwrap();
        fs::write(self.file("second"), format!("{}\n\n", second.join("\n"))).unwrap();
        self.run(certificate, &[&self.file("first"), &self.file("second")])
    }

    fn run(&self, certificate: &str, files: &[&str]) -> anyhow::Result<Outcome> {
        let jwks = self.file("keys/public/ledger-jwks.json");
        let mut line = vec!["countersign", "receipt", "verify-termination", certificate, "--jwks", &jwks];
        line.extend(["--root", &self.1, "--issuer", "https://countersign.test/ledger", "--aud", TENANT]);
        line.extend(files.iter().flat_map(|file| ["--proofs", *file]));
        let Command::Receipt(command) = Arguments::try_parse_from(line)?.command else { panic!("not of receipts") };
        command.run()
    }
}

#[test]
fn a_certificate_is_good_over_exactly_its_proofs_and_over_no_others() {
    let (desk, other) = (Desk::new(), Desk::new());
    let [one, two, three] = [1, 2, 3].map(|n| desk.proof(n));
    let certificate = desk.certificate(2);
    let check = |proofs: &[&String]| desk.check(&certificate, &proofs.iter().copied().cloned().collect::<Vec<_>>());
    assert_eq!(check(&[&one, &two]).unwrap(), Outcome::Done);
    assert_eq!(check(&[&two, &one]).unwrap(), Outcome::Done, "in any order");
    let elsewhere = other.proof(2);
    for wrong in [&[&one][..], &[&one, &three], &[&one, &two, &three], &[&one, &two, &one], &[&one, &elsewhere]] {
        assert_eq!(check(wrong).unwrap(), Outcome::Refused);
    }
    assert_eq!(
        check(&[&one, &two, &elsewhere]).unwrap(),
        Outcome::Refused,
        "another deployment's beside the right ones"
    );
    assert_eq!(desk.check(&other.certificate(2), &[one.clone(), two]).unwrap(), Outcome::Refused);
    assert_eq!(desk.check(&one, std::slice::from_ref(&one)).unwrap(), Outcome::Refused, "no certificate");
    assert_eq!(desk.check(&desk.certificate(0), &[]).unwrap(), Outcome::Done, "a tenant without references");
}

#[test]
fn what_cannot_be_read_is_an_error_and_no_refusal() {
    let desk = Desk::new();
    assert!(desk.run(&desk.certificate(0), &["/nowhere"]).is_err());
    assert!(desk.run(&desk.certificate(0), &[]).is_err(), "no proofs named");
    assert!(desk.run("/nowhere", &["/dev/null"]).is_err());
}

#[test]
fn what_is_wrong_is_said_with_its_code_and_place() {
    let place = |at| format!("proofs.jsonl:{at}");
    assert_eq!(
        said(Disagreement::Doubled { at: 3, first: 1 }, place),
        "PROOF_DOUBLED proofs.jsonl:3 repeats proofs.jsonl:1"
    );
    assert_eq!(said(Disagreement::Later { at: 2 }, place), "PROOF_LATER proofs.jsonl:2");
    let why = receipt::Claim::Audience.into();
    assert_eq!(said(Disagreement::Refused { at: 2, why }, place), "AUDIENCE proofs.jsonl:2");
    assert_eq!(said(Disagreement::Missing(4), place), "PROOFS_MISSING 4");
    assert_eq!(said(Disagreement::Additional(4), place), "PROOFS_ADDITIONAL 4");
    assert_eq!(said(Disagreement::Others, place), "PROOFS");
}
