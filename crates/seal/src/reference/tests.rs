//! Tests of the reference envelope.

use super::*;
use crate::{commitment, data_key};
use proptest::prelude::*;
use ring::rand::SystemRandom;
use serde::{Deserialize, Serialize};
use std::{fs, path::PathBuf};

const PLACE: ReferencePlace<'static> = ReferencePlace {
    tenant: "tn_00000000000000000000000000000001",
    user: "alice@example.com",
    reference: "rf_00000000000000000000000000000002",
    epoch: 3,
    feature_space: "mobilefacenet-mesh",
    transform_version: 1,
    schema: 1,
};

fn key() -> DataKey {
    DataKey::make(&SystemRandom::new()).unwrap()
}

fn sealed(key: &DataKey) -> Vec<u8> {
    seal_reference(key, &PLACE, b"features", &SystemRandom::new()).unwrap()
}

#[test]
fn a_sealed_reference_opens_at_its_place() {
    let key = key();
    let sealed = sealed(&key);
    assert_eq!(sealed.len(), 1 + 12 + 8 + 16);
    assert_eq!(&**open_reference(&key, &PLACE, &commitment(&key), &sealed).unwrap(), b"features");
    let again = DataKey::from_bytes(Zeroizing::new(key.expose().to_vec())).unwrap();
    assert_eq!(&**open_reference(&again, &PLACE, &commitment(&key), &sealed).unwrap(), b"features");
}

#[test]
fn moved_ciphertext_does_not_open() {
    let key = key();
    let sealed = sealed(&key);
    let places = [
        ReferencePlace { tenant: "tn_00000000000000000000000000000009", ..PLACE },
        ReferencePlace { user: "bob@example.com", ..PLACE },
        ReferencePlace { reference: "rf_00000000000000000000000000000009", ..PLACE },
        ReferencePlace { epoch: 4, ..PLACE },
        ReferencePlace { feature_space: "dlib-mesh", ..PLACE },
        ReferencePlace { transform_version: 2, ..PLACE },
        ReferencePlace { schema: 2, ..PLACE },
        ReferencePlace { tenant: PLACE.user, user: PLACE.tenant, ..PLACE },
    ];
    for place in places {
        let opened = open_reference(&key, &place, &commitment(&key), &sealed);
        assert_eq!(opened.unwrap_err(), SealError::NotAuthentic, "{place:?}");
    }
}

#[test]
fn another_key_or_commitment_does_not_open() {
    let (mine, other) = (key(), key());
    let sealed = sealed(&mine);
    for (key, commitment) in
        [(&other, commitment(&other)), (&other, commitment(&mine)), (&mine, commitment(&other)), (&mine, [0; 32])]
    {
        assert_eq!(open_reference(key, &PLACE, &commitment, &sealed).unwrap_err(), SealError::NotAuthentic);
    }
}

#[test]
fn any_flipped_bit_and_any_cut_does_not_open() {
    let key = key();
    let sealed = sealed(&key);
    let mine = commitment(&key);
    for bit in 0..sealed.len() * 8 {
        let mut flipped = sealed.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(open_reference(&key, &PLACE, &mine, &flipped).is_err(), "bit {bit}");
    }
    for length in 0..sealed.len() {
        assert!(open_reference(&key, &PLACE, &mine, &sealed[..length]).is_err(), "{length} bytes");
    }
    assert_eq!(open_reference(&key, &PLACE, &mine, &[2; 60]).unwrap_err(), SealError::Version(2));
    assert!(open_reference(&key, &PLACE, &mine, &[&sealed[..], b"\0"].concat()).is_err());
}

proptest! {
    #[test]
    fn any_content_returns_as_it_was(content in prop::collection::vec(any::<u8>(), 0..600)) {
        let key = key();
        let sealed = seal_reference(&key, &PLACE, &content, &SystemRandom::new()).unwrap();
        let opened = open_reference(&key, &PLACE, &commitment(&key), &sealed).unwrap();
        prop_assert_eq!(&*opened, &content);
    }

    #[test]
    fn any_other_place_does_not_open(
        tenant in "[a-z]{0,4}", user in "[a-z]{0,4}", reference in "[a-z]{0,4}", feature_space in "[a-z]{0,4}",
        numbers in (0u32..4, 0u32..4, 0u32..4),
    ) {
        let (epoch, transform_version, schema) = numbers;
        let place = ReferencePlace {
            tenant: &tenant, user: &user, reference: &reference, epoch, feature_space: &feature_space, transform_version, schema,
        };
        let key = key();
        prop_assert!(open_reference(&key, &place, &commitment(&key), &sealed(&key)).is_err());
        let moved = seal_reference(&key, &place, b"features", &SystemRandom::new()).unwrap();
        prop_assert!(open_reference(&key, &place, &commitment(&key), &moved).is_ok());
    }

    #[test]
    fn garbage_does_not_open(garbage in prop::collection::vec(any::<u8>(), 0..100)) {
        let key = key();
        prop_assert!(open_reference(&key, &PLACE, &commitment(&key), &garbage).is_err());
    }
}

