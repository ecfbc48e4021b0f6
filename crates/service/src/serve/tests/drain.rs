//! A drain lets what is in flight finish, takes nothing new, and ends.

use super::*;

const GET_SLOW: &[u8] = b"GET /slow HTTP/1.1\r\nhost: worker\r\n\r\n";

async fn slow_call(running: &Running) -> TcpStream {
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    stream.write_all(GET_SLOW).await.unwrap();
    running.begun.notified().await;
    stream
}

#[tokio::test]
async fn a_drain_finishes_the_call_in_flight_and_takes_no_new_one() {
    let running = run(None, ServeLimits::default()).await;
    let mut stream = slow_call(&running).await;
    running.shutdown.cancel();
    while TcpStream::connect(running.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(!running.ended.is_finished());
    running.finish.notify_one();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200") && answer.ends_with(b"finished"), "{answer:?}");
    assert_eq!(running.ended.await.unwrap(), Drained { cut: 0 });
}

#[tokio::test]
async fn a_drain_cuts_what_does_not_finish() {
    let running = run(None, ServeLimits { drain_ms: 50, ..ServeLimits::default() }).await;
    let mut stream = slow_call(&running).await;
    running.shutdown.cancel();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert_eq!(answer, b"");
    assert_eq!(running.ended.await.unwrap(), Drained { cut: 1 });
}

#[tokio::test]
async fn a_drain_does_not_wait_for_idle_connections_or_handshakes() {
    let dir = tempfile::tempdir().unwrap();
    let tls = Ca::make(dir.path(), "ca").server(&crate::tls::tests::pki::Leaf::named("worker"), &["gateway"]);
    for tls in [None, Some(&tls)] {
        let running = run(tls, ServeLimits { drain_ms: 600_000, ..ServeLimits::default() }).await;
        let _silent = TcpStream::connect(running.address).await.unwrap();
        running.shutdown.cancel();
        assert_eq!(running.ended.await.unwrap(), Drained { cut: 0 });
    }
}
