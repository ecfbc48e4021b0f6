//! Workers that come and go.

use super::{
    house::{House, verification},
    http::plain,
};
use std::time::Duration;
use wire::v1;

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_away_is_passed_over() {
    let house = House::with(|config| config.inference.workers.insert(0, "127.0.0.1:1".into())).await;
    house.enroll().await;
    let mut client = house.client().await;
    for _ in 0..4 {
        let challenge = house.challenge(v1::Purpose::Verify).await;
        let answer = client.verify(house.ask(verification(&challenge.challenge_id))).await.unwrap().into_inner();
        assert_eq!(answer.verdict(), v1::Verdict::Accept);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ready_means_that_a_worker_answers() {
    let house = House::open().await;
    let mut ready = false;
    for _ in 0..100 {
        ready = plain(house.admin_addr, "/readyz").await.status == 200;
        if ready {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(ready, "the stand-in answers");
    house.peer.leave().await;
    for _ in 0..100 {
        ready = plain(house.admin_addr, "/readyz").await.status == 200;
        if !ready {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(!ready, "the stand-in has left");
    assert_eq!(plain(house.admin_addr, "/healthz").await.status, 200);
}
