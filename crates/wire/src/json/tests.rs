//! Duplicates and unknown fields anywhere, base64 in both alphabets, and garbage.

use super::*;
use crate::v1;
use proptest::prelude::*;

fn create(body: &str) -> Result<v1::CreateChallengeRequest, Reason> {
    parse(body.as_bytes())
}

#[test]
fn a_request_reads_in_the_proto3_mapping() {
    let read = create(
        r#"{"userId": "alice", "purpose": "PURPOSE_VERIFY", "rpNonce": "AAECAw==", "ttlSeconds": 60,
            "action": {"type": "withdrawal", "amount": "250.00", "currency": "EUR", "payee": "ACME", "fields": {"iban": "DE02"}}}"#,
    )
    .unwrap();
    assert_eq!(read.user_id, "alice");
    assert_eq!(read.purpose(), v1::Purpose::Verify);
    assert_eq!(read.rp_nonce, [0, 1, 2, 3]);
    assert_eq!(read.action.unwrap().fields["iban"], "DE02");
    let snake = create(r#"{"user_id": "alice", "rp_nonce": "-_8"}"#).unwrap();
    assert_eq!((snake.user_id.as_str(), &snake.rp_nonce[..]), ("alice", &[0xfb, 0xff][..]));
}

#[test]
fn a_duplicate_key_is_refused_at_any_depth_and_under_any_spelling() {
    for body in [
        r#"{"userId": "a", "userId": "a"}"#,
        r#"{"userId": "a", "user_id": "b"}"#,
        r#"{"userId": null, "userId": "b"}"#,
        r#"{"userId": "a", "\u0075serId": "b"}"#,
        r#"{"action": {"payee": "a", "payee": "b"}}"#,
        r#"{"action": {"fields": {"iban": "a", "iban": "b"}}}"#,
    ] {
        assert!(matches!(create(body), Err(Reason::MalformedJson { .. })), "{body}");
    }
    assert!(create(r#"{"action": {"payee": "a", "fields": {"payee": "b"}}}"#).is_ok(), "positive control");
}

#[test]
fn an_unknown_field_is_refused_at_any_depth() {
    assert!(create(r#"{"userId": "a", "admin": true}"#).is_err());
    assert!(create(r#"{"action": {"type": "a", "memo": "b"}}"#).is_err());
}

#[test]
fn a_refusal_names_line_and_column_and_repeats_nothing() {
    let Err(reason) = create("{\n  \"planted\": 1\n}") else { panic!("an unknown field was taken") };
    assert_eq!(reason, Reason::MalformedJson { line: 2, column: 11 });
    assert!(!reason.json().to_string().contains("planted"));
}

#[test]
fn values_of_another_type_and_trailing_data_are_refused() {
    for body in [
        "",
        "null",
        "[]",
        "{} {}",
        r#"{"userId": 7}"#,
        r#"{"purpose": "PURPOSE_FLY"}"#,
        r#"{"purpose": 77}"#,
        r#"{"rpNonce": "not base64!"}"#,
        r#"{"ttlSeconds": -1}"#,
        r#"{"ttlSeconds": 1e99}"#,
        "{\"userId\": \"\u{0}\"}",
        "\u{feff}{}",
    ] {
        assert!(create(body).is_err(), "{body}");
    }
    assert!(parse::<v1::CreateChallengeRequest>(b"{\"userId\": \"\xff\"}").is_err());
}

#[test]
fn an_object_of_too_many_keys_and_a_deep_one_are_refused_without_harm() {
    let many: Vec<String> = (0..=MAX_KEYS).map(|n| format!("\"k{n}\": \"v\"")).collect();
    let fields = |keys: &[String]| format!("{{\"action\": {{\"fields\": {{{}}}}}}}", keys.join(","));
    assert!(create(&fields(&many)).is_err());
    assert!(create(&fields(&many[1..])).is_ok(), "positive control");
    assert!(create(&"[".repeat(1 << 20)).is_err());
}

#[test]
fn what_is_written_reads_back() {
    let request = v1::VerifyRequest {
        challenge_id: "ch_1".into(),
        frames: vec![v1::Frame { image: vec![0xff, 0xd8, 0xfb], offset_ms: 40, format: 1 }],
        consent: Some(v1::Consent {
            given_at: Some(crate::convert::timestamp(1_700_000_000_123)),
            ..Default::default()
        }),
        ..Default::default()
    };
    let written = serde_json::to_vec(&request).unwrap();
    assert_eq!(parse::<v1::VerifyRequest>(&written).unwrap(), request);
}

proptest! {
    #[test]
    fn garbage_never_panics(body in prop::collection::vec(any::<u8>(), 0..256)) {
        let _ = parse::<v1::VerifyRequest>(&body);
    }

    #[test]
    fn almost_json_never_panics(
        body in r#"\{("(userId|action|frames|rpNonce|givenAt|x)": ?("[A-Za-z0-9+/=\\u-]{0,12}"|\{\}|\[\{\}\]|null|-?[0-9]{1,30}(\.[0-9]e[0-9]{1,4})?),?){0,6}\}?"#
    ) {
        let _ = parse::<v1::VerifyRequest>(body.as_bytes());
        let _ = parse::<v1::CreateChallengeRequest>(body.as_bytes());
        let _ = parse::<v1::PutPolicyRequest>(body.as_bytes());
    }
}
