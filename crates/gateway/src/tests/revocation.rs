//! Revocation: what the lists say, and when.

use super::{
    house::{House, enrollment, new_challenge, reason, verification},
    http::Answer,
    peer::{Act, NON_MATCH},
};
use receipt::{Status, StatusList, TrustedKeys};
use service::Clock;
use tonic::Code;
use wire::v1;

const URI: &str = "https://countersign.test/v1/status/1";

fn read(answer: &Answer, keys: &TrustedKeys) -> StatusList {
    assert_eq!(answer.status, 200, "{answer:?}");
    StatusList::verify(&answer.body, keys, URI, Clock::system().now_ms() / 1000).unwrap()
}

/// Verifies `alice`: the receipt's id and its index.
async fn verified(house: &House) -> (String, u32) {
    let challenge = house.challenge(v1::Purpose::Verify).await;
    house.client().await.verify(house.ask(verification(&challenge.challenge_id))).await.unwrap();
    let context = house.peer.seen().pop().unwrap();
    assert_eq!(context.status_uri, URI);
    (context.jti, context.status_index)
}

async fn revoke(house: &House, credential: &str, jti: &str) -> Result<(), tonic::Status> {
    let request = super::house::ask(v1::RevokeReceiptRequest { jti: jti.to_owned() }, credential);
    house.client().await.revoke_receipt(request).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_receipt_is_invalid_in_the_list_that_it_names_and_no_other_is() {
    let house = House::open().await;
    house.enroll().await;
    let (keys, (_, other_tenants_key)) = (house.ledger_keys(), house.neighbour().await);
    let (first, second) = (verified(&house).await, verified(&house).await);
    let list = async || read(&house.document("/v1/status/1", &[]).await, &keys);
    let status = async |index| list().await.status_of(index).unwrap();
    assert_eq!((status(first.1).await, status(second.1).await), (Status::Valid, Status::Valid), "control");

    for foreign in [
        revoke(&house, &other_tenants_key, &first.0),
        revoke(&house, &house.key, "rc_00000000000000000000000000000000"),
    ] {
        let refused = foreign.await.unwrap_err();
        assert_eq!((refused.code(), reason(&refused).as_str()), (Code::NotFound, "UNKNOWN_RECEIPT"));
    }
    assert_eq!(status(first.1).await, Status::Valid);
    for _ in 0..2 {
        revoke(&house, &house.key, &first.0).await.unwrap();
    }
    assert_eq!((status(first.1).await, status(second.1).await), (Status::Invalid, Status::Valid));
    assert_eq!(house.store.audit_count(house.tenant, "receipt.revoked").await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn deletion_and_replacement_revoke_whatever_the_user_holds() {
    let house = House::open().await;
    house.enroll().await;
    let (keys, mut client) = (house.ledger_keys(), house.client().await);
    let held = verified(&house).await;
    let request = v1::CreateChallengeRequest { replace: true, ..new_challenge(v1::Purpose::Enroll) };
    let challenge = client.create_challenge(house.ask(request)).await.unwrap().into_inner();
    client.enroll(house.ask(enrollment(&challenge.challenge_id))).await.unwrap();
    let enrolled = house.peer.seen().pop().unwrap().status_index;
    let later = verified(&house).await;
    let invalid = async |index| house.store.revoked(1).await.unwrap().unwrap().contains(&index);
    assert_eq!((invalid(held.1).await, invalid(enrolled).await, invalid(later.1).await), (true, false, false));

    let request = v1::DeleteReferenceRequest { user_id: "alice".into(), ..Default::default() };
    client.delete_reference(house.ask(request)).await.unwrap();
    let list = read(&house.document("/v1/status/1", &[]).await, &keys);
    for index in [held.1, enrolled, later.1] {
        assert_eq!(list.status_of(index).unwrap(), Status::Invalid);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_a_public_document_of_its_kind_that_caches_may_ask_for_again() {
    let house = House::open().await;
    house.peer.act(Act::Decide(NON_MATCH));
    let nothing = house.document("/v1/status/1", &[]).await;
    assert_eq!((nothing.status, nothing.reason().as_str()), (404, "UNKNOWN_ROUTE"), "no list before the first attempt");
    let challenge = house.challenge(v1::Purpose::Enroll).await;
    house.client().await.enroll(house.ask(enrollment(&challenge.challenge_id))).await.unwrap();
    let list = house.document("/v1/status/1", &[]).await;
    assert!(list.head.contains("\r\ncontent-type: application/statuslist+jwt\r\n"), "{}", list.head);
    assert!(list.head.contains("\r\ncache-control: public, max-age=5\r\n"), "{}", list.head);
    let etag = list.head.split("etag: ").nth(1).unwrap().split("\r\n").next().unwrap();
    let etag = house.document("/v1/status/1", &[]).await.head.contains(etag).then(|| etag.to_owned()).unwrap();
    // The test's own answers are lower-cased, tags are not: ask with what the token itself tells.
    let digest = ring::digest::digest(&ring::digest::SHA256, list.body.as_bytes());
    let exact = format!("\"{}\"", receipt::base64url(&digest.as_ref()[..16]));
    assert_eq!(exact.to_lowercase(), etag);
    let same = house.document("/v1/status/1", &[("if-none-match", &exact)]).await;
    assert_eq!((same.status, same.body.as_str()), (304, ""));
    for wrong in ["/v1/status/2", "/v1/status/01", "/v1/status/-1", "/v1/status/x", "/v1/status/99999999999"] {
        assert_eq!(house.document(wrong, &[]).await.status, 404, "{wrong}");
    }
}
