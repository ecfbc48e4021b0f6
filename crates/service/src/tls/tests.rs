//! Real certificates, and configs that must not come up. Handshakes are tested where they happen, in `serve`.

pub(crate) mod pki;

use super::*;
use pki::{Ca, Leaf};

#[test]
fn a_config_comes_up_from_pem_files_with_both_protocols() {
    let dir = tempfile::tempdir().unwrap();
    let ca = Ca::make(dir.path(), "ca");
    let config = server_config(&ca.server(&Leaf::named("worker"), &["spiffe://test/gateway"])).unwrap();
    assert_eq!(config.alpn_protocols, [b"h2".to_vec(), b"http/1.1".to_vec()]);
    assert_eq!(config.send_tls13_tickets, 0);
}

#[test]
fn peers_without_a_ca_and_a_ca_without_peers_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let ca = Ca::make(dir.path(), "ca");
    let whole = ca.server(&Leaf::named("worker"), &["gateway"]);
    let no_peers = ServerTls { allowed_peers: Vec::new(), ..whole.clone() };
    let no_ca = ServerTls { client_ca: None, ..whole };
    for tls in [no_peers, no_ca] {
        assert!(matches!(server_config(&tls), Err(TlsError::PeersWithoutCa)));
    }
}

#[test]
fn a_missing_file_a_wrong_kind_and_a_foreign_key_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let ca = Ca::make(dir.path(), "ca");
    let whole = ca.server(&Leaf::named("worker"), &["gateway"]);
    let other = ca.server(&Leaf::named("other"), &["gateway"]);

    let missing = ServerTls { key: dir.path().join("absent.pem"), ..whole.clone() };
    let Err(error) = server_config(&missing) else { panic!("a missing key was taken") };
    assert!(matches!(error, TlsError::Unreadable { .. }) && error.to_string().contains("absent.pem"), "{error}");

    let key_as_certificate = ServerTls { cert: whole.key.clone(), ..whole.clone() };
    assert!(matches!(server_config(&key_as_certificate), Err(TlsError::NoCertificate { .. })));
    let certificate_as_key = ServerTls { key: whole.cert.clone(), ..whole.clone() };
    assert!(matches!(server_config(&certificate_as_key), Err(TlsError::Pem { .. })));
    let foreign_key = ServerTls { key: other.key, ..whole };
    assert!(matches!(server_config(&foreign_key), Err(TlsError::Rustls { .. })));
}

#[test]
fn peer_names_are_dns_and_uri_names_and_nothing_of_garbage() {
    let dir = tempfile::tempdir().unwrap();
    let ca = Ca::make(dir.path(), "ca");
    let tls = ca.client(&Leaf { uri: Some("spiffe://test/gateway"), ..Leaf::named("gateway") });
    let leaf = certificates(&tls.cert).unwrap().remove(0);
    assert_eq!(PeerNames::of(&leaf).0, ["gateway", "spiffe://test/gateway"]);
    assert_eq!(PeerNames::of(&CertificateDer::from(vec![0x30, 0x01, 0x00])).0, Vec::<String>::new());
}
