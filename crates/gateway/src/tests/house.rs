//! A gateway that runs, with a tenant and its key, in a temporary directory.

use super::{
    http::{Answer, Trust},
    peer::Peer,
};
use crate::{Config, Running, config, tenants::Register};
use biometrics::{Policy, TenantId};
use custody::{KmsConfig, PemKey, SecretFile};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use receipt::{KeySet, Pin, TrustedKeys, jwks_document, thumbprint};
use secrecy::ExposeSecret as _;
use service::{Clock, serve::ServeLimits, telemetry::TelemetryConfig, tls::ClientTls};
use std::{
    convert::Infallible,
    fs,
    net::SocketAddr,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};
use store::{AuditBody, NewTenant, Store, StoreConfig, TenantSecretsRow};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tonic::{
    Request,
    transport::{Certificate, Channel, ClientTlsConfig},
};
use wire::v1::{self, verification_service_client::VerificationServiceClient};

/// How long a test's call may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// See the module.
pub(super) struct House {
    pub(super) running: Option<Running>,
    pub(super) addr: SocketAddr,
    pub(super) admin_addr: SocketAddr,
    pub(super) store: Store,
    pub(super) register: Register,
    pub(super) tenant: TenantId,
    pub(super) key: String,
    pub(super) shutdown: CancellationToken,
    pub(super) peer: Peer,
    pub(super) trust: Trust,
    ca: Vec<u8>,
    pub(super) dir: TempDir,
}

impl House {
    /// A gateway with the default limits and a worker that answers.
    pub(super) async fn open() -> Self {
        Self::with(|_| {}).await
    }

    /// A gateway with changed settings.
    pub(super) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let ca = Ca::make(dir.path());
        let peer = Peer::serve(&ca).await;
        let mut config = settings(dir.path(), &ca, peer.addr);
        change(&mut config);
        let shutdown = CancellationToken::new();
        let running = crate::start(config.clone(), Clock::system(), shutdown.clone()).await.unwrap();
        let register = Register::open(&config, Clock::system()).await.unwrap();
        let store = Store::open(StoreConfig::from(&config.store)).await.unwrap();
        let tenant = tenant(&store, 1).await;
        let key = register.create_api_key(tenant, None).await.unwrap().secret.expose_secret().to_owned();
        let ca_pem = fs::read(&ca.pem).unwrap();
        Self {
            addr: running.addr,
            admin_addr: running.admin_addr,
            running: Some(running),
            store,
            register,
            tenant,
            key,
            shutdown,
            peer,
            trust: Trust::only(&ca_pem),
            ca: ca_pem,
            dir,
        }
    }

    /// A second tenant with its key.
    pub(super) async fn neighbour(&self) -> (TenantId, String) {
        let tenant = tenant(&self.store, 2).await;
        let key = self.register.create_api_key(tenant, None).await.unwrap().secret.expose_secret().to_owned();
        (tenant, key)
    }

    /// A gRPC client over TLS.
    pub(super) async fn client(&self) -> VerificationServiceClient<Channel> {
        VerificationServiceClient::new(self.channel().await).max_encoding_message_size(64 << 20)
    }

    /// A channel over TLS.
    pub(super) async fn channel(&self) -> Channel {
        let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(&self.ca)).domain_name("localhost");
        let endpoint = Channel::from_shared(format!("https://{}", self.addr)).unwrap().tls_config(tls).unwrap();
        endpoint.connect().await.unwrap()
    }

    /// A message with the tenant's credential and a deadline.
    pub(super) fn ask<T>(&self, message: T) -> Request<T> {
        ask(message, &self.key)
    }

    /// Opens a challenge for `alice`.
    pub(super) async fn challenge(&self, purpose: v1::Purpose) -> v1::CreateChallengeResponse {
        self.challenge_of("alice", purpose).await
    }

    /// Opens a challenge for a user.
    pub(super) async fn challenge_of(&self, user: &str, purpose: v1::Purpose) -> v1::CreateChallengeResponse {
        let request = v1::CreateChallengeRequest { user_id: user.to_owned(), ..new_challenge(purpose) };
        self.client().await.create_challenge(self.ask(request)).await.unwrap().into_inner()
    }

    /// The ledger's keys, under a root made on the spot.
    pub(super) fn ledger_keys(&self) -> TrustedKeys {
        let ledger = PemKey::open(self.dir.path().join("ledger.pem")).unwrap().public();
        let root = PemKey::create(self.dir.path().join("root.pem")).unwrap();
        let iss = "https://countersign.test/ledger";
        let set = KeySet { iss, iat: 1, keys: &[ledger], root: root.public() };
        let document = jwks_document(&set, |message| Ok::<_, Infallible>(root.sign(message))).unwrap();
        let pin = Pin { issuer: iss, root_thumbprint: &thumbprint(&root.public()) };
        TrustedKeys::from_document(&document, pin).unwrap()
    }

    /// Gets a public document.
    pub(super) async fn document(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.trust.send(self.addr, &format!("GET {path}"), headers, b"").await
    }

    /// Enrolls `alice` through the stand-in.
    pub(super) async fn enroll(&self) -> v1::EnrollResponse {
        let challenge = self.challenge(v1::Purpose::Enroll).await;
        let request = enrollment(&challenge.challenge_id);
        self.client().await.enroll(self.ask(request)).await.unwrap().into_inner()
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// A message with a credential and a deadline.
pub(super) fn ask<T>(message: T, credential: &str) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {credential}").parse().unwrap());
    request.set_timeout(PATIENCE);
    request
}

