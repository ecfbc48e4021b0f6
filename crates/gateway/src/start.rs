//! Puts the process together: files, store, workers, routes, layers, listeners, and takes it down in order.
//!
//! Must never know: what a method does. Invariant: it listens only when every file it needs was read; at the end the store
//! closes last.

use crate::{
    Config, GatewayError,
    admit::Admission,
    authenticate::{Credentials, MacKey, Peppers},
    documents,
    events::Events,
    gateway::Gateway,
    grpc,
    inference::Inference,
    janitor,
    journal::Journal,
    json, layers,
    ledger::Ledger,
    log::{self, documents::Readers},
    origin::Origins,
    restore,
    status_lists::{self, StatusLists},
};
use axum::{Router, middleware};
use custody::{KeyUse, Kms, KmsConfig, Signer};
use service::{
    Clock, Readiness, admin_port,
    deadline::DeadlineLayer,
    request_id::RequestIdLayer,
    serve::{Drained, Listening, ServeLimits, serve},
    telemetry,
    tls::{ServerTls, server_config},
};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use store::Store;
use tokio::{
    net::TcpListener,
    task::{JoinHandle, spawn_blocking},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::service::Routes;
use tonic_health::{ServingStatus, server::HealthReporter};
use wire::{FILE_DESCRIPTOR_SET, v1::verification_service_server::SERVICE_NAME};

/// Addresses that need no deadline.
const EXEMPT: &[&str] =
    &["/grpc.health.v1.Health/", "/grpc.reflection.", documents::PREFIX, status_lists::PREFIX, log::PREFIX];

/// A gateway that serves.
#[derive(Debug)]
pub struct Running {
    /// Where gRPC and JSON are served.
    pub addr: SocketAddr,
    /// Where health, readiness and metrics are served.
    pub admin_addr: SocketAddr,
    /// Ends when the drain has ended.
    pub join: JoinHandle<Drained>,
}

/// Starts a gateway that serves until `shutdown` is cancelled. It becomes ready once the database and a worker answer.
///
/// # Errors
/// [`GatewayError`] where a file, the database, an address or the TLS setup does not serve.
pub async fn start(config: Config, clock: Clock, shutdown: CancellationToken) -> Result<Running, GatewayError> {
    let tls = ServerTls {
        cert: config.tls.cert.clone(),
        key: config.tls.key.clone(),
        client_ca: None,
        allowed_peers: Vec::new(),
    };
    let tls = server_config(&tls)?;
    let documents = documents::routes(&config.documents)?;
    let metrics = telemetry::metrics_handle()?;
    let gateway = Arc::new(open(&config, clock).await?);
    let readiness = Readiness::starting();
    let router = router(&gateway, documents, &readiness, &config)?;
    let (listener, addr) = listen(config.listen).await?;
    let (admin_listener, admin_addr) = listen(config.admin_listen).await?;
    let admin = admin_port::router(readiness.clone(), metrics);
    let public = Listening { listener, tls: Some(tls), limits: config.serve };
    let private = Listening { listener: admin_listener, tls: None, limits: ServeLimits::default() };
    let house = House { gateway, readiness, drain: Duration::from_millis(config.serve.drain_ms) };
    let join = tokio::spawn(house.run(public, router, (private, admin), shutdown));
    tracing::info!(%addr, %admin_addr, "serving");
    Ok(Running { addr, admin_addr, join })
}

/// Opens what the use cases stand on.
async fn open(config: &Config, clock: Clock) -> Result<Gateway, GatewayError> {
    let credentials =
        Credentials { peppers: Peppers::open(&config.keys)?, capture: MacKey::open(&config.keys.capture)? };
    let ledger = Ledger::new(ledger_key(&config.kms, clock.clone()).await?, &config.public_url);
    let status = StatusLists::new(&credentials.capture, &config.public_url);
    let inference = Inference::new(&config.inference, clock.clone())?;
    let store = Store::open(config.store_config()).await?;
    let journal = open_journal(config).await?;
    restore::check(&store, journal.as_ref()).await?;
    Ok(Gateway {
        store,
        journal,
        public_url: config.public_url.trim_end_matches('/').to_owned(),
        clock,
        inference,
        credentials,
        admission: Admission::new(&config.limits),
        ledger,
        origins: Origins::open(&config.network)?,
        events: config.events.as_ref().map(Events::open).transpose()?.map(Arc::new),
        status,
        log_readers: Readers::new(),
        jobs: config.jobs,
        tasks: TaskTracker::new(),
    })
}

/// The deletion journal, where one is named.
pub(crate) async fn open_journal(config: &Config) -> Result<Option<Journal>, GatewayError> {
    let Some(path) = config.journal.as_ref().map(|journal| journal.path.clone()) else { return Ok(None) };
    Ok(Some(spawn_blocking(move || Journal::open(&path)).await.map_err(GatewayError::Thread)??))
}

/// The ledger key. A key service that is out delays deletion proofs alone, so nothing else waits for it.
pub(crate) async fn ledger_key(config: &KmsConfig, clock: Clock) -> Result<Signer, GatewayError> {
    let config = config.clone();
    let opened = spawn_blocking(move || {
        let signer = Signer::new(Kms::open(&config, clock)?, KeyUse::Ledger);
        match signer.key() {
            Err(error) if !error.is_outage() => Err(error),
            _ => Ok(signer),
        }
    });
    Ok(opened.await.map_err(GatewayError::Thread)??)
}

/// Every route with its layers; the first layer named is the innermost.
fn router(
    gateway: &Arc<Gateway>,
    documents: Router,
    readiness: &Readiness,
    config: &Config,
) -> Result<Router, GatewayError> {
    let verification = Routes::new(grpc::service(Arc::clone(gateway))).into_axum_router().reset_fallback();
    let with_credential = verification
        .layer(middleware::from_fn(layers::rename_codec_faults))
        .merge(json::routes(Arc::clone(gateway)))
        .layer(middleware::from_fn_with_state(Arc::clone(gateway), layers::admit));
    let deadlines = DeadlineLayer {
        clock: gateway.clock.clone(),
        max: Duration::from_millis(config.limits.longest_deadline_ms.max(1)),
        exempt: EXEMPT,
        answer: layers::deadline,
    };
    Ok(with_credential
        .merge(documents)
        .merge(status_lists::routes(Arc::clone(gateway)))
        .merge(log::documents::routes(Arc::clone(gateway)))
        .merge(standard_services(readiness)?)
        .fallback(layers::unknown_route)
        .layer(deadlines)
        .layer(middleware::from_fn(layers::catch_panic))
        .layer(RequestIdLayer { clock: gateway.clock.clone() }))
}

/// Health, in step with readiness, and reflection of the verification service alone.
fn standard_services(readiness: &Readiness) -> Result<Router, GatewayError> {
    let (reporter, health) = tonic_health::server::health_reporter();
    tokio::spawn(follow(readiness.clone(), reporter));
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
            .with_service_name(SERVICE_NAME)
    };
    // Stock clients, Python's among them, still ask in the version before 1.
    let services = Routes::new(health).add_service(reflection().build_v1()?).add_service(reflection().build_v1alpha()?);
    Ok(services.into_axum_router().reset_fallback())
}

