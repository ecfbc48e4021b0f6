//! Status lists: what is taken, for how long, and what a revoked receipt meets.

use crate::support::ledger::{LIST, list_claims, list_token};
use crate::support::{
    IAT, LEDGER, action, claims, expected, kid, ledger_key, ledger_keys, receipt_key, receipt_keys, signer, token,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use flate2::{Compression, write::ZlibEncoder};
use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};
use receipt::{
    Claim, Expected, KeyFault, LIST_ENTRIES, MAX_LIST_BYTES, Malformed, ReceiptClaims, Refused, Status, StatusClaim,
    StatusFault, StatusList, StatusListClaim, StatusListClaims, StatusListPlace, Typ, authorize, base64url, encode,
};
use std::{collections::BTreeSet, io::Write};

fn read(token: &str, now: i64) -> Result<StatusList, Refused> {
    StatusList::verify(token, &ledger_keys(), LIST, now)
}

fn list(revoked: &[u32]) -> StatusList {
    read(&list_token(&list_claims(revoked)), IAT).unwrap()
}

fn packed(bits: u8, bytes: &[u8]) -> StatusListClaims {
    let mut writer = ZlibEncoder::new(Vec::new(), Compression::best());
    writer.write_all(bytes).unwrap();
    of(bits, &base64url(&writer.finish().unwrap()))
}

fn of(bits: u8, lst: &str) -> StatusListClaims {
    let mut claims = list_claims(&[]);
    (claims.status_list.bits, claims.status_list.lst) = (bits, lst.to_owned());
    claims
}

/// A receipt that names index `idx` of the list.
fn with_status(idx: u32, uri: &str) -> ReceiptClaims {
    ReceiptClaims { status: Some(StatusClaim { status_list: StatusListClaim { idx, uri: uri.into() } }), ..claims() }
}

fn outcome(claims: &ReceiptClaims, list: Option<&StatusList>, now: i64) -> Result<(), Refused> {
    let action = action();
    let expected = Expected { status: list, ..expected(&action) };
    authorize(&token(claims), &receipt_keys(), &expected, now).map(drop)
}

#[test]
fn the_drafts_own_lists_are_read_as_it_says() {
    let one = read(&list_token(&of(1, "eNrbuRgAAhcBXQ")), IAT).unwrap();
    let expected = [1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1];
    for (index, value) in (0..).zip(expected) {
        let said = if value == 1 { Status::Invalid } else { Status::Valid };
        assert_eq!(one.status_of(index), Ok(said), "{index}");
    }
    assert_eq!((one.entries(), one.status_of(16)), (16, Err(StatusFault::Index)));
    let two = read(&list_token(&of(2, "eNo76fITAAPfAgc")), IAT).unwrap();
    let expected = [1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3];
    for (index, value) in (0..).zip(expected) {
        let said = [Status::Valid, Status::Invalid, Status::Suspended, Status::Other(3)][value];
        assert_eq!(two.status_of(index), Ok(said), "{index}");
    }
}

#[test]
fn wider_values_are_read_too_and_other_widths_refused() {
    let four = read(&list_token(&packed(4, &[0x21, 0x0f])), IAT).unwrap();
    let all: Vec<_> = (0..4).map(|index| four.status_of(index).unwrap()).collect();
    assert_eq!(all, [Status::Invalid, Status::Suspended, Status::Other(15), Status::Valid]);
    let eight = read(&list_token(&packed(8, &[0, 1, 255])), IAT).unwrap();
    assert_eq!(eight.status_of(2), Ok(Status::Other(255)));
    for bits in [0, 3, 5, 16, 255] {
        assert_eq!(read(&list_token(&packed(bits, &[0])), IAT).err(), Some(StatusFault::Bits.into()), "{bits}");
    }
}

#[test]
fn a_revoked_receipt_is_refused_and_every_other_is_not() {
    let listed = list(&[7, LIST_ENTRIES - 1]);
    let at = |idx| outcome(&with_status(idx, LIST), Some(&listed), IAT);
    assert_eq!((at(6), at(8)), (Ok(()), Ok(())));
    assert_eq!(at(7), Err(StatusFault::Revoked.into()));
    assert_eq!(at(LIST_ENTRIES - 1), Err(StatusFault::Revoked.into()));
    assert_eq!(at(LIST_ENTRIES), Err(StatusFault::Index.into()), "an index that no list has");
    assert_eq!(outcome(&with_status(7, LIST), None, IAT), Ok(()), "who does not look does not see");
    let suspended = read(&list_token(&packed(2, &[0b11_10_01_00])), IAT).unwrap();
    let at = |idx| outcome(&with_status(idx, LIST), Some(&suspended), IAT);
    assert_eq!(at(0), Ok(()));
    assert_eq!(at(2), Err(StatusFault::Suspended.into()));
    assert_eq!(at(3), Err(StatusFault::Unknown.into()));
}

