//! A server that speaks the transit API of HashiCorp Vault and OpenBao as it is published: real HTTP over TLS, real AES-GCM and
//! Ed25519, the published error bodies. It stands in because no such server can be installed from the registries at hand.
//!
//! Published means: the API pages of the transit engine, of AppRole and Kubernetes login and of HTTP status codes, and, where they
//! are silent, what OpenBao's transit engine does (a missing key on `encrypt` is made where the token may make keys; a version below
//! `min_decryption_version` is "too old"; trimming needs both bounds). Faults are set from outside: sealed, denied, throttled, mute.

mod access;
mod engine;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, Method, StatusCode},
    response::{IntoResponse, Response},
    routing::any,
};
use custody::{KmsConfig, VaultAuth, VaultConfig};
use engine::Engine;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};
use service::{
    serve::{Listening, ServeLimits, serve},
    tls::{ServerTls, server_config},
};
use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{net::TcpListener, runtime::Runtime};
use tokio_util::sync::CancellationToken;

pub(crate) use access::Access;

/// What is wrong with the server now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// 503, as a sealed server answers everything.
    Sealed,
    /// 429, as a rate limit quota does.
    Throttled,
    /// 500.
    Failing,
    /// It reads questions and never answers.
    Mute,
    /// 200 with a page that is not JSON, as a proxy in between may.
    Garbage,
}

struct House {
    engine: Engine,
    access: Access,
    fault: Fault,
    asked: u64,
}

/// See the module. Its keys outlive a stop and a start.
pub(crate) struct Server {
    house: Arc<Mutex<House>>,
    runtime: Runtime,
    address: SocketAddr,
    folder: tempfile::TempDir,
    running: Mutex<Option<CancellationToken>>,
}

impl Server {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        make_certificates(&folder);
        let house = House { engine: Engine::default(), access: Access::new(), fault: Fault::None, asked: 0 };
        let runtime = Runtime::new().unwrap();
        let address = runtime.block_on(async { TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap() });
        let server = Self { house: Arc::new(Mutex::new(house)), runtime, address, folder, running: Mutex::new(None) };
        server.write("token", &server.access(|access| access.issue(None)));
        server.up();
        server
    }

    /// Listens again on the same port.
    pub(crate) fn up(&self) {
        let (house, end) = (Arc::clone(&self.house), CancellationToken::new());
        let tls = ServerTls {
            cert: self.file("server.pem"),
            key: self.file("server.key"),
            client_ca: None,
            allowed_peers: Vec::new(),
        };
        let tls = server_config(&tls).unwrap();
        let router = Router::new().route("/v1/{*path}", any(answer)).with_state(house);
        let limits = ServeLimits { drain_ms: 50, ..ServeLimits::default() };
        let (address, ending) = (self.address, end.clone());
        self.runtime.block_on(async move {
            let listener = loop {
                if let Ok(listener) = TcpListener::bind(address).await {
                    break listener;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            };
            tokio::spawn(serve(Listening { listener, tls: Some(tls), limits }, router, ending));
        });
        *self.running.lock().unwrap() = Some(end);
    }

    /// Stops listening and cuts every connection.
    pub(crate) fn down(&self) {
        self.running.lock().unwrap().take().unwrap().cancel();
        std::thread::sleep(Duration::from_millis(200));
    }

    pub(crate) fn break_with(&self, fault: Fault) {
        self.house.lock().unwrap().fault = fault;
    }

    /// Questions that reached the server so far.
    pub(crate) fn asked(&self) -> u64 {
        self.house.lock().unwrap().asked
    }

    pub(crate) fn access<T>(&self, change: impl FnOnce(&mut Access) -> T) -> T {
        change(&mut self.house.lock().unwrap().access)
    }

    /// The engine itself, to do what an operator of the server may.
    pub(crate) fn ask(&self, method: &str, path: &str, body: Value) -> Value {
        self.house.lock().unwrap().engine.answer(method, path, &body).1
    }

    pub(crate) fn config(&self) -> VaultConfig {
        VaultConfig {
            address: format!("https://localhost:{}", self.address.port()),
            ca: Some(self.file("ca.pem")),
            namespace: None,
            mount: "transit".to_owned(),
            prefix: "countersign".to_owned(),
            auth: VaultAuth::Token { file: self.file("token") },
            timeout_ms: 1_000,
        }
    }

    pub(crate) fn kms(&self) -> KmsConfig {
        KmsConfig::Vault(self.config())
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a secret file and gives its path.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.file(name);
        fs::write(&path, format!("{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }
}

async fn answer(
    State(house): State<Arc<Mutex<House>>>,
    Path(path): Path<String>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let fault = {
        let mut house = house.lock().unwrap();
        house.asked += 1;
        house.fault
    };
    match fault {
        Fault::Mute => std::future::pending().await,
        Fault::Garbage => return (StatusCode::OK, "<html>It works!</html>").into_response(),
        Fault::Sealed => return refused(503, &["Vault is sealed"]),
        Fault::Throttled => return refused(429, &["request path \"transit/\": rate limit quota exceeded"]),
        Fault::Failing => return refused(500, &["1 error occurred:\n\t* internal error\n\n"]),
        Fault::None => {}
    }
    if headers.get("x-vault-request").is_none_or(|value| value != "true") {
        return refused(412, &["missing 'X-Vault-Request' header"]);
    }
    let body: Value = if body.is_empty() { json!({}) } else { serde_json::from_slice(&body).unwrap() };
    let mut house = house.lock().unwrap();
    if let Some(login) = path.strip_prefix("auth/") {
        return match house.access.login(login, &body) {
            Ok(auth) => Json(json!({"request_id": "r", "lease_id": "", "renewable": false, "lease_duration": 0,
                "data": null, "wrap_info": null, "warnings": null, "auth": auth}))
            .into_response(),
            Err((status, error)) => refused(status, &[error]),
        };
    }
    let token = headers.get("x-vault-token").and_then(|token| token.to_str().ok());
    if !token.is_some_and(|token| house.access.allows(token)) {
        return refused(403, &["permission denied"]);
    }
    let Some(path) = path.strip_prefix("transit/") else {
        return refused(404, &[&format!("no handler for route \"{path}\". route entry not found.")]);
    };
    let (status, told) = house.engine.answer(method.as_str(), path, &body);
    match status {
        200 => Json(json!({"request_id": "r", "lease_id": "", "renewable": false, "lease_duration": 0, "data": told,
            "wrap_info": null, "warnings": null, "auth": null, "mount_type": "transit"}))
        .into_response(),
        status => (StatusCode::from_u16(status).unwrap(), Json(json!({"errors": told}))).into_response(),
    }
}

fn refused(status: u16, errors: &[&str]) -> Response {
    (StatusCode::from_u16(status).unwrap(), Json(json!({"errors": errors}))).into_response()
}

fn make_certificates(folder: &tempfile::TempDir) {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    fs::write(folder.path().join("ca.pem"), authority.self_signed(&key).unwrap().pem()).unwrap();
    let issuer = Issuer::new(authority, key);
    let (leaf, key) = (CertificateParams::new(vec!["localhost".into()]).unwrap(), KeyPair::generate().unwrap());
    fs::write(folder.path().join("server.pem"), leaf.signed_by(&key, &issuer).unwrap().pem()).unwrap();
    fs::write(folder.path().join("server.key"), key.serialize_pem()).unwrap();
    let stranger = CertificateParams::default();
    let key = KeyPair::generate().unwrap();
    fs::write(folder.path().join("stranger.pem"), stranger.self_signed(&key).unwrap().pem()).unwrap();
}
