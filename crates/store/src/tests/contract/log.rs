//! The transparency log: leaves with their events, places in order, salts that can be destroyed.

use super::*;
use crate::{EraseSalts, KeyStatement, LogWork, NewHold};
use receipt::{KeyName, KeyUse, LogEvent, Tile, TreeHead, grow, path_to_root};

/// Gives everything that waits its place, in batches of `batch`; answers the head.
async fn grown(f: &Fixture, batch: u32) -> TreeHead {
    while let Some(work) = f.store.log_work(batch).await.unwrap() {
        assert!(let_grow(&f.store, &work).await);
    }
    f.store.log_head().await.unwrap().unwrap().head
}

async fn let_grow(store: &Store, work: &LogWork) -> bool {
    let growth = grow(&work.head, &work.edge, &work.queue).unwrap();
    store.grow_log(work, &growth, &format!("note of {}", growth.head.size)).await.unwrap()
}

/// Every tile of a tree, to read from.
async fn tiles(f: &Fixture, head: &TreeHead) -> std::collections::HashMap<Tile, Vec<u8>> {
    let mut found = std::collections::HashMap::new();
    for level in [None, Some(0), Some(1)] {
        for index in 0..head.size.div_ceil(256) {
            for width in 1..=256 {
                let tile = Tile { level, index, width };
                found.extend(f.store.log_tile(tile).await.unwrap().map(|bytes| (tile, bytes)));
            }
        }
    }
    found
}

async fn leaf(f: &Fixture, subject: &str) -> Option<LogEvent> {
    f.store.log_leaf(subject).await.unwrap().map(|kept| kept.leaf.event().unwrap())
}

#[tokio::test]
async fn what_happens_is_told_and_led_to_the_root() {
    let f = fixture().await;
    f.enroll("alice", 1).await;
    let opened = f.open(&f.challenge("alice", Purpose::Verify).await).await;
    f.record(outcome(&opened, Settlement::KeepInRow)).await;
    let erased = erase(&f, "alice").await;
    assert!(f.store.log_head().await.unwrap().is_none(), "control: nothing has a place yet");
    let head = grown(&f, 3).await;
    assert_eq!(head.size, 4, "a policy, two receipts, a deletion");
    assert_eq!(f.number("SELECT count(*) FROM log_queue").await, 0);

    let aud = f.tenant.to_string();
    let Some(LogEvent::Receipt { jti, iss, aud: told, .. }) = leaf(&f, &opened.jti.to_string()).await else { panic!() };
    assert_eq!((jti, iss.as_str(), told), (opened.jti, "https://countersign.test/receipts", aud.clone()));
    let Some(LogEvent::Deletion { jti, reference, at, .. }) = leaf(&f, &erased.proof_id()).await else { panic!() };
    assert_eq!((jti, reference.id, at), (erased.proof_id(), erased.reference_id, erased.deleted_at_ms / 1000));
    let Some(LogEvent::PolicyChange { version, .. }) = leaf(&f, "policy").await else { panic!() };
    assert_eq!(version, Policy::testing().version);
    let tiles = tiles(&f, &head).await;
    for place in 0..head.size {
        path_to_root(&head, place, &|tile| tiles.get(&tile).cloned()).unwrap();
    }
    let other = TreeHead { root: [1; 32], ..head };
    assert!(path_to_root(&other, 0, &|tile| tiles.get(&tile).cloned()).is_err(), "control");
}

#[tokio::test]
async fn an_event_that_is_not_committed_is_not_told() {
    let f = fixture().await;
    f.enroll("alice", 1).await;
    let waiting = async || f.number("SELECT count(*) FROM log_queue").await;
    let before = waiting().await;
    f.break_audit().await;
    assert!(is_audit_unavailable(&f.store.erase(f.tenant, &user("alice"), "user-request").await));
    assert_eq!(waiting().await, before);
    f.mend_audit().await;
    erase(&f, "alice").await;
    assert_eq!(waiting().await, before + 1, "control");
}

