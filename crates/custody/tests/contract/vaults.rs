//! A server that is away, sealed, throttled, mute or not the one it says it is; and tokens that end.

use crate::{
    outages::Ward,
    server::{Fault, Server},
};
use custody::{CustodyError, KekRef, KeyUse, Kms, KmsConfig, Outage, VaultAuth, VaultConfig};
use serde_json::json;
use service::Clock;
use std::{thread, time::Duration};

const TENANT: &str = "tenant";
const KEK: KekRef<'static> = KekRef { tenant: TENANT, version: 1 };

fn open(config: VaultConfig) -> Result<Kms, CustodyError> {
    Kms::open(&KmsConfig::Vault(config), Clock::system())
}

/// Asks until the rest between two questions is over.
fn ask(kms: &Kms) -> Result<(), Outage> {
    loop {
        match kms.keks(TENANT) {
            Ok(_) => return Ok(()),
            Err(CustodyError::Outage { why: Outage::Resting, .. }) => thread::sleep(Duration::from_millis(50)),
            Err(CustodyError::Outage { why, .. }) => return Err(why),
            Err(other) => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_server_that_is_out_says_so_by_its_cause_and_goes_on_when_it_is_back() {
    let server = Server::start();
    let ward = Ward::admit(&server.kms());
    for (fault, why) in [
        (Fault::Sealed, Outage::Sealed),
        (Fault::Throttled, Outage::Throttled),
        (Fault::Failing, Outage::Failed),
        (Fault::Mute, Outage::Late),
        (Fault::Garbage, Outage::Answer),
    ] {
        server.break_with(fault);
        let told = ward.are_out(if fault == Fault::Sealed { 8 } else { 2 }, Duration::from_millis(1_500));
        assert!(told.iter().all(|told| *told == why), "{fault:?}: {told:?}");
        server.break_with(Fault::None);
        ward.recovers();
    }
}

#[test]
fn a_server_that_is_gone_is_an_outage_and_one_that_is_back_goes_on() {
    let server = Server::start();
    let ward = Ward::admit(&server.kms());
    server.down();
    let told = ward.is_out(Duration::from_millis(1_500));
    assert!(told.iter().all(|told| *told == Outage::Unreachable), "{told:?}");
    server.up();
    ward.recovers();
}

#[test]
fn a_token_that_is_revoked_is_an_outage_until_its_file_holds_another() {
    let server = Server::start();
    let ward = Ward::admit(&server.kms());
    server.access(|access| access.revoke_all());
    let told = ward.are_out(2, Duration::from_millis(1_500));
    assert!(told.iter().all(|told| *told == Outage::Denied), "{told:?}");
    server.write("token", &server.access(|access| access.issue(None)));
    ward.recovers();
}

#[test]
fn logins_are_made_anew_when_their_token_ends_and_a_refused_one_is_not_repeated() {
    let server = Server::start();
    let auth = VaultAuth::Approle {
        mount: "approle".into(),
        role_id_file: server.write("role-id", "role-1"),
        secret_id_file: server.write("secret-id", "secret-1"),
    };
    let kms = open(VaultConfig { auth, ..server.config() }).unwrap();
    assert_eq!(ask(&kms), Ok(()));
    assert_eq!(ask(&kms), Ok(()));
    assert_eq!(server.access(|access| access.logins), 1, "one login for many questions");
    server.access(|access| access.revoke_all());
    assert_eq!(ask(&kms), Ok(()), "a token that ended early");
    assert_eq!(server.access(|access| access.logins), 2);

    server.access(|access| {
        access.revoke_all();
        access.secret_id = "secret-2".into();
    });
    for _ in 0..4 {
        assert_eq!(ask(&kms), Err(Outage::CredentialRefused));
    }
    assert_eq!(server.access(|access| access.logins), 3, "a role is locked out after a few");
    server.write("secret-id", "secret-2");
    assert_eq!(ask(&kms), Ok(()));
}

#[test]
fn a_login_is_renewed_before_its_lease_ends() {
    let server = Server::start();
    server.access(|access| access.lease_s = 30);
    let auth = VaultAuth::Kubernetes {
        mount: "kubernetes".into(),
        role: "worker".into(),
        jwt_file: server.write("jwt", "header.claims.signature"),
    };
    let clock = Clock::manual(0);
    let kms = Kms::open(&KmsConfig::Vault(VaultConfig { auth, ..server.config() }), clock.clone()).unwrap();
    for (passed_s, logins) in [(0, 1), (19, 1), (2, 2), (18, 2), (3, 3)] {
        clock.advance(Duration::from_secs(passed_s));
        assert_eq!(ask(&kms), Ok(()));
        assert_eq!(server.access(|access| access.logins), logins, "after {passed_s} s more");
    }
}

#[test]
fn another_authority_a_missing_file_or_plain_http_is_refused() {
    let server = Server::start();
    let config = server.config();
    let stranger = open(VaultConfig { ca: Some(server.file("stranger.pem")), ..config.clone() }).unwrap();
    assert_eq!(ask(&stranger), Err(Outage::Unreachable));
    assert_eq!(server.asked(), 0, "nothing was said to a server that is not ours");
    assert_eq!(ask(&open(config.clone()).unwrap()), Ok(()), "positive control");

    let refused = |config: VaultConfig| open(config).map(drop).unwrap_err();
    assert!(matches!(refused(VaultConfig { ca: None, ..config.clone() }), CustodyError::Setting { field: "ca" }));
    let plain = VaultConfig { address: "http://vault.example:8200".into(), ca: None, ..config.clone() };
    assert!(matches!(refused(plain), CustodyError::Setting { field: "address" }));
    for (mount, prefix, field) in [("../sys", "p", "mount"), ("", "p", "mount"), ("transit", "a/b", "prefix")] {
        let odd = VaultConfig { mount: mount.into(), prefix: prefix.into(), ..config.clone() };
        assert!(matches!(refused(odd), CustodyError::Setting { field: told } if told == field), "{mount} {prefix}");
    }
    let nowhere = VaultConfig { ca: Some(server.file("none.pem")), ..config.clone() };
    assert!(matches!(refused(nowhere), CustodyError::Missing { .. }));
    let garbage = VaultConfig { ca: Some(server.write("garbage.pem", "x")), ..config.clone() };
    assert!(matches!(refused(garbage), CustodyError::Malformed { .. }));
    let auth = VaultAuth::Token { file: server.file("none") };
    assert!(matches!(refused(VaultConfig { auth, ..config }), CustodyError::Missing { .. }));
}

#[test]
fn wrapping_never_makes_a_key_where_the_server_would() {
    let server = Server::start();
    let kms = open(server.config()).unwrap();
    assert!(matches!(kms.wrap(KEK, b"secret", b""), Err(CustodyError::NoSuchKey)));
    assert_eq!(server.ask("GET", "keys/countersign-kek-tenant-1", json!({})), json!([]));
    let made = server.ask("POST", "encrypt/other", json!({"plaintext": "AA==", "context": "AA=="}));
    assert!(made["ciphertext"].is_string(), "positive control: the server does make it");
}

#[test]
fn a_key_of_our_name_that_is_not_of_our_making_is_not_used() {
    let server = Server::start();
    server.ask("POST", "keys/countersign-kek-tenant-1", json!({"derived": true, "exportable": true}));
    server.ask("POST", "keys/countersign-kek-bank-1", json!({}));
    server.ask("POST", "keys/countersign-receipt", json!({"type": "aes256-gcm96"}));
    let kms = Kms::open(&server.kms(), Clock::manual(0)).unwrap();
    for told in [kms.keks("tenant").map(drop), kms.keks("bank").map(drop), kms.signing_keys(KeyUse::Receipt).map(drop)]
    {
        assert!(told.unwrap_err().is_outage());
    }
}

#[test]
fn a_destruction_cut_short_is_finished_when_it_is_asked_again() {
    let server = Server::start();
    let kms = open(server.config()).unwrap();
    for step in 0..3 {
        let version = kms.make_kek(TENANT).unwrap();
        let kek = KekRef { tenant: TENANT, version };
        let wrapped = kms.wrap(kek, b"secret", b"").unwrap();
        let key = format!("keys/countersign-kek-tenant-{version}");
        server.ask("POST", &format!("{key}/rotate"), json!({}));
        if step > 0 {
            let bounds = json!({"min_decryption_version": 2, "min_encryption_version": 2});
            server.ask("POST", &format!("{key}/config"), bounds);
            assert!(matches!(kms.unwrap(kek, &wrapped, b""), Err(CustodyError::Destroyed)));
        }
        if step > 1 {
            server.ask("POST", &format!("{key}/trim"), json!({"min_available_version": 2}));
        }
        kms.destroy_kek(kek).unwrap();
        assert!(matches!(kms.unwrap(kek, &wrapped, b""), Err(CustodyError::Destroyed)), "step {step}");
        let left = server.ask("GET", &key, json!({}));
        assert_eq!((&left["min_available_version"], left["keys"].get("1")), (&json!(2), None), "step {step}");
        assert_eq!(left["latest_version"], 2, "rotated once");
    }
}