#[test]
fn another_list_and_a_receipt_without_a_place_are_refused() {
    let listed = list(&[]);
    assert_eq!(outcome(&claims(), Some(&listed), IAT), Err(StatusFault::Missing.into()));
    let elsewhere = with_status(1, "https://verify.example/v1/status/2");
    assert_eq!(outcome(&elsewhere, Some(&listed), IAT), Err(StatusFault::OtherList.into()));
    let token = list_token(&list_claims(&[]));
    let other = StatusList::verify(&token, &ledger_keys(), "https://verify.example/v1/status/2", IAT);
    assert_eq!(other.err(), Some(StatusFault::OtherList.into()));
}

#[test]
fn what_is_wrong_with_the_receipt_is_said_before_its_status() {
    let listed = list(&[7]);
    assert_eq!(outcome(&with_status(7, LIST), Some(&listed), IAT + 150), Err(Refused::Expired));
    let foreign = ReceiptClaims { aud: "tn_x".into(), ..with_status(7, LIST) };
    assert_eq!(outcome(&foreign, Some(&listed), IAT), Err(Claim::Audience.into()));
}

#[test]
fn a_list_is_fresh_for_its_ttl_and_five_seconds_of_clocks() {
    let good = list_token(&list_claims(&[]));
    let at = |now| read(&good, now).map(drop);
    assert_eq!((at(IAT + 19), at(IAT + 20)), (Ok(()), Err(StatusFault::Stale.into())));
    assert_eq!((at(IAT + 64), at(IAT + 65)), (Err(StatusFault::Stale.into()), Err(StatusFault::Expired.into())));
    assert_eq!((at(IAT - 30), at(IAT - 31)), (Ok(()), Err(StatusFault::NotYetValid.into())));
    assert_eq!((at(i64::MAX), at(i64::MIN)), (Err(StatusFault::Expired.into()), Err(StatusFault::NotYetValid.into())));
    let cached = list(&[]);
    let receipt = with_status(1, LIST);
    assert_eq!(outcome(&receipt, Some(&cached), IAT + 19), Ok(()), "from a cache");
    assert_eq!(outcome(&receipt, Some(&cached), IAT + 20), Err(StatusFault::Stale.into()));
    assert_eq!(cached.fresh_until(), IAT + 15);
}

#[test]
fn a_reader_may_take_younger_lists_only_and_never_older_ones() {
    let place = StatusListPlace { iss: LEDGER, uri: LIST, iat: IAT, ttl: 3600, life: 7200 };
    let long = list_token(&StatusListClaims::new(place, []).unwrap());
    let receipt = with_status(1, LIST);
    let online = read(&long, IAT).unwrap().at_most(receipt::ONLINE_SECONDS);
    assert_eq!(outcome(&receipt, Some(&online), IAT + 20), Err(StatusFault::Stale.into()));
    assert_eq!(outcome(&receipt, Some(&read(&long, IAT).unwrap()), IAT + 20), Ok(()), "control");
    assert_eq!(online.at_most(i64::MAX).fresh_until(), IAT + 15);
}

#[test]
fn a_list_that_contradicts_itself_is_malformed() {
    for (iat, exp, ttl) in [(IAT, IAT, 15), (IAT, IAT + 60, 0), (IAT, IAT + 60, -1), (-1, IAT, 15)] {
        let claims = StatusListClaims { iat, exp, ttl, ..list_claims(&[]) };
        assert_eq!(read(&list_token(&claims), IAT).err(), Some(Malformed::Claims.into()), "{iat} {exp} {ttl}");
    }
}