#[tokio::test]
async fn of_two_who_let_the_tree_grow_one_succeeds() {
    let f = fixture().await;
    for first in [true, false] {
        f.enroll(if first { "alice" } else { "bob" }, 1).await;
        let work = f.store.log_work(100).await.unwrap().unwrap();
        let stale = LogWork { queue: work.queue[..1].to_vec(), ..work.clone() };
        assert!(let_grow(&f.store, &work).await);
        assert!(!let_grow(&f.again().await, &stale).await, "first: {first}");
        let head = f.store.log_head().await.unwrap().unwrap();
        assert_eq!(head.note, format!("note of {}", head.head.size));
        assert!(f.store.log_work(100).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn a_tree_of_several_tiles_serves_every_width_that_there_was() {
    let f = fixture().await;
    for number in 0..600_i64 {
        let event = |_, at| LogEvent::KeyRotation {
            key: KeyName { r#use: KeyUse::Pepper, aud: None },
            from: None,
            to: number.to_string(),
            at,
        };
        assert!(f.store.see("pepper", &number.to_string(), event).await.unwrap());
    }
    let mut heads = vec![];
    while let Some(work) = f.store.log_work(70).await.unwrap() {
        assert!(let_grow(&f.store, &work).await);
        heads.push(f.store.log_head().await.unwrap().unwrap().head);
    }
    assert_eq!(heads.last().unwrap().size, 601);
    let tiles = tiles(&f, heads.last().unwrap()).await;
    for head in &heads {
        for place in [0, head.size / 2, head.size - 1] {
            path_to_root(head, place, &|tile| tiles.get(&tile).cloned()).unwrap();
        }
    }
    let tile = |index, width| Tile { level: Some(0), index, width };
    assert!(tiles.contains_key(&tile(2, 89)) && !tiles.contains_key(&tile(2, 90)) && !tiles.contains_key(&tile(3, 1)));
}

#[tokio::test]
async fn a_user_whose_salts_are_destroyed_is_told_of_no_more_and_the_tree_stands() {
    let f = fixture().await;
    f.enroll("alice", 1).await;
    f.enroll("bob", 2).await;
    let jti = async |name| {
        let opened = f.open(&f.challenge(name, Purpose::Verify).await).await;
        f.record(outcome(&opened, Settlement::Reset)).await;
        opened.jti.to_string()
    };
    let (hers, his) = (jti("alice").await, jti("bob").await);
    let head = grown(&f, 100).await;
    assert!(leaf(&f, &hers).await.is_some(), "control");
    let matter = NewHold { tenant: f.tenant, user: &user("alice"), matter: "case 7", placed_by: "test" };
    let hold = f.store.place_hold(matter).await.unwrap();
    let destroy = async || f.store.erase_salts(f.tenant, &user("alice"), "test").await.unwrap();
    assert_eq!(destroy().await, EraseSalts::Held);
    f.store.release_hold(f.tenant, hold.id, "test").await.unwrap();
    assert_eq!(destroy().await, EraseSalts::Erased(2), "an enrollment and a verification");
    assert_eq!((leaf(&f, &hers).await, leaf(&f, &his).await.is_some()), (None, true));
    assert_eq!(f.number("SELECT count(*) FROM log_salts WHERE user_id = 'alice'").await, 0);
    assert_eq!(f.store.audit_count(f.tenant, "log.erased").await.unwrap(), 1);
    let (after, tiles) = (grown(&f, 100).await, tiles(&f, &head).await);
    assert_eq!(after, head, "not a bit of the tree changed");
    for place in 0..head.size {
        path_to_root(&head, place, &|tile| tiles.get(&tile).cloned()).unwrap();
    }
}

#[tokio::test]
async fn the_log_is_told_how_far_each_audit_is_once() {
    let f = fixture().await;
    f.enroll("alice", 1).await;
    assert_eq!(f.store.audits_to_tell().await.unwrap(), [f.tenant]);
    assert!(f.store.tell_audit(f.tenant).await.unwrap());
    assert!(!f.store.tell_audit(f.tenant).await.unwrap(), "it knows");
    assert!(f.store.audits_to_tell().await.unwrap().is_empty());
    grown(&f, 100).await;
    let Some(LogEvent::AuditHead { seq, head, .. }) = leaf(&f, &f.tenant.to_string()).await else { panic!() };
    let through =
        async |seq, head: &str| f.store.verify_audit_through(f.tenant, &[(seq, head.to_owned())]).await.unwrap();
    f.store.audit(f.tenant, "test.entry", AuditBody::default()).await.unwrap();
    assert_eq!(f.store.audits_to_tell().await.unwrap(), [f.tenant], "an entry more");
    assert!(matches!(through(seq, &head).await, crate::Chain::Intact { entries, .. } if entries == seq + 1));
    assert_eq!(through(seq + 1, &head).await, crate::Chain::Broken { seq: seq + 1 }, "another entry than that");
    assert_eq!(through(seq + 9, &head).await, crate::Chain::Broken { seq: seq + 2 }, "cut before it");
}

#[tokio::test]
async fn what_is_seen_is_told_when_it_changes() {
    let f = fixture().await;
    let told = std::sync::Mutex::new(Vec::new());
    let key = || KeyName { r#use: KeyUse::Ledger, aud: None };
    let see = async |store: &Store, value: &'static str| {
        let event = |from: Option<String>, at| {
            told.lock().unwrap().push(from.clone());
            LogEvent::KeyRotation { key: key(), from, to: value.to_owned(), at }
        };
        store.see("ledger", value, event).await.unwrap()
    };
    let other = f.again().await;
    let seen = [see(&f.store, "a").await, see(&other, "a").await, see(&other, "b").await, see(&f.store, "b").await];
    assert_eq!(seen, [true, false, true, false]);
    assert_eq!(*told.lock().unwrap(), [None, Some("a".to_owned())]);
    grown(&f, 100).await;
    assert_eq!(f.store.log_leaves("ledger", 0, 10).await.unwrap().len(), 2);
}

fn destroyed(r#use: KeyUse, kid: &str) -> KeyStatement {
    KeyStatement::Destroyed { r#use, kid: kid.to_owned() }
}

#[tokio::test]
async fn a_statement_about_a_key_is_told_once_to_the_log_and_to_the_tenants_that_it_concerns() {
    let f = fixture().await;
    let (ours, theirs) = (destroyed(KeyUse::TestReceipts, "gone-1"), destroyed(KeyUse::Receipts, "gone-2"));
    assert!(!f.store.state(&ours, "test").await.unwrap(), "nobody intended it");
    for statement in [&ours, &ours, &theirs] {
        f.store.intend(statement).await.unwrap();
    }
    assert_eq!(f.store.intended().await.unwrap(), [theirs.clone(), ours.clone()], "each once");
    for statement in [&ours, &theirs] {
        assert!(f.store.state(statement, "test").await.unwrap());
        assert!(!f.store.state(statement, "test").await.unwrap(), "told before");
    }
    let root = KeyStatement::RootRotated { from: "root-1".into(), to: "root-2".into() };
    f.store.intend(&root).await.unwrap();
    assert!(f.store.state(&root, "test").await.unwrap());
    assert_eq!(f.store.intended().await.unwrap(), []);
    let head = grown(&f, 10).await;
    assert_eq!(head.size, 4, "the policy of before, and one for each");
    for (kid, told) in [("gone-1", KeyUse::TestReceipts), ("gone-2", KeyUse::Receipts)] {
        let Some(LogEvent::KeyDestruction { key, version, .. }) = leaf(&f, kid).await else { panic!() };
        assert_eq!((key, version.as_str()), (KeyName { r#use: told, aud: None }, kid));
    }
    let Some(LogEvent::KeyRotation { key, from, to, .. }) = leaf(&f, "root-2").await else { panic!() };
    assert_eq!((key.r#use, from.as_deref(), to.as_str()), (KeyUse::Root, Some("root-1"), "root-2"));
    let count = async |kind| f.store.audit_count(f.tenant, kind).await.unwrap();
    assert_eq!(
        (count("signing_key.destroyed").await, count("root.rotated").await),
        (1, 1),
        "a test tenant's keys alone"
    );
}

#[tokio::test]
async fn a_statement_whose_teller_died_before_the_log_knew_is_in_no_audit_twice() {
    let f = fixture().await;
    let (first, second) = (destroyed(KeyUse::Ledger, "gone-1"), destroyed(KeyUse::Ledger, "gone-2"));
    f.store.intend(&first).await.unwrap();
    f.store.state(&first, "test").await.unwrap();
    // As it was between the audit's entry and the log's leaf.
    f.store.intend(&first).await.unwrap();
    f.sql("UPDATE log_seen SET value = '1' WHERE what LIKE 'intended %'").await;
    assert!(f.store.state(&first, "test").await.unwrap());
    let count = async || f.store.audit_count(f.tenant, "signing_key.destroyed").await.unwrap();
    assert_eq!(count().await, 1);
    f.store.intend(&second).await.unwrap();
    f.store.state(&second, "test").await.unwrap();
    assert_eq!(count().await, 2, "control: another key is another entry");
}

#[tokio::test]
async fn while_the_audit_takes_nothing_the_log_is_not_told_of_a_key() {
    let f = fixture().await;
    let gone = destroyed(KeyUse::Ledger, "gone-1");
    f.store.intend(&gone).await.unwrap();
    f.break_audit().await;
    assert!(is_audit_unavailable(&f.store.state(&gone, "test").await));
    assert_eq!(f.store.intended().await.unwrap(), std::slice::from_ref(&gone));
    f.mend_audit().await;
    assert!(f.store.state(&gone, "test").await.unwrap());
}
