//! The audit chain and its alarm.

use super::*;
use crate::{About, AuditQuery, Chain};

async fn long_chain() -> Fixture {
    let f = fixture().await;
    for i in 0..20 {
        f.store.audit(f.tenant, "test.entry", AuditBody::default().with("i", i)).await.unwrap();
    }
    f
}

async fn walk(f: &Fixture) -> Chain {
    f.store.verify_audit(f.tenant).await.unwrap()
}

#[tokio::test]
async fn an_untouched_chain_is_intact() {
    let f = long_chain().await;
    f.enroll("alice", 1).await;
    f.verify("alice", Settlement::KeepInRow).await;
    let Chain::Intact { entries, head } = walk(&f).await else { panic!("broken") };
    assert_eq!(entries, f.number("SELECT count(*) FROM audit").await);
    assert_ne!(head, [0; 32]);
    let nobody = TenantId::new(make_id().unwrap());
    assert_eq!(f.store.verify_audit(nobody).await.unwrap(), Chain::Intact { entries: 0, head: [0; 32] });
}

#[tokio::test]
async fn every_kind_of_tampering_is_seen_where_it_happened() {
    let tampering = [
        ("UPDATE audit SET body = '{\"i\":99}' WHERE seq = 7", 7),
        ("UPDATE audit SET at_ms = at_ms + 1 WHERE seq = 8", 8),
        ("UPDATE audit SET kind = 'other' WHERE seq = 9", 9),
        ("UPDATE audit SET hash = prev WHERE seq = 10", 10),
        ("DELETE FROM audit WHERE seq = 5", 5),
        ("DELETE FROM audit WHERE seq = 1", 1),
        (
            "UPDATE audit SET seq = seq + 1000 WHERE seq IN (3, 4); UPDATE audit SET seq = 1007 - seq WHERE seq > 1000",
            3,
        ),
        (
            "INSERT INTO audit (tenant, seq, kind, at_ms, body, prev, hash)
             SELECT tenant, seq + 1, kind, at_ms, body, hash, hash FROM audit ORDER BY seq DESC LIMIT 1",
            22,
        ),
    ];
    for (sql, at) in tampering {
        let f = long_chain().await;
        f.unlock_audit().await;
        assert!(matches!(walk(&f).await, Chain::Intact { .. }), "control");
        f.sql(sql).await;
        assert_eq!(walk(&f).await, Chain::Broken { seq: at }, "{sql}");
    }
}

#[tokio::test]
async fn a_cut_tail_is_seen_against_a_head_kept_elsewhere() {
    let f = long_chain().await;
    let before = walk(&f).await;
    f.unlock_audit().await;
    f.sql("DELETE FROM audit WHERE seq = 21").await;
    let after = walk(&f).await;
    assert!(matches!(after, Chain::Intact { entries: 20, .. }));
    assert_ne!(before, after);
}

#[tokio::test]
async fn the_table_refuses_to_be_edited_or_cut() {
    let f = long_chain().await;
    for sql in ["UPDATE audit SET kind = 'x'", "DELETE FROM audit"] {
        assert!(f.try_sql(sql).await.unwrap_err().to_string().contains("append-only"));
    }
}

#[tokio::test]
async fn one_tenants_entry_does_not_fit_into_anothers_chain() {
    let f = long_chain().await;
    let other = TenantId::new(make_id().unwrap());
    f.store.create_tenant(NewTenant { name: "Other".into(), ..new_tenant(other) }).await.unwrap();
    f.unlock_audit().await;
    f.sql(
        "DELETE FROM audit WHERE tenant = (SELECT id FROM tenants WHERE name = 'Other');
         INSERT INTO audit (tenant, seq, kind, at_ms, body, prev, hash)
         SELECT (SELECT id FROM tenants WHERE name = 'Other'), seq, kind, at_ms, body, prev, hash
         FROM audit WHERE tenant = (SELECT id FROM tenants WHERE name = 'Acme')",
    )
    .await;
    assert!(matches!(walk(&f).await, Chain::Intact { .. }), "control");
    assert_eq!(f.store.verify_audit(other).await.unwrap(), Chain::Broken { seq: 1 });
}

#[tokio::test]
async fn bodies_are_canonical_and_small() {
    let f = fixture().await;
    let nested = serde_json::json!({"b": 1, "a": [{"z": 1, "y": 2}]});
    f.store.audit(f.tenant, "test.entry", AuditBody::default().with("z", "1").with("a", nested)).await.unwrap();
    let entry = f.store.audit_entries(f.tenant, 1, 1).await.unwrap().remove(0);
    assert_eq!(entry.body, r#"{"a":{"a":[{"y":2,"z":1}],"b":1},"z":"1"}"#);
    let frame = AuditBody::default().with("frame", "A".repeat(9000));
    assert!(matches!(f.store.audit(f.tenant, "test.entry", frame).await, Err(StoreError::Misuse(_))));
}

#[tokio::test]
async fn nothing_sealed_or_secret_is_in_the_log() {
    let f = fixture().await;
    let reference = f.enroll("alice", 0xab).await;
    f.verify("alice", Settlement::Reset).await;
    f.store.erase(f.tenant, &user("alice"), "user-request").await.unwrap();
    let entries = f.store.audit_entries(f.tenant, 0, 100).await.unwrap();
    let text: String = entries.into_iter().map(|entry| entry.body).collect();
    assert!(text.contains(&hex::encode(reference.commitment)), "control: the commitment is public and there");
    let nonce = hex::encode([4; 16]);
    assert!(!text.contains(&nonce) && !text.contains("d1d2d3") && !text.contains("c1c2c3"));
}

#[tokio::test]
async fn entries_are_found_by_user_challenge_kind_and_time_and_by_nothing_of_another_tenant() {
    let f = fixture().await;
    f.enroll("alice", 1).await;
    f.enroll("bob", 2).await;
    let opened = f.open(&f.challenge("alice", Purpose::Verify).await).await;
    f.record(outcome(&opened, Settlement::Reset)).await;
    let everything = AuditQuery::everything(f.tenant);
    let found = async |asked: AuditQuery| {
        let entries = f.store.audit_search(&asked, 0, 100).await.unwrap();
        entries.into_iter().map(|entry| entry.seq).collect::<Vec<_>>()
    };
    let all = found(everything.clone()).await;
    assert!(all.len() > 5 && all.is_sorted());
    let of = |about| AuditQuery { about, ..everything.clone() };
    let (alice, bob) = (found(of(About::User(user("alice")))).await, found(of(About::User(user("bob")))).await);
    assert!(!alice.is_empty() && !bob.is_empty() && alice.iter().all(|seq| !bob.contains(seq)));
    let challenge = found(of(About::Challenge(opened.challenge.id))).await;
    assert!(!challenge.is_empty() && challenge.iter().all(|seq| alice.contains(seq)));
    let decided = AuditQuery { kind: Some("attempt.decided".into()), ..everything.clone() };
    assert_eq!(found(decided).await.len(), 3);
    let first = f.store.audit_entries(f.tenant, 0, 1).await.unwrap().remove(0).at_ms;
    let before = AuditQuery { until_ms: Some(first), ..everything.clone() };
    let since = AuditQuery { from_ms: Some(first), ..everything.clone() };
    assert_eq!((found(before).await, found(since).await), (Vec::new(), all));
    let stranger = TenantId::new(make_id().unwrap());
    assert_eq!(found(AuditQuery { tenant: stranger, ..of(About::User(user("alice"))) }).await, [] as [i64; 0]);
    assert_eq!(f.store.audit_search(&everything, 2, 1).await.unwrap()[0].seq, 3, "page by page");
}
