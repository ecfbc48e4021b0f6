//! The same service as JSON over HTTPS, called by the machine's own curl, in HTTP/1.1 and HTTP/2.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::fs;
use support::{
    captures,
    json::{Answer, Curl, capture, challenge},
    scene::Scene,
};

const BODY: [&str; 4] = ["-H", "content-type: application/json", "--data-binary", "@-"];

async fn open(test: &str) -> Result<Option<(Scene, Curl)>> {
    let Some(scene) = Scene::open(test).await? else { return Ok(None) };
    let curl = Curl::find(test, &scene.cluster, &scene.tenant.api_key);
    Ok(curl.map(|curl| (scene, curl)))
}

/// The member of an answer with status 200.
fn member<'a>(answer: &'a Value, name: &str) -> Result<&'a str> {
    answer[name].as_str().with_context(|| format!("no {name} in {answer}"))
}

fn ok(answer: &Answer) -> Result<Value> {
    assert_eq!(answer.status, 200, "{}", answer.body);
    serde_json::from_str(&answer.body).context("no JSON")
}

/// Opens a challenge and answers it.
fn attempt(curl: &Curl, user: &str, purpose: &str, picture: &str) -> Result<Value> {
    let opened = ok(&curl.post("/v1/challenges", &challenge(user, purpose))?)?;
    let path = if purpose == "PURPOSE_ENROLL" { "/v1/enrollments" } else { "/v1/verifications" };
    ok(&curl.post(path, &capture(member(&opened, "challengeId")?, &captures::portraits(&[picture])?))?)
}

/// The whole job under one HTTP version.
fn main_job(scene: &Scene, curl: &Curl, user: &str) -> Result<()> {
    let path = format!("/v1/users/{user}/reference");
    assert_eq!(curl.send(&path, &[], b"")?.refusal(), (404, "NO_REFERENCE".into()));
    let enrolled = attempt(curl, user, "PURPOSE_ENROLL", "obama.jpg")?;
    assert_eq!(member(&enrolled, "verdict")?, "VERDICT_ACCEPT");
    let again = ok(&curl.post("/v1/challenges", &challenge(user, "PURPOSE_ENROLL"))?)?;
    let again =
        curl.post("/v1/enrollments", &capture(member(&again, "challengeId")?, &captures::portraits(&["obama.jpg"])?))?;
    assert_eq!(again.refusal(), (409, "REFERENCE_EXISTS".into()));
    let described = ok(&curl.send(&path, &[], b"")?)?;
    assert_eq!(described["reference"]["commitment"], enrolled["reference"]["commitment"]);

    let verified = attempt(curl, user, "PURPOSE_VERIFY", "obama2.jpg")?;
    assert_eq!(member(&verified, "verdict")?, "VERDICT_ACCEPT");
    let receipt = receipt::evidence(member(&verified, "receipt")?, &scene.receipt_keys()?)?;
    assert_eq!(receipt.claims().aud, scene.tenant.id);
    let refused = attempt(curl, user, "PURPOSE_VERIFY", "biden.jpg")?;
    assert_eq!(member(&refused, "verdict")?, "VERDICT_REFUSE");
    let fifth = &refused["gates"][4];
    assert_eq!((&fifth["gate"], &fifth["status"]), (&json!("GATE_COMPARISON"), &json!("GATE_STATUS_FAIL")));
    assert_eq!(fifth["reasons"], json!(["COMPARISON_NON_MATCH"]));

    let revoke = format!("/v1/receipts/{}:revoke", receipt.claims().jti);
    assert_eq!(curl.send(&revoke, &["-X", "POST"], b"")?.json(), json!({}));
    assert_eq!(
        curl.send(revoke.trim_end_matches(":revoke"), &["-X", "POST"], b"")?.refusal(),
        (404, "UNKNOWN_ROUTE".into())
    );
    let deleted = ok(&curl.send(&format!("{path}?cause=user-request"), &["-X", "DELETE"], b"")?)?;
    let commitment = described_commitment(&described)?;
    let expected = receipt::ExpectedDeletion { aud: &scene.tenant.id, commitment };
    receipt::verify_deletion_proof(member(&deleted, "deletionProof")?, &scene.ledger_keys()?, &expected)?;
    assert_eq!(curl.send(&path, &[], b"")?.refusal(), (404, "NO_REFERENCE".into()));
    Ok(())
}

