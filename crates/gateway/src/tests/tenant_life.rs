//! Tenants that are suspended, policies that change, what the audit is told of a caller.

use super::house::{House, ask, enrollment, new_challenge, reason, verification};
use crate::GatewayError;
use biometrics::Policy;
use serde_json::Value;
use tonic::Status;
use wire::v1;

/// Bodies of the tenant's entries of one kind.
async fn entries(house: &House, kind: &str) -> Vec<Value> {
    let all = house.store.audit_entries(house.tenant, 0, 1000).await.unwrap();
    all.iter().filter(|entry| entry.kind == kind).map(|entry| serde_json::from_str(&entry.body).unwrap()).collect()
}

fn words(status: &Status) -> (tonic::Code, String, Vec<u8>) {
    (status.code(), status.message().to_owned(), status.details().to_vec())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_tenant_and_its_devices_are_denied_in_the_same_words_until_it_is_resumed() {
    let house = House::open().await;
    house.enroll().await;
    let opened = house.challenge(v1::Purpose::Verify).await;
    let mut client = house.client().await;
    let get = || v1::GetReferenceRequest { user_id: "alice".into() };
    let denied = client.get_reference(ask(get(), &opened.capture_token)).await.unwrap_err();
    assert_eq!(reason(&denied), "PERMISSION_DENIED", "the uniform text");

    house.register.suspend(house.tenant).await.unwrap();
    let verify = || verification(&opened.challenge_id);
    let refused = [
        client.create_challenge(house.ask(new_challenge(v1::Purpose::Verify))).await.map(drop),
        client.get_reference(house.ask(get())).await.map(drop),
        client.verify(house.ask(verify())).await.map(drop),
        client.verify(ask(verify(), &opened.capture_token)).await.map(drop),
    ];
    for refused in refused {
        assert_eq!(words(&refused.unwrap_err()), words(&denied));
    }
    let (_, key) = house.neighbour().await;
    assert!(
        client.create_challenge(ask(new_challenge(v1::Purpose::Verify), &key)).await.is_ok(),
        "the neighbour serves"
    );
    let twice = house.register.suspend(house.tenant).await;
    assert!(matches!(twice, Err(GatewayError::TenantStands(store::TenantState::Suspended))));

    house.register.resume(house.tenant).await.unwrap();
    let answer = client.verify(ask(verify(), &opened.capture_token)).await.unwrap().into_inner();
    assert_eq!(answer.verdict(), v1::Verdict::Accept, "nothing was lost meanwhile");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_out_of_range_is_refused_by_field_and_range_and_one_within_it_is_in_force_at_once() {
    let house = House::open().await;
    let refused = house.register.put_policy(house.tenant, &Policy { reference_days: 9_999, ..Policy::testing() }).await;
    let GatewayError::Policy(error) = refused.unwrap_err() else { panic!("another error") };
    assert_eq!(error.to_string(), "reference_days must be 0 to 2557");
    let policy = Policy { version: "strict".into(), max_attempts: 1, ..Policy::testing() };
    assert_eq!(house.register.put_policy(house.tenant, &policy).await.unwrap(), 2);
    let again = house.register.put_policy(house.tenant, &policy).await;
    assert!(matches!(again, Err(GatewayError::VersionUsed)));
    assert_eq!(house.challenge(v1::Purpose::Enroll).await.max_attempts, 1);
    let changed = entries(&house, "policy.changed").await;
    assert_eq!(
        (&changed[0]["before"]["version"], &changed[0]["after"]["version"]),
        (&"testing-1".into(), &"strict".into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_enrollment_without_whole_consent_is_refused_by_field() {
    let house = House::open().await;
    let opened = house.challenge(v1::Purpose::Enroll).await;
    let whole = enrollment(&opened.challenge_id).consent.unwrap();
    let later = Some(wire::convert::timestamp(service::Clock::system().now_ms() + 3_600_000));
    let wrong = [
        ("consent", None),
        ("consent.text_sha256", Some(v1::Consent { text_sha256: vec![1; 31], ..whole.clone() })),
        ("consent.locale", Some(v1::Consent { locale: String::new(), ..whole.clone() })),
        ("consent.version", Some(v1::Consent { version: "v 1".into(), ..whole.clone() })),
        ("consent.given_at", Some(v1::Consent { given_at: None, ..whole.clone() })),
        ("consent.given_at", Some(v1::Consent { given_at: later, ..whole.clone() })),
    ];
    let mut client = house.client().await;
    for (field, consent) in wrong {
        let request = v1::EnrollRequest { consent, ..enrollment(&opened.challenge_id) };
        let status = client.enroll(house.ask(request)).await.unwrap_err();
        let named = wire::Reason::from_status(&status).unwrap();
        assert_eq!((named.code.as_str(), named.metadata["field"].as_str()), ("INVALID_ARGUMENT", field));
    }
    assert!(client.enroll(house.ask(enrollment(&opened.challenge_id))).await.is_ok(), "positive control");
    let decided = entries(&house, "attempt.decided").await;
    assert_eq!(decided[0]["consent"]["version"], "1");
    assert_eq!(decided[0]["consent"]["given_at_ms"], 1_700_000_000_000_i64);

    let opened = house.challenge(v1::Purpose::Verify).await;
    assert!(
        client.verify(house.ask(verification(&opened.challenge_id))).await.is_ok(),
        "a verification may go without"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_is_told_the_address_that_configured_proxies_saw() {
    let trusting = House::with(|config| config.network.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()]).await;
    let doubting = House::open().await;
    for (house, told) in [(trusting, "198.51.100.7"), (doubting, "127.0.0.1")] {
        let opened = house.challenge(v1::Purpose::Enroll).await;
        let mut request = house.ask(enrollment(&opened.challenge_id));
        request.metadata_mut().insert("x-forwarded-for", "6.6.6.6, 198.51.100.7".parse().unwrap());
        house.client().await.enroll(request).await.unwrap();
        let decided = entries(&house, "attempt.decided").await;
        assert_eq!((&decided[0]["ip"], &decided[0]["country"]), (&told.into(), &Value::Null));
    }
}
