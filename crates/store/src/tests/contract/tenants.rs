//! Tenants, keys and the isolation between tenants.

use super::*;
use crate::{MoveTenant, NewApiKey, TenantState};

fn key(tenant: TenantId, key_id: &str) -> NewApiKey {
    NewApiKey { key_id: key_id.into(), tenant, mac: [9; 32], expires_at_ms: None }
}

#[tokio::test]
async fn a_tenant_reads_back_and_its_id_is_taken() {
    let f = fixture().await;
    let stored = f.store.tenant(f.tenant).await.unwrap().unwrap();
    let new = new_tenant(f.tenant);
    assert_eq!((&stored.name, stored.test, &stored.policy), (&new.name, true, &new.policy));
    assert_eq!(stored.secrets, new.secrets);
    assert!(matches!(f.store.create_tenant(new).await, Err(StoreError::Exists("tenant"))));
    assert_eq!(f.store.tenants().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_policy_that_changes_makes_a_version_beside_the_old_ones() {
    let f = fixture().await;
    let stricter = f.put_policy(Policy { max_attempts: 1, ..Policy::testing() }).await;
    assert_eq!(f.store.tenant(f.tenant).await.unwrap().unwrap().policy, stricter);
    let laxer = Policy { version: stricter.version.clone(), ..Policy::testing() };
    assert_eq!(f.store.put_policy(f.tenant, &laxer, "test").await.unwrap(), PutPolicy::VersionUsed);
    assert_eq!(f.store.tenant(f.tenant).await.unwrap().unwrap().policy, stricter, "a name means one policy for good");
    let nobody = TenantId::new(make_id().unwrap());
    assert_eq!(f.store.put_policy(nobody, &stricter, "test").await.unwrap(), PutPolicy::UnknownTenant);
    let versions = f.store.policies(f.tenant, 10).await.unwrap();
    let told: Vec<_> = versions.iter().map(|version| (version.n, &version.policy, &*version.changed_by)).collect();
    assert_eq!(told, [(2, &stricter, "test"), (1, &Policy::testing(), "")]);
    assert_eq!(f.store.audit_count(f.tenant, "policy.changed").await.unwrap(), 1);
    let entry = f.store.audit_entries(f.tenant, 1, 10).await.unwrap().remove(0);
    let body: serde_json::Value = serde_json::from_str(&entry.body).unwrap();
    assert_eq!((&body["before"]["max_attempts"], &body["after"]["max_attempts"]), (&3.into(), &1.into()));
}

#[tokio::test]
async fn a_suspended_tenant_opens_nothing_until_it_is_resumed() {
    let f = fixture().await;
    let challenge = f.challenge("alice", Purpose::Enroll).await;
    assert!(f.store.tenant_is_active(f.tenant).await.unwrap());
    assert_eq!(f.store.suspend_tenant(f.tenant, "test").await.unwrap(), MoveTenant::Moved);
    assert_eq!(
        f.store.suspend_tenant(f.tenant, "test").await.unwrap(),
        MoveTenant::Stands(TenantState::Suspended),
        "once"
    );
    assert!(!f.store.tenant_is_active(f.tenant).await.unwrap());
    assert_eq!(f.refused(open_of(&challenge)).await, OpenRefused::TenantStopped);
    assert_eq!(f.store.resume_tenant(f.tenant, "test").await.unwrap(), MoveTenant::Moved);
    f.open(&challenge).await;
    let nobody = TenantId::new(make_id().unwrap());
    assert_eq!(f.store.suspend_tenant(nobody, "test").await.unwrap(), MoveTenant::Unknown);
    for kind in ["tenant.suspended", "tenant.resumed"] {
        assert_eq!(f.store.audit_count(f.tenant, kind).await.unwrap(), 1, "{kind}");
    }
}

#[tokio::test]
async fn expired_and_revoked_keys_say_so() {
    let f = fixture().await;
    let now = f.store.now_ms().await.unwrap();
    for (id, expires_at_ms) in [("good", Some(now + 60_000)), ("old", Some(now - 1)), ("forever", None)] {
        f.store.add_api_key(NewApiKey { expires_at_ms, ..key(f.tenant, id) }, AuditBody::default()).await.unwrap();
    }
    let flags = async |id: &str| {
        let row = f.store.api_key(id).await.unwrap().unwrap();
        (row.expired, row.revoked)
    };
    assert_eq!(flags("good").await, (false, false));
    assert_eq!(flags("old").await, (true, false));
    assert_eq!(flags("forever").await, (false, false));
    assert!(f.store.revoke_api_key(f.tenant, "good", AuditBody::default()).await.unwrap());
    assert!(!f.store.revoke_api_key(f.tenant, "good", AuditBody::default()).await.unwrap(), "only once");
    assert_eq!(flags("good").await, (false, true));
    assert!(f.store.api_key("none").await.unwrap().is_none());
    assert_eq!(f.store.list_api_keys(f.tenant).await.unwrap().len(), 3);
    let again = f.store.add_api_key(key(f.tenant, "good"), AuditBody::default()).await;
    assert!(matches!(again, Err(StoreError::Exists("api key"))));
}

#[tokio::test]
async fn another_tenants_things_look_like_nothing() {
    let f = fixture().await;
    let other = TenantId::new(make_id().unwrap());
    f.store.create_tenant(new_tenant(other)).await.unwrap();
    f.enroll("alice", 1).await;
    f.store.add_api_key(key(f.tenant, "k"), AuditBody::default()).await.unwrap();
    let challenge = f.challenge("alice", Purpose::Verify).await;
    let opened = f.open(&challenge).await;

    assert!(f.store.challenge(other, challenge.id).await.unwrap().is_none());
    assert!(f.store.challenge(f.tenant, challenge.id).await.unwrap().is_some(), "control");
    let open = OpenAttempt { tenant: other, ..open_of(&challenge) };
    assert_eq!(f.refused(open).await, OpenRefused::UnknownChallenge);
    assert!(f.store.attempts(other, challenge.id).await.unwrap().is_empty());
    assert!(f.store.reference(other, &user("alice")).await.unwrap().is_none());
    assert_eq!(f.store.erase(other, &user("alice"), "x").await.unwrap(), crate::EraseResult::NoReference);
    assert!(!f.store.revoke_api_key(other, "k", AuditBody::default()).await.unwrap());
    f.record(outcome(&opened, Settlement::Reset)).await;
    let revoke = async |tenant| f.store.revoke_receipt(tenant, opened.jti, AuditBody::default()).await.unwrap();
    assert_eq!(revoke(other).await, crate::RevokeResult::Unknown);
    assert_eq!(revoke(f.tenant).await, crate::RevokeResult::Revoked, "control");
    assert_eq!(revoke(f.tenant).await, crate::RevokeResult::AlreadyInvalid);
    assert!(f.store.audit_count(other, "attempt.decided").await.unwrap() == 0);
}

#[tokio::test]
async fn debug_shows_no_secret() {
    let f = fixture().await;
    let reference = f.enroll("alice", 0xab).await;
    let challenge = f.challenge("alice", Purpose::Verify).await;
    let text = format!("{challenge:?} {reference:?} {:?} {:?}", f.open(&challenge).await, key(f.tenant, "k"));
    // 0xab of the reference's bytes, 4 of the nonce, 9 of the MAC.
    for secret in [[171, 171], [171, 0xd1], [171, 0xc1], [4, 4], [9, 9]] {
        let printed = format!("{secret:?}");
        assert!(!text.contains(printed.trim_matches(['[', ']'])), "{text}");
    }
    let printed = format!("{:?}", reference.ciphertext);
    assert!(printed.contains("171, 193"), "control: bytes are printed like that");
}
