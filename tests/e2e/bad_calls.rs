//! Calls that are wrong before any face is looked at, and calls that find nobody to look: documented answers, nobody charged.

use anyhow::{Context, Result};
use prost::Message as _;
use std::collections::BTreeMap;
use support::{
    caller::{Caller, NONCE, action, challenge, consent},
    captures,
    expect::{Decision, metadata, refused, undecided},
    json::{self, Curl},
    scene::Scene,
};
use tonic::{Code, metadata::MetadataValue};
use wire::{
    frames::{MAX_JSON_BYTES, MAX_MESSAGE_BYTES},
    v1::{self, CreateChallengeRequest, Purpose},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_call_without_a_deadline_is_refused_over_grpc() -> Result<()> {
    let Some(scene) = Scene::open("bad_calls_deadline").await? else { return Ok(()) };
    let mut hasty = Caller { deadline: None, ..scene.bank.clone() };
    let required = (Code::InvalidArgument, "DEADLINE_REQUIRED".to_owned());
    assert_eq!(refused(hasty.create_challenge(challenge("alice", Purpose::Enroll)).await)?, required);
    assert_eq!(refused(hasty.enroll("x", Vec::new()).await)?, required);
    assert_eq!(refused(hasty.verify("x", Vec::new()).await)?, required);
    assert_eq!(refused(hasty.delete("alice").await)?, required);
    for wrong in ["soon", "10", "-1S", "123456789S", "1.5S"] {
        let mut request = hasty.request(challenge("alice", Purpose::Enroll));
        request.metadata_mut().insert("grpc-timeout", MetadataValue::try_from(wrong)?);
        let answer = hasty.client.create_challenge(request).await.map_err(Box::new);
        assert_eq!(refused(answer)?, required, "{wrong}");
    }
    let patient = scene.bank.clone().create_challenge(challenge("alice", Purpose::Enroll)).await;
    assert!(patient.is_ok(), "with a deadline the same call is served: {patient:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_one_byte_over_the_limit_is_refused_over_grpc() -> Result<()> {
    let Some(scene) = Scene::open("bad_calls_message_size").await? else { return Ok(()) };
    for (size, reason) in [(MAX_MESSAGE_BYTES, "FRAME_TOO_LARGE"), (MAX_MESSAGE_BYTES + 1, "BODY_TOO_LARGE")] {
        let opened = scene.bank.clone().create_challenge(challenge("alice", Purpose::Enroll)).await?;
        let of = |image: usize| v1::EnrollRequest {
            challenge_id: opened.challenge_id.clone(),
            action: Some(action()),
            frames: captures::frames(vec![vec![0xff; image]]),
            consent: Some(consent()),
            ..v1::EnrollRequest::default()
        };
        let message = of(size - (of(size).encoded_len() - size));
        assert_eq!(message.encoded_len(), size, "the message has just that size");
        let request = scene.bank.request(message);
        let answer = scene.bank.clone().client.enroll(request).await.map_err(Box::new);
        assert_eq!(refused(answer)?, (Code::InvalidArgument, reason.into()), "{size} bytes");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_one_byte_over_the_limit_and_a_call_without_a_deadline_are_refused_over_json() -> Result<()> {
    let Some(scene) = Scene::open("bad_calls_json").await? else { return Ok(()) };
    let Some(curl) = Curl::find("bad_calls_json", &scene.cluster, &scene.tenant.api_key) else { return Ok(()) };
    let capture = json::capture(&format!("ch_{}", "0".repeat(32)), &captures::portraits(&["obama.jpg"])?).to_string();
    let kind = ["-H", "content-type: application/json", "--data-binary", "@-"];
    let chunked = [&kind[..], &["-H", "transfer-encoding: chunked"]].concat();
    for (size, refusal) in [(MAX_JSON_BYTES, (404, "UNKNOWN_CHALLENGE")), (MAX_JSON_BYTES + 1, (413, "BODY_TOO_LARGE"))]
    {
        let body = [capture.as_bytes(), &vec![b' '; size - capture.len()]].concat();
        for arguments in [&kind[..], &chunked] {
            let answer = curl.send("/v1/enrollments", arguments, &body)?;
            assert_eq!(answer.refusal(), (refusal.0, refusal.1.to_owned()), "{size} bytes, {arguments:?}");
        }
    }
    for deadline in ["", "soon", "-1", "1e3", "1.2345"] {
        let hasty = Curl { deadline: deadline.to_owned(), ..curl.clone() };
        let answer = hasty.post("/v1/challenges", &json::challenge("alice", "PURPOSE_ENROLL"))?;
        assert_eq!(answer.refusal(), (400, "DEADLINE_REQUIRED".into()), "{deadline:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_malformed_field_of_a_challenge_is_named() -> Result<()> {
    let Some(mut scene) = Scene::open("bad_calls_fields").await? else { return Ok(()) };
    let good = || challenge("alice", Purpose::Enroll);
    let with = |change: fn(&mut CreateChallengeRequest)| {
        let mut request = good();
        change(&mut request);
        request
    };
    let acted = |change: fn(&mut v1::Action)| {
        let mut changed = action();
        change(&mut changed);
        CreateChallengeRequest { action: Some(changed), ..good() }
    };
    let cases = [
        ("user_id", with(|r| r.user_id.clear())),
        ("user_id", with(|r| r.user_id = "a".repeat(129))),
        ("user_id", with(|r| r.user_id = "al ice".into())),
        ("user_id", with(|r| r.user_id = "../alice".into())),
        ("purpose", with(|r| r.purpose = 0)),
        ("purpose", with(|r| r.purpose = 3)),
        ("replace", with(|r| (r.purpose, r.replace) = (Purpose::Verify.into(), true))),
        ("action", with(|r| r.action = None)),
        ("rp_nonce", with(|r| r.rp_nonce = NONCE[..15].to_vec())),
        ("rp_nonce", with(|r| r.rp_nonce = vec![1; 65])),
        ("mode", with(|r| r.mode = 9)),
        ("possession", with(|r| r.possession = Some(v1::PossessionRequest::default()))),
        ("idempotency_key", with(|r| r.idempotency_key = "k".repeat(65))),
        ("ttl_seconds", with(|r| r.ttl_seconds = 301)),
        ("type", acted(|a| a.r#type.clear())),
        ("amount", acted(|a| a.amount = "1e3".into())),
        ("amount", acted(|a| a.amount = "NaN".into())),
        ("currency", acted(|a| a.currency = "eur".into())),
        ("payee", acted(|a| a.payee = "p".repeat(257))),
        ("payee", acted(|a| a.payee = "safe\u{202e}evil".into())),
        ("fields", acted(|a| a.fields = (0..33).map(|n| (n.to_string(), String::new())).collect())),
        ("fields", acted(|a| a.fields = BTreeMap::from([("k".repeat(65), String::new())]))),
    ];
    for (number, (field, request)) in cases.into_iter().enumerate() {
        let status = undecided(scene.bank.create_challenge(request).await)?;
        assert_eq!(status.code(), Code::InvalidArgument, "case {number}, {field}");
        assert_eq!(metadata(&status).get("field").map(String::as_str), Some(field), "case {number}");
    }
    assert!(scene.bank.create_challenge(good()).await.is_ok(), "the request that all were made from is good");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_worker_calls_are_unavailable_and_neither_attempt_nor_strike_is_spent() -> Result<()> {
    let Some(mut scene) = Scene::open("bad_calls_worker").await? else { return Ok(()) };
    let again = captures::portraits(&["obama2.jpg"])?;
    scene.bank.enroll_user("alice", captures::portraits(&["obama.jpg"])?).await?;
    let first = scene.bank.create_challenge(challenge("alice", Purpose::Verify)).await?.challenge_id;
    scene.cluster.workers[0].kill()?;
    let unavailable = (Code::Unavailable, "UNAVAILABLE_WORKER".to_owned());
    assert_eq!(refused(scene.bank.verify(&first, again.clone()).await)?, unavailable);
    for _ in 0..6 {
        assert_eq!(refused(scene.bank.verify_user("alice", again.clone()).await)?, unavailable);
    }
    scene.cluster.restart_worker(0)?;
    let answer = answered(&mut scene.bank, &first, &again).await?;
    assert_eq!(Decision::of_verify(&answer)?, Decision::Accept, "seven strikes would have locked the user");
    let receipt = receipt::evidence(&answer.receipt, &scene.receipt_keys()?)?;
    assert_eq!(receipt.claims().attempt, 1, "the attempt was given back");
    assert_eq!(scene.audit("attempt.decided").await?.len(), 2);
    Ok(())
}

/// Verifies as soon as the gateway has found its worker again.
async fn answered(bank: &mut Caller, txn: &str, frames: &[v1::Frame]) -> Result<v1::VerifyResponse> {
    for _ in 0..2 {
        match bank.verify(txn, frames.to_vec()).await {
            Err(status) if status.code() == Code::Unavailable => {
                tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            }
            answer => return Ok(answer?),
        }
    }
    bank.verify(txn, frames.to_vec()).await.context("the worker is not found again")
}