#[test]
fn a_bomb_is_refused_after_its_first_quarter_megabyte() {
    let full = vec![0; MAX_LIST_BYTES];
    assert_eq!(read(&list_token(&packed(2, &full)), IAT).unwrap().entries(), 1 << 20, "control: the largest");
    let over = vec![0; MAX_LIST_BYTES + 1];
    assert_eq!(read(&list_token(&packed(2, &over)), IAT).err(), Some(StatusFault::TooLarge.into()));
    let bomb = packed(1, &vec![0; 200 << 20]);
    assert!(bomb.status_list.lst.len() < 350_000, "control: it packs well");
    assert_eq!(read(&list_token(&bomb), IAT).err(), Some(StatusFault::TooLarge.into()));
    let half = URL_SAFE_NO_PAD.decode(&bomb.status_list.lst).unwrap();
    let half = of(1, &base64url(&half[..half.len() / 2]));
    let refused = read(&list_token(&half), IAT).err();
    assert_eq!(refused, Some(StatusFault::TooLarge.into()), "what follows was never looked at");
}

#[test]
fn broken_packing_is_refused() {
    let good = list_claims(&[5]).status_list.lst;
    let raw = URL_SAFE_NO_PAD.decode(&good).unwrap();
    let refused = |lst: &str| read(&list_token(&of(1, lst)), IAT).err() == Some(StatusFault::Encoding.into());
    assert!(!refused(&good), "control");
    for length in 0..raw.len() {
        assert!(refused(&base64url(&raw[..length])), "truncated to {length}");
    }
    assert!(refused(&base64url(&[raw.as_slice(), b"x"].concat())), "something behind it");
    assert!(refused(&format!("{good}=")), "padding");
    assert!(refused("") && refused("AAAA"));
    let mut checksum = raw.clone();
    *checksum.last_mut().unwrap() ^= 1;
    assert!(refused(&base64url(&checksum)), "another checksum");
}

#[test]
fn only_the_ledger_signs_lists_and_a_list_is_nothing_else() {
    let (good, action) = (list_claims(&[]), action());
    let by_receipt_key = encode(Typ::StatusList, &kid(&receipt_key()), &good, signer(&receipt_key())).unwrap();
    assert_eq!(read(&by_receipt_key, IAT).err(), Some(KeyFault::KeyIdUnknown.into()));
    let as_proof = encode(Typ::DeletionProof, &kid(&ledger_key()), &good, signer(&ledger_key())).unwrap();
    assert_eq!(read(&as_proof, IAT).err(), Some(KeyFault::Type.into()));
    let other_issuer = StatusListClaims { iss: "https://other.example/ledger".into(), ..good.clone() };
    assert_eq!(read(&list_token(&other_issuer), IAT).err(), Some(KeyFault::Issuer.into()));
    let refused = authorize(&list_token(&good), &ledger_keys(), &expected(&action), IAT).map(drop);
    assert_eq!(refused, Err(KeyFault::Type.into()));
}

#[test]
fn every_single_bit_flip_of_a_list_is_refused() {
    let good = list_token(&list_claims(&[1, 1000]));
    for bit in 0..good.len() * 8 {
        let mut bytes = good.clone().into_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let Ok(flipped) = String::from_utf8(bytes) else { continue };
        assert!(read(&flipped, IAT).is_err(), "bit {bit}");
    }
    assert!(read(&good, IAT).is_ok(), "control");
}

proptest! {
    #[test]
    fn what_was_listed_is_read_back(revoked in prop::collection::btree_set(0..LIST_ENTRIES, 0..200), other in 0..LIST_ENTRIES) {
        let revoked: BTreeSet<u32> = revoked;
        let all: Vec<u32> = revoked.iter().copied().collect();
        let listed = list(&all);
        for index in &all {
            prop_assert_eq!(listed.status_of(*index), Ok(Status::Invalid));
        }
        prop_assert_eq!(listed.status_of(other) == Ok(Status::Invalid), revoked.contains(&other));
    }

    #[test]
    fn arbitrary_packing_never_panics(bits in any::<u8>(), bytes in prop::collection::vec(any::<u8>(), 0..600), index in any::<u32>()) {
        if let Ok(listed) = read(&list_token(&of(bits, &base64url(&bytes))), IAT) {
            let _ = listed.status_of(index);
        }
        let listed = read(&list_token(&packed(1 << (bits % 4), &bytes)), IAT).unwrap();
        let known = (index as usize) < listed.entries();
        prop_assert_eq!(listed.status_of(index).is_ok(), known);
        prop_assert!(listed.entries() == bytes.len() * 8 / (1 << (bits % 4)));
    }
}
