//! Deletion and its proof.

use super::house::{House, new_challenge, reason, verification};
use receipt::{ExpectedDeletion, verify_deletion_proof};
use tonic::Code;
use wire::v1;

fn delete(cause: &str) -> v1::DeleteReferenceRequest {
    v1::DeleteReferenceRequest { user_id: "alice".into(), cause: cause.to_owned() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_is_proved_over_the_commitment_given_at_enrollment() {
    let house = House::open().await;
    let commitment: [u8; 32] = house.enroll().await.reference.unwrap().commitment.try_into().unwrap();
    let mut client = house.client().await;
    let proof = client.delete_reference(house.ask(delete("user-request"))).await.unwrap().into_inner().deletion_proof;

    let keys = house.ledger_keys();
    let aud = house.tenant.to_string();
    let proved = verify_deletion_proof(&proof, &keys, &ExpectedDeletion { aud: &aud, commitment }).unwrap();
    let claims = proved.claims();
    assert_eq!((claims.cause.as_str(), claims.covers.backups_until), ("user-request", claims.deleted_at + 2_592_000));

    assert_eq!(house.store.pending_deletions(10).await.unwrap(), []);
    let again = client.delete_reference(house.ask(delete("again"))).await.unwrap().into_inner().deletion_proof;
    let repeated = verify_deletion_proof(&again, &keys, &ExpectedDeletion { aud: &aud, commitment }).unwrap();
    let of = |claims: &receipt::DeletionClaims| (claims.jti.clone(), claims.cause.clone(), claims.deleted_at);
    assert_eq!(of(repeated.claims()), of(claims), "a lost answer can be asked for again");
    assert_eq!(house.store.audit_count(house.tenant, "deletion.proved").await.unwrap(), 1);
    let stranger = v1::DeleteReferenceRequest { user_id: "bob".into(), ..delete("user-request") };
    let nobody = client.delete_reference(house.ask(stranger)).await.unwrap_err();
    assert_eq!((nobody.code(), reason(&nobody).as_str()), (Code::NotFound, "NO_REFERENCE"));
    let challenge = house.challenge(v1::Purpose::Verify).await;
    let verify = client.verify(house.ask(verification(&challenge.challenge_id))).await.unwrap_err();
    assert_eq!((verify.code(), reason(&verify).as_str()), (Code::NotFound, "NO_REFERENCE"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_that_was_not_proved_is_proved_when_it_is_asked_again() {
    let house = House::open().await;
    house.enroll().await;
    // As a gateway leaves it that dies between erasure and proof.
    house.store.erase(house.tenant, &"alice".parse().unwrap(), "first").await.unwrap();
    let mut client = house.client().await;
    assert!(client.delete_reference(house.ask(delete("second"))).await.is_ok());
    assert_eq!(house.store.audit_count(house.tenant, "reference.erased").await.unwrap(), 1);
    assert_eq!(house.store.audit_count(house.tenant, "deletion.proved").await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cause_is_a_short_word() {
    let house = House::open().await;
    house.enroll().await;
    let mut client = house.client().await;
    for cause in ["x".repeat(65).as_str(), "two\nlines", "replaced"] {
        let status = client.delete_reference(house.ask(delete(cause))).await.unwrap_err();
        assert_eq!(reason(&status), "INVALID_ARGUMENT", "{cause}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_reference_is_erased_and_closed_by_the_janitor() {
    let house = House::open().await;
    let first = house.enroll().await.reference.unwrap();
    let mut client = house.client().await;
    let request = v1::CreateChallengeRequest { replace: true, ..new_challenge(v1::Purpose::Enroll) };
    let challenge = client.create_challenge(house.ask(request)).await.unwrap().into_inner();
    let request = super::house::enrollment(&challenge.challenge_id);
    let second = client.enroll(house.ask(request)).await.unwrap().into_inner().reference.unwrap();
    assert_ne!(first.reference_id, second.reference_id);
    let request = v1::GetReferenceRequest { user_id: "alice".into() };
    let stored = client.get_reference(house.ask(request)).await.unwrap().into_inner().reference.unwrap();
    assert_eq!(stored.reference_id, second.reference_id);
    while !house.store.pending_deletions(10).await.unwrap().is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(house.store.audit_count(house.tenant, "deletion.proved").await.unwrap(), 1);
}
