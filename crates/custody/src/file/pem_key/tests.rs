//! Tests of `pem_key`.

use super::*;
use ed25519_dalek::{Signature, VerifyingKey};
use std::{fs, os::unix::fs::PermissionsExt};

#[test]
fn a_key_reads_back_as_itself_and_its_signatures_verify() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("receipt.pem");
    let made = PemKey::create(&path).unwrap();
    let opened = PemKey::open(&path).unwrap();
    assert_eq!(made.public(), opened.public());
    let verifying = VerifyingKey::from_bytes(&opened.public()).unwrap();
    let signature = Signature::from_bytes(&opened.sign(b"message"));
    assert!(verifying.verify_strict(b"message", &signature).is_ok());
    assert!(verifying.verify_strict(b"massage", &signature).is_err());
}

#[test]
fn the_file_is_version_1_pem_of_mode_0600() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("receipt.pem");
    PemKey::create(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let pem = fs::read_to_string(&path).unwrap();
    assert!(pem.starts_with("-----BEGIN PRIVATE KEY-----\n"), "PEM");
    // RFC 8410 section 7: 48 bytes of DER with version 0, that is 64 characters of base64.
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    assert_eq!(body.len(), 64);
    assert!(body.starts_with("MC4CAQAwBQYDK2VwBCIEI"));
}

#[test]
fn keys_are_never_overwritten_and_bad_files_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("receipt.pem");
    assert!(matches!(PemKey::open(&path), Err(CustodyError::Missing { .. })));
    let public = PemKey::create(&path).unwrap().public();
    assert!(matches!(PemKey::create(&path), Err(CustodyError::Exists { .. })));
    assert_eq!(PemKey::open(&path).unwrap().public(), public);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(PemKey::open(&path), Err(CustodyError::Permissions { .. })));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    for garbage in [b"".as_slice(), b"-----BEGIN PRIVATE KEY-----\n", &[0xff; 100], &[b'a'; 2000]] {
        fs::write(&path, garbage).unwrap();
        assert!(matches!(PemKey::open(&path), Err(CustodyError::Malformed { .. })));
    }
}

#[test]
fn debug_shows_no_key() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(format!("{:?}", PemKey::create(dir.path().join("k")).unwrap()), "PemKey(..)");
}