#[test]
fn sealing_twice_gives_different_bytes_and_too_much_is_refused() {
    let key = key();
    assert_ne!(sealed(&key), sealed(&key));
    let big = vec![0; MAX_PLAINTEXT + 1];
    let refused = seal_reference(&key, &PLACE, &big, &SystemRandom::new());
    assert_eq!(refused.unwrap_err(), SealError::TooLarge);
    assert!(seal_reference(&key, &PLACE, &big[1..], &SystemRandom::new()).is_ok());
}

#[test]
fn data_keys_are_32_bytes_and_not_shown() {
    for length in [0, 31, 33] {
        assert_eq!(DataKey::from_bytes(Zeroizing::new(vec![0; length])).unwrap_err(), SealError::KeyLength);
    }
    assert_eq!(format!("{:?}", key()), "DataKey(..)");
    let (a, b) = (key(), key());
    assert_ne!(a.expose(), b.expose());
    assert_ne!(data_key::commitment(&a), *a.expose(), "the commitment is not the key");
}

/// One envelope under `tests/vectors`: what version 1 sealed must open forever.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    data_key: String,
    tenant: String,
    user: String,
    reference: String,
    epoch: u32,
    feature_space: String,
    transform_version: u32,
    schema: u32,
    nonce: String,
    plaintext: String,
    commitment: String,
    sealed: String,
    kek_version: u32,
    dek_wrap_aad: String,
}

fn vectors_path() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", "..", "tests", "vectors", "envelope.json"].iter().collect()
}

fn bytes<const N: usize>(hex: &str) -> [u8; N] {
    hex::decode(hex).unwrap().try_into().unwrap()
}

fn make_vectors() -> Vec<Vector> {
    let inputs: [(u8, &str, &[u8]); 3] =
        [(1, "alice@example.com", b"features"), (2, "bob", &[0xa5; 512]), (3, "eve", b"")];
    let vectors = inputs.map(|(number, user, plaintext)| {
        let key = DataKey::from_bytes(Zeroizing::new((0..32).map(|i| i * number).collect())).unwrap();
        let nonce: [u8; 12] = [number; 12];
        let place = ReferencePlace { user, epoch: u32::from(number), ..PLACE };
        let dek =
            crate::DekPlace { tenant: place.tenant, reference: place.reference, epoch: place.epoch, kek_version: 7 };
        Vector {
            data_key: hex::encode(key.expose()),
            tenant: place.tenant.to_owned(),
            user: user.to_owned(),
            reference: place.reference.to_owned(),
            epoch: place.epoch,
            feature_space: place.feature_space.to_owned(),
            transform_version: place.transform_version,
            schema: place.schema,
            nonce: hex::encode(nonce),
            plaintext: hex::encode(plaintext),
            commitment: hex::encode(commitment(&key)),
            sealed: hex::encode(seal_with_nonce(&key, &place, plaintext, nonce).unwrap()),
            kek_version: dek.kek_version,
            dek_wrap_aad: hex::encode(crate::dek_wrap_aad(&dek, &commitment(&key))),
        }
    });
    vectors.into()
}

#[test]
fn committed_envelopes_open_and_are_sealed_to_the_same_bytes() {
    let path = vectors_path();
    if std::env::var_os("COUNTERSIGN_WRITE_VECTORS").is_some_and(|v| v == "1") {
        fs::write(&path, serde_json::to_string_pretty(&make_vectors()).unwrap() + "\n").unwrap();
    }
    let vectors: Vec<Vector> = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    assert!(vectors.len() >= 3);
    for v in vectors {
        let key = DataKey::from_bytes(Zeroizing::new(hex::decode(&v.data_key).unwrap())).unwrap();
        let place = ReferencePlace {
            tenant: &v.tenant,
            user: &v.user,
            reference: &v.reference,
            epoch: v.epoch,
            feature_space: &v.feature_space,
            transform_version: v.transform_version,
            schema: v.schema,
        };
        let committed: [u8; 32] = bytes(&v.commitment);
        let (plaintext, sealed) = (hex::decode(&v.plaintext).unwrap(), hex::decode(&v.sealed).unwrap());
        assert_eq!(commitment(&key), committed);
        assert_eq!(*open_reference(&key, &place, &committed, &sealed).unwrap(), plaintext);
        assert_eq!(seal_with_nonce(&key, &place, &plaintext, bytes(&v.nonce)).unwrap(), sealed);
        let dek =
            crate::DekPlace { tenant: &v.tenant, reference: &v.reference, epoch: v.epoch, kek_version: v.kek_version };
        assert_eq!(hex::encode(crate::dek_wrap_aad(&dek, &committed)), v.dek_wrap_aad);
    }
}
