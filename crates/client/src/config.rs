//! Where the service is, who we are, whom we believe.
//!
//! Must never know: any call. Invariant: TLS always, under the given CA alone; credentials are never printed.

use crate::ClientError;
use receipt::TrustedKeys;
use secrecy::{ExposeSecret as _, SecretString};
use std::{fmt, sync::Arc, time::Duration};
use tonic::{
    metadata::{Ascii, MetadataValue},
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint},
};
use wire::v1::verification_service_client::VerificationServiceClient;

/// The caller's clock: seconds since 1970.
pub type Now = Arc<dyn Fn() -> i64 + Send + Sync>;

/// A client certificate and its key, both PEM.
#[derive(Clone)]
pub struct Identity {
    /// The certificate chain.
    pub cert_pem: Vec<u8>,
    /// The private key.
    pub key_pem: SecretString,
}

/// How to reach the service and what to trust of it.
#[derive(Clone)]
pub struct ClientConfig {
    /// `https://host:port`.
    pub endpoint: String,
    /// The CA of the service's certificate, PEM; no other is trusted.
    pub ca_pem: Vec<u8>,
    /// Client certificate, where the service wants one.
    pub identity: Option<Identity>,
    /// The tenant's API key.
    pub api_key: SecretString,
    /// Keys of the receipt issuer.
    pub trusted: TrustedKeys,
    /// Keys of the ledger issuer, for deletion proofs.
    pub ledger: TrustedKeys,
    /// Time for a whole call, retries included; 10 ms to 10 min.
    pub deadline: Duration,
    /// The clock that receipts are held against.
    pub now: Now,
}

impl fmt::Debug for ClientConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientConfig")
            .field("endpoint", &self.endpoint)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

/// A connection to the verification service; cheap to clone.
#[derive(Clone)]
pub struct Client {
    pub(crate) service: VerificationServiceClient<Channel>,
    pub(crate) authorization: MetadataValue<Ascii>,
    pub(crate) trusted: Arc<TrustedKeys>,
    pub(crate) ledger: Arc<TrustedKeys>,
    pub(crate) deadline: Duration,
    pub(crate) now: Now,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}

impl Client {
    /// Connects; later losses of the connection are mended by the calls themselves.
    ///
    /// # Errors
    /// [`ClientError::Configuration`] for a member that cannot be used, [`ClientError::Connect`] where nobody answers.
    pub async fn connect(config: ClientConfig) -> Result<Self, ClientError> {
        if !(Duration::from_millis(10)..=Duration::from_secs(600)).contains(&config.deadline) {
            return Err(ClientError::Configuration("deadline"));
        }
        let bearer = format!("Bearer {}", config.api_key.expose_secret());
        let mut authorization = MetadataValue::try_from(bearer).map_err(|_| ClientError::Configuration("api_key"))?;
        authorization.set_sensitive(true);
        let channel = endpoint(&config)?.connect().await.map_err(ClientError::Connect)?;
        Ok(Self {
            service: VerificationServiceClient::new(channel),
            authorization,
            trusted: Arc::new(config.trusted),
            ledger: Arc::new(config.ledger),
            deadline: config.deadline,
            now: config.now,
        })
    }
}

fn endpoint(config: &ClientConfig) -> Result<Endpoint, ClientError> {
    let unusable = |_| ClientError::Configuration("endpoint");
    if !config.endpoint.starts_with("https://") {
        return Err(ClientError::Configuration("endpoint"));
    }
    let mut tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(&config.ca_pem));
    if let Some(identity) = &config.identity {
        let key = identity.key_pem.expose_secret();
        tls = tls.identity(tonic::transport::Identity::from_pem(&identity.cert_pem, key));
    }
    Endpoint::from_shared(config.endpoint.clone())
        .map_err(unusable)?
        .connect_timeout(config.deadline)
        .keep_alive_while_idle(true)
        .http2_keep_alive_interval(Duration::from_secs(30))
        .tls_config(tls)
        .map_err(|_| ClientError::Configuration("ca_pem or identity"))
}
