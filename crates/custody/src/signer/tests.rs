//! Tests of `signer`.

use super::*;
use crate::{KmsConfig, file::files};
use service::Clock;
use std::{fs, path::PathBuf};

const NOW_S: i64 = 1_800_000_000;

const fn version(version: u32, age_s: i64, retired: bool) -> SigningVersion {
    SigningVersion { version, public: [0; 32], made_at_s: NOW_S - age_s, retired }
}

fn told(used: KeyUse, keys: &[SigningVersion]) -> Vec<KeyState> {
    states(used, keys, NOW_S).into_iter().map(|(_, state)| state).collect()
}

#[test]
fn a_version_signs_once_it_was_published_long_enough() {
    use KeyState::{Published, Retired, Signing, Superseded};
    assert_eq!(told(KeyUse::Receipt, &[version(1, 0, false)]), [Signing], "the first at once");
    let young = [version(1, PUBLISH_S * 9, false), version(2, PUBLISH_S - 1, false)];
    assert_eq!(told(KeyUse::Receipt, &young), [Signing, Published]);
    let ripe = [version(1, PUBLISH_S * 9, false), version(2, PUBLISH_S, false)];
    assert_eq!(told(KeyUse::Receipt, &ripe), [Superseded, Signing]);
    let retired = [version(1, PUBLISH_S * 9, true), version(2, 5, false)];
    assert_eq!(told(KeyUse::Receipt, &retired), [Retired, Signing], "after a compromise nobody waits");
    let three = [version(1, PUBLISH_S * 9, true), version(2, PUBLISH_S * 2, false), version(3, 1, false)];
    assert_eq!(told(KeyUse::Ledger, &three), [Retired, Signing, Published]);
    assert_eq!(told(KeyUse::Ledger, &[]), []);
}

#[test]
fn a_root_takes_over_by_retirement_alone() {
    use KeyState::{Published, Retired, Signing};
    let ripe = [version(1, PUBLISH_S * 9, false), version(2, PUBLISH_S * 9, false)];
    assert_eq!(told(KeyUse::Root, &ripe), [Signing, Published]);
    let retired = [version(1, PUBLISH_S * 9, true), version(2, 0, false)];
    assert_eq!(told(KeyUse::Root, &retired), [Retired, Signing]);
}

struct Desk {
    temp: tempfile::TempDir,
    kms: Kms,
    clock: Clock,
}

impl Desk {
    fn lay() -> Self {
        let (temp, clock) = (tempfile::tempdir().unwrap(), Clock::manual(NOW_S * 1000));
        let directory = temp.path().join("keys");
        files::create_dir(&directory).unwrap();
        let kms = Kms::open(&KmsConfig::File { directory }, clock.clone()).unwrap();
        Self { temp, kms, clock }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.temp.path().join("keys").join(name)
    }
}

#[test]
fn a_rotation_needs_no_second_step_and_old_signatures_keep_their_key() {
    let desk = Desk::lay();
    let signer = Signer::new(desk.kms.clone(), KeyUse::Receipt);
    assert!(matches!(signer.key(), Err(CustodyError::Missing { path }) if path.ends_with("receipt.pem")));
    desk.kms.make_signing_key(KeyUse::TestReceipt).unwrap();
    let first = desk.kms.make_signing_key(KeyUse::Receipt).unwrap();
    assert_eq!(signer.key().unwrap(), first);
    let old = signer.sign(&first, b"old").unwrap();

    desk.clock.advance(Duration::from_secs(1000));
    let second = desk.kms.make_signing_key(KeyUse::Receipt).unwrap();
    desk.clock.advance(Duration::from_secs(3600));
    assert_eq!(signer.key().unwrap(), first, "published, not yet signing");
    desk.clock.advance(Duration::from_secs(24 * 3600));
    assert_eq!(signer.key().unwrap(), second);
    assert!(signer.sign(&first, b"late").is_ok(), "a call that began before still ends");

    desk.kms.retire_signing_keys(KeyUse::Receipt, 1).unwrap();
    assert!(matches!(signer.sign(&first, b"too late"), Err(CustodyError::Outage { .. })));
    let kept = desk.kms.signing_keys(KeyUse::Receipt).unwrap();
    assert_eq!(kept[0], SigningVersion { retired: true, ..first });
    let public = VerifyingKey::from_bytes(&kept[0].public).unwrap();
    assert!(public.verify_strict(b"old", &Signature::from_bytes(&old)).is_ok());
    assert!(!desk.file("receipt.pem").exists() && desk.file("receipt.pub").exists());
    assert!(desk.file("test-receipt.pem").exists(), "the other use is another key");

    desk.kms.destroy_signing_keys(KeyUse::Receipt, 1).unwrap();
    assert_eq!(desk.kms.signing_keys(KeyUse::Receipt).unwrap(), [second]);
    assert_eq!(desk.kms.make_signing_key(KeyUse::Receipt).unwrap().version, 3, "no number twice");
}

#[test]
fn the_last_version_that_can_sign_is_neither_retired_nor_destroyed() {
    let desk = Desk::lay();
    desk.kms.make_signing_key(KeyUse::Ledger).unwrap();
    assert!(matches!(desk.kms.retire_signing_keys(KeyUse::Ledger, 1), Err(CustodyError::StillNeeded)));
    assert!(matches!(desk.kms.destroy_signing_keys(KeyUse::Ledger, 1), Err(CustodyError::StillNeeded)));
    desk.kms.make_signing_key(KeyUse::Ledger).unwrap();
    assert!(matches!(desk.kms.destroy_signing_keys(KeyUse::Ledger, 2), Err(CustodyError::StillNeeded)));
    assert!(desk.kms.destroy_signing_keys(KeyUse::Ledger, 1).is_ok());
}

#[test]
fn a_retirement_cut_short_after_its_public_key_stands_signs_no_more() {
    let desk = Desk::lay();
    let made = desk.kms.make_signing_key(KeyUse::Ledger).unwrap();
    desk.kms.make_signing_key(KeyUse::Ledger).unwrap();
    let secret = fs::read(desk.file("ledger.pem")).unwrap();
    desk.kms.retire_signing_keys(KeyUse::Ledger, 1).unwrap();
    files::create(&desk.file("ledger.pem"), &secret).unwrap();
    assert!(matches!(desk.kms.sign(KeyUse::Ledger, 1, b"m"), Err(CustodyError::Destroyed)));
    assert_eq!(desk.kms.signing_keys(KeyUse::Ledger).unwrap()[0], SigningVersion { retired: true, ..made });
    desk.kms.retire_signing_keys(KeyUse::Ledger, 1).unwrap();
    assert!(!desk.file("ledger.pem").exists());
}

#[test]
fn a_signature_that_does_not_verify_is_not_given_out() {
    let desk = Desk::lay();
    let made = desk.kms.make_signing_key(KeyUse::Ledger).unwrap();
    let signer = Signer::new(desk.kms.clone(), KeyUse::Ledger);
    let other = SigningVersion { public: [7; 32], ..made };
    assert!(matches!(signer.sign(&other, b"m"), Err(CustodyError::Outage { why: Outage::Signature, .. })));
    assert!(signer.sign(&made, b"m").is_ok(), "positive control");
}
