//! Going down: what is in flight is finished, nothing new begins.

use super::{
    house::{House, verification},
    peer::{ACCEPTED, Act},
};
use std::{sync::Arc, time::Duration};
use tokio::{net::TcpStream, sync::Semaphore};
use wire::v1;

#[tokio::test(flavor = "multi_thread")]
async fn a_call_in_flight_at_shutdown_is_answered() {
    let mut house = House::open().await;
    house.enroll().await;
    let gate = Arc::new(Semaphore::new(0));
    house.peer.act(Act::Wait(Arc::clone(&gate), ACCEPTED));
    let challenge = house.challenge(v1::Purpose::Verify).await;
    let mut client = house.client().await;
    let request = house.ask(verification(&challenge.challenge_id));
    let call = tokio::spawn(async move { client.verify(request).await });
    while house.peer.seen().len() < 2 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    house.shutdown.cancel();
    while TcpStream::connect(house.addr).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    gate.add_permits(1);
    let answer = call.await.unwrap().unwrap().into_inner();
    assert_eq!(answer.verdict(), v1::Verdict::Accept);
    let drained = house.running.take().unwrap().join.await.unwrap();
    assert_eq!(drained.cut, 0);
}
