//! HTTP/1.1 over TLS, one request a connection: what `curl` would send and see.

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use std::{net::SocketAddr, sync::Arc};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

/// Trust in one authority.
#[derive(Clone)]
pub(super) struct Trust(TlsConnector);

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
}

impl Answer {
    /// The reason code of a refusal.
    pub(super) fn reason(&self) -> String {
        let body: serde_json::Value = serde_json::from_str(&self.body).unwrap();
        body["error"]["details"][0]["reason"].as_str().unwrap().to_owned()
    }

    /// The body as JSON.
    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

impl Trust {
    pub(super) fn only(ca_pem: &[u8]) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(ca_pem).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self(TlsConnector::from(Arc::new(config)))
    }

    /// Sends `line` ("METHOD /path"), `headers` and `body`; a length header is added unless one is given.
    pub(super) async fn send(&self, to: SocketAddr, line: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let tcp = TcpStream::connect(to).await.unwrap();
        let mut tls = self.0.connect(ServerName::try_from("localhost").unwrap(), tcp).await.unwrap();
        let mut head = format!("{line} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !headers.iter().any(|(name, _)| *name == "content-length") {
            head.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        tls.write_all(head.as_bytes()).await.unwrap();
        // A server that refuses by the header alone may not wait for the body.
        let _sent = tls.write_all(body).await;
        let mut answer = Vec::new();
        let _ended = tls.read_to_end(&mut answer).await;
        read(&answer)
    }
}

/// The same without TLS, for the admin port.
pub(super) async fn plain(to: SocketAddr, path: &str) -> Answer {
    let mut tcp = TcpStream::connect(to).await.unwrap();
    let head = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    tcp.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ended = tcp.read_to_end(&mut answer).await;
    read(&answer)
}

fn read(answer: &[u8]) -> Answer {
    let answer = String::from_utf8_lossy(answer);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Answer { status, head: head.to_lowercase(), body: body.to_owned() }
}
