//! From T1 over the worker to T2, and what a failure between them leaves.

use super::{
    house::{House, ask, enrollment, frame, reason, verification},
    peer::{ACCEPTED, Act, BLURRED, NON_MATCH},
};
use biometrics::{ChallengeId, Verdict};
use std::{sync::Arc, time::Duration};
use store::AttemptState;
use tokio::sync::Semaphore;
use tonic::Code;
use wire::{Reason, v1};

fn id(challenge: &v1::CreateChallengeResponse) -> ChallengeId {
    challenge.challenge_id.parse().unwrap()
}

async fn states(house: &House, challenge: &v1::CreateChallengeResponse) -> Vec<AttemptState> {
    house.store.attempts(house.tenant, id(challenge)).await.unwrap().into_iter().map(|row| row.state).collect()
}

/// Waits until the challenge's attempts are in a state; an attempt ends in its own time.
async fn until(house: &House, challenge: &v1::CreateChallengeResponse, state: AttemptState) {
    for _ in 0..200 {
        if states(house, challenge).await.contains(&state) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the attempt never came to {state:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_accepted_verification_is_recorded_and_authorises_once() {
    let house = House::open().await;
    let enrolled = house.enroll().await;
    assert_eq!(enrolled.reference.unwrap().commitment, [5; 32]);
    let challenge = house.challenge(v1::Purpose::Verify).await;
    let mut client = house.client().await;
    let answer = client.verify(house.ask(verification(&challenge.challenge_id))).await.unwrap().into_inner();
    assert_eq!((answer.verdict(), answer.gates.len()), (v1::Verdict::Accept, 5));
    assert_eq!(answer.next.unwrap().directive(), v1::Directive::Done);
    assert_eq!(states(&house, &challenge).await, [AttemptState::Decided(Verdict::Accept)]);
    assert_eq!(house.store.audit_count(house.tenant, "attempt.decided").await.unwrap(), 2);
    let context = house.peer.seen().pop().unwrap();
    assert_eq!(answer.receipt, format!("receipt.of.{}", context.jti));
    assert_eq!((context.attempt, context.rp_nonce.as_slice()), (1, &[7; 16][..]));
    assert_eq!(context.status_uri, "https://countersign.test/v1/status/1");
    let again = client.verify(house.ask(verification(&challenge.challenge_id))).await.unwrap_err();
    assert_eq!(reason(&again), "ALREADY_DECIDED");
    assert_eq!(Reason::from_status(&again).unwrap().metadata["jti"], context.jti);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_carries_the_next_script_until_no_attempt_is_left() {
    let house = House::open().await;
    house.enroll().await;
    house.peer.act(Act::Decide(NON_MATCH));
    let challenge = house.challenge(v1::Purpose::Verify).await;
    let mut client = house.client().await;
    for left in [2, 1, 0] {
        let answer = client.verify(house.ask(verification(&challenge.challenge_id))).await.unwrap().into_inner();
        let next = answer.next.unwrap();
        assert_eq!((answer.verdict, next.attempts_left), (v1::Verdict::Refuse.into(), left));
        assert_eq!(next.script.as_ref().map(|script| script.attempt), (left > 0).then_some(4 - left));
        let expected = if left > 0 { v1::Directive::Retry } else { v1::Directive::Stop };
        assert_eq!(next.directive(), expected);
    }
    let over = client.verify(house.ask(verification(&challenge.challenge_id))).await.unwrap_err();
    assert_eq!(reason(&over), "NO_ATTEMPTS_LEFT");
}

#[tokio::test(flavor = "multi_thread")]
async fn five_non_matches_lock_and_a_device_is_only_told_to_stop() {
    let house = House::open().await;
    house.enroll().await;
    house.peer.act(Act::Decide(NON_MATCH));
    let mut client = house.client().await;
    for count in [3, 2] {
        let challenge = house.challenge(v1::Purpose::Verify).await;
        for _ in 0..count {
            client.verify(house.ask(verification(&challenge.challenge_id))).await.unwrap();
        }
    }
    let challenge = house.challenge(v1::Purpose::Verify).await;
    let tenant = client.verify(house.ask(verification(&challenge.challenge_id))).await.unwrap_err();
    assert_eq!((tenant.code(), reason(&tenant).as_str()), (Code::FailedPrecondition, "LOCKED"));
    let stranger = house.challenge_of("nobody", v1::Purpose::Verify).await;
    let mut told = Vec::new();
    for challenge in [&challenge, &stranger] {
        let request = ask(verification(&challenge.challenge_id), &challenge.capture_token);
        let status = client.verify(request).await.unwrap_err();
        assert_eq!(reason(&status), "STOP");
        told.push((status.code(), status.message().to_owned(), status.details().to_owned()));
    }
    assert_eq!(told[0], told[1], "locked and unknown look alike to a device");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_worker_the_attempt_is_given_back_and_no_strike_stays() {
    let house = House::open().await;
    house.enroll().await;
    house.peer.leave().await;
    let mut client = house.client().await;
    // Twice as many as lock, over several users' challenges of the same user.
    for _ in 0..3 {
        let challenge = house.challenge(v1::Purpose::Verify).await;
        for released in 1..=3 {
            let status = client.verify(house.ask(verification(&challenge.challenge_id))).await.unwrap_err();
            assert_eq!((status.code(), reason(&status).as_str()), (Code::Unavailable, "UNAVAILABLE_WORKER"));
            let attempts = house.store.attempts(house.tenant, id(&challenge)).await.unwrap();
            assert_eq!((attempts[0].state, attempts[0].releases), (AttemptState::Released, released));
        }
        let status = client.verify(house.ask(verification(&challenge.challenge_id))).await.unwrap_err();
        assert_eq!(reason(&status), "UNAVAILABLE_WORKER");
        assert_eq!(states(&house, &challenge).await, [AttemptState::Abandoned], "given back once too often");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_worker_refuses_for_reaches_the_caller_and_the_attempt_is_given_back() {
    let house = House::open().await;
    house.enroll().await;
    let mut client = house.client().await;
    let refusals = [
        (Reason::FrameUndecodable { index: 0 }, Code::InvalidArgument, "FRAME_UNDECODABLE"),
        (Reason::FeatureSpace, Code::FailedPrecondition, "FEATURE_SPACE"),
        (Reason::DataLoss, Code::DataLoss, "DATA_LOSS"),
        (Reason::UnavailableKms, Code::Unavailable, "UNAVAILABLE_KMS"),
        (Reason::Overloaded { retry_s: 1 }, Code::ResourceExhausted, "OVERLOADED"),
        // Ours to put right: another worker is tried, and the caller may come back.
        (Reason::ClockSkew, Code::Unavailable, "UNAVAILABLE_WORKER"),
        // A reason that no worker sends says nothing of the kind to the caller.
        (Reason::NoReference, Code::Internal, "INTERNAL"),
    ];
    for (refusal, code, word) in refusals {
        let challenge = house.challenge(v1::Purpose::Verify).await;
        house.peer.act(Act::Fail(refusal));
        let status = client.verify(house.ask(verification(&challenge.challenge_id))).await.unwrap_err();
        assert_eq!((status.code(), reason(&status).as_str()), (code, word));
        assert_eq!(states(&house, &challenge).await, [AttemptState::Released], "{word}");
    }
    assert_eq!(house.store.audit_count(house.tenant, "envelope.not_authentic").await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_action_costs_no_attempt_and_is_audited() {
    let house = House::open().await;
    house.enroll().await;
    let challenge = house.challenge(v1::Purpose::Verify).await;
    let mut request = verification(&challenge.challenge_id);
    request.action.as_mut().unwrap().payee = "Mallory".into();
    let status = house.client().await.verify(house.ask(request)).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::FailedPrecondition, "ACTION_CHANGED"));
    assert_eq!(states(&house, &challenge).await, []);
    assert_eq!(house.store.audit_count(house.tenant, "attempt.refused").await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_the_challenge_is_refused_by_name() {
    let house = House::open().await;
    let mut client = house.client().await;
    let verify = house.challenge(v1::Purpose::Verify).await;
    let status = client.verify(house.ask(verification(&verify.challenge_id))).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::NotFound, "NO_REFERENCE"));
    house.enroll().await;
    let status = client.enroll(house.ask(enrollment(&verify.challenge_id))).await.unwrap_err();
    assert_eq!(reason(&status), "WRONG_PURPOSE");
    let enroll = house.challenge(v1::Purpose::Enroll).await;
    let status = client.enroll(house.ask(enrollment(&enroll.challenge_id))).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::AlreadyExists, "REFERENCE_EXISTS"));
    let later = v1::VerifyRequest { attempt: 2, ..verification(&verify.challenge_id) };
    let status = client.verify(house.ask(later)).await.unwrap_err();
    assert_eq!(reason(&status), "WRONG_ATTEMPT");
    let possession = v1::VerifyRequest { possession: Some(Default::default()), ..verification(&verify.challenge_id) };
    let status = client.verify(house.ask(possession)).await.unwrap_err();
    assert_eq!(reason(&status), "INVALID_ARGUMENT");
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_out_of_their_limits_cost_no_attempt() {
    let house = House::open().await;
    house.enroll().await;
    let challenge = house.challenge(v1::Purpose::Verify).await;
    let png = v1::Frame { image: b"\x89PNG\r\n\x1a\n".to_vec(), format: v1::FrameFormat::Png.into(), offset_ms: 0 };
    let bad = [
        (vec![], "FRAME_COUNT"),
        (vec![frame(64); 17], "FRAME_COUNT"),
        (vec![frame(64), frame(2049)], "FRAME_DIMENSIONS"),
        (vec![png], "FRAME_FORMAT"),
        (vec![v1::Frame { image: b"not a picture".to_vec(), ..Default::default() }], "FRAME_FORMAT"),
        (vec![v1::Frame { image: vec![0; (2 << 20) + 1], ..Default::default() }], "FRAME_TOO_LARGE"),
    ];
    let mut client = house.client().await;
    for (frames, word) in bad {
        let request = v1::VerifyRequest { frames, ..verification(&challenge.challenge_id) };
        let status = client.verify(house.ask(request)).await.unwrap_err();
        assert_eq!((status.code(), reason(&status).as_str()), (Code::InvalidArgument, word));
    }
    assert_eq!(states(&house, &challenge).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_hangs_up_still_has_its_outcome_recorded() {
    let house = House::open().await;
    house.enroll().await;
    let gate = Arc::new(Semaphore::new(0));
    house.peer.act(Act::Wait(Arc::clone(&gate), ACCEPTED));
    let challenge = house.challenge(v1::Purpose::Verify).await;
    let mut client = house.client().await;
    let request = house.ask(verification(&challenge.challenge_id));
    let call = tokio::spawn(async move { client.verify(request).await.map(drop) });
    until(&house, &challenge, AttemptState::Open).await;
    call.abort();
    gate.add_permits(1);
    until(&house, &challenge, AttemptState::Decided(Verdict::Accept)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hanging_up_on_bad_news_keeps_the_strike() {
    let house = House::open().await;
    house.enroll().await;
    let gate = Arc::new(Semaphore::new(0));
    house.peer.act(Act::Wait(Arc::clone(&gate), BLURRED));
    for _ in 0..5 {
        let challenge = house.challenge(v1::Purpose::Verify).await;
        let mut client = house.client().await;
        let request = house.ask(verification(&challenge.challenge_id));
        let call = tokio::spawn(async move { client.verify(request).await.map(drop) });
        until(&house, &challenge, AttemptState::Open).await;
        call.abort();
        // The hang-up travels by itself; the worker answers after it has arrived.
        tokio::time::sleep(Duration::from_millis(300)).await;
        gate.add_permits(1);
        until(&house, &challenge, AttemptState::Decided(Verdict::Refuse)).await;
    }
    let challenge = house.challenge(v1::Purpose::Verify).await;
    let status = house.client().await.verify(house.ask(verification(&challenge.challenge_id))).await.unwrap_err();
    assert_eq!(reason(&status), "LOCKED");
}

#[tokio::test(flavor = "multi_thread")]
async fn staying_for_an_inconclusive_answer_costs_no_strike() {
    let house = House::open().await;
    house.enroll().await;
    house.peer.act(Act::Decide(BLURRED));
    let mut client = house.client().await;
    for _ in 0..2 {
        let challenge = house.challenge(v1::Purpose::Verify).await;
        for _ in 0..3 {
            let answer = client.verify(house.ask(verification(&challenge.challenge_id))).await.unwrap().into_inner();
            assert_eq!(answer.next.unwrap().instructions, ["HOLD_STILL"]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outcome_that_cannot_be_recorded_does_not_leave() {
    let house = House::open().await;
    house.enroll().await;
    let gate = Arc::new(Semaphore::new(0));
    house.peer.act(Act::Wait(Arc::clone(&gate), ACCEPTED));
    let challenge = house.challenge(v1::Purpose::Verify).await;
    let mut client = house.client().await;
    let request = house.ask(verification(&challenge.challenge_id));
    let call = tokio::spawn(async move { client.verify(request).await.map(drop) });
    until(&house, &challenge, AttemptState::Open).await;
    // The reference goes while the worker compares with it: T2 finds no lease.
    house.store.erase(house.tenant, &"alice".parse().unwrap(), "test").await.unwrap();
    gate.add_permits(1);
    let status = call.await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(states(&house, &challenge).await, [AttemptState::Abandoned]);
}

#[tokio::test(flavor = "multi_thread")]
async fn past_its_deadline_a_call_is_answered_and_the_attempt_ends_by_itself() {
    let house = House::open().await;
    house.enroll().await;
    let gate = Arc::new(Semaphore::new(0));
    house.peer.act(Act::Wait(gate, ACCEPTED));
    let challenge = house.challenge(v1::Purpose::Verify).await;
    let mut request = house.ask(verification(&challenge.challenge_id));
    request.metadata_mut().insert("grpc-timeout", "500m".parse().unwrap());
    let status = house.client().await.verify(request).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    until(&house, &challenge, AttemptState::Abandoned).await;
}
