//! Mutual TLS as the worker asks for it: one right peer, and every wrong one.

use super::*;
use crate::tls::{ClientTls, tests::pki::Leaf};
use http::Request;
use std::{error::Error, path::Path};
use tonic::transport::Endpoint;
use tower::ServiceExt as _;

struct Scene {
    _dir: tempfile::TempDir,
    ca: Ca,
    other_ca: Ca,
    running: Running,
}

/// A worker that takes only `gateway`, by DNS or URI name.
async fn scene(server: Leaf) -> Scene {
    let dir = tempfile::tempdir().unwrap();
    let (ca, other_ca) = (Ca::make(dir.path(), "ca"), Ca::make(dir.path(), "other"));
    let tls = ca.server(&server, &["gateway", "spiffe://test/gateway"]);
    let running = run(Some(&tls), ServeLimits::default()).await;
    Scene { _dir: dir, ca, other_ca, running }
}

impl Scene {
    /// One call over HTTP/2, as the gateway's tonic channel makes it.
    async fn call(&self, tls: &ClientTls) -> Result<String, Box<dyn Error>> {
        let endpoint = Endpoint::from_shared(format!("https://{}", self.running.address))?;
        let channel = endpoint.tls_config(tls::client_config(tls)?)?.connect().await?;
        let request = Request::get(format!("https://{}/who", self.running.address)).body(tonic::body::Body::empty())?;
        let response = channel.oneshot(request).await?;
        let body = axum::body::to_bytes(axum::body::Body::new(response.into_body()), 1024).await?;
        Ok(String::from_utf8(body.to_vec())?)
    }

    async fn assert_refused(&self, tls: &ClientTls) {
        let answer = self.call(tls).await;
        assert!(answer.is_err(), "{answer:?}");
        assert_eq!(self.running.reached(), 0);
    }
}

#[tokio::test]
async fn the_named_peer_is_served_and_its_names_are_known() {
    let scene = scene(Leaf::named("worker")).await;
    assert_eq!(scene.call(&scene.ca.client(&Leaf::named("gateway"))).await.unwrap(), "gateway");
    let by_uri = Leaf { uri: Some("spiffe://test/gateway"), ..Leaf::named("pod-7") };
    assert_eq!(scene.call(&scene.ca.client(&by_uri)).await.unwrap(), "pod-7 spiffe://test/gateway");
    assert_eq!(scene.running.reached(), 2);
}

#[tokio::test]
async fn a_peer_of_another_ca_is_refused() {
    let scene = scene(Leaf::named("worker")).await;
    let stranger = scene.other_ca.client(&Leaf::named("gateway"));
    scene.assert_refused(&ClientTls { ca: scene.ca.pem.clone(), ..stranger }).await;
}

#[tokio::test]
async fn a_peer_of_another_name_is_refused() {
    let scene = scene(Leaf::named("worker")).await;
    for name in ["other", "gateway.example", "Gateway"] {
        scene.assert_refused(&scene.ca.client(&Leaf::named(name))).await;
    }
}

#[tokio::test]
async fn an_expired_peer_is_refused() {
    let scene = scene(Leaf::named("worker")).await;
    scene.assert_refused(&scene.ca.client(&Leaf { expired: true, ..Leaf::named("gateway") })).await;
}

#[tokio::test]
async fn a_peer_without_a_certificate_is_refused() {
    let scene = scene(Leaf::named("worker")).await;
    let answer = https(&scene.running, &scene.ca.pem).await;
    assert!(answer.is_err() || answer.is_ok_and(|bytes| bytes.is_empty()));
    assert_eq!(scene.running.reached(), 0);
}

#[tokio::test]
async fn plaintext_is_refused() {
    let scene = scene(Leaf::named("worker")).await;
    let answer = scene.running.plain(GET_WHO).await;
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    assert_eq!(scene.running.reached(), 0);
}

#[tokio::test]
async fn a_client_refuses_an_expired_server_another_name_and_another_ca() {
    for server in [Leaf { expired: true, ..Leaf::named("worker") }, Leaf::named("impostor")] {
        let scene = scene(server).await;
        scene.assert_refused(&scene.ca.client(&Leaf::named("gateway"))).await;
    }
    let scene = scene(Leaf::named("worker")).await;
    let client = scene.ca.client(&Leaf::named("gateway"));
    scene.assert_refused(&ClientTls { ca: scene.other_ca.pem.clone(), ..client }).await;
}

#[tokio::test]
async fn without_a_client_ca_anyone_is_served_over_http1_as_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let ca = Ca::make(dir.path(), "ca");
    let named = ca.server(&Leaf::named("worker"), &["gateway"]);
    let public = tls::ServerTls { client_ca: None, allowed_peers: Vec::new(), ..named };
    let running = run(Some(&public), ServeLimits::default()).await;
    let answer = https(&running, &ca.pem).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200") && answer.ends_with(b"nobody"), "{answer:?}");
}

/// One HTTP/1.1 request over TLS without a client certificate.
async fn https(running: &Running, ca: &Path) -> std::io::Result<Vec<u8>> {
    use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject as _};
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(running.address).await?;
    let worker = ServerName::try_from("worker").unwrap();
    let mut stream = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(worker, stream).await?;
    stream.write_all(GET_WHO).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(answer)
}
