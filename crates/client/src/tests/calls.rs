//! Deadlines, credentials, repetition.

use super::scripted::{Answer, Authority, client, config, served};
use crate::{Client, ClientError};
use biometrics::UserId;
use receipt::ExpectedDeletion;
use std::{collections::HashMap, time::Duration};
use tonic::Status;
use tonic_types::{ErrorDetails, StatusExt as _};
use wire::{Reason, v1};

fn user() -> UserId {
    "alice".parse().unwrap()
}

fn described(commitment: u8) -> v1::Reference {
    v1::Reference {
        reference_id: "rf_000000000000000000000000000000d4".into(),
        epoch: 1,
        commitment: vec![commitment; 32],
        feature_space: "test".into(),
        created_at: Some(wire::convert::timestamp(1)),
    }
}

fn reference() -> Answer {
    Answer::Reference(v1::GetReferenceResponse { reference: Some(described(7)), successor: None })
}

fn refused(reason: &Reason) -> Answer {
    Answer::Status(reason.status())
}

/// An invitation to retry after `delay`, as the service states it.
fn overloaded(delay: Duration) -> Answer {
    let mut details = ErrorDetails::with_error_info("OVERLOADED", wire::reason::DOMAIN, HashMap::new());
    details.set_retry_info(Some(delay));
    Answer::Status(Status::with_error_details(tonic::Code::ResourceExhausted, "", details))
}

#[tokio::test]
async fn every_call_carries_deadline_and_credential() {
    let (service, client) = client([reference()]).await;
    assert_eq!(client.reference(&user()).await.unwrap().unwrap().commitment, [7; 32]);
    let asked = service.asked.lock().unwrap();
    let timeout = asked[0].metadata.get("grpc-timeout").unwrap().to_str().unwrap();
    assert!(timeout.ends_with(['m', 'u', 'n', 'S']), "{timeout}");
    assert_eq!(asked[0].metadata.get("authorization").unwrap(), "Bearer cs_test_planted");
}

#[tokio::test]
async fn a_successor_is_told_apart_from_the_reference() {
    let both = || v1::GetReferenceResponse { reference: Some(described(7)), successor: Some(described(8)) };
    let (_, client) = client([Answer::Reference(both()), Answer::Reference(both()), reference()]).await;
    assert_eq!(client.reference(&user()).await.unwrap().unwrap().commitment, [7; 32]);
    assert_eq!(client.successor(&user()).await.unwrap().unwrap().commitment, [8; 32]);
    assert_eq!(client.successor(&user()).await.unwrap(), None);
}

#[tokio::test]
async fn retryable_reasons_are_repeated_until_answered() {
    let again = [overloaded(Duration::from_millis(1)), refused(&Reason::UnavailableWorker), refused(&Reason::Draining)];
    let (service, client) = client(again.into_iter().chain([reference()])).await;
    assert!(client.reference(&user()).await.unwrap().is_some());
    assert_eq!(service.asked.lock().unwrap().len(), 4);
}

#[tokio::test]
async fn repetition_ends() {
    let (service, client) = client((0..9).map(|_| refused(&Reason::UnavailableDatabase))).await;
    let error = client.reference(&user()).await.unwrap_err();
    assert_eq!((error.code(), service.asked.lock().unwrap().len()), (Some("UNAVAILABLE_DATABASE"), 5));
}

#[tokio::test]
async fn other_reasons_are_not_repeated() {
    for reason in [Reason::ChallengeExpired, Reason::Locked { retry_s: 1 }, Reason::Unauthenticated, Reason::DataLoss] {
        let (service, client) = client([refused(&reason), reference()]).await;
        let error = client.reference(&user()).await.unwrap_err();
        assert_eq!((error.code(), service.asked.lock().unwrap().len()), (Some(reason.code()), 1));
    }
    let (_, client) = client([refused(&Reason::NoReference)]).await;
    assert_eq!(client.reference(&user()).await.unwrap(), None, "no reference is an outcome");
}

#[tokio::test]
async fn a_wait_past_the_deadline_is_not_begun() {
    let (service, client) = client([overloaded(Duration::from_secs(3600)), reference()]).await;
    let error = client.reference(&user()).await.unwrap_err();
    assert_eq!((error.code(), service.asked.lock().unwrap().len()), (Some("OVERLOADED"), 1));
}

#[tokio::test]
async fn a_silent_service_costs_the_deadline_and_no_more() {
    let (_, mut config) = served([Answer::Silence]);
    config.deadline = Duration::from_millis(300);
    let client = Client::connect(config).await.unwrap();
    assert!(matches!(client.reference(&user()).await, Err(ClientError::Deadline)));
}

#[tokio::test]
async fn an_unanswered_deletion_is_not_repeated_but_a_refused_one_is() {
    let gone = || Answer::Status(Status::unavailable("connection lost"));
    let expected = ExpectedDeletion { aud: "tn", commitment: [0; 32] };
    let (service, deleting) = client([gone(), gone()]).await;
    assert!(matches!(deleting.delete_reference(&user(), "c", &expected).await, Err(ClientError::Service(_))));
    assert_eq!(service.asked.lock().unwrap().len(), 1);
    let (service, deleting) = client([refused(&Reason::UnavailableKms), gone()]).await;
    assert!(deleting.delete_reference(&user(), "c", &expected).await.is_err());
    assert_eq!(service.asked.lock().unwrap().len(), 2);
    let (service, reading) = client([gone(), reference()]).await;
    assert!(reading.reference(&user()).await.is_ok());
    assert_eq!(service.asked.lock().unwrap().len(), 2, "reading twice is harmless");
}

#[tokio::test]
async fn the_request_id_of_a_failure_is_kept() {
    let mut status = Reason::Internal.status();
    status.metadata_mut().insert("x-request-id", "r-17".parse().unwrap());
    let (_, client) = client([Answer::Status(status)]).await;
    let Err(ClientError::Service(failure)) = client.reference(&user()).await else { panic!("a failure") };
    assert_eq!(failure.request_id.as_deref(), Some("r-17"));
}

#[tokio::test]
async fn another_ca_or_no_tls_is_refused() {
    let (_, good) = served([]);
    assert!(Client::connect(good.clone()).await.is_ok());
    let mut other_ca = good.clone();
    other_ca.ca_pem = Authority::new().pem();
    assert!(matches!(Client::connect(other_ca).await, Err(ClientError::Connect(_))));
    let mut plain = good.clone();
    plain.endpoint = plain.endpoint.replace("https", "http");
    assert!(matches!(Client::connect(plain).await, Err(ClientError::Configuration("endpoint"))));
    let mut hasty = good;
    hasty.deadline = Duration::ZERO;
    assert!(matches!(Client::connect(hasty).await, Err(ClientError::Configuration("deadline"))));
}

#[tokio::test]
async fn credentials_are_not_printed_and_futures_may_change_threads() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    let shown = format!("{:?}", config(([127, 0, 0, 1], 1).into(), vec![]));
    assert!(shown.contains("localhost") && !shown.contains("planted"));
    let (_, client) = client([reference()]).await;
    assert!(!format!("{client:?}").contains("planted"));
    is_send(client.reference(&user())).await.unwrap();
}
