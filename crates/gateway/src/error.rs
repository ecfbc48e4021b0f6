//! Why a gateway does not start or an operator's command fails. Callers of the service never see these.
//!
//! Must never know: requests. Invariant: every variant names what the operator has to look at.

use std::{io, net::SocketAddr, path::PathBuf};

/// Why the process cannot do what it was started for.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The database does not open or does not answer.
    #[error("the store")]
    Store(#[from] store::StoreError),
    /// A key or key file is missing, laxly kept or malformed, or `[kms]` is of no use.
    #[error("keys")]
    Custody(#[from] custody::CustodyError),
    /// The deletion journal is of no use.
    #[error("[journal]")]
    Journal(#[from] crate::journal::JournalError),
    /// The database was restored from a backup; says how many deletions it lacks.
    #[error(
        "the database is older than its deletion journal: {0} deletions are not in it. Nothing is served from it before \
         `countersign restore-check --config FILE` has erased again what came back"
    )]
    DatabaseOlder(usize),
    /// The database has seen a journal and the settings name none.
    #[error("[journal]: this database has a deletion journal, and no path to it is named")]
    JournalUnnamed,
    /// Certificates or TLS keys do not serve.
    #[error("TLS")]
    Tls(#[from] service::tls::TlsError),
    /// A file does not read.
    #[error("{}: cannot be read", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// An address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The country database does not read.
    #[error("{}: not a country database", path.display())]
    CountryDatabase {
        /// The file.
        path: PathBuf,
        /// Why.
        source: maxminddb::MaxMindDbError,
    },
    /// Notifications would go over a network in the clear.
    #[error("events.url must begin with https://, or http:// and a loopback address")]
    EventsUrl,
    /// A worker's address does not read.
    #[error("inference.workers: not host:port")]
    WorkerAddress(#[from] tonic::transport::Error),
    /// No worker is named.
    #[error("inference.workers: names no worker")]
    NoWorker,
    /// Metrics or logs cannot be set up.
    #[error("telemetry")]
    Telemetry(#[from] service::telemetry::TelemetryError),
    /// A thread ended while it was starting.
    #[error("starting")]
    Thread(#[source] tokio::task::JoinError),
    /// Reflection cannot read the compiled protos.
    #[error("the protos do not serve reflection")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// A tenant's policy is out of range.
    #[error("policy")]
    Policy(#[from] biometrics::policy::PolicyError),
    /// There is no such tenant.
    #[error("there is no such tenant")]
    UnknownTenant,
    /// The tenant stands where that cannot be done; says where.
    #[error("the tenant is {}", .0.word())]
    TenantStands(store::TenantState),
    /// A legal hold stands in the way of a termination.
    #[error("a legal hold of the tenant stands: release it first")]
    Held,
    /// The policy keeps old keys, which a termination would destroy.
    #[error("the tenant's policy has keep_old_keys: put one into force that has not, first")]
    OldKeysKept,
    /// The tenant has not ended.
    #[error("the tenant has not ended")]
    NotTerminated,
    /// A policy of that version is or was in force; a name means one policy for good.
    #[error("a policy of this tenant has that version already: give it another")]
    VersionUsed,
    /// There is no such API key, or it was revoked before.
    #[error("there is no such API key, or it was revoked before")]
    UnknownKey,
    /// There is no such job, or not one of that kind.
    #[error("there is no such job")]
    UnknownJob,
    /// A job of which a tenant has one at a time goes on; the next may be asked for when it has ended.
    #[error("one of this tenant runs already: {0}")]
    RunsAlready(biometrics::JobId),
    /// No worker, database or randomness gave what was asked.
    #[error("refused")]
    Refused(#[from] wire::Reason),
}
