//! Who may call what.

use super::house::{House, ask, enrollment, new_challenge, reason, verification};
use secrecy::ExposeSecret as _;
use tonic::{Code, Request};
use wire::v1;

#[tokio::test(flavor = "multi_thread")]
async fn every_refused_credential_is_refused_in_the_same_words() {
    let house = House::open().await;
    let revoked = house.register.create_api_key(house.tenant, None).await.unwrap();
    house.register.revoke_api_key(house.tenant, &revoked.key_id).await.unwrap();
    let expired = house.register.create_api_key(house.tenant, Some(1)).await.unwrap();
    let unknown = house.key.replace(&house.key[8..24], "0123456789abcdef");
    let mut altered = house.key.clone();
    altered.replace_range(30..31, if &altered[30..31] == "A" { "B" } else { "A" });
    let refused = [
        revoked.secret.expose_secret().to_owned(),
        expired.secret.expose_secret().to_owned(),
        unknown,
        altered,
        "cst_AAAA".to_owned(),
        "nonsense".to_owned(),
    ];
    let mut client = house.client().await;
    let mut without = Request::new(new_challenge(v1::Purpose::Verify));
    without.set_timeout(super::house::PATIENCE);
    let expected = client.create_challenge(without).await.unwrap_err();
    assert_eq!((expected.code(), reason(&expected).as_str()), (Code::Unauthenticated, "UNAUTHENTICATED"));
    for credential in refused {
        let status = client.create_challenge(ask(new_challenge(v1::Purpose::Verify), &credential)).await.unwrap_err();
        assert_eq!(
            (status.code(), status.message(), status.details()),
            (expected.code(), expected.message(), expected.details()),
            "{credential}"
        );
    }
    let genuine = client.create_challenge(house.ask(new_challenge(v1::Purpose::Verify))).await;
    assert!(genuine.is_ok(), "positive control");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_capture_token_does_nothing_but_capture_for_its_challenge() {
    let house = House::open().await;
    house.enroll().await;
    let (own, other) = (house.challenge(v1::Purpose::Verify).await, house.challenge(v1::Purpose::Verify).await);
    let token = own.capture_token;
    let mut client = house.client().await;
    let denied = [
        client.create_challenge(ask(new_challenge(v1::Purpose::Verify), &token)).await.map(drop),
        client.verify(ask(verification(&other.challenge_id), &token)).await.map(drop),
        client.enroll(ask(enrollment(&own.challenge_id), &token)).await.map(drop),
        client.get_reference(ask(v1::GetReferenceRequest { user_id: "alice".into() }, &token)).await.map(drop),
        client
            .delete_reference(ask(v1::DeleteReferenceRequest { user_id: "alice".into(), ..Default::default() }, &token))
            .await
            .map(drop),
        client.revoke_receipt(ask(v1::RevokeReceiptRequest::default(), &token)).await.map(drop),
    ];
    for result in denied {
        assert_eq!(reason(&result.unwrap_err()), "PERMISSION_DENIED");
    }
    let answer = client.verify(ask(verification(&own.challenge_id), &token)).await.unwrap().into_inner();
    assert_eq!(answer.verdict(), v1::Verdict::Accept);
    assert_eq!(answer.gates, [], "a device sees no gates");
    assert!(house.peer.seen().last().unwrap().for_device, "the worker knows that the receipt goes to a device");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_is_checked_before_the_message_is_read() {
    let house = House::open().await;
    let headers = [("content-type", "application/json"), ("request-timeout", "5"), ("content-length", "99999999999")];
    let answer = house.trust.send(house.addr, "POST /v1/verifications", &headers, b"").await;
    assert_eq!((answer.status, answer.reason().as_str()), (401, "UNAUTHENTICATED"));
}
