//! Who the peer is: the SAN names of its leaf certificate (RFC 5280 §4.2.1.6), and a verifier that asks for one of a list.

use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    server::danger::{ClientCertVerified, ClientCertVerifier},
};
use rustls_pki_types::{CertificateDer, UnixTime};
use std::sync::Arc;

/// SAN DNS and URI names of the verified peer, in request extensions; absent without a client certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerNames(pub Vec<String>);

impl PeerNames {
    /// Reads the names of a leaf certificate. One that does not parse has none.
    #[must_use]
    pub fn of(leaf: &CertificateDer<'_>) -> Self {
        let Ok(certificate) = webpki::EndEntityCert::try_from(leaf) else { return Self(Vec::new()) };
        let dns = certificate.valid_dns_names();
        Self(dns.chain(certificate.valid_uri_names()).map(str::to_owned).collect())
    }
}

/// The CA's verifier, and after it the names.
#[derive(Debug)]
pub(super) struct NamedPeers {
    chain_of_ca: Arc<dyn ClientCertVerifier>,
    allowed: Vec<String>,
}

impl NamedPeers {
    pub(super) fn new(chain_of_ca: Arc<dyn ClientCertVerifier>, allowed: Vec<String>) -> Self {
        Self { chain_of_ca, allowed }
    }
}

impl ClientCertVerifier for NamedPeers {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.chain_of_ca.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.chain_of_ca.verify_client_cert(leaf, intermediates, now)?;
        let PeerNames(names) = PeerNames::of(leaf);
        if names.iter().any(|name| self.allowed.contains(name)) {
            return Ok(verified);
        }
        Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain_of_ca.verify_tls12_signature(message, leaf, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain_of_ca.verify_tls13_signature(message, leaf, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain_of_ca.supported_verify_schemes()
    }
}
