//! Only checked answers come out.

use super::scripted::{Answer, client, vectors};
use crate::{Capture, ClientError, Directive, Enrollment, Frame, NewChallenge, Verification};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use biometrics::{Gate, Purpose};
use receipt::{Action, Claim, Expected, ExpectedDeletion, Refused, Typ, display_sha256, display_text};
use serde_json::Value;
use wire::{Reason, convert, v1};

struct Asked {
    vectors: Value,
    action: Action,
    nonce: Vec<u8>,
    aud: String,
    commitment: [u8; 32],
}

impl Asked {
    fn new() -> Self {
        let vectors = vectors();
        let expected = &vectors["expected"];
        let bytes = |value: &Value| URL_SAFE_NO_PAD.decode(value.as_str().unwrap()).unwrap();
        Self {
            action: serde_json::from_value(expected["action"].clone()).unwrap(),
            nonce: bytes(&expected["nonce"]),
            aud: expected["aud"].as_str().unwrap().to_owned(),
            commitment: bytes(&expected["reference_commitment"]).try_into().unwrap(),
            vectors,
        }
    }
    fn expected(&self) -> Expected<'_> {
        Expected::new(&self.aud, &self.nonce, &self.action)
    }
    fn capture(&self) -> Capture {
        Capture {
            challenge: self.vectors["expected"]["txn"].as_str().unwrap().parse().unwrap(),
            attempt: 1,
            frames: vec![Frame { image: vec![0xff, 0xd8], offset_ms: 0, png: false }],
            consent: None,
        }
    }
    fn token(&self) -> String {
        self.vectors["token"].as_str().unwrap().to_owned()
    }
    fn refused(&self, name: &str) -> String {
        let cases = self.vectors["refused"].as_array().unwrap();
        cases.iter().find(|case| case["name"] == name).unwrap()["token"].as_str().unwrap().to_owned()
    }
    fn inner(&self, kind: &str) -> String {
        self.vectors[kind]["token"].as_str().unwrap().to_owned()
    }
}

fn next(directive: v1::Directive) -> Option<v1::Next> {
    Some(v1::Next { directive: directive.into(), attempts_left: 2, ..Default::default() })
}

fn accepted(token: String) -> Answer {
    let verdict = v1::Verdict::Accept.into();
    Answer::Verify(v1::VerifyResponse { verdict, receipt: token, gates: vec![], next: next(v1::Directive::Done) })
}

fn refusing(token: String) -> Answer {
    let verdict = v1::Verdict::Refuse.into();
    Answer::Verify(v1::VerifyResponse { verdict, receipt: token, gates: vec![], next: next(v1::Directive::Retry) })
}

#[tokio::test]
async fn an_acceptance_comes_out_unspent() {
    let asked = Asked::new();
    let (_, client) = client([accepted(asked.token())]).await;
    let outcome = client.verify(&asked.capture(), &asked.expected()).await.unwrap();
    let Verification::Accepted { receipt, token } = outcome else { panic!("an acceptance") };
    assert_eq!(token, asked.token());
    assert!(receipt.settle(true).is_ok());
}

#[tokio::test]
async fn a_repeated_verification_states_the_same_attempt() {
    let asked = Asked::new();
    let lost = Answer::Status(tonic::Status::unavailable("connection lost"));
    let (service, client) = client([lost, Answer::Status(Reason::Draining.status()), accepted(asked.token())]).await;
    assert!(client.verify(&asked.capture(), &asked.expected()).await.is_ok());
    let attempts: Vec<_> = service.asked.lock().unwrap().iter().map(|asked| asked.attempt).collect();
    assert_eq!(attempts, [1, 1, 1]);
    let unstated = Capture { attempt: 0, ..asked.capture() };
    let refused = client.verify(&unstated, &asked.expected()).await;
    assert!(matches!(refused, Err(ClientError::Configuration("attempt"))));
}

#[tokio::test]
async fn an_acceptance_is_only_believed_with_its_receipt() {
    let asked = Asked::new();
    let mut other_payee = asked.action.clone();
    other_payee.payee.push('x');
    let other_action = Expected { action: &other_payee, ..asked.expected() };
    let other_challenge =
        Capture { challenge: "ch_000000000000000000000000000000ff".parse().unwrap(), ..asked.capture() };
    let tries = [
        (asked.token(), asked.capture(), other_action, Refused::Mismatch(Claim::Action)),
        (asked.token(), other_challenge, asked.expected(), Refused::Mismatch(Claim::Challenge)),
        (
            asked.refused("signed by the ledger key under the receipt kid"),
            asked.capture(),
            asked.expected(),
            Refused::Untrusted(receipt::KeyFault::Signature),
        ),
        (
            asked.refused("signed refusal"),
            asked.capture(),
            asked.expected(),
            Refused::VerdictRefuse { gate: Some(Gate::Comparison) },
        ),
        (String::new(), asked.capture(), asked.expected(), Refused::Malformed(receipt::Malformed::Parts)),
    ];
    for (token, capture, expected, reason) in tries {
        let (_, client) = client([accepted(token)]).await;
        let outcome = client.verify(&capture, &expected).await;
        assert!(matches!(outcome, Err(ClientError::Receipt(refused)) if refused == reason), "{reason}");
    }
}

