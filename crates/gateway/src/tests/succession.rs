//! What the gateway sends of a user's two references, what it records of the answer, and which answers are none.

use super::{
    house::{House, reason, verification},
    peer::{Act, NON_MATCH, Succession, reference},
};
use tonic::Code;
use wire::v1;

fn newer(number: u128) -> v1::SealedReference {
    v1::SealedReference { feature_space: "newer".into(), commitment: vec![6; 32], ..reference(number) }
}

fn says(house: &House, successor: Option<v1::SealedReference>, succeeded: bool) {
    *house.peer.succession.lock().unwrap() = Succession { successor, succeeded, ..Succession::default() };
}

async fn verify(house: &House) -> Result<v1::VerifyResponse, tonic::Status> {
    let challenge = house.challenge(v1::Purpose::Verify).await;
    let request = house.ask(verification(&challenge.challenge_id));
    Ok(house.client().await.verify(request).await?.into_inner())
}

/// Commitments of the reference and the successor.
async fn there(house: &House) -> (Option<Vec<u8>>, Option<Vec<u8>>) {
    let request = house.ask(v1::GetReferenceRequest { user_id: "alice".into() });
    let found = house.client().await.get_reference(request).await.unwrap().into_inner();
    (found.reference.map(|one| one.commitment), found.successor.map(|one| one.commitment))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_successor_is_stored_sent_along_and_takes_the_place_when_a_worker_says_so() {
    let house = House::open().await;
    house.enroll().await;
    says(&house, Some(newer(77)), false);
    verify(&house).await.unwrap();
    assert_eq!(there(&house).await, (Some(vec![5; 32]), Some(vec![6; 32])));
    let first = house.peer.succession.lock().unwrap().clone();
    assert!(first.came.is_none() && first.present.is_some_and(|secrets| secrets.transform_key == [1; 60]));

    says(&house, None, true);
    verify(&house).await.unwrap();
    assert_eq!(there(&house).await, (Some(vec![6; 32]), None));
    let (came, secrets) = house.peer.succession.lock().unwrap().came.clone().expect("the successor comes along");
    assert_eq!((came, secrets.transform_key), (newer(77), vec![1; 60]));

    let refused = verify(&house).await.unwrap_err();
    let told = (refused.code(), reason(&refused));
    assert_eq!(told, (Code::FailedPrecondition, "FEATURE_SPACE".into()), "no worker here compares in it");
    *house.peer.succession.lock().unwrap() = Succession { newer: true, ..Succession::default() };
    verify(&house).await.expect("a worker that was started anew is asked before anybody is told to enroll again");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_contradicts_itself_is_no_decision_and_changes_nothing() {
    let house = House::open().await;
    house.enroll().await;
    let unchanged = (Some(vec![5; 32]), None);
    for (successor, succeeded, refusal) in
        [(None, true, false), (Some(newer(77)), true, false), (Some(newer(77)), false, true)]
    {
        says(&house, successor, succeeded);
        house.peer.act(if refusal { Act::Decide(NON_MATCH) } else { Act::Decide(super::peer::ACCEPTED) });
        let failed = verify(&house).await.unwrap_err();
        assert_eq!(failed.code(), Code::Internal, "{failed:?}");
        assert_eq!(there(&house).await, unchanged);
    }
    says(&house, None, false);
    house.peer.act(Act::Decide(super::peer::ACCEPTED));
    verify(&house).await.unwrap();
    assert_eq!(there(&house).await, unchanged, "nor does what it says where it says nothing of it");
}
