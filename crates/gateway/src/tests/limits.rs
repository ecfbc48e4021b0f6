//! What is refused before an attempt is opened.

use super::{
    house::{House, new_challenge, reason, verification},
    peer::{ACCEPTED, Act},
};
use crate::config::Limits;
use std::{sync::Arc, time::Duration};
use tokio::sync::Semaphore;
use tonic::Code;
use wire::{Reason, v1};

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_over_its_rate_is_told_when_to_come_back_and_others_are_served() {
    let limits = Limits { calls_per_second: 1, burst: 2, ..Limits::default() };
    let house = House::with(|config| config.limits = limits).await;
    let mut client = house.client().await;
    let mut refused = None;
    for _ in 0..4 {
        refused = client.create_challenge(house.ask(new_challenge(v1::Purpose::Verify))).await.err().or(refused);
    }
    let status = refused.unwrap();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::ResourceExhausted, "RATE_LIMITED"));
    assert!(Reason::from_status(&status).unwrap().retry_after.unwrap() >= Duration::from_secs(1));
    let bearer = format!("Bearer {}", house.key);
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json"), ("request-timeout", "5")];
    let mut answers = Vec::new();
    for _ in 0..3 {
        answers.push(house.trust.send(house.addr, "POST /v1/challenges", &headers, b"{}").await);
    }
    let limited = answers.iter().find(|answer| answer.status == 429).unwrap();
    assert!(limited.head.contains("\r\nretry-after: "), "{}", limited.head);
    let (_, key) = house.neighbour().await;
    let answer = client.create_challenge(super::house::ask(new_challenge(v1::Purpose::Verify), &key)).await;
    assert!(answer.is_ok(), "another tenant has its own rate");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_capture_over_capacity_opens_no_attempt() {
    let limits = Limits { in_flight: 8, in_flight_per_tenant: 1, ..Limits::default() };
    let house = House::with(|config| config.limits = limits).await;
    house.enroll().await;
    let gate = Arc::new(Semaphore::new(0));
    house.peer.act(Act::Wait(Arc::clone(&gate), ACCEPTED));
    let (first, second) = (house.challenge(v1::Purpose::Verify).await, house.challenge(v1::Purpose::Verify).await);
    let mut client = house.client().await;
    let request = house.ask(verification(&first.challenge_id));
    let call = tokio::spawn(async move { client.verify(request).await });
    while house.peer.seen().len() < 2 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut client = house.client().await;
    let status = client.verify(house.ask(verification(&second.challenge_id))).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::ResourceExhausted, "OVERLOADED"));
    let attempts = house.store.attempts(house.tenant, second.challenge_id.parse().unwrap()).await.unwrap();
    assert_eq!(attempts, []);
    gate.add_permits(2);
    assert!(call.await.unwrap().is_ok());
    assert!(client.verify(house.ask(verification(&second.challenge_id))).await.is_ok(), "the place is free again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_never_ends_holds_a_place_and_the_places_are_bounded() {
    let limits = Limits { calls: 8, calls_per_tenant: 1, ..Limits::default() };
    let house = House::with(|config| config.limits = limits).await;
    let (trust, addr, bearer) = (house.trust.clone(), house.addr, format!("Bearer {}", house.key));
    let slow = tokio::spawn(async move {
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
            ("content-length", "1000"),
            ("request-timeout", "3"),
        ];
        // It may meet one of the calls below and be the one that is turned away.
        loop {
            let answer = trust.send(addr, "POST /v1/challenges", &headers, b"{").await;
            if answer.reason() != "OVERLOADED" {
                return answer;
            }
        }
    });
    let mut client = house.client().await;
    let mut told = String::new();
    while told != "OVERLOADED" && !slow.is_finished() {
        let answer = client.create_challenge(house.ask(new_challenge(v1::Purpose::Verify))).await;
        told = answer.err().as_ref().map(reason).unwrap_or_default();
    }
    assert_eq!(told, "OVERLOADED");
    let (_, key) = house.neighbour().await;
    let answer = client.create_challenge(super::house::ask(new_challenge(v1::Purpose::Verify), &key)).await;
    assert!(answer.is_ok(), "another tenant has places of its own");
    assert_eq!(slow.await.unwrap().reason(), "DEADLINE_EXCEEDED");
    assert!(
        client.create_challenge(house.ask(new_challenge(v1::Purpose::Verify))).await.is_ok(),
        "and it is free again"
    );
}
