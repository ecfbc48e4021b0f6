//! Tests of `keys` over files.

use super::*;
use custody::{KeyState, Kms, KmsConfig, PUBLISH_S};
use receipt::{Pin, TrustedKeys};
use std::{fs, path::Path, time::Duration};

const URL: &str = "https://countersign.test";
const NOW_MS: i64 = 1_800_000_000_000;

struct Desk {
    folder: tempfile::TempDir,
    clock: Clock,
    root: String,
}

impl Desk {
    fn lay() -> Self {
        let (folder, clock) = (tempfile::tempdir().unwrap(), Clock::manual(NOW_MS));
        let root = init(&folder.path().join("keys"), (URL, None), clock.clone()).unwrap();
        Self { folder, clock, root }
    }

    fn dir(&self) -> PathBuf {
        self.folder.path().join("keys")
    }

    fn place(&self) -> Place {
        Place::open(&self.dir(), self.clock.clone()).unwrap()
    }

    fn trusted(&self, name: &str, issuer: &str) -> Option<TrustedKeys> {
        let read = fs::read_to_string(self.dir().join("public").join(name)).unwrap();
        TrustedKeys::from_document(&read, Pin { issuer, root_thumbprint: &self.root }).ok()
    }

    fn kids(&self) -> Vec<String> {
        let keys = self.trusted("jwks.json", &format!("{URL}/receipts")).unwrap();
        keys.key_ids().map(str::to_owned).collect()
    }
}

#[test]
fn key_sets_are_trusted_under_the_root_and_each_under_its_own_issuer() {
    let desk = Desk::lay();
    let issuers = Issuers::below(URL).unwrap();
    assert_eq!(fs::read_to_string(desk.dir().join("public/root.thumbprint")).unwrap().trim(), desk.root);
    assert!(desk.trusted("jwks.json", &issuers.receipts).is_some());
    assert!(desk.trusted("test-jwks.json", &issuers.test_receipts).is_some());
    assert!(desk.trusted("ledger-jwks.json", &issuers.ledger).is_some());
    assert!(desk.trusted("ledger-jwks.json", &issuers.receipts).is_none(), "the ledger cannot pass for receipts");
    assert!(desk.trusted("test-jwks.json", &issuers.receipts).is_none());
    let worker = KmsConfig::File { directory: desk.dir().join("worker") };
    assert!(Kms::open(&worker, desk.clock.clone()).unwrap().probe_keks().is_ok());
    assert!(init(&desk.dir(), (URL, None), desk.clock.clone()).is_err(), "keys are never overwritten");
}

#[test]
fn a_rotated_key_is_published_first_signs_later_and_retires() {
    let desk = Desk::lay();
    let first = desk.kids();
    desk.clock.advance(Duration::from_secs(PUBLISH_S as u64 * 3));
    change::rotate(&desk.place(), KeyUse::Receipt).unwrap();
    let both = desk.kids();
    assert_eq!((both.len(), &both[0]), (2, &first[0]), "the signing key first");
    desk.clock.advance(Duration::from_secs(PUBLISH_S as u64));
    change::publish(&desk.place()).unwrap();
    assert_eq!(desk.kids(), [both[1].clone(), both[0].clone()]);

    change::retire(&desk.place(), (KeyUse::Receipt, 1)).unwrap();
    assert_eq!(desk.kids().len(), 2, "what it signed still verifies");
    let states: Vec<_> = desk.place().states(KeyUse::Receipt).unwrap().into_iter().map(|(_, state)| state).collect();
    assert_eq!(states, [KeyState::Retired, KeyState::Signing]);
    change::destroy(&desk.place(), (KeyUse::Receipt, 1)).unwrap();
    assert_eq!(desk.kids(), [both[1].clone()]);
    assert!(change::destroy(&desk.place(), (KeyUse::Receipt, 2)).is_err(), "one has to sign");
}

#[test]
fn a_root_is_rotated_by_retiring_the_one_before() {
    let mut desk = Desk::lay();
    change::rotate(&desk.place(), KeyUse::Root).unwrap();
    assert_eq!(desk.kids().len(), 1, "still under the root that is pinned");
    change::retire(&desk.place(), (KeyUse::Root, 1)).unwrap();
    let thumbprint = fs::read_to_string(desk.dir().join("public/root.thumbprint")).unwrap();
    assert_ne!(thumbprint.trim(), desk.root);
    desk.root = thumbprint.trim().to_owned();
    assert_eq!(desk.kids().len(), 1);
}

#[test]
fn without_the_root_no_new_version_is_made() {
    let desk = Desk::lay();
    fs::rename(desk.dir().join("root"), desk.folder.path().join("offline")).unwrap();
    assert!(change::rotate(&desk.place(), KeyUse::Ledger).is_err());
    assert_eq!(desk.place().states(KeyUse::Ledger).unwrap().len(), 1);
}

#[test]
fn a_pepper_is_rotated_once_and_not_over_one_that_is_still_needed() {
    let desk = Desk::lay();
    let read = |name: &str| fs::read(desk.dir().join("gateway").join(name)).unwrap();
    let first = read("pepper");
    change::pepper(&desk.dir()).unwrap();
    assert_eq!(read("pepper.previous"), first);
    assert_ne!(read("pepper"), first);
    assert!(change::pepper(&desk.dir()).is_err());
}

#[test]
fn providers_that_do_not_read_are_refused_before_anything_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let (dir, providers) = (folder.path().join("keys"), folder.path().join("providers.toml"));
    let init = |text: &str| {
        fs::write(&providers, text).unwrap();
        init(&dir, (URL, Some(Path::new(&providers))), Clock::manual(NOW_MS)).map_err(|error| format!("{error:#}"))
    };
    for (text, named) in [
        ("[workers]\nprovider = \"file\"\n", "workers"),
        ("[worker]\nprovider = \"cloud\"\n", "cloud"),
        ("[worker]\nprovider = \"file\"\ndirectory = \"x\"\npin = 1\n", "pin"),
        ("[gateway]\nprovider = \"pkcs11\"\nmodule = \"m\"\ntoken = \"t\"\n", "pin_file"),
    ] {
        let refused = init(text).unwrap_err();
        assert!(refused.contains(named) && refused.contains("providers.toml"), "{refused}");
        assert!(!dir.exists());
    }
    assert!(init("").is_ok(), "positive control");
}

#[test]
fn the_documented_providers_read() {
    for sample in ["providers-pkcs11.toml", "providers-vault.toml"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/config").join(sample);
        assert!(service::config::load::<place::Providers>(&path).is_ok(), "{sample}");
        let wrong = fs::read_to_string(&path).unwrap().replace("timeout_ms", "timeout");
        assert!(toml::from_str::<place::Providers>(&wrong).is_err(), "{sample}: a misspelt field");
    }
}

#[test]
fn issuers_stand_below_an_https_address_alone() {
    for bad in ["", "http://x", "https://", "https://x/", "https://x y", "https://x\"y"] {
        assert!(Issuers::below(bad).is_err(), "{bad}");
    }
    assert_eq!(Issuers::below("https://x").unwrap().ledger, "https://x/ledger");
}
