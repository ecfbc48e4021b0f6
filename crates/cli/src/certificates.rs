//! Certificates of a private authority for a test or a single-site deployment: public port, gateway as client, worker.
//!
//! Owns nothing after it returns: the authority's key is dropped, so nobody can sign a further certificate with it.
//! Invariant: keys are ECDSA P-256 (OpenSSL reads them), files with keys are 0600.

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use std::{
    fs::{DirBuilder, OpenOptions},
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
};

/// Names in the certificates.
pub(crate) struct Names<'a> {
    /// DNS names and IP addresses under which callers reach the gateway.
    pub(crate) public: &'a [&'a str],
    /// Name of the gateway towards workers; workers admit it by this name.
    pub(crate) gateway: &'a str,
    /// Name that every worker's certificate carries.
    pub(crate) worker: &'a str,
}

/// Writes `ca.pem`, and `public`, `gateway` and `worker` each as `.pem` and `.key`, into `folder`.
///
/// # Errors
/// Where a file exists already or cannot be written.
pub(crate) fn make(folder: &Path, names: &Names<'_>) -> Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let mut params = CertificateParams::new(Vec::<String>::new())?;
    params.distinguished_name.push(DnType::CommonName, "Countersign private authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate()?;
    let authority = params.self_signed(&key)?;
    write(&folder.join("ca.pem"), authority.pem().as_bytes(), 0o644)?;
    let issuer = Issuer::new(params, key);
    let server = ExtendedKeyUsagePurpose::ServerAuth;
    leaf(folder, "public", (names.public, server.clone()), &issuer)?;
    leaf(folder, "gateway", (&[names.gateway], ExtendedKeyUsagePurpose::ClientAuth), &issuer)?;
    leaf(folder, "worker", (&[names.worker], server), &issuer)
}

fn leaf(
    folder: &Path,
    name: &str,
    (subjects, usage): (&[&str], ExtendedKeyUsagePurpose),
    issuer: &Issuer<'_, KeyPair>,
) -> Result<()> {
    let subjects: Vec<String> = subjects.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(subjects)?;
    params.distinguished_name.push(DnType::CommonName, format!("Countersign {name}"));
    params.extended_key_usages = vec![usage];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, issuer)?;
    write(&folder.join(format!("{name}.pem")), certificate.pem().as_bytes(), 0o644)?;
    write(&folder.join(format!("{name}.key")), key.serialize_pem().as_bytes(), 0o600)
}

fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    let file = file.as_mut().map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))?;
    file.write_all(bytes).with_context(|| format!("{} cannot be written", path.display()))
}
