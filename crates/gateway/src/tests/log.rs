//! The log while a gateway serves: it grows by itself, everybody reads it, whoever holds an artefact proves it.

use super::{
    house::{House, verification},
    http::Answer,
};
use receipt::{Checkpoint, LogEvent, LogProof, Logged, TrustedKeys};
use std::time::Duration;
use wire::v1;

/// Asks again until the document is there.
async fn there(house: &House, path: &str) -> Answer {
    for _ in 0..200 {
        let answer = house.document(path, &[]).await;
        if answer.status == 200 {
            return answer;
        }
        assert_eq!((answer.status, answer.reason().as_str()), (404, "UNKNOWN_ROUTE"));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{path} never came");
}

fn logged(answer: &Answer, keys: &TrustedKeys) -> Logged {
    LogProof::read(&answer.body).unwrap().verify(keys).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_holds_a_receipt_or_a_deletion_proof_gets_its_place_in_the_log_proven() {
    let house = House::open().await;
    house.enroll().await;
    let (keys, mut client) = (house.ledger_keys(), house.client().await);
    let challenge = house.challenge(v1::Purpose::Verify).await;
    let answer = client.verify(house.ask(verification(&challenge.challenge_id))).await.unwrap().into_inner();
    let jti = house.peer.seen().pop().unwrap().jti;
    let proven = logged(&there(&house, &format!("/v1/log/proof/{jti}")).await, &keys);
    proven.check_receipt(&answer.receipt).unwrap();
    assert!(proven.check_receipt("another.receipt.of").is_err(), "control");
    let LogEvent::Receipt { iss, aud, .. } = proven.event() else { panic!("{proven:?}") };
    assert_eq!((iss.as_str(), aud), ("https://countersign.test/test-receipts", &house.tenant.to_string()));

    let request = v1::DeleteReferenceRequest { user_id: "alice".into(), ..Default::default() };
    let proof = client.delete_reference(house.ask(request)).await.unwrap().into_inner().deletion_proof;
    let expected = receipt::ExpectedDeletion { aud: &house.tenant.to_string(), commitment: [5; 32] };
    let proof = receipt::verify_deletion_proof(&proof, &keys, &expected).unwrap();
    let proven = logged(&there(&house, &format!("/v1/log/proof/{}", proof.claims().jti)).await, &keys);
    proven.check_deletion(&proof).unwrap();

    for unknown in ["rc_00000000000000000000000000000000", &house.tenant.to_string(), "policy", "pepper"] {
        assert_eq!(house.document(&format!("/v1/log/proof/{unknown}"), &[]).await.status, 404, "{unknown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_tells_of_keys_and_audits_and_serves_its_tiles() {
    let house = House::open().await;
    let keys = house.ledger_keys();
    let mut head = None;
    for _ in 0..400 {
        let told = house.store.log_leaf("pepper").await.unwrap().is_some()
            && house.store.log_leaf("ledger").await.unwrap().is_some();
        let audit = house.store.log_leaf(&house.tenant.to_string()).await.unwrap();
        if told && audit.is_some() {
            head = audit;
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let LogEvent::AuditHead { seq, .. } = head.unwrap().leaf.event().unwrap() else { panic!("another leaf") };
    assert!(seq >= 1);
    let note = there(&house, "/v1/log/checkpoint").await;
    assert!(note.head.contains("\r\ncontent-type: text/plain; charset=utf-8\r\n"), "{}", note.head);
    let size = Checkpoint::verify(&note.body, &keys).unwrap().head().size;
    assert!(size >= 4, "{size}");
    let partial = there(&house, &format!("/v1/log/tile/0/000.p/{size}")).await;
    assert!(partial.head.contains(&format!("\r\ncontent-length: {}\r\n", 32 * size)), "{}", partial.head);
    assert!(partial.head.contains("immutable"), "{}", partial.head);
    there(&house, "/v1/log/tile/entries/000.p/1").await;
    for wrong in ["tile/0/000", "tile/9/000", "tile/0/../0", "tile/0/000.p/0", "tile/entries/001.p/1", "nothing"] {
        assert_eq!(house.document(&format!("/v1/log/{wrong}"), &[]).await.status, 404, "{wrong}");
    }
}
