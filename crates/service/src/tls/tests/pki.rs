//! A throwaway CA and its leaves, as PEM files in a temporary directory.

use crate::tls::{ClientTls, ServerTls};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType, date_time_ymd};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A CA with a directory to write to.
pub(crate) struct Ca {
    dir: PathBuf,
    name: &'static str,
    pub(crate) pem: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

/// What a leaf certificate says.
#[derive(Clone, Copy)]
pub(crate) struct Leaf {
    pub(crate) name: &'static str,
    pub(crate) uri: Option<&'static str>,
    pub(crate) expired: bool,
}

impl Leaf {
    pub(crate) const fn named(name: &'static str) -> Self {
        Self { name, uri: None, expired: false }
    }
}

impl Ca {
    pub(crate) fn make(dir: &Path, name: &'static str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, format!("Test CA {name}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = dir.join(format!("{name}.pem"));
        fs::write(&pem, params.self_signed(&key).unwrap().pem()).unwrap();
        Self { dir: dir.to_owned(), name, pem, issuer: Issuer::new(params, key) }
    }

    fn issue(&self, leaf: &Leaf) -> (PathBuf, PathBuf) {
        let mut params = CertificateParams::new(vec![leaf.name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, format!("Test leaf {}", leaf.name));
        params.subject_alt_names.extend(leaf.uri.map(|uri| SanType::URI(uri.try_into().unwrap())));
        if leaf.expired {
            (params.not_before, params.not_after) = (date_time_ymd(2001, 1, 1), date_time_ymd(2002, 1, 1));
        }
        let key = KeyPair::generate().unwrap();
        let file = |what: &str| self.dir.join(format!("{}-{}-{what}.pem", self.name, leaf.name));
        let (cert, private) = (file("cert"), file("key"));
        fs::write(&cert, params.signed_by(&key, &self.issuer).unwrap().pem()).unwrap();
        fs::write(&private, key.serialize_pem()).unwrap();
        (cert, private)
    }

    /// A server that takes peers of this CA under these names.
    pub(crate) fn server(&self, leaf: &Leaf, allowed_peers: &[&str]) -> ServerTls {
        let (cert, key) = self.issue(leaf);
        let allowed_peers = allowed_peers.iter().map(|name| (*name).to_owned()).collect();
        ServerTls { cert, key, client_ca: Some(self.pem.clone()), allowed_peers }
    }

    /// A client that trusts this CA and expects the server to be `worker`.
    pub(crate) fn client(&self, leaf: &Leaf) -> ClientTls {
        let (cert, key) = self.issue(leaf);
        ClientTls { ca: self.pem.clone(), cert, key, domain: "worker".to_owned() }
    }
}
