//! `countersign dev`: a gateway and a worker in one process, with generated keys and certificates, SQLite and a test tenant.
//!
//! Owns the composition and its directory. Must never know: how either process works. Invariant: between the two stands the
//! same mutual TLS as in production; nothing else is different.

mod calls;
mod place;
mod summary;

use crate::outcome::Outcome;
use anyhow::{Context as _, ensure};
use biometrics::Policy;
use gateway::tenants::{Register, TenantRequest};
use place::Place;
use secrecy::ExposeSecret as _;
use service::{
    Clock, drain,
    telemetry::{self, LogFormat, TelemetryConfig},
};
use std::{net::SocketAddr, path::PathBuf, time::Duration};
use summary::{Credential, Summary};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_util::sync::CancellationToken;

/// Run a gateway and a worker in one process, with a test tenant, for development.
#[derive(Debug, clap::Args)]
pub(crate) struct Dev {
    /// Directory for keys, certificates and the database; used again when it was made by `dev` before. A temporary one otherwise.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Directory of the model pack; `target/packs/base` otherwise.
    #[arg(long, env = "COUNTERSIGN_PACK", value_name = "DIR")]
    pack: Option<PathBuf>,
    /// ONNX Runtime's shared library; the one under `target/onnxruntime` otherwise.
    #[arg(long, env = "COUNTERSIGN_ONNXRUNTIME", value_name = "FILE")]
    onnxruntime: Option<PathBuf>,
    /// Where gRPC and JSON are served; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8443")]
    listen: SocketAddr,
    /// Engine threads; 0 takes one per core.
    #[arg(long, value_name = "N", default_value_t = 0)]
    threads: usize,
    /// Keep the temporary directory at the end.
    #[arg(long)]
    keep: bool,
    /// Log filter in the syntax of `tracing`.
    #[arg(long, value_name = "FILTER", default_value = "warn")]
    log: String,
}

impl Dev {
    /// Serves until Ctrl-C or SIGTERM, then drains.
    pub(crate) fn run(self) -> anyhow::Result<Outcome> {
        service::heap::reexec_wiped().context("starting again with a heap that is wiped")?;
        worker::memory::harden().context("memory settings")?;
        telemetry::init(&TelemetryConfig { format: LogFormat::Text, filter: self.log.clone() })?;
        let runtime = tokio::runtime::Runtime::new().context("async runtime")?;
        runtime.block_on(self.serve())?;
        Ok(Outcome::Done)
    }

    async fn serve(self) -> anyhow::Result<()> {
        let models = place::Models::find(self.pack.clone(), self.onnxruntime.clone())?;
        let place = Place::prepare(self.dir.clone(), self.keep)?;
        let (clock, shutdown, worker_end) = (Clock::system(), drain::signal(), CancellationToken::new());

        let config = place.worker(&models, self.threads)?;
        let worker = worker::start(config, clock.clone(), worker_end.clone()).await.context("worker")?;
        let config = place.gateway(free_port(self.listen)?, worker.addr)?;
        let gateway = gateway::start(config.clone(), clock.clone(), shutdown.clone()).await.context("gateway")?;
        ready(gateway.admin_addr, &shutdown).await?;
        let credential = match Summary::credential_in(place.dir()) {
            Some(earlier) => earlier,
            None => make_tenant(&config, clock).await?,
        };
        let addresses = summary::Addresses {
            public: gateway.addr,
            admin: gateway.admin_addr,
            worker: worker.addr,
            worker_admin: worker.admin_addr,
        };
        let summary = Summary::new(&place, &models, addresses, credential)?;
        summary.write(place.dir())?;
        calls::write_script(&summary, place.dir())?;
        calls::print(&summary, place.dir());

        let drained = gateway.join.await?;
        worker_end.cancel();
        worker.join.await?;
        eprintln!("drained; {} connections were cut", drained.cut);
        Ok(())
    }
}

/// A test tenant, whose policy goes without gates 3 and 4, and its API key.
async fn make_tenant(config: &gateway::Config, clock: Clock) -> anyhow::Result<Credential> {
    let register = Register::open(config, clock).await?;
    let request = TenantRequest { name: "dev".to_owned(), test: true, policy: Policy::testing() };
    let tenant = register.create_tenant(request).await?;
    let key = register.create_api_key(tenant, None).await?;
    register.close().await;
    Ok(Credential { tenant_id: tenant.to_string(), key_id: key.key_id, api_key: key.secret.expose_secret().to_owned() })
}

/// Waits until the gateway's admin port says that it takes work.
async fn ready(admin: SocketAddr, shutdown: &CancellationToken) -> anyhow::Result<()> {
    for _ in 0..600 {
        if probe(admin).await.unwrap_or(false) {
            return Ok(());
        }
        tokio::select! {
            () = shutdown.cancelled() => anyhow::bail!("stopped before the gateway was ready"),
            () = tokio::time::sleep(Duration::from_millis(50)) => {}
        }
    }
    anyhow::bail!("the gateway did not become ready within 30 s; --log info says more")
}

async fn probe(admin: SocketAddr) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(admin).await?;
    stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer.starts_with("HTTP/1.1 200"))
}

/// The address with a port that is free now, where none was asked for.
fn free_port(address: SocketAddr) -> anyhow::Result<SocketAddr> {
    let bound = std::net::TcpListener::bind(address).with_context(|| format!("{address} is not free"))?.local_addr()?;
    ensure!(bound.ip().is_loopback(), "{address}: `dev` serves on loopback alone; run the two processes for more");
    Ok(bound)
}
