//! The accept loop: TCP, TLS, HTTP/1.1 and HTTP/2 on one port, with every wait bounded, and a drain that ends.
//!
//! Must never know what the router serves. Invariant: an unfinished handshake, an unfinished header and an idle connection
//! each end by themselves; after shutdown nothing new is accepted and what was in flight may finish until the deadline.

mod activity;
mod connection;
mod limits;
mod lingering;
#[cfg(test)]
mod tests;

pub use limits::ServeLimits;

use axum::Router;
use connection::Connection;
use std::{sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

/// Where and how to listen.
#[derive(Debug)]
pub struct Listening {
    /// Bound listener.
    pub listener: TcpListener,
    /// TLS, from [`crate::tls::server_config`]; `None` is plaintext, for the admin port.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// Bounds of every wait.
    pub limits: ServeLimits,
}

/// How serving ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Connections cut at the drain deadline, with whatever they had in flight.
    pub cut: usize,
}

/// Serves until `shutdown` is cancelled, then drains. Requests carry [`crate::tls::PeerNames`] (with a client
/// certificate) and `axum::extract::ConnectInfo<SocketAddr>` as extensions.
pub async fn serve(listening: Listening, router: Router, shutdown: CancellationToken) -> Drained {
    let Listening { listener, tls, limits } = listening;
    let tls = tls.map(tokio_rustls::TlsAcceptor::from);
    let room = Arc::new(Semaphore::new(limits.max_connections as usize));
    let mut connections = JoinSet::new();
    loop {
        let stream = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            Some(_) = connections.join_next() => continue,
            stream = accept(&listener) => stream,
        };
        let Ok(permit) = Arc::clone(&room).try_acquire_owned() else {
            metrics::counter!("service_connections_refused_total").increment(1);
            continue;
        };
        let connection = Connection { tls: tls.clone(), router: router.clone(), limits, shutdown: shutdown.clone() };
        connections.spawn(async move {
            let _held = (permit, Open::count());
            connection.serve(stream).await;
        });
    }
    drop(listener);
    drain(connections, limits.drain()).await
}

/// Waits for the connections until the deadline and cuts the rest.
async fn drain(mut connections: JoinSet<()>, deadline: Duration) -> Drained {
    let all_ended = async { while connections.join_next().await.is_some() {} };
    let cut = match timeout(deadline, all_ended).await {
        Ok(()) => 0,
        Err(_) => connections.len(),
    };
    connections.shutdown().await;
    if cut > 0 {
        tracing::warn!(cut, "connections cut at the drain deadline");
    }
    Drained { cut }
}

/// The next connection. Errors of accepting (no file descriptors, a peer that hung up) are waited out.
async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) => {
                tracing::warn!(%error, "accept");
                sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// One open connection in the gauge `service_connections`.
struct Open;

impl Open {
    fn count() -> Self {
        metrics::gauge!("service_connections").increment(1.0);
        Self
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        metrics::gauge!("service_connections").decrement(1.0);
    }
}
