//! The table against CONTRACT "Outcomes and errors".

use super::*;
use std::collections::BTreeSet;

#[test]
fn every_reason_has_its_own_screaming_code() {
    let codes: BTreeSet<_> = TABLE.iter().map(|row| row.code).collect();
    assert_eq!(codes.len(), TABLE.len());
    for code in codes {
        assert!(code.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'), "{code}");
    }
}

#[test]
fn every_http_code_fits_its_status() {
    for row in TABLE {
        let allowed: &[u16] = match row.status {
            Code::InvalidArgument => &[400, 413, 415],
            Code::Unauthenticated => &[401],
            Code::PermissionDenied => &[403],
            Code::NotFound => &[404],
            Code::AlreadyExists => &[409],
            Code::FailedPrecondition => &[400],
            Code::ResourceExhausted => &[429],
            Code::Unavailable => &[503],
            Code::DeadlineExceeded => &[504],
            Code::DataLoss | Code::Internal => &[500],
            Code::Unimplemented => &[404, 405, 501],
            other => panic!("{other:?} is not a status of CONTRACT"),
        };
        assert!(allowed.contains(&row.http), "{row:?}");
        assert!(row.sentence.ends_with('.') && row.sentence.len() <= 100, "{row:?}");
    }
}

#[test]
fn only_limits_and_our_own_faults_are_retried_by_machines() {
    for row in TABLE {
        let expected = matches!(row.status, Code::ResourceExhausted | Code::Unavailable);
        assert_eq!(row.retry == Retry::Yes, expected, "{row:?}");
    }
}

#[test]
fn rows_are_those_of_the_contract() {
    let at = |reason: Reason| (reason.status().code(), reason.http());
    assert_eq!(at(Reason::DeadlineRequired), (Code::InvalidArgument, 400));
    assert_eq!(at(Reason::NoReference), (Code::NotFound, 404));
    assert_eq!(at(Reason::ReferenceExists), (Code::AlreadyExists, 409));
    assert_eq!(at(Reason::UnknownChallenge), (Code::NotFound, 404));
    assert_eq!(at(Reason::IdempotencyConflict), (Code::AlreadyExists, 409));
    assert_eq!(at(Reason::Locked { retry_s: 30 }), (Code::FailedPrecondition, 400));
    assert_eq!(at(Reason::Overloaded { retry_s: 1 }), (Code::ResourceExhausted, 429));
    assert_eq!(at(Reason::UnavailableAudit), (Code::Unavailable, 503));
    assert_eq!(at(Reason::DeadlineExceeded), (Code::DeadlineExceeded, 504));
    assert_eq!(at(Reason::DataLoss), (Code::DataLoss, 500));
}

#[test]
fn a_status_carries_code_metadata_and_delay_and_reads_back() {
    let reason = Reason::Overloaded { retry_s: 7 };
    let read = Reason::from_status(&reason.status()).unwrap();
    assert_eq!(read.code, "OVERLOADED");
    assert_eq!(read.metadata.get("retry_s").map(String::as_str), Some("7"));
    assert_eq!(read.retry_after, Some(Duration::from_secs(7)));
    assert_eq!(read.reason(), Some(reason));

    let jti: Jti = "rc_00000000000000000000000000000007".parse().unwrap();
    for reason in [
        Reason::AlreadyDecided { jti, verdict: Verdict::Accept },
        Reason::AlreadyDecided { jti, verdict: Verdict::Refuse },
        Reason::FrameUndecodable { index: 3 },
        Reason::FrameCount { count: 17 },
        Reason::DataLoss,
        Reason::ClockSkew,
    ] {
        assert_eq!(Reason::from_status(&reason.status()).unwrap().reason(), Some(reason));
    }
}

#[test]
fn a_foreign_status_is_no_reason_of_ours() {
    assert_eq!(Reason::from_status(&Status::internal("x")), None);
    let foreign = Status::with_error_details(
        Code::NotFound,
        "x",
        ErrorDetails::with_error_info("NO_REFERENCE", "example.com", HashMap::<String, String>::new()),
    );
    assert_eq!(Reason::from_status(&foreign), None);
    let relabelled = Status::with_error_details(
        Code::Unavailable,
        "x",
        ErrorDetails::with_error_info("DATA_LOSS", DOMAIN, HashMap::<String, String>::new()),
    );
    assert_eq!(Reason::from_status(&relabelled).unwrap().reason(), None);
}

#[test]
fn a_device_cannot_tell_a_locked_user_from_an_absent_one() {
    let seen = |reason: Reason| reason.for_device().status().to_string();
    let stop = seen(Reason::Stop);
    for reason in [
        Reason::NoReference,
        Reason::Locked { retry_s: 30 },
        Reason::LockedUntilReset,
        Reason::ReferenceExists,
        Reason::FeatureSpace,
        Reason::LegalHold,
        Reason::PolicyUnsupported,
    ] {
        assert_eq!(seen(reason), stop);
    }
    assert_ne!(seen(Reason::ChallengeExpired), stop);
    assert_eq!(seen(Reason::DataLoss), seen(Reason::Internal), "only an enrolled user has an envelope");
}

#[test]
fn the_json_answer_names_reason_field_and_delay() {
    let response = Reason::RateLimited { retry_s: 5 }.http_response();
    assert_eq!(response.status(), 429);
    assert_eq!(response.headers()["retry-after"], "5");
    let body: Value = serde_json::from_slice(response.body()).unwrap();
    assert_eq!(body["error"]["status"], "RESOURCE_EXHAUSTED");
    assert_eq!(body["error"]["details"][0]["reason"], "RATE_LIMITED");
    assert_eq!(body["error"]["details"][1]["retryDelay"], "5s");
    let body = Reason::InvalidArgument { field: "user_id" }.json();
    assert_eq!(body["error"]["details"][0]["metadata"]["field"], "user_id");
    assert_eq!(body["error"]["code"], 400);
}
