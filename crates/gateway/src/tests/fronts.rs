//! The two fronts: one contract over gRPC and JSON.

use super::{
    house::{House, new_challenge, reason},
    http::Answer,
};
use tonic::{Code, Request};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use wire::{frames::MAX_JSON_BYTES, v1};

const CHALLENGE: &str = r#"{"userId":"alice","purpose":"PURPOSE_VERIFY","rpNonce":"AAAAAAAAAAAAAAAAAAAAAA==",
    "action":{"type":"withdrawal","amount":"250.00","currency":"EUR","payee":"Bob"}}"#;

async fn post(house: &House, path: &str, body: &str) -> Answer {
    let bearer = format!("Bearer {}", house.key);
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json"), ("request-timeout", "10")];
    house.trust.send(house.addr, &format!("POST {path}"), &headers, body.as_bytes()).await
}

async fn get(house: &House, path: &str) -> Answer {
    let bearer = format!("Bearer {}", house.key);
    let headers = [("authorization", bearer.as_str()), ("request-timeout", "10")];
    house.trust.send(house.addr, &format!("GET {path}"), &headers, b"").await
}

#[tokio::test(flavor = "multi_thread")]
async fn json_makes_the_challenge_that_grpc_makes() {
    let house = House::open().await;
    let answer = post(&house, "/v1/challenges", CHALLENGE).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let json = answer.json();
    let over_grpc = house.challenge(v1::Purpose::Verify).await;
    assert_eq!(json["display"]["text"], "Approve: withdrawal\nAmount: 250.00 EUR\nPayee: Bob");
    assert_eq!(json["display"]["text"], over_grpc.display.unwrap().text);
    assert_eq!(json["script"]["mode"], "CAPTURE_MODE_PASSIVE");
    assert_eq!((&json["maxAttempts"], over_grpc.max_attempts), (&3.into(), 3));
    assert!(json["captureToken"].as_str().unwrap().starts_with("cst_"));
    assert!(answer.head.contains("\r\nx-request-id: "), "{}", answer.head);
}