fn described_commitment(answer: &Value) -> Result<[u8; 32]> {
    use base64::Engine as _;
    let text = answer["reference"]["commitment"].as_str().context("no commitment")?;
    let bytes = base64::engine::general_purpose::STANDARD.decode(text)?;
    bytes.try_into().ok().context("not 32 bytes")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_job_goes_over_http_1_1_and_over_http_2() -> Result<()> {
    let Some((scene, curl)) = open("json_job").await? else { return Ok(()) };
    for (version, spoken, user) in [("--http1.1", "1.1", "one"), ("--http2", "2", "two")] {
        let curl = Curl { version, ..curl.clone() };
        let first = curl.post("/v1/challenges", &challenge(user, "PURPOSE_ENROLL"))?;
        assert_eq!((first.status, first.version.as_str()), (200, spoken), "{}", first.body);
        let told = first.json();
        let (token, display) = (member(&told, "captureToken")?, &told["display"]["text"]);
        assert!(token.starts_with("cst_") && display.as_str().is_some_and(|text| text.contains("250.00")), "{told}");
        let expires = member(&told, "expiresAt")?;
        assert!(expires.ends_with('Z') && expires.len() >= 20, "proto3 JSON is normalised to Z: {expires}");
        main_job(&scene, &curl, user).with_context(|| format!("over HTTP/{spoken}"))?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_two_readers_could_read_differently_is_refused_with_its_place() -> Result<()> {
    let Some((_scene, curl)) = open("json_strict").await? else { return Ok(()) };
    let good = challenge("alice", "PURPOSE_ENROLL").to_string();
    let cases = [
        ("twice the same key", good.replacen('{', "{\"userId\":\"mallory\",", 1)),
        ("twice a key of the action", good.replace("\"payee\":", "\"payee\":\"mallory\",\"payee\":")),
        ("twice a key of the fields", good.replace("\"memo\":", "\"memo\":\"x\",\"memo\":")),
        ("an unknown field", good.replacen('{', "{\"surprise\":1,", 1)),
        ("an unknown field of the action", good.replace("\"payee\":", "\"surprise\":\"\",\"payee\":")),
        ("a number for a string", good.replace("\"250.00\"", "250.00")),
        ("an unknown purpose", good.replace("PURPOSE_ENROLL", "PURPOSE_EVERYTHING")),
        ("base64 that is none", good.replace("\"rpNonce\":\"", "\"rpNonce\":\"*")),
        ("an array", format!("[{good}]")),
        ("half", good[..good.len() / 2].to_owned()),
        ("more after it", format!("{good}{good}")),
        ("nothing", String::new()),
        ("another text", "user=alice".to_owned()),
    ];
    for (name, body) in cases {
        assert_ne!(body, good, "{name} is not made from the good one");
        let answer = curl.send("/v1/challenges", &BODY, body.as_bytes())?;
        assert_eq!(answer.refusal(), (400, "MALFORMED_JSON".into()), "{name}: {}", answer.body);
        let told = &answer.json()["error"];
        assert_eq!((&told["status"], &told["code"]), (&json!("INVALID_ARGUMENT"), &json!(400)), "{name}");
        assert!(told["details"][0]["metadata"]["column"].is_string(), "{name}: {told}");
    }
    assert_eq!(curl.send("/v1/challenges", &BODY, good.as_bytes())?.status, 200);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_json_with_a_stable_reason_and_the_request_id() -> Result<()> {
    let Some((scene, curl)) = open("json_refusals").await? else { return Ok(()) };
    let body = challenge("alice", "PURPOSE_ENROLL").to_string();
    let body = body.as_bytes();
    let anonymous = Curl { credential: String::new(), ..curl.clone() };
    let garbage = Curl { credential: "cs_test_nobody".into(), ..curl.clone() };
    let told = curl.post("/v1/challenges", &challenge("alice", "PURPOSE_ENROLL"))?.json();
    let device = Curl { credential: member(&told, "captureToken")?.to_owned(), ..curl.clone() };
    let text = ["-H", "content-type: text/plain", "--data-binary", "@-"];
    let cases = [
        ("no credential", anonymous.send("/v1/challenges", &BODY, body)?, 401, "UNAUTHENTICATED"),
        ("a wrong credential", garbage.send("/v1/challenges", &BODY, body)?, 401, "UNAUTHENTICATED"),
        ("a device", device.send("/v1/challenges", &BODY, body)?, 403, "PERMISSION_DENIED"),
        ("another content type", curl.send("/v1/challenges", &text, body)?, 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("another method", curl.send("/v1/challenges", &["-X", "PUT"], b"")?, 405, "METHOD_NOT_ALLOWED"),
        ("another address", curl.send("/v1/nothing", &[], b"")?, 404, "UNKNOWN_ROUTE"),
        ("a malformed user", curl.send("/v1/users/al%20ice/reference", &[], b"")?, 400, "INVALID_ARGUMENT"),
        (
            "an unknown query",
            curl.send("/v1/users/alice/reference?force=1", &["-X", "DELETE"], b"")?,
            400,
            "INVALID_ARGUMENT",
        ),
    ];
    for (name, answer, status, reason) in cases {
        assert_eq!(answer.refusal(), (status, reason.to_owned()), "{name}: {}", answer.body);
        assert_eq!(answer.json()["error"]["details"][0]["domain"], "countersign.v1", "{name}");
    }
    let echoed = curl.send("/v1/nothing", &["--include", "-H", "x-request-id: request-1-of-the-test"], b"")?;
    assert!(echoed.body.to_lowercase().contains("x-request-id: request-1-of-the-test"), "{}", echoed.body);
    let given = curl.send("/v1/nothing", &["--include"], b"")?;
    assert!(given.body.to_lowercase().contains("x-request-id: "), "{}", given.body);
    drop(scene);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_public_documents_are_served_to_anybody_as_they_were_signed() -> Result<()> {
    let Some((scene, curl)) = open("json_documents").await? else { return Ok(()) };
    let anybody = Curl { credential: String::new(), deadline: String::new(), ..curl.clone() };
    for name in ["jwks.json", "test-jwks.json", "ledger-jwks.json"] {
        let answer = anybody.send(&format!("/.well-known/{name}"), &[], b"")?;
        assert_eq!((answer.status, &answer.body), (200, &fs::read_to_string(scene.public().join(name))?), "{name}");
    }
    assert_eq!(anybody.send("/.well-known/root.pem", &[], b"")?.status, 404);
    assert_eq!(anybody.send("/.well-known/../keys/root/root.pem", &[], b"")?.status / 100, 4);
    Ok(())
}