/// A well-formed request for a challenge of `alice`.
pub(super) fn new_challenge(purpose: v1::Purpose) -> v1::CreateChallengeRequest {
    v1::CreateChallengeRequest {
        user_id: "alice".into(),
        purpose: purpose.into(),
        action: Some(action()),
        rp_nonce: vec![7; 16],
        ..Default::default()
    }
}

/// What is approved in every test.
pub(super) fn action() -> v1::Action {
    v1::Action {
        r#type: "withdrawal".into(),
        amount: "250.00".into(),
        currency: "EUR".into(),
        payee: "Bob".into(),
        ..Default::default()
    }
}

/// A capture of one frame for a challenge.
pub(super) fn verification(challenge_id: &str) -> v1::VerifyRequest {
    v1::VerifyRequest {
        challenge_id: challenge_id.to_owned(),
        action: Some(action()),
        frames: vec![frame(64)],
        ..Default::default()
    }
}

/// The same for an enrollment.
pub(super) fn enrollment(challenge_id: &str) -> v1::EnrollRequest {
    let v1::VerifyRequest { challenge_id, action, frames, .. } = verification(challenge_id);
    v1::EnrollRequest { challenge_id, action, frames, consent: Some(consent()), ..Default::default() }
}

/// Consent as a tenant records it.
pub(super) fn consent() -> v1::Consent {
    let given_at = Some(wire::convert::timestamp(1_700_000_000_000));
    v1::Consent { text_sha256: vec![7; 32], locale: "en".into(), version: "1".into(), given_at }
}

/// A frame whose header says JPEG of `side` pixels; what follows the header nobody here decodes.
pub(super) fn frame(side: u16) -> v1::Frame {
    let [high, low] = side.to_be_bytes();
    let mut image = b"\xff\xd8\xff\xe0\x00\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0".to_vec();
    image.extend_from_slice(&[0xff, 0xc0, 0, 17, 8, high, low, high, low, 3, 1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1]);
    image.extend_from_slice(b"\xff\xd9");
    v1::Frame { image, offset_ms: 0, format: v1::FrameFormat::Jpeg.into() }
}

/// The reason code that a status carries.
pub(super) fn reason(status: &tonic::Status) -> String {
    wire::Reason::from_status(status).map_or_else(|| format!("{:?} without a reason", status.code()), |r| r.code)
}

async fn tenant(store: &Store, number: u128) -> TenantId {
    let id = TenantId::new(uuid::Uuid::from_u128(number));
    let secrets = TenantSecretsRow { kek_version: 1, transform_key: vec![1; 60], pseudonym_key: vec![2; 60] };
    let new = NewTenant {
        id,
        name: format!("tenant {number}"),
        test: true,
        policy: Policy::testing(),
        secrets,
        audit: AuditBody::default(),
    };
    store.create_tenant(new).await.unwrap();
    id
}

fn settings(dir: &Path, ca: &Ca, worker: SocketAddr) -> Config {
    let file = |name: &str| dir.join(name);
    SecretFile::create(file("pepper")).unwrap();
    SecretFile::create(file("capture.key")).unwrap();
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).unwrap();
    PemKey::create(file("ledger.pem")).unwrap();
    for document in ["jwks.json", "test-jwks.json", "ledger-jwks.json"] {
        fs::write(file(document), format!("{{\"document\":\"{document}\"}}")).unwrap();
    }
    let (cert, key) = ca.issue("localhost");
    let (client_cert, client_key) = ca.issue("gateway");
    let any_port: SocketAddr = ([127, 0, 0, 1], 0).into();
    Config {
        listen: any_port,
        admin_listen: any_port,
        public_url: "https://countersign.test".into(),
        tls: config::Tls { cert, key },
        store: config::Store::Path(file("countersign.db")),
        kms: KmsConfig::File { directory: dir.to_owned() },
        keys: config::Keys { pepper: file("pepper"), previous_pepper: None, capture: file("capture.key") },
        documents: config::Documents {
            jwks: file("jwks.json"),
            test_jwks: file("test-jwks.json"),
            ledger_jwks: file("ledger-jwks.json"),
        },
        inference: config::Inference {
            workers: vec![worker.to_string()],
            tls: ClientTls { ca: ca.pem.clone(), cert: client_cert, key: client_key, domain: "worker".into() },
            connect_timeout_ms: 1_000,
        },
        limits: config::Limits::default(),
        network: config::Network::default(),
        audit: None,
        events: None,
        journal: Some(config::Journal { path: file("deletions.journal") }),
        jobs: config::Jobs::default(),
        serve: ServeLimits::default(),
        telemetry: TelemetryConfig::default(),
    }
}

/// A throwaway certificate authority.
pub(super) struct Ca {
    dir: PathBuf,
    pub(super) pem: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

impl Ca {
    fn make(dir: &Path) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, "Test CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = dir.join("ca.pem");
        fs::write(&pem, params.self_signed(&key).unwrap().pem()).unwrap();
        Self { dir: dir.to_owned(), pem, issuer: Issuer::new(params, key) }
    }

    /// A leaf certificate and its key.
    pub(super) fn issue(&self, name: &str) -> (PathBuf, PathBuf) {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, format!("Test leaf {name}"));
        let key = KeyPair::generate().unwrap();
        let (cert, private) = (self.dir.join(format!("{name}.crt")), self.dir.join(format!("{name}.key")));
        fs::write(&cert, params.signed_by(&key, &self.issuer).unwrap().pem()).unwrap();
        fs::write(&private, key.serialize_pem()).unwrap();
        (cert, private)
    }
}