#[tokio::test(flavor = "multi_thread")]
async fn json_that_two_readers_could_read_differently_is_refused() {
    let house = House::open().await;
    let twice = CHALLENGE.replace("{\"userId\":\"alice\",", "{\"userId\":\"alice\",\"userId\":\"bob\",");
    let unknown = CHALLENGE.replace("\"purpose\"", "\"surprise\":1,\"purpose\"");
    for body in [twice.as_str(), unknown.as_str(), "", "[]", "{"] {
        let answer = post(&house, "/v1/challenges", body).await;
        assert_eq!((answer.status, answer.reason().as_str()), (400, "MALFORMED_JSON"), "{body}");
    }
    let headers = [("authorization", "Bearer x"), ("request-timeout", "10")];
    let answer = house.trust.send(house.addr, "POST /v1/challenges", &headers, b"{}").await;
    assert_eq!(answer.reason(), "UNAUTHENTICATED");
    let bearer = format!("Bearer {}", house.key);
    let headers = [("authorization", bearer.as_str()), ("request-timeout", "10"), ("content-type", "text/plain")];
    let answer = house.trust.send(house.addr, "POST /v1/challenges", &headers, CHALLENGE.as_bytes()).await;
    assert_eq!((answer.status, answer.reason().as_str()), (415, "UNSUPPORTED_MEDIA_TYPE"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_out_of_its_limits_is_named() {
    let house = House::open().await;
    let good = || new_challenge(v1::Purpose::Verify);
    let bad = [
        ("user_id", v1::CreateChallengeRequest { user_id: "a b".into(), ..good() }),
        ("purpose", v1::CreateChallengeRequest { purpose: 0, ..good() }),
        ("replace", v1::CreateChallengeRequest { replace: true, ..good() }),
        ("action", v1::CreateChallengeRequest { action: None, ..good() }),
        ("rp_nonce", v1::CreateChallengeRequest { rp_nonce: vec![1; 15], ..good() }),
        ("rp_nonce", v1::CreateChallengeRequest { rp_nonce: vec![1; 65], ..good() }),
        ("mode", v1::CreateChallengeRequest { mode: 99, ..good() }),
        ("possession", v1::CreateChallengeRequest { possession: Some(Default::default()), ..good() }),
        ("idempotency_key", v1::CreateChallengeRequest { idempotency_key: "k".repeat(65), ..good() }),
        ("ttl_seconds", v1::CreateChallengeRequest { ttl_seconds: 301, ..good() }),
    ];
    let mut client = house.client().await;
    for (field, request) in bad {
        let status = client.create_challenge(house.ask(request)).await.unwrap_err();
        let received = wire::Reason::from_status(&status).unwrap();
        assert_eq!((status.code(), received.metadata["field"].as_str()), (Code::InvalidArgument, field));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_idempotency_key_gives_the_same_challenge_or_a_conflict() {
    let house = House::open().await;
    let mut client = house.client().await;
    let request = v1::CreateChallengeRequest { idempotency_key: "once".into(), ..new_challenge(v1::Purpose::Verify) };
    let first = client.create_challenge(house.ask(request.clone())).await.unwrap().into_inner();
    let again = client.create_challenge(house.ask(request.clone())).await.unwrap().into_inner();
    assert!(first == again, "the same answer, token and all");
    let other = v1::CreateChallengeRequest { user_id: "bob".into(), ..request };
    let status = client.create_challenge(house.ask(other)).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::AlreadyExists, "IDEMPOTENCY_CONFLICT"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_without_a_deadline_is_refused_and_public_ones_need_none() {
    let house = House::open().await;
    let mut request = Request::new(new_challenge(v1::Purpose::Verify));
    request.metadata_mut().insert("authorization", format!("Bearer {}", house.key).parse().unwrap());
    let status = house.client().await.create_challenge(request).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::InvalidArgument, "DEADLINE_REQUIRED"));
    let bearer = format!("Bearer {}", house.key);
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let answer = house.trust.send(house.addr, "POST /v1/challenges", &headers, CHALLENGE.as_bytes()).await;
    assert_eq!((answer.status, answer.reason().as_str()), (400, "DEADLINE_REQUIRED"));
    for document in ["jwks.json", "test-jwks.json", "ledger-jwks.json"] {
        let answer = house.trust.send(house.addr, &format!("GET /.well-known/{document}"), &[], b"").await;
        assert_eq!((answer.status, answer.json()["document"].as_str()), (200, Some(document)));
    }
    let mut health = HealthClient::new(house.channel().await);
    assert!(health.check(HealthCheckRequest { service: String::new() }).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_over_the_limit_is_refused_on_both_fronts() {
    let house = House::open().await;
    let bearer = format!("Bearer {}", house.key);
    let length = (MAX_JSON_BYTES + 1).to_string();
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
        ("request-timeout", "10"),
        ("content-length", length.as_str()),
    ];
    let answer = house.trust.send(house.addr, "POST /v1/verifications", &headers, b"{").await;
    assert_eq!((answer.status, answer.reason().as_str()), (413, "BODY_TOO_LARGE"));
    let image = vec![0; 14 << 20];
    let request = v1::VerifyRequest { frames: vec![v1::Frame { image, ..Default::default() }], ..Default::default() };
    let status = house.client().await.verify(house.ask(request)).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::InvalidArgument, "BODY_TOO_LARGE"));
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_no_message_are_an_invalid_argument() {
    let house = House::open().await;
    let bearer = format!("Bearer {}", house.key);
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
        ("grpc-timeout", "10S"),
    ];
    let garbage = b"\0\0\0\0\x04\xff\xff\xff\xff";
    let path = "POST /countersign.v1.VerificationService/Verify";
    let answer = house.trust.send(house.addr, path, &headers, garbage).await;
    assert!(answer.head.contains("\r\ngrpc-status: 3\r\n"), "{}", answer.head);
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_where_nothing_is_are_answered_in_the_same_form() {
    let house = House::open().await;
    let answer = get(&house, "/v1/nothing").await;
    assert_eq!((answer.status, answer.reason().as_str()), (404, "UNKNOWN_ROUTE"));
    let answer = get(&house, "/v1/challenges").await;
    assert_eq!((answer.status, answer.reason().as_str()), (405, "METHOD_NOT_ALLOWED"));
    let answer = post(&house, "/v1/receipts/rc_00000000000000000000000000000001", "").await;
    assert_eq!((answer.status, answer.reason().as_str()), (404, "UNKNOWN_ROUTE"));
    let answer = post(&house, "/v1/receipts/rc_00000000000000000000000000000001:revoke", "").await;
    assert_eq!((answer.status, answer.reason().as_str()), (404, "UNKNOWN_RECEIPT"));
}
