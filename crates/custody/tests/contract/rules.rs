//! The rules of the contract; see `main.rs`.

use crate::desk::{Desk, NOW_S};
use custody::{CustodyError, KekRef, KeyState, KeyUse, PUBLISH_S, Place, Signer, states};
use ed25519_dalek::{Signature, VerifyingKey};
use std::time::Duration;

const TENANT: &str = "tn_00000000000000000000000000000007";
const OTHER: &str = "tn_00000000000000000000000000000008";

const fn kek(tenant: &str, version: u32) -> KekRef<'_> {
    KekRef { tenant, version }
}

pub(crate) fn what_is_wrapped_opens_in_its_place_alone(desk: &Desk) {
    let kms = &desk.kms;
    assert_eq!((kms.make_kek(TENANT).unwrap(), kms.make_kek(TENANT).unwrap()), (1, 2));
    assert_eq!((kms.make_kek(OTHER).unwrap(), kms.current_kek(TENANT).unwrap()), (1, 2));
    let secret = [7; 32];
    let wrapped = kms.wrap(kek(TENANT, 1), &secret, b"place").unwrap();
    assert_eq!(wrapped[0], desk.format);
    assert!(!wrapped.windows(8).any(|window| window == &secret[..8]));
    assert_eq!(**kms.unwrap(kek(TENANT, 1), &wrapped, b"place").unwrap(), secret, "positive control");
    assert_ne!(kms.wrap(kek(TENANT, 1), &secret, b"place").unwrap(), wrapped, "never the same bytes");
    for (kek, aad) in [
        (kek(TENANT, 1), b"plaice".as_slice()),
        (kek(TENANT, 1), b""),
        (kek(TENANT, 2), b"place"),
        (kek(OTHER, 1), b"place"),
    ] {
        assert!(matches!(kms.unwrap(kek, &wrapped, aad), Err(CustodyError::NotAuthentic)), "{kek:?}");
    }
    for at in 1..wrapped.len() {
        let mut changed = wrapped.clone();
        changed[at] ^= 1;
        let refused = kms.unwrap(kek(TENANT, 1), &changed, b"place");
        assert!(matches!(refused, Err(CustodyError::NotAuthentic)), "byte {at}: {refused:?}");
    }
    for length in [0, 1, 5, wrapped.len() - 1] {
        let refused = kms.unwrap(kek(TENANT, 1), &wrapped[..length], b"place");
        assert!(matches!(refused, Err(CustodyError::NotAuthentic)), "{length} bytes: {refused:?}");
    }
    for (kek, wanted) in [(kek(TENANT, 3), "a version"), (kek("nobody", 1), "a tenant")] {
        assert!(matches!(kms.unwrap(kek, &wrapped, b"place"), Err(CustodyError::NoSuchKey)), "{wanted} that never was");
        assert!(matches!(kms.wrap(kek, &secret, b"place"), Err(CustodyError::NoSuchKey)), "{wanted} that never was");
        assert!(matches!(kms.destroy_kek(kek), Err(CustodyError::NoSuchKey)), "{wanted} that never was");
    }
    assert!(matches!(kms.current_kek("nobody"), Err(CustodyError::NoSuchKey)));
    assert_eq!(kms.keks("nobody").unwrap(), []);
    assert_eq!(**kms.unwrap(kek(TENANT, 1), &wrapped, b"place").unwrap(), secret, "after all that");
}

pub(crate) fn a_batch_is_wrapped_anew_in_its_places_alone(desk: &Desk) {
    let kms = &desk.kms;
    assert_eq!((kms.make_kek(TENANT).unwrap(), kms.make_kek(TENANT).unwrap()), (1, 2));
    let before = kms.keks(TENANT).unwrap()[1].uses;
    let mut batch = kms.batch(TENANT);
    for number in 0..5_u8 {
        let wrapped = kms.wrap(kek(TENANT, 1), &[number; 32], &[number]).unwrap();
        let (from, to) = (Place { version: 1, aad: &[number] }, Place { version: 2, aad: b"new" });
        let again = batch.rewrap(from, &wrapped, to).unwrap();
        assert_eq!(again[0], desk.format);
        assert_eq!(**kms.unwrap(kek(TENANT, 2), &again, b"new").unwrap(), [number; 32]);
        for (from, wrapped) in
            [(Place { aad: b"x", ..from }, &wrapped), (Place { version: 2, ..from }, &wrapped), (from, &again)]
        {
            assert!(matches!(batch.rewrap(from, wrapped, to), Err(CustodyError::NotAuthentic)), "{from:?}");
        }
        let nowhere = batch.rewrap(from, &wrapped, Place { version: 3, ..to });
        assert!(matches!(nowhere, Err(CustodyError::NoSuchKey)), "{nowhere:?}");
    }
    assert_eq!(kms.keks(TENANT).unwrap()[1].uses > before, desk.counts, "a batch wears as single wraps do");
    let wrapped = kms.wrap(kek(TENANT, 1), &[7; 32], b"").unwrap();
    kms.destroy_kek(kek(TENANT, 1)).unwrap();
    let (from, to) = (Place { version: 1, aad: b"" }, Place { version: 2, aad: b"" });
    let gone = kms.batch(TENANT).rewrap(from, &wrapped, to);
    assert!(matches!(gone, Err(CustodyError::Destroyed)), "{gone:?}");
}

