//! Frames that an earlier capture showed: what the worker is told of them, and what becomes of its answer.

use super::{
    house::{House, ask, enrollment, frame, reason, verification},
    peer::{ACCEPTED, Act, REPLAYED},
};
use biometrics::{Policy, TenantId, Verdict};
use store::{AttemptState, PutPolicy};
use tonic::Code;
use wire::{Reason, v1};

async fn remember(house: &House, tenant: TenantId, frame_memory_seconds: u32) {
    let version = format!("memory-{frame_memory_seconds}");
    let policy = Policy { version, frame_memory_seconds, ..Policy::testing() };
    assert!(matches!(house.store.put_policy(tenant, &policy, "test").await.unwrap(), PutPolicy::Changed { .. }));
}

/// A house whose tenant remembers frames.
async fn remembering() -> House {
    let house = House::open().await;
    remember(&house, house.tenant, 86_400).await;
    house
}

/// A verification that shows frames of these sides.
async fn showing(house: &House, sides: &[u16]) -> v1::VerifyRequest {
    let challenge = house.challenge(v1::Purpose::Verify).await;
    let frames = sides.iter().map(|side| frame(*side)).collect();
    v1::VerifyRequest { frames, ..verification(&challenge.challenge_id) }
}

/// What the worker was told of the last capture.
fn told(house: &House) -> Vec<u32> {
    house.peer.seen().pop().unwrap().asserted_replayed_frames
}

#[tokio::test(flavor = "multi_thread")]
async fn the_worker_is_told_which_frames_were_shown_before() {
    let house = remembering().await;
    house.enroll().await;
    assert_eq!(told(&house), [0_u32; 0]);
    let mut client = house.client().await;
    let own = showing(&house, &[65, 66, 65]).await;
    client.verify(house.ask(own)).await.unwrap();
    assert_eq!(told(&house), [0_u32; 0], "a frame twice in one capture is for gate 1 to find");
    house.peer.act(Act::Decide(REPLAYED));
    let mixed = showing(&house, &[67, 66, 64]).await;
    client.verify(house.ask(mixed)).await.unwrap();
    assert_eq!(told(&house), [1, 2], "of a verification and of an enrollment");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_no_worker_decided_may_be_sent_again() {
    let house = remembering().await;
    house.enroll().await;
    let mut client = house.client().await;
    let request = showing(&house, &[65, 66]).await;
    house.peer.act(Act::Fail(Reason::UnavailableKms));
    let status = client.verify(house.ask(request.clone())).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    house.peer.act(Act::Decide(ACCEPTED));
    let answer = client.verify(house.ask(request)).await.unwrap().into_inner();
    assert_eq!((answer.verdict(), told(&house)), (v1::Verdict::Accept, Vec::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_another_tenant_nor_one_without_a_memory_is_told_of_a_replay() {
    let house = remembering().await;
    let (neighbour, key) = house.neighbour().await;
    house.enroll().await;
    let mut client = house.client().await;
    for seconds in [86_400, 0] {
        remember(&house, neighbour, seconds).await;
        let request = ask(super::house::new_challenge(v1::Purpose::Enroll), &key);
        let challenge = client.create_challenge(request).await.unwrap().into_inner();
        house.peer.act(Act::Decide(REPLAYED));
        client.enroll(ask(enrollment(&challenge.challenge_id), &key)).await.unwrap();
        assert_eq!(told(&house), [0_u32; 0], "{seconds}");
    }
    let own = showing(&house, &[64]).await;
    client.verify(house.ask(own)).await.unwrap();
    assert_eq!(told(&house), [0], "positive control");
    remember(&house, house.tenant, 0).await;
    let own = showing(&house, &[64]).await;
    client.verify(house.ask(own)).await.unwrap();
    assert_eq!(told(&house), [0_u32; 0], "a window of zero");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_overlooks_a_replay_has_decided_nothing() {
    let house = remembering().await;
    house.enroll().await;
    let request = showing(&house, &[64]).await;
    let challenge = request.challenge_id.parse().unwrap();
    house.peer.act(Act::Decide(ACCEPTED));
    let mut client = house.client().await;
    let status = client.verify(house.ask(request.clone())).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::Internal, "INTERNAL"));
    let states = async || house.store.attempts(house.tenant, challenge).await.unwrap()[0].state;
    assert_eq!(states().await, AttemptState::Released);
    house.peer.act(Act::Decide(REPLAYED));
    client.verify(house.ask(request)).await.unwrap();
    assert_eq!(states().await, AttemptState::Decided(Verdict::Refuse), "positive control");
}
