//! From a configuration to a serving worker, and from the end of it to a drained one.
//!
//! Owns the order of start and end. Invariants: nothing is served before keys, pack and every engine's self-test are good, and
//! a key service that is out is waited for;
//! at the end calls in flight finish first, then the engines, then the admin port.

use crate::{
    Config, StartError,
    engines::{Engines, Line},
    health,
    queue::Queue,
    room::Room,
    rpc::Inference,
};
use axum::{Router, body::Body, http::Response};
use service::{
    Clock, Readiness,
    deadline::{DeadlineFault, DeadlineLayer},
    request_id::RequestIdLayer,
    serve::{Drained, Listening, ServeLimits, serve},
    telemetry, tls,
};
use std::{io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::TcpListener,
    task::{JoinHandle, spawn_blocking},
};
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use wire::{Reason, frames, v1::inference_service_server::InferenceServiceServer};

/// Longest time that a capture may wait and run; a longer deadline is shortened.
const LONGEST: Duration = Duration::from_secs(120);
/// Between two questions to a key service that is out at start.
const KEYS_EVERY: Duration = Duration::from_secs(1);
/// Methods that need no deadline.
const EXEMPT: &[&str] = &["/grpc.health.v1.Health/"];
/// A request holds at most this many bytes: the frames, their context and a reference.
const MAX_REQUEST_BYTES: usize = 2 * frames::MAX_MESSAGE_BYTES;

/// A worker that serves.
#[derive(Debug)]
pub struct Running {
    /// Where `InferenceService` is served.
    pub addr: SocketAddr,
    /// Where health, readiness and metrics are served.
    pub admin_addr: SocketAddr,
    /// Ends when the worker has drained.
    pub join: JoinHandle<Drained>,
}

/// Starts a worker; it serves from now on until `shutdown` is cancelled, then drains.
///
/// # Errors
/// [`StartError`], before anything is served.
pub async fn start(config: Config, clock: Clock, shutdown: CancellationToken) -> Result<Running, StartError> {
    let readiness = Readiness::starting();
    let (admin_addr, admin) = serve_admin(&config, readiness.clone()).await?;
    let tls = tls::server_config(&config.tls.server())?;
    let queue = Arc::new(Queue::new(config.engine.queue, clock.clone()));
    let (room, engines) = load(&config, &clock, (&queue, &readiness)).await?;
    keys_given(&room, &shutdown).await.inspect_err(|_| queue.close())?;
    let router = router(Inference::new(room, Arc::clone(&queue)), clock, readiness.clone()).await;
    // Not before: a gateway that is refused tries another worker, one that is kept waiting does not.
    let listener = listen(config.listen).await.inspect_err(|_| queue.close())?;
    let addr = listener.local_addr().map_err(|source| StartError::Listen { address: config.listen, source })?;
    readiness.set_ready();
    tracing::info!(%addr, %admin_addr, engines = config.engine.threads(), "ready");

    let listening = Listening { listener, tls: Some(tls), limits: config.limits };
    let join = tokio::spawn(async move {
        let ending = shutdown.clone();
        tokio::spawn(async move {
            ending.cancelled().await;
            readiness.set_draining();
        });
        let drained = serve(listening, router, shutdown).await;
        queue.close();
        // A thread that ended badly has said so; there is nothing left to do about it.
        let _ = spawn_blocking(move || engines.join()).await;
        drop(admin);
        drained
    });
    Ok(Running { addr, admin_addr, join })
}

/// Starts a worker and waits until it has drained.
///
/// # Errors
/// As [`start`].
pub async fn run(config: Config, clock: Clock, shutdown: CancellationToken) -> Result<(), StartError> {
    let running = start(config, clock, shutdown).await?;
    let drained = running.join.await.map_err(|error| StartError::Thread(io::Error::other(error)))?;
    tracing::info!(cut = drained.cut, "drained");
    Ok(())
}

/// Serves the admin port until the guard is dropped.
async fn serve_admin(
    config: &Config,
    readiness: Readiness,
) -> Result<(SocketAddr, tokio_util::sync::DropGuard), StartError> {
    let router = service::admin_port::router(readiness, telemetry::metrics_handle()?);
    let listener = listen(config.admin_listen).await?;
    let address = config.admin_listen;
    let bound = listener.local_addr().map_err(|source| StartError::Listen { address, source })?;
    let end = CancellationToken::new();
    let limits = ServeLimits { drain_ms: 100, ..ServeLimits::default() };
    tokio::spawn(serve(Listening { listener, tls: None, limits }, router, end.clone()));
    Ok((bound, end.drop_guard()))
}

async fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|source| StartError::Listen { address, source })
}

/// Keys, pack, runtime and engines, on a thread that may block.
async fn load(
    config: &Config,
    clock: &Clock,
    (queue, readiness): (&Arc<Queue>, &Readiness),
) -> Result<(Arc<Room>, Engines), StartError> {
    let (config, clock, line) = (config.clone(), clock.clone(), Line::new(queue, readiness, config.engine.threads()));
    let loading = spawn_blocking(move || {
        let room = Arc::new(Room::open(&config, clock)?);
        match room.keys.probe() {
            Err(error) if !error.is_outage() => return Err(error.into()),
            _ => {}
        }
        let engines = Engines::start(config.engine.threads(), &room, &line)?;
        Ok((room, engines))
    });
    loading.await.unwrap_or_else(|error| Err(StartError::Thread(io::Error::other(error))))
}

/// Waits until the key service gives every key. A process that ended instead would be started again and again, and each start
/// would try a wrong PIN once more, until the token locks.
async fn keys_given(room: &Arc<Room>, shutdown: &CancellationToken) -> Result<(), StartError> {
    loop {
        let room = Arc::clone(room);
        let probed = spawn_blocking(move || room.keys.probe()).await;
        match probed.map_err(|error| StartError::Thread(io::Error::other(error)))? {
            Ok(()) => return Ok(()),
            Err(error) if error.is_outage() => tracing::warn!("waiting for the key service before serving"),
            Err(error) => return Err(error.into()),
        }
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            () = tokio::time::sleep(KEYS_EVERY) => {}
        }
    }
}

async fn router(inference: Inference, clock: Clock, readiness: Readiness) -> Router {
    let service = InferenceServiceServer::new(inference).max_decoding_message_size(MAX_REQUEST_BYTES);
    let deadlines = DeadlineLayer { clock: clock.clone(), max: LONGEST, exempt: EXEMPT, answer };
    Routes::new(service)
        .add_service(health::service(readiness).await)
        .into_axum_router()
        .reset_fallback()
        .fallback(async || Reason::UnknownRoute.grpc_response().map(|()| Body::empty()))
        .layer(deadlines)
        .layer(RequestIdLayer { clock })
}

/// The answer of the deadline layer.
fn answer(fault: DeadlineFault, _grpc: bool) -> Response<Body> {
    let reason = match fault {
        DeadlineFault::Missing => Reason::DeadlineRequired,
        DeadlineFault::Exceeded => Reason::DeadlineExceeded,
    };
    reason.grpc_response().map(|()| Body::empty())
}