pub(crate) fn a_destroyed_version_never_opens_and_its_number_never_comes_back(desk: &Desk) {
    let kms = &desk.kms;
    kms.make_kek(TENANT).unwrap();
    let wrapped = kms.wrap(kek(TENANT, 1), b"secret", b"").unwrap();
    kms.make_kek(TENANT).unwrap();
    let kept = kms.wrap(kek(TENANT, 2), b"kept", b"").unwrap();
    let other = desk.again();
    assert!(other.unwrap(kek(TENANT, 1), &wrapped, b"").is_ok());
    desk.clock.advance(Duration::from_secs(100));

    let gone = kms.destroy_kek(kek(TENANT, 1)).unwrap();
    assert_eq!((gone.tenant.as_str(), gone.version, gone.provider), (TENANT, 1, kms.provider()));
    assert!(gone.confirmed_at_s >= NOW_S + 100 && gone.uses.is_some() == desk.counts);
    for kms in [kms, &other, &desk.again()] {
        let refused = kms.unwrap(kek(TENANT, 1), &wrapped, b"");
        assert!(matches!(refused, Err(CustodyError::Destroyed)), "{refused:?}");
        assert!(matches!(kms.wrap(kek(TENANT, 1), b"more", b""), Err(CustodyError::Destroyed)));
        assert_eq!(&**kms.unwrap(kek(TENANT, 2), &kept, b"").unwrap(), b"kept");
    }
    let listed = kms.keks(TENANT).unwrap();
    assert_eq!(
        listed.iter().map(|kek| (kek.version, kek.destroyed_at_s.is_some())).collect::<Vec<_>>(),
        [(1, true), (2, false)]
    );
    let again = kms.destroy_kek(kek(TENANT, 1)).unwrap();
    assert_eq!((again.destroyed_at_s, again.made_at_s), (gone.destroyed_at_s, gone.made_at_s), "again is fine");

    kms.destroy_kek(kek(TENANT, 2)).unwrap();
    assert!(matches!(kms.current_kek(TENANT), Err(CustodyError::Destroyed)));
    assert_eq!(kms.make_kek(TENANT).unwrap(), 3, "a number is never used again");
    assert!(matches!(kms.unwrap(kek(TENANT, 3), &kept, b""), Err(CustodyError::NotAuthentic)));
    assert_eq!(kms.current_kek(TENANT).unwrap(), 3);
}

pub(crate) fn signatures_verify_strictly_under_the_listed_key(desk: &Desk) {
    let kms = &desk.kms;
    let mut seen = Vec::new();
    for used in KeyUse::ALL {
        let made = kms.make_signing_key(used).unwrap();
        assert_eq!(kms.signing_keys(used).unwrap(), [made]);
        let signer = Signer::new(desk.again(), used);
        let key = signer.key().unwrap();
        assert_eq!(key, made);
        for message in [b"".as_slice(), b"message", &[0xa5; 10_000]] {
            let signature = Signature::from_bytes(&signer.sign(&key, message).unwrap());
            let public = VerifyingKey::from_bytes(&key.public).unwrap();
            assert!(public.verify_strict(message, &signature).is_ok());
            assert!(public.verify_strict(b"massage", &signature).is_err(), "positive control");
        }
        assert!(!seen.contains(&key.public), "uses never share a key");
        seen.push(key.public);
    }
}

