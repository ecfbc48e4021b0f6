//! Real sockets, real TLS, real clients: who gets in, what is cut, what a drain lets finish.

mod drain;
mod peers;

use super::*;
use crate::tls::{self, PeerNames, tests::pki::Ca};
use axum::{Extension, routing::get};
use std::{
    net::SocketAddr,
    sync::atomic::{AtomicUsize, Ordering},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::Notify,
    task::JoinHandle,
};

/// A server on loopback, and what a test may look at.
struct Running {
    address: SocketAddr,
    shutdown: CancellationToken,
    ended: JoinHandle<Drained>,
    /// Requests that reached the router.
    reached: Arc<AtomicUsize>,
    /// Lets one `/slow` request finish.
    finish: Arc<Notify>,
    /// Told when a `/slow` request has begun.
    begun: Arc<Notify>,
}

async fn run(tls: Option<&tls::ServerTls>, limits: ServeLimits) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let reached = Arc::new(AtomicUsize::new(0));
    let (finish, begun) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let who = async |peer: Option<Extension<PeerNames>>| peer.map_or("nobody".to_owned(), |peer| peer.0.0.join(" "));
    let (count, wait, tell) = (Arc::clone(&reached), Arc::clone(&finish), Arc::clone(&begun));
    let slow = async move || {
        tell.notify_one();
        wait.notified().await;
        "finished"
    };
    let counted = axum::middleware::from_fn(move |request, next: axum::middleware::Next| {
        count.fetch_add(1, Ordering::SeqCst);
        next.run(request)
    });
    let unread = axum::routing::post(async || "not read");
    let router =
        Router::new().route("/who", get(who)).route("/slow", get(slow)).route("/unread", unread).layer(counted);
    let shutdown = CancellationToken::new();
    let listening = Listening { listener, tls: tls.map(|tls| tls::server_config(tls).unwrap()), limits };
    let ended = tokio::spawn(serve(listening, router, shutdown.clone()));
    Running { address, shutdown, ended, reached, finish, begun }
}

impl Running {
    fn reached(&self) -> usize {
        self.reached.load(Ordering::SeqCst)
    }

    /// Sends bytes in plaintext and reads until the server closes. A server that never closes hangs the test.
    async fn plain(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let _ = stream.write_all(bytes).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        answer
    }
}

const GET_WHO: &[u8] = b"GET /who HTTP/1.1\r\nhost: worker\r\nconnection: close\r\n\r\n";

#[tokio::test]
async fn a_handshake_that_never_comes_is_cut() {
    let dir = tempfile::tempdir().unwrap();
    let ca = Ca::make(dir.path(), "ca");
    let tls = ca.server(&crate::tls::tests::pki::Leaf::named("worker"), &["gateway"]);
    let running = run(Some(&tls), ServeLimits { handshake_ms: 50, ..ServeLimits::default() }).await;
    assert_eq!(running.plain(b"").await, b"");
    assert_eq!(running.plain(b"\x16\x03\x01").await, b"");
    assert_eq!(running.reached(), 0);
}

#[tokio::test]
async fn a_header_that_never_ends_and_a_silent_peer_are_cut() {
    let running = run(None, ServeLimits { header_ms: 50, ..ServeLimits::default() }).await;
    running.plain(b"GET /who HTTP/1.1\r\nhost: w").await;
    running.plain(b"PRI * HTT").await;
    running.plain(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    running.plain(b"").await;
    assert_eq!(running.reached(), 0);
}

#[tokio::test]
async fn an_idle_connection_ends_after_it_was_served() {
    let running = run(None, ServeLimits { header_ms: 50, idle_ms: 50, ..ServeLimits::default() }).await;
    let answer = running.plain(b"GET /who HTTP/1.1\r\nhost: worker\r\n\r\n").await;
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{answer:?}");
}

#[tokio::test]
async fn a_connection_over_the_limit_is_closed_and_room_comes_back() {
    let running = run(None, ServeLimits { max_connections: 1, ..ServeLimits::default() }).await;
    let mut first = TcpStream::connect(running.address).await.unwrap();
    first.write_all(b"GET /who HTTP/1.1\r\nhost: worker\r\n\r\n").await.unwrap();
    let mut head = [0; 12];
    first.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 200");
    assert_eq!(running.plain(GET_WHO).await, b"");
    drop(first);
    while running.plain(GET_WHO).await.is_empty() {
        tokio::task::yield_now().await;
    }
    assert!(running.reached() >= 2);
}

#[tokio::test]
async fn a_header_over_the_limit_is_refused() {
    let running = run(None, ServeLimits::default()).await;
    let request = format!("GET /who HTTP/1.1\r\nhost: worker\r\nx: {}\r\n\r\n", "a".repeat(64 << 10));
    let answer = running.plain(request.as_bytes()).await;
    assert!(!answer.starts_with(b"HTTP/1.1 200"), "{answer:?}");
    assert_eq!(running.reached(), 0);
}

#[tokio::test]
async fn who_is_answered_in_the_middle_of_an_upload_still_reads_the_answer() {
    let running = run(None, ServeLimits::default()).await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    let length = 8 << 20;
    let head = format!("POST /unread HTTP/1.1\r\nhost: worker\r\ncontent-length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    while running.reached() == 0 {
        tokio::task::yield_now().await;
    }
    stream.write_all(&vec![7; length]).await.expect("the server reads on");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("the answer comes before the end");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("not read"), "{answer}");
}
