//! TLS of both sides from PEM files: a server's config with or without named peers, a client's config, and who the peer is.
//!
//! Owns the process's own TLS key while it is loaded. Invariant: with a client CA, only a certificate of that CA, in its
//! validity, that carries one of the allowed names completes a handshake, over TLS 1.3 and without resumption.

mod peer;
#[cfg(test)]
pub(crate) mod tests;

pub use peer::PeerNames;

use peer::NamedPeers;
use rustls::{RootCertStore, server::WebPkiClientVerifier};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use serde::Deserialize;
use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};
use tonic::transport::{Certificate, ClientTlsConfig, Identity};

/// A server's TLS, as the config states it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerTls {
    /// PEM file of the certificate chain, leaf first.
    pub cert: PathBuf,
    /// PEM file of the private key.
    pub key: PathBuf,
    /// PEM file of the CA that peers' certificates come from. Present: a peer must show one.
    #[serde(default)]
    pub client_ca: Option<PathBuf>,
    /// SAN names (DNS or URI) of which a peer must carry one, compared exactly. Stated together with `client_ca`.
    #[serde(default)]
    pub allowed_peers: Vec<String>,
}

/// A client's TLS, as the config states it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientTls {
    /// PEM file of the CA that the server's certificate comes from; nothing else is trusted.
    pub ca: PathBuf,
    /// PEM file of the client's own certificate chain.
    pub cert: PathBuf,
    /// PEM file of the client's private key.
    pub key: PathBuf,
    /// DNS name that the server's certificate must carry.
    pub domain: String,
}

/// Why TLS could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{}: cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file holds no PEM of the wanted kind.
    #[error("{}: not a PEM file of the wanted kind", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rustls_pki_types::pem::Error,
    },
    /// A file holds no certificate.
    #[error("{}: holds no certificate", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// Certificate and key do not belong together, or the CA is unusable.
    #[error("{}: refused by the TLS library", path.display())]
    Rustls {
        /// The certificate or CA file.
        path: PathBuf,
        /// Why.
        source: rustls::Error,
    },
    /// The client CA takes no verifier.
    #[error("{}: unusable as client CA", path.display())]
    ClientCa {
        /// The CA file.
        path: PathBuf,
        /// Why.
        source: rustls::server::VerifierBuilderError,
    },
    /// `client_ca` without `allowed_peers`, or the other way round.
    #[error("client_ca and allowed_peers are stated together or not at all")]
    PeersWithoutCa,
}

/// Builds a server's config: ALPN `h2` and `http/1.1`, ring.
///
/// # Errors
/// See [`TlsError`].
pub fn server_config(tls: &ServerTls) -> Result<Arc<rustls::ServerConfig>, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let refused = |source| TlsError::Rustls { path: tls.cert.clone(), source };
    let versions: &[_] = match tls.client_ca {
        Some(_) => &[&rustls::version::TLS13],
        None => rustls::DEFAULT_VERSIONS,
    };
    let builder = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)
        .map_err(refused)?;
    let builder = match &tls.client_ca {
        Some(ca) if !tls.allowed_peers.is_empty() => {
            let chain_of_ca = WebPkiClientVerifier::builder_with_provider(Arc::new(roots(ca)?), provider)
                .build()
                .map_err(|source| TlsError::ClientCa { path: ca.clone(), source })?;
            builder.with_client_cert_verifier(Arc::new(NamedPeers::new(chain_of_ca, tls.allowed_peers.clone())))
        }
        None if tls.allowed_peers.is_empty() => builder.with_no_client_auth(),
        _ => return Err(TlsError::PeersWithoutCa),
    };
    let key = PrivateKeyDer::from_pem_file(&tls.key).map_err(|source| pem(&tls.key, source))?;
    let mut config = builder.with_single_cert(certificates(&tls.cert)?, key).map_err(refused)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    if tls.client_ca.is_some() {
        config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    }
    Ok(Arc::new(config))
}

/// Builds a tonic client's config; only the stated CA is trusted.
///
/// # Errors
/// See [`TlsError`].
pub fn client_config(tls: &ClientTls) -> Result<ClientTlsConfig, TlsError> {
    certificates(&tls.ca)?;
    certificates(&tls.cert)?;
    PrivateKeyDer::from_pem_file(&tls.key).map_err(|source| pem(&tls.key, source))?;
    Ok(ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(read(&tls.ca)?))
        .identity(Identity::from_pem(read(&tls.cert)?, read(&tls.key)?))
        .domain_name(tls.domain.clone()))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|source| pem(path, source))?;
    if certificates.is_empty() {
        return Err(TlsError::NoCertificate { path: path.to_owned() });
    }
    Ok(certificates)
}

fn roots(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|source| TlsError::Rustls { path: path.to_owned(), source })?;
    }
    Ok(roots)
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|source| TlsError::Unreadable { path: path.to_owned(), source })
}

fn pem(path: &Path, source: rustls_pki_types::pem::Error) -> TlsError {
    match source {
        rustls_pki_types::pem::Error::Io(source) => TlsError::Unreadable { path: path.to_owned(), source },
        source => TlsError::Pem { path: path.to_owned(), source },
    }
}