pub(crate) fn a_retired_version_signs_no_more_and_keeps_its_public_key(desk: &Desk) {
    let kms = &desk.kms;
    let first = kms.make_signing_key(KeyUse::Receipt).unwrap();
    let signer = Signer::new(kms.clone(), KeyUse::Receipt);
    let signature = signer.sign(&first, b"old").unwrap();
    assert!(matches!(kms.retire_signing_keys(KeyUse::Receipt, 1), Err(CustodyError::StillNeeded)));
    let second = kms.make_signing_key(KeyUse::Receipt).unwrap();
    assert_eq!((second.version, signer.key().unwrap()), (2, first), "published first");
    let later = second.made_at_s.max(NOW_S) + PUBLISH_S;
    let told = |now_s| {
        let keys = kms.signing_keys(KeyUse::Receipt).unwrap();
        states(KeyUse::Receipt, &keys, now_s).into_iter().map(|(_, state)| state).collect::<Vec<_>>()
    };
    assert_eq!(told(later), [KeyState::Superseded, KeyState::Signing]);

    kms.retire_signing_keys(KeyUse::Receipt, 1).unwrap();
    kms.retire_signing_keys(KeyUse::Receipt, 1).unwrap();
    for signer in [&signer, &Signer::new(desk.again(), KeyUse::Receipt)] {
        assert!(matches!(signer.sign(&first, b"new"), Err(CustodyError::Outage { .. })));
        assert_eq!(signer.key().unwrap(), second);
        assert!(signer.sign(&second, b"new").is_ok());
    }
    let kept = kms.signing_keys(KeyUse::Receipt).unwrap();
    assert_eq!((kept[0].public, kept[0].retired, kept[1].retired), (first.public, true, false));
    let public = VerifyingKey::from_bytes(&kept[0].public).unwrap();
    assert!(public.verify_strict(b"old", &Signature::from_bytes(&signature)).is_ok());

    kms.destroy_signing_keys(KeyUse::Receipt, 1).unwrap();
    assert_eq!(kms.signing_keys(KeyUse::Receipt).unwrap(), [second]);
    assert_eq!(kms.make_signing_key(KeyUse::Receipt).unwrap().version, 3);
    assert!(kms.signing_keys(KeyUse::TestReceipt).unwrap().is_empty());
}

pub(crate) fn uses_are_counted_across_restarts_and_never_too_low(desk: &Desk) {
    desk.kms.make_kek(TENANT).unwrap();
    let uses = || desk.kms.keks(TENANT).unwrap()[0].uses;
    if !desk.counts {
        assert_eq!(uses(), None);
        return;
    }
    assert_eq!(uses(), Some(0));
    for wraps in 1..=200 {
        desk.kms.wrap(kek(TENANT, 1), b"x", b"").unwrap();
        assert!(uses().unwrap() >= wraps);
    }
    let before = uses().unwrap();
    desk.again().wrap(kek(TENANT, 1), b"x", b"").unwrap();
    assert!(uses().unwrap() > before, "another process has a lease of its own");
    assert!(uses().unwrap() <= 200 + 2 * 256);
    let gone = desk.kms.destroy_kek(kek(TENANT, 1)).unwrap();
    assert!(gone.uses.unwrap() > 200, "the count outlives the key");
}

pub(crate) fn what_one_process_wrapped_another_opens(desk: &Desk) {
    desk.kms.make_kek(TENANT).unwrap();
    let other = desk.again();
    let wrapped = other.wrap(kek(TENANT, 1), b"secret", b"place").unwrap();
    assert_eq!(&**desk.kms.unwrap(kek(TENANT, 1), &wrapped, b"place").unwrap(), b"secret");
    assert_eq!(other.make_kek(TENANT).unwrap(), 2);
    assert_eq!(desk.kms.current_kek(TENANT).unwrap(), 2, "a version that another made is seen");
}

pub(crate) fn racing_makers_and_wrappers_lose_nothing(desk: &Desk) {
    desk.kms.make_kek(TENANT).unwrap();
    let wrapped: Vec<_> = std::thread::scope(|scope| {
        let racers: Vec<_> = (0..4_u8)
            .map(|racer| {
                let kms = if racer % 2 == 0 { desk.kms.clone() } else { desk.again() };
                scope.spawn(move || {
                    (0..8_u8)
                        .map(|turn| {
                            if turn == 3 {
                                kms.make_kek(TENANT).unwrap();
                            }
                            let version = kms.current_kek(TENANT).unwrap();
                            (version, kms.wrap(kek(TENANT, version), &[racer, turn], b"").unwrap(), [racer, turn])
                        })
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        racers.into_iter().flat_map(|racer| racer.join().unwrap()).collect()
    });
    let fresh = desk.again();
    for (version, wrapped, secret) in wrapped {
        assert_eq!(**fresh.unwrap(kek(TENANT, version), &wrapped, b"").unwrap(), secret);
    }
}

pub(crate) fn what_another_provider_wrapped_is_told_apart(desk: &Desk) {
    desk.kms.make_kek(TENANT).unwrap();
    let mut wrapped = desk.kms.wrap(kek(TENANT, 1), b"secret", b"").unwrap();
    for format in 0..=255 {
        wrapped[0] = format;
        let told = desk.kms.unwrap(kek(TENANT, 1), &wrapped, b"");
        match format {
            own if own == desk.format => assert!(told.is_ok()),
            1..=3 => assert!(matches!(told, Err(CustodyError::WrappedElsewhere))),
            _ => assert!(matches!(told, Err(CustodyError::NotAuthentic))),
        }
    }
}
