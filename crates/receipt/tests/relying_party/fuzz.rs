//! Arbitrary input: never a panic, never an acceptance.

use crate::support::{IAT, ISSUER, action, claims, expected, kid, raw_token, receipt_key, receipt_keys, root, token};
use proptest::prelude::{Strategy, any, prop, prop_assert, prop_oneof, proptest};
use receipt::{
    Action, ExpectedDeletion, Pin, TrustedKeys, authorize, evidence, inspect_unverified, verify_deletion_proof,
};

fn refused_everywhere(token: &str) -> bool {
    let (action, keys) = (action(), receipt_keys());
    let pin = Pin { issuer: ISSUER, root_thumbprint: &kid(&root()) };
    let deletion = ExpectedDeletion { aud: "", commitment: [0; 32] };
    let _ = inspect_unverified(token);
    authorize(token, &keys, &expected(&action), IAT).is_err()
        && evidence(token, &keys).is_err()
        && verify_deletion_proof(token, &keys, &deletion).is_err()
        && TrustedKeys::from_document(token, pin).is_err()
}

/// JSON texts with the names that matter, nested and doubled at will.
fn json() -> impl Strategy<Value = String> {
    let name = prop_oneof!["alg|kid|typ|crit|jwk|iss|exp|gates|act|fmr", "\\PC{0,6}"];
    let leaf = prop_oneof!["null|true|-1|1e400|0.1|9223372036854775808|\"EdDSA\"", "\\PC{0,8}"];
    leaf.prop_recursive(4, 32, 6, move |inner| {
        prop::collection::vec((name.clone(), inner), 0..6).prop_map(|members| {
            let members: Vec<_> = members.iter().map(|(name, value)| format!("{name:?}:{value}")).collect();
            format!("{{{}}}", members.join(","))
        })
    })
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..2048)) {
        prop_assert!(refused_everywhere(&String::from_utf8_lossy(&bytes)));
        let _ = Action::from_json(&bytes);
    }

    #[test]
    fn arbitrary_parts_are_refused(text in "[A-Za-z0-9_-]{0,200}(\\.[A-Za-z0-9_=-]{0,200}){0,4}") {
        prop_assert!(refused_everywhere(&text));
    }

    #[test]
    fn honestly_signed_nonsense_is_refused(header in json(), payload in json()) {
        prop_assert!(refused_everywhere(&raw_token(&header, &payload)));
        let honest = format!(r#"{{"alg":"EdDSA","kid":"{}","typ":"stepup-receipt+jwt"}}"#, kid(&receipt_key()));
        prop_assert!(refused_everywhere(&raw_token(&honest, &payload)));
    }

    #[test]
    fn splices_of_a_good_token_are_refused(cut in any::<prop::sample::Index>(), drop in 1..40_usize, put in "[A-Za-z0-9._-]{0,40}") {
        let good = token(&claims());
        let at = cut.index(good.len());
        let end = (at + drop).min(good.len());
        let spliced = format!("{}{put}{}", &good[..at], &good[end..]);
        prop_assert!(spliced == good || refused_everywhere(&spliced));
    }

    #[test]
    fn any_action_has_a_hash_and_a_checked_one_a_plain_display(kind in "\\PC{0,70}", payee in "\\PC{0,300}", value in "(?s).{0,600}") {
        let action = Action { kind, payee, fields: [("field".to_owned(), value)].into(), ..Action::default() };
        let _ = action.sha256();
        if action.check().is_ok() {
            let lines = receipt::display_text(&action);
            prop_assert!(lines.lines().count() == 2 + usize::from(!action.payee.is_empty()));
        }
    }
}
