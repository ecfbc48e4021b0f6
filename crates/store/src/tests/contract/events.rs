//! The outbox.

use super::*;
use crate::{EventState, NewHold};

#[tokio::test]
async fn a_notification_is_written_with_its_entry_and_of_a_verification_there_is_none() {
    let f = fixture().await;
    f.enroll("alice", 1).await;
    f.verify("alice", Settlement::Reset).await;
    erase(&f, "alice").await;
    assert_eq!(f.store.events(None, 10).await.unwrap(), []);
    let bob = user("bob");
    let hold = NewHold { tenant: f.tenant, user: &bob, matter: "case 7", placed_by: "test" };
    f.break_audit().await;
    assert!(is_audit_unavailable(&f.store.place_hold(hold).await));
    assert_eq!(f.store.events(None, 10).await.unwrap(), [], "nothing happened, nothing is told");
    f.mend_audit().await;
    f.store.place_hold(hold).await.unwrap();
    let [event] = &f.store.events(None, 10).await.unwrap()[..] else { panic!("one event") };
    assert_eq!((event.kind.as_str(), event.state, event.tries), ("hold.placed", EventState::Waiting, 0));
    assert!(!event.body.contains("bob") && event.body.contains(&f.tenant.to_string()), "{}", event.body);
}

#[tokio::test]
async fn a_notification_is_sent_by_one_and_by_another_when_that_one_died() {
    let f = fixture().await;
    f.store.suspend_tenant(f.tenant, "test").await.unwrap();
    let other = f.again().await;
    let (one, two) = tokio::join!(f.store.claim_events(10, 60_000), other.claim_events(10, 60_000));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!(one.len() + two.len(), 1);
    f.sql("UPDATE events SET next_try_ms = 0").await;
    let [again] = &f.store.claim_events(10, 60_000).await.unwrap()[..] else { panic!("one event") };
    assert_eq!(again.tries, 2);
    let dead = one.first().or(two.first()).unwrap();
    f.store.event_delivered(dead).await.unwrap();
    assert_eq!(
        f.store.events(Some(EventState::Delivered), 10).await.unwrap(),
        [],
        "the dead one's word counts no more"
    );

    f.store.event_failed(again, "status 500", Some(60_000)).await.unwrap();
    assert_eq!(f.store.claim_events(10, 1).await.unwrap(), [], "it waits");
    f.store.event_failed(again, "status 500", None).await.unwrap();
    assert_eq!(f.store.events(Some(EventState::Dead), 10).await.unwrap().len(), 1);
    assert!(f.store.revive_event(again.id).await.unwrap() && !f.store.revive_event(again.id).await.unwrap());
    let [event] = &f.store.claim_events(10, 1).await.unwrap()[..] else { panic!("one event") };
    f.store.event_delivered(event).await.unwrap();
    f.sql("UPDATE events SET created_at_ms = 0").await;
    assert_eq!((f.store.drop_old_events().await.unwrap(), f.store.drop_old_events().await.unwrap()), (1, 0));
}
