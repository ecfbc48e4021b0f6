//! The PIN of a token: a wrong one is tried once, another is taken from its file without a restart, and keys cannot be read with it.

use crate::softhsm::{self, LABEL, PIN};
use cryptoki::{
    context::{CInitializeArgs, CInitializeFlags, Pkcs11},
    object::{Attribute, AttributeType, ObjectClass},
    session::UserType,
    types::AuthPin,
};
use custody::{CustodyError, KeyUse, Kms, KmsConfig, Outage, Pkcs11Config};
use service::Clock;
use std::{fs, os::unix::fs::PermissionsExt as _, thread, time::Duration};

const WRONG: &str = "999999";

fn why(result: Result<u32, CustodyError>) -> Option<Outage> {
    match result {
        Ok(_) => None,
        Err(CustodyError::Outage { why, .. }) => Some(why),
        Err(other) => panic!("{other:?}"),
    }
}

/// Asks until the rest between two questions is over.
fn ask(kms: &Kms) -> Option<Outage> {
    loop {
        match why(kms.make_kek("tenant")) {
            Some(Outage::Resting) => thread::sleep(Duration::from_millis(50)),
            told => return told,
        }
    }
}

#[test]
fn a_wrong_pin_is_tried_once_until_its_file_changes() {
    softhsm::with_token("pins::a_wrong_pin_is_tried_once_until_its_file_changes", |token| {
        token.write_pin(WRONG);
        let config = KmsConfig::Pkcs11(Pkcs11Config { sessions: 4, ..token.config() });
        let kms = Kms::open(&config, Clock::system()).unwrap();
        assert_eq!(ask(&kms), Some(Outage::CredentialRefused));
        let tried = token.pin_tries();
        for _ in 0..4 {
            assert_eq!(ask(&kms), Some(Outage::CredentialRefused));
        }
        token.write_pin(WRONG);
        assert_eq!(ask(&kms), Some(Outage::CredentialRefused), "the same PIN written again is the same PIN");
        assert_eq!(token.pin_tries(), tried, "it was tried again");
        let again = why(Kms::open(&config, Clock::system()).unwrap().make_kek("tenant"));
        assert_eq!(again, Some(Outage::CredentialRefused));
        assert_ne!(token.pin_tries(), tried, "positive control: a try leaves its trace");

        token.write_pin(PIN);
        let back = (0..200).any(|_| {
            thread::sleep(Duration::from_millis(50));
            kms.make_kek("tenant").is_ok()
        });
        assert!(back, "a new PIN in its file is taken without a restart");
    });
}

#[test]
fn a_pin_file_that_others_may_read_gives_no_pin() {
    softhsm::with_token("pins::a_pin_file_that_others_may_read_gives_no_pin", |token| {
        let open = || Kms::open(&KmsConfig::Pkcs11(token.config()), Clock::system());
        let kms = open().unwrap();
        fs::set_permissions(token.pin_file(), fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(open(), Err(CustodyError::Permissions { .. })));
        assert_eq!(why(kms.make_kek("tenant")), Some(Outage::CredentialFile));
        fs::set_permissions(token.pin_file(), fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(ask(&kms), None);
    });
}

#[test]
fn no_key_leaves_the_token_even_for_the_holder_of_its_pin() {
    softhsm::with_token("pins::no_key_leaves_the_token_even_for_the_holder_of_its_pin", |token| {
        let kms = Kms::open(&KmsConfig::Pkcs11(token.config()), Clock::system()).unwrap();
        kms.make_kek("tenant").unwrap();
        kms.make_signing_key(KeyUse::Receipt).unwrap();

        let library = Pkcs11::new(token.config().module).unwrap();
        let _already = library.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK));
        let slots = library.get_slots_with_token().unwrap();
        let ours = |slot: &&_| library.get_token_info(**slot).unwrap().label().trim_end() == LABEL;
        let session = library.open_rw_session(*slots.iter().find(ours).unwrap()).unwrap();
        let _already = session.login(UserType::User, Some(&AuthPin::from(PIN.to_owned())));
        let mut looked_at = 0;
        for class in [ObjectClass::SECRET_KEY, ObjectClass::PRIVATE_KEY] {
            for key in session.find_objects(&[Attribute::Class(class)]).unwrap() {
                let wanted = [
                    AttributeType::Sensitive,
                    AttributeType::Extractable,
                    AttributeType::NeverExtractable,
                    AttributeType::AlwaysSensitive,
                    AttributeType::Local,
                    AttributeType::Token,
                    AttributeType::Private,
                ];
                let told = session.get_attributes(key, &wanted).unwrap();
                assert_eq!(
                    told,
                    [
                        Attribute::Sensitive(true),
                        Attribute::Extractable(false),
                        Attribute::NeverExtractable(true),
                        Attribute::AlwaysSensitive(true),
                        Attribute::Local(true),
                        Attribute::Token(true),
                        Attribute::Private(true),
                    ]
                );
                assert_eq!(session.get_attributes(key, &[AttributeType::Value]).unwrap(), [], "its value");
                assert!(session.update_attributes(key, &[Attribute::Extractable(true)]).is_err());
                looked_at += 1;
            }
        }
        assert_eq!(looked_at, 2, "a KEK and a signing key");
        let named = session.get_attributes(
            session.find_objects(&[Attribute::Class(ObjectClass::SECRET_KEY)]).unwrap()[0],
            &[AttributeType::Label],
        );
        assert_eq!(named.unwrap(), [Attribute::Label(b"countersign/kek/tenant".to_vec())], "positive control");
    });
}
