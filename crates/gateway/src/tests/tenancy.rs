//! What is another tenant's does not exist: the same words as for what never was.

use super::house::{House, ask, enrollment, verification};
use std::fmt::Debug;
use tonic::{Code, Status};
use wire::v1;

fn same<T: Debug>(foreign: Result<T, Status>, absent: Result<T, Status>) {
    let (foreign, absent) = (foreign.unwrap_err(), absent.unwrap_err());
    assert_eq!(foreign.code(), Code::NotFound);
    assert_eq!(
        (foreign.code(), foreign.message(), foreign.details()),
        (absent.code(), absent.message(), absent.details())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn another_tenants_challenge_user_and_receipt_are_not_found() {
    const NO_CHALLENGE: &str = "ch_ffffffffffffffffffffffffffffffff";
    const NO_RECEIPT: &str = "rc_ffffffffffffffffffffffffffffffff";
    let house = House::open().await;
    house.enroll().await;
    let (_, key) = house.neighbour().await;
    let mut client = house.client().await;

    let enroll = house.challenge_of("bob", v1::Purpose::Enroll).await.challenge_id;
    same(
        client.enroll(ask(enrollment(&enroll), &key)).await.map(drop),
        client.enroll(ask(enrollment(NO_CHALLENGE), &key)).await.map(drop),
    );
    let verify = house.challenge(v1::Purpose::Verify).await.challenge_id;
    same(
        client.verify(ask(verification(&verify), &key)).await.map(drop),
        client.verify(ask(verification(NO_CHALLENGE), &key)).await.map(drop),
    );
    let get = |user: &str| v1::GetReferenceRequest { user_id: user.to_owned() };
    same(
        client.get_reference(ask(get("alice"), &key)).await.map(drop),
        client.get_reference(ask(get("nobody"), &key)).await.map(drop),
    );
    let delete = |user: &str| v1::DeleteReferenceRequest { user_id: user.to_owned(), ..Default::default() };
    same(
        client.delete_reference(ask(delete("alice"), &key)).await.map(drop),
        client.delete_reference(ask(delete("nobody"), &key)).await.map(drop),
    );
    let jti = house.peer.seen().pop().unwrap().jti;
    let revoke = |jti: &str| v1::RevokeReceiptRequest { jti: jti.to_owned() };
    same(
        client.revoke_receipt(ask(revoke(&jti), &key)).await.map(drop),
        client.revoke_receipt(ask(revoke(NO_RECEIPT), &key)).await.map(drop),
    );

    assert!(client.get_reference(house.ask(get("alice"))).await.is_ok(), "positive control");
    assert!(client.revoke_receipt(house.ask(revoke(&jti))).await.is_ok(), "positive control");
    assert!(client.verify(house.ask(verification(&verify))).await.is_ok(), "positive control");
}