#[tokio::test]
async fn a_refusal_is_only_believed_with_its_receipt() {
    let asked = Asked::new();
    let run = async |answer| {
        let (_, client) = client([answer]).await;
        client.verify(&asked.capture(), &asked.expected()).await
    };
    let Ok(Verification::Refused(refusal)) = run(refusing(asked.refused("signed refusal"))).await else {
        panic!("a refusal")
    };
    assert_eq!((refusal.next.directive, refusal.next.attempts_left), (Directive::Retry, 2));
    assert_eq!(refusal.receipt.typ(), Typ::Receipt);
    let lied = run(refusing(asked.token())).await;
    assert!(matches!(lied, Err(ClientError::Receipt(Refused::VerdictAccept))));
    let unspecified = Answer::Verify(v1::VerifyResponse { receipt: asked.token(), ..Default::default() });
    assert!(matches!(run(unspecified).await, Err(ClientError::Answer("verdict"))));
}

fn enrolled(token: String, commitment: [u8; 32]) -> Answer {
    let reference = v1::Reference {
        reference_id: "rf_000000000000000000000000000000d4".into(),
        epoch: 1,
        commitment: commitment.to_vec(),
        feature_space: "test".into(),
        created_at: Some(convert::timestamp(1)),
    };
    Answer::Enroll(v1::EnrollResponse {
        verdict: v1::Verdict::Accept.into(),
        receipt: token,
        gates: vec![],
        next: next(v1::Directive::Done),
        reference: Some(reference),
    })
}

#[tokio::test]
async fn an_enrollment_names_the_reference_of_its_receipt() {
    let asked = Asked::new();
    let run = async |answer| {
        let (_, client) = client([answer]).await;
        client.enroll(&asked.capture(), &asked.expected()).await
    };
    let token = asked.inner("enrollment");
    let Ok(Enrollment::Enrolled { reference, .. }) = run(enrolled(token.clone(), asked.commitment)).await else {
        panic!("an enrollment")
    };
    assert_eq!(reference.commitment, asked.commitment);
    let swapped = run(enrolled(token, [0; 32])).await;
    assert!(matches!(swapped, Err(ClientError::Answer("reference"))));
    let verification = run(enrolled(asked.token(), asked.commitment)).await;
    assert!(matches!(verification, Err(ClientError::Receipt(Refused::Untrusted(_)))));
}

#[tokio::test]
async fn a_deletion_is_only_believed_with_its_proof() {
    let asked = Asked::new();
    let user = "alice".parse().unwrap();
    let run = async |token: String, commitment| {
        let deletion = Answer::Deletion(v1::DeleteReferenceResponse { deletion_proof: token });
        let (_, client) = client([deletion]).await;
        let expected = ExpectedDeletion { aud: &asked.aud, commitment };
        client.delete_reference(&user, "user-request", &expected).await
    };
    let deleted = run(asked.inner("deletion"), asked.commitment).await.unwrap();
    assert_eq!(deleted.proof.claims().cause, "user-request");
    let other = run(asked.inner("deletion"), [0; 32]).await;
    assert!(matches!(other, Err(ClientError::Receipt(Refused::Mismatch(Claim::Reference)))));
    let receipt = run(asked.token(), asked.commitment).await;
    assert!(matches!(receipt, Err(ClientError::Receipt(Refused::Untrusted(_)))));
}

#[tokio::test]
async fn a_challenge_shows_the_text_of_its_action() {
    let asked = Asked::new();
    let run = async |text: String| {
        let display = v1::Display { sha256: display_sha256(&text).to_vec(), text };
        let (_, client) = client([Answer::Challenge(v1::CreateChallengeResponse {
            challenge_id: asked.capture().challenge.to_string(),
            expires_at: Some(convert::timestamp(5)),
            capture_token: "cst_planted".into(),
            display: Some(display),
            script: None,
            max_attempts: 3,
        })])
        .await;
        let challenge = NewChallenge {
            user: &"alice".parse().unwrap(),
            purpose: Purpose::Verify,
            replace: false,
            action: &asked.action,
            rp_nonce: &asked.nonce,
            mode: None,
            idempotency_key: None,
            ttl_seconds: None,
        };
        client.create_challenge(&challenge).await
    };
    let challenge = run(display_text(&asked.action)).await.unwrap();
    assert_eq!((challenge.id, challenge.expires_at_ms), (asked.capture().challenge, 5));
    assert!(!format!("{challenge:?}").contains("planted"));
    let other = run("Approve: something harmless".into()).await;
    assert!(matches!(other, Err(ClientError::Answer("display"))));
}
