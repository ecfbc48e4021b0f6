//! One connection from TCP to its end.

use super::{ServeLimits, activity::Activity, lingering::Lingering};
use crate::tls::PeerNames;
use axum::{Router, body::Body, extract::ConnectInfo};
use http::{Request, Response};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use std::{convert::Infallible, net::SocketAddr, pin::pin};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::Service as _;

/// What one connection needs of the loop.
pub(super) struct Connection {
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) router: Router,
    pub(super) limits: ServeLimits,
    pub(super) shutdown: CancellationToken,
}

/// What is known of the peer once the handshake is done.
#[derive(Clone)]
struct Peer {
    address: Option<SocketAddr>,
    names: Option<PeerNames>,
}

impl Connection {
    /// Serves one connection to its end; its faults end it and nothing else.
    pub(super) async fn serve(self, stream: TcpStream) {
        let address = stream.peer_addr().ok();
        // Small answers must not wait for Nagle; a socket that refuses the option still serves.
        let _ = stream.set_nodelay(true);
        let Some(acceptor) = self.tls.clone() else {
            let builder = self.builder();
            return self.speak(builder, stream, Peer { address, names: None }).await;
        };
        let handshake = timeout(self.limits.handshake(), acceptor.accept(stream));
        let accepted = tokio::select! {
            () = self.shutdown.cancelled() => return,
            accepted = handshake => accepted,
        };
        let Ok(Ok(stream)) = accepted else {
            let cause = if accepted.is_err() { "timeout" } else { "refused" };
            metrics::counter!("service_handshakes_failed_total", "cause" => cause).increment(1);
            if let Ok(Err(error)) = accepted {
                tracing::debug!(%error, "handshake refused");
            }
            return;
        };
        let (_, session) = stream.get_ref();
        let names = session.peer_certificates().and_then(|chain| chain.first()).map(PeerNames::of);
        // What ALPN settled is not sniffed again: sniffing waits without a bound.
        let builder = match session.alpn_protocol() {
            Some(b"h2") => self.builder().http2_only(),
            _ => self.builder().http1_only(),
        };
        self.speak(builder, stream, Peer { address, names }).await;
    }

    fn builder(&self) -> Builder<TokioExecutor> {
        let limits = &self.limits;
        let mut builder = Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.header())
            .max_headers(64)
            .max_buf_size((limits.max_header_bytes as usize).max(8 << 10));
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(limits.ping())
            .keep_alive_timeout(limits.ping() / 2)
            .max_concurrent_streams(limits.max_concurrent_streams)
            .max_header_list_size(limits.max_header_bytes)
            .max_pending_accept_reset_streams(20)
            .max_local_error_reset_streams(128);
        builder
    }

    async fn speak<S>(self, builder: Builder<TokioExecutor>, stream: S, peer: Peer)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let activity = Activity::default();
        let (router, counted) = (self.router, activity.clone());
        let service = service_fn(move |request| answer(router.clone(), request, peer.clone(), counted.clone()));
        let mut connection = pin!(builder.serve_connection(TokioIo::new(Lingering::new(stream)), service));
        let mut idle = pin!(activity.idle(self.limits.header(), self.limits.idle()));
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = self.shutdown.cancelled() => {
                connection.as_mut().graceful_shutdown();
                // A peer that never began to speak has nothing to finish; the watch ends it before the drain deadline.
                tokio::select! {
                    ended = connection.as_mut() => ended,
                    () = idle.as_mut() => return,
                }
            }
            () = idle.as_mut() => {
                connection.as_mut().graceful_shutdown();
                timeout(self.limits.header(), connection.as_mut()).await.unwrap_or(Ok(()))
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "connection ended");
        }
    }
}

/// Passes one request to the router with what is known of its peer.
async fn answer(
    mut router: Router,
    request: Request<Incoming>,
    peer: Peer,
    activity: Activity,
) -> Result<Response<Body>, Infallible> {
    let _in_flight = activity.begin();
    let mut request = request.map(Body::new);
    if let Some(address) = peer.address {
        request.extensions_mut().insert(ConnectInfo(address));
    }
    if let Some(names) = peer.names {
        request.extensions_mut().insert(names);
    }
    router.call(request).await
}
