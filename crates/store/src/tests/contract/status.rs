//! Positions in status lists.

use super::*;
use crate::{RevokeResult, StatusSecret};
use std::collections::HashSet;

#[tokio::test]
async fn a_position_is_given_out_once_over_all_tenants_and_leases() {
    let f = fixture().await;
    let other = TenantId::new(make_id().unwrap());
    f.store.create_tenant(new_tenant(other)).await.unwrap();
    let mut seen = HashSet::new();
    for number in 0..80 {
        let tenant = if number % 2 == 0 { f.tenant } else { other };
        let challenge = f.create(new_challenge(tenant, &format!("user{number}"), Purpose::Enroll)).await;
        let first = f.open(&challenge).await;
        f.store.release_attempt(tenant, first.lease_id).await.unwrap();
        let second = f.open(&challenge).await;
        assert_eq!((first.attempt, second.attempt), (1, 1));
        assert!(seen.insert(first.status) && seen.insert(second.status), "{number}");
    }
    assert!(seen.iter().all(|position| position.list == 1), "one list for all");
    assert_eq!(f.number("SELECT next FROM status_lists").await, 256, "in runs of 64, two for each tenant");
}

#[tokio::test]
async fn another_key_takes_no_position_of_a_list_that_is_not_its_own() {
    let f = fixture().await;
    let mut lists = Vec::new();
    for (number, key) in [6, 7, 6, 7].into_iter().enumerate() {
        let challenge = f.challenge(&format!("user{number}"), Purpose::Enroll).await;
        let open = OpenAttempt { status: StatusSecret::new(&[key; 32]), ..open_of(&challenge) };
        let OpenResult::Opened(opened) = f.store.open_attempt(open).await.unwrap() else { panic!("refused") };
        lists.push(opened.status.list);
    }
    assert_eq!(lists, [1, 2, 1, 2]);
    assert_eq!(f.store.revoked(2).await.unwrap(), Some(Vec::new()));
    assert_eq!(f.store.revoked(3).await.unwrap(), None);
}

#[tokio::test]
async fn a_list_that_is_used_up_is_followed_by_the_next() {
    let f = fixture().await;
    f.open(&f.challenge("a", Purpose::Enroll).await).await;
    f.sql("UPDATE status_lists SET next = 1048576; UPDATE tenants SET status_next = status_end - 1").await;
    let last = f.open(&f.challenge("b", Purpose::Enroll).await).await;
    let next = f.open(&f.challenge("c", Purpose::Enroll).await).await;
    assert_eq!((last.status.list, next.status.list), (1, 2));
}

#[tokio::test]
async fn a_revocation_is_audited_once_and_stays() {
    let f = fixture().await;
    f.enroll("alice", 1).await;
    let opened = f.open(&f.challenge("alice", Purpose::Verify).await).await;
    let revoke = async |tenant| f.store.revoke_receipt(tenant, opened.jti, AuditBody::default()).await.unwrap();
    assert_eq!(revoke(f.tenant).await, RevokeResult::Unknown, "not issued yet");
    f.record(outcome(&opened, Settlement::Reset)).await;
    assert_eq!(f.revoked().await, [0; 0], "control");
    assert_eq!(revoke(TenantId::new(make_id().unwrap())).await, RevokeResult::Unknown, "another tenant's");
    assert_eq!(revoke(f.tenant).await, RevokeResult::Revoked);
    assert_eq!(revoke(f.tenant).await, RevokeResult::AlreadyInvalid);
    assert_eq!(f.revoked().await, [opened.status.index]);
    assert_eq!(f.store.audit_count(f.tenant, "receipt.revoked").await.unwrap(), 1);
}
