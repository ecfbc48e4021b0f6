//! Tokens changed by somebody without the key.

use crate::support::{
    IAT, action, claims, expected, kid, ledger_key, raw_token, receipt_key, receipt_keys, signer, token,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use receipt::{KeyFault, Malformed, Refused, Typ, authorize, encode, evidence, inspect_unverified};

/// The group order L, little-endian (RFC 8032 §5.1).
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

fn attempt(token: &str) -> Result<(), Refused> {
    let action = action();
    authorize(token, &receipt_keys(), &expected(&action), IAT).map(drop)
}

#[test]
fn every_single_bit_flip_is_refused() {
    let (action, keys, good) = (action(), receipt_keys(), token(&claims()));
    assert_eq!(attempt(&good), Ok(()));
    let mut judged = 0;
    for bit in 0..good.len() * 8 {
        let mut bytes = good.clone().into_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let Ok(flipped) = String::from_utf8(bytes) else { continue };
        assert!(authorize(&flipped, &keys, &expected(&action), IAT).is_err(), "bit {bit}");
        assert!(evidence(&flipped, &keys).is_err(), "bit {bit}");
        judged += 1;
    }
    assert_eq!(judged, good.len() * 7, "only flips of the eighth bit leave ASCII");
}

#[test]
fn every_shortening_and_any_addition_is_refused() {
    let good = token(&claims());
    for length in 0..good.len() {
        assert!(attempt(&good[..length]).is_err(), "{length}");
    }
    for addition in ["A", "=", "==", ".", " ", "\n", "\0", "A.A"] {
        assert!(attempt(&format!("{good}{addition}")).is_err(), "{addition:?} behind");
        assert!(attempt(&format!("{addition}{good}")).is_err(), "{addition:?} before");
    }
}

#[test]
fn a_signature_is_not_malleable() {
    let good = token(&claims());
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let mut raw: [u8; 64] = URL_SAFE_NO_PAD.decode(signature).unwrap().try_into().unwrap();
    let mut carry = 0;
    for (byte, add) in raw[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        (*byte, carry) = (sum.to_le_bytes()[0], sum >> 8);
    }
    assert_eq!(carry, 0, "S + L fits");
    let malleable = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(raw));
    assert_eq!(attempt(&malleable), Err(KeyFault::Signature.into()));
    let mut small_order_r = [0; 64];
    small_order_r[0] = 1;
    let forged = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(small_order_r));
    assert_eq!(attempt(&forged), Err(KeyFault::Signature.into()));
}

#[test]
fn stray_bits_in_any_part_are_refused() {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let good = token(&claims());
    let last = good.bytes().last().unwrap();
    let place = alphabet.iter().position(|c| *c == last).unwrap();
    for stray in 1..16 {
        let mut bytes = good.clone().into_bytes();
        *bytes.last_mut().unwrap() = alphabet[place + stray];
        assert_eq!(attempt(&String::from_utf8(bytes).unwrap()), Err(Malformed::Base64.into()));
    }
}

#[test]
fn the_ledger_key_signs_no_receipt() {
    let under_own_name = encode(Typ::Receipt, &kid(&ledger_key()), &claims(), signer(&ledger_key())).unwrap();
    assert_eq!(attempt(&under_own_name), Err(KeyFault::KeyIdUnknown.into()));
    let under_receipt_name = encode(Typ::Receipt, &kid(&receipt_key()), &claims(), signer(&ledger_key())).unwrap();
    assert_eq!(attempt(&under_receipt_name), Err(KeyFault::Signature.into()));
}

#[test]
fn deep_nesting_is_refused_without_harm() {
    let header = format!(r#"{{"alg":"EdDSA","kid":"{}","typ":"stepup-receipt+jwt"}}"#, kid(&receipt_key()));
    let deep = format!(r#"{{"a":{}}}"#, "[".repeat(9_000));
    assert_eq!(attempt(&raw_token(&header, &deep)), Err(Malformed::Json.into()));
    let deep_header = format!(r#"{{"alg":{}"#, "{\"a\":".repeat(1_500));
    assert_eq!(attempt(&raw_token(&deep_header, "{}")), Err(Malformed::Json.into()));
}

#[test]
fn inspection_shows_and_believes_nothing() {
    let foreign = encode(Typ::Receipt, "nobody", &claims(), |_| Ok::<_, ()>([0; 64])).unwrap();
    assert!(attempt(&foreign).is_err());
    let shown = inspect_unverified(&foreign).unwrap();
    assert_eq!(shown.header["kid"], "nobody");
    assert_eq!(shown.claims["vrd"], "ACCEPT");
    assert_eq!(inspect_unverified("a.b"), Err(Malformed::Parts.into()));
}
