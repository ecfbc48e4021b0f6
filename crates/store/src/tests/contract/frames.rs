//! The memory of frames: who was first, for how long, and for whom.

use super::*;
use crate::{AttemptState, Dropped, ReleaseResult};

const DAY_S: u32 = 86_400;
const SEEN: &str = "SELECT count(*) FROM seen_frames";

async fn remembering() -> Fixture {
    let f = fixture().await;
    f.remember_frames(DAY_S).await;
    f
}

#[tokio::test]
async fn a_frame_that_another_attempt_showed_is_named_by_its_position() {
    let f = remembering().await;
    let enroll = f.challenge("alice", Purpose::Enroll).await;
    let first = f.show(&enroll, &[1, 2, 3]).await;
    assert_eq!(first.replayed, [0_u32; 0], "nobody showed them before");
    f.record(RecordOutcome { reference: Some(sealed(1)), ..outcome(&first, Settlement::Reset) }).await;

    let verify = f.challenge("alice", Purpose::Verify).await;
    let second = f.show(&verify, &[4, 2, 5, 1]).await;
    assert_eq!(second.replayed, [1, 3], "frames of an enrollment, shown at a verification");
    f.record(outcome(&second, Settlement::Keep)).await;
    let third = f.show(&verify, &[6, 4]).await;
    assert_eq!(third.replayed, [1], "another attempt at the same challenge is another capture");
    assert_eq!(f.replayed(&[7, 8]).await, [0_u32; 0], "control");
    assert_eq!(f.number(SEEN).await, 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_racers_with_the_same_frames_exactly_one_is_first() {
    let f = remembering().await;
    let mut calls = Vec::new();
    for racer in 0..32 {
        let challenge = f.challenge(&format!("user{racer}"), Purpose::Enroll).await;
        let (store, open) = (f.store.clone(), OpenAttempt { frames: frames(&[1, 2]), ..open_of(&challenge) });
        calls.push(tokio::spawn(async move { store.open_attempt(open).await.unwrap() }));
    }
    let mut firsts = 0;
    for call in calls {
        let OpenResult::Opened(opened) = call.await.unwrap() else { panic!("every racer has its own challenge") };
        match &opened.replayed[..] {
            [] => firsts += 1,
            others => assert_eq!(others, [0, 1], "whoever is not first shows nothing new"),
        }
    }
    assert_eq!(firsts, 1);
}

#[tokio::test]
async fn two_stores_on_one_database_share_the_memory() {
    let f = remembering().await;
    let again = f.again().await;
    let challenges = [f.challenge("a", Purpose::Enroll).await, f.challenge("b", Purpose::Enroll).await];
    let open = OpenAttempt { frames: frames(&[1]), ..open_of(&challenges[1]) };
    let (a, b) = tokio::join!(f.show(&challenges[0], &[1]), again.open_attempt(open));
    let OpenResult::Opened(b) = b.unwrap() else { panic!("each has its own challenge") };
    assert_eq!(a.replayed.len() + b.replayed.len(), 1, "{:?} {:?}", a.replayed, b.replayed);
}

#[tokio::test]
async fn an_attempt_that_was_given_back_does_not_accuse_itself() {
    let f = remembering().await;
    let challenge = f.challenge("alice", Purpose::Enroll).await;
    for _ in 0..3 {
        let opened = f.show(&challenge, &[1, 2]).await;
        assert_eq!((opened.attempt, &opened.replayed[..]), (1, &[][..]));
        assert_eq!(f.store.release_attempt(f.tenant, opened.lease_id).await.unwrap(), ReleaseResult::Released);
    }
    assert_eq!(f.replayed(&[1]).await, [0], "control: anybody else is accused");
    let opened = f.show(&challenge, &[2, 3]).await;
    f.store.release_attempt(f.tenant, opened.lease_id).await.unwrap();
    assert_eq!(f.store.attempts(f.tenant, challenge.id).await.unwrap()[0].state, AttemptState::Abandoned);
    assert_eq!(f.show(&challenge, &[2, 4]).await.replayed, [0], "the next attempt is another one");
}

#[tokio::test]
async fn a_frame_twice_in_one_capture_is_no_replay() {
    let f = remembering().await;
    assert_eq!(f.replayed(&[1, 2, 1, 1]).await, [0_u32; 0]);
    assert_eq!(f.replayed(&[3, 1, 3, 1]).await, [1, 3], "control");
}

#[tokio::test]
async fn a_frame_is_forgotten_by_the_databases_time() {
    let f = remembering().await;
    f.replayed(&[1]).await;
    let left = f.number("SELECT expires_at_ms - {now} FROM seen_frames").await;
    assert!((1..=i64::from(DAY_S) * 1000).contains(&left), "{left}");
    f.sql("UPDATE seen_frames SET expires_at_ms = {now} + 60000").await;
    assert_eq!(f.replayed(&[1]).await, [0], "control");
    f.sql("UPDATE seen_frames SET expires_at_ms = {now}").await;
    assert_eq!(f.replayed(&[1]).await, [0_u32; 0], "forgotten");
    assert_eq!(f.replayed(&[1]).await, [0], "and remembered anew, as the later capture's");
    assert_eq!(f.number(SEEN).await, 1, "in the place of the old row");
}

#[tokio::test]
async fn tenants_share_no_memory_and_a_window_of_zero_remembers_nothing() {
    let f = remembering().await;
    let other = TenantId::new(make_id().unwrap());
    f.store.create_tenant(new_tenant(other)).await.unwrap();
    let Fixture { store, home, tenant } = f;
    let f = Fixture { store: store.clone(), tenant, home };
    let g = Fixture { store, tenant: other, home: Home::on(ENGINE).await };
    f.replayed(&[1]).await;
    for _ in 0..2 {
        assert_eq!(g.replayed(&[1]).await, [0_u32; 0], "a test tenant remembers nothing");
    }
    assert_eq!(f.number(SEEN).await, 1);
    g.remember_frames(DAY_S).await;
    assert_eq!(g.replayed(&[1]).await, [0_u32; 0], "what another tenant was shown is no replay");
    assert_eq!(g.replayed(&[1]).await, [0], "control");
    f.remember_frames(0).await;
    assert_eq!(f.replayed(&[1]).await, [0_u32; 0], "nor is anything looked for");
}

#[tokio::test]
async fn what_opens_no_attempt_is_not_remembered() {
    let f = remembering().await;
    let challenge = f.challenge("alice", Purpose::Verify).await;
    let open = OpenAttempt { frames: frames(&[1]), ..open_of(&challenge) };
    assert_eq!(f.refused(open).await, OpenRefused::NoReference);
    assert_eq!(f.number(SEEN).await, 0);
}

#[tokio::test]
async fn where_frames_cannot_be_remembered_no_attempt_opens() {
    let f = remembering().await;
    let challenge = f.challenge("alice", Purpose::Enroll).await;
    f.sql_of(
        "CREATE TRIGGER no_memory BEFORE INSERT ON seen_frames WHEN new.hash = x'02020202020202020202020202020202'
           BEGIN SELECT RAISE(ABORT, 'no memory'); END",
        r"CREATE FUNCTION no_memory() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no memory'; END $$;
          CREATE TRIGGER no_memory BEFORE INSERT ON seen_frames FOR EACH ROW
          WHEN (new.hash = '\x02020202020202020202020202020202') EXECUTE FUNCTION no_memory()",
    )
    .await;
    let open = || OpenAttempt { frames: frames(&[1, 2]), ..open_of(&challenge) };
    assert!(matches!(f.store.open_attempt(open()).await, Err(StoreError::Unavailable(_))));
    for table in ["SELECT count(*) FROM attempts", "SELECT count(*) FROM strikes", SEEN] {
        assert_eq!(f.number(table).await, 0, "{table}");
    }
    f.sql_of("DROP TRIGGER no_memory", "DROP TRIGGER no_memory ON seen_frames").await;
    assert_eq!(f.show(&challenge, &[1, 2]).await.attempt, 1, "control");
}

#[tokio::test]
async fn forgotten_frames_are_swept_in_batches_and_others_left() {
    let f = remembering().await;
    f.replayed(&[1, 2]).await;
    assert!(f.store.drop_old().await.unwrap().is_nothing(), "control");
    f.sql_of(
        "WITH RECURSIVE k(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM k WHERE i < 2000)
           INSERT INTO seen_frames SELECT tenant, CAST(printf('%016d', i) AS BLOB), challenge, n, i FROM k, seen_frames
           WHERE hash = x'01010101010101010101010101010101'",
        r"INSERT INTO seen_frames SELECT tenant, decode(lpad(to_hex(i), 32, '0'), 'hex'), challenge, n, i
          FROM generate_series(1, 2000) AS k (i), seen_frames WHERE hash = '\x01010101010101010101010101010101'",
    )
    .await;
    let mut dropped = Vec::new();
    loop {
        match f.store.drop_old().await.unwrap() {
            Dropped { frames: 0, .. } => break,
            batch => dropped.push(batch.frames),
        }
    }
    assert_eq!(dropped, [1600, 400]);
    assert_eq!(f.replayed(&[1, 2]).await, [0, 1], "what is in its window stays");
}

#[test]
fn a_hash_is_never_printed() {
    let open = format!("{:?}", frames(&[171]));
    assert!(!open.contains("171") && !open.contains("ab"), "{open}");
}