/// Tells the health service what readiness says, as long as anybody can be told.
async fn follow(readiness: Readiness, reporter: HealthReporter) {
    let mut changes = readiness.subscribe();
    loop {
        let status = if readiness.is_ready() { ServingStatus::Serving } else { ServingStatus::NotServing };
        for service in ["", SERVICE_NAME] {
            reporter.set_service_status(service, status).await;
        }
        if changes.changed().await.is_err() {
            return;
        }
    }
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), GatewayError> {
    let failed = |source| GatewayError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

/// What runs until the drain has ended.
struct House {
    gateway: Arc<Gateway>,
    readiness: Readiness,
    drain: Duration,
}

impl House {
    /// Serves; then drains connections, waits for work whose caller hung up, and closes the store.
    async fn run(
        self,
        public: Listening,
        router: Router,
        (private, admin): (Listening, Router),
        shutdown: CancellationToken,
    ) -> Drained {
        let Self { gateway, readiness, drain } = self;
        let done = CancellationToken::new();
        let admin = tokio::spawn(serve(private, admin, done.clone()));
        let janitor = tokio::spawn(janitor::work(Arc::clone(&gateway), readiness.clone(), shutdown.clone()));
        let (leaving, asked) = (readiness, shutdown.clone());
        tokio::spawn(async move {
            asked.cancelled().await;
            leaving.set_draining();
        });
        let drained = serve(public, router, shutdown).await;
        gateway.tasks.close();
        if tokio::time::timeout(drain, gateway.tasks.wait()).await.is_err() {
            tracing::warn!("work was cut at the drain deadline");
        }
        let _ended = janitor.await;
        gateway.store.close().await;
        done.cancel();
        let _ended = admin.await;
        drained
    }
}
