//! The served worker: mutual TLS, deadlines, probes and drain over a real socket.

use super::fixture::{Fixture, OWNER, Tenant, capture};
use crate::{Config, Running, start};
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use service::{Clock, tls};
use std::{fs, path::Path, time::Duration};
use tokio_util::sync::CancellationToken;
use tonic::{
    Code, Request,
    transport::{Channel, Endpoint},
};
use wire::{
    Reason, convert,
    v1::{self, inference_service_client::InferenceServiceClient},
};

/// Writes a CA, a worker's and a gateway's certificate, and one that no worker allows.
fn make_certificates(folder: &Path) {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    fs::write(folder.join("ca.pem"), authority.self_signed(&key).unwrap().pem()).unwrap();
    let issuer = Issuer::new(authority, key);
    for name in ["worker", "gateway", "stranger"] {
        let mut leaf = CertificateParams::new(vec![format!("{name}.test")]).unwrap();
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().unwrap();
        fs::write(folder.join(format!("{name}.pem")), leaf.signed_by(&key, &issuer).unwrap().pem()).unwrap();
        fs::write(folder.join(format!("{name}.key")), key.serialize_pem()).unwrap();
    }
}

async fn channel(folder: &Path, running: &Running, name: &str) -> Result<Channel, tonic::transport::Error> {
    let file = |end: &str| folder.join(format!("{name}.{end}"));
    let client =
        tls::ClientTls { ca: folder.join("ca.pem"), cert: file("pem"), key: file("key"), domain: "worker.test".into() };
    let endpoint = Endpoint::from_shared(format!("https://{}", running.addr)).unwrap();
    endpoint.tls_config(tls::client_config(&client).unwrap()).unwrap().connect().await
}

/// A started worker, what it was started from, and a client that it admits.
async fn started(config: &Config, folder: &Path) -> (Running, CancellationToken, InferenceServiceClient<Channel>) {
    make_certificates(folder);
    let shutdown = CancellationToken::new();
    let running = start(config.clone(), Clock::system(), shutdown.clone()).await.unwrap();
    let client = InferenceServiceClient::new(channel(folder, &running, "gateway").await.unwrap());
    (running, shutdown, client)
}

fn request(fixture: &Fixture, tenant: &Tenant) -> v1::InferenceServiceEnrollRequest {
    let now_ms = Clock::system().now_ms();
    let context =
        v1::AttemptContext { gateway_time: Some(convert::timestamp(now_ms)), ..fixture.context(tenant, "alice") };
    v1::InferenceServiceEnrollRequest { context: Some(context), frames: capture(&OWNER[..1]) }
}

fn timed<T>(message: T, timeout: Duration) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(timeout);
    request
}

fn reason(status: &tonic::Status) -> String {
    Reason::from_status(status).map(|received| received.code).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_enrolls_over_mutual_tls_and_nobody_else_is_heard() {
    let Some(fixture) = Fixture::new("a_gateway_enrolls_over_mutual_tls_and_nobody_else_is_heard") else { return };
    let tenant = fixture.tenant(1);
    let folder = fixture.folder.path();
    let (running, shutdown, mut client) = started(&fixture.config, folder).await;

    let timeout = Duration::from_secs(60);
    let answer = client.enroll(timed(request(&fixture, &tenant), timeout)).await.unwrap().into_inner();
    assert_eq!(answer.decision.unwrap().verdict(), v1::Verdict::Accept);
    let described = client.describe(timed(v1::DescribeRequest {}, timeout)).await.unwrap().into_inner();
    assert!(!described.models.is_empty() && described.min_fmr < 1e-2);

    let stranger = channel(folder, &running, "stranger").await;
    let heard = match stranger {
        Ok(channel) => {
            InferenceServiceClient::new(channel).describe(timed(v1::DescribeRequest {}, timeout)).await.is_ok()
        }
        Err(_) => false,
    };
    assert!(!heard, "a certificate of the right authority with another name");

    let undated = client.describe(Request::new(v1::DescribeRequest {})).await.unwrap_err();
    assert_eq!((undated.code(), reason(&undated).as_str()), (Code::InvalidArgument, "DEADLINE_REQUIRED"));

    shutdown.cancel();
    drop(client);
    assert_eq!(running.join.await.unwrap().cut, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_call_is_told_so() {
    let Some(fixture) = Fixture::new("a_late_call_is_told_so") else { return };
    let tenant = fixture.tenant(1);
    let (running, shutdown, mut client) = started(&fixture.config, fixture.folder.path()).await;
    let late = client.enroll(timed(request(&fixture, &tenant), Duration::from_nanos(1))).await.unwrap_err();
    assert!(matches!(late.code(), Code::DeadlineExceeded | Code::Cancelled), "{late}");
    shutdown.cancel();
    drop(client);
    running.join.await.unwrap();
}
