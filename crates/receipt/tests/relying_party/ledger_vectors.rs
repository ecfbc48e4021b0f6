//! The committed vectors of status lists and of the log, which Python wrote: an old version must open forever.

use crate::support::{public, signer};
use crate::vectors::{RECEIPT, keys, load, seed, typed, under};
use receipt::{
    Checkpoint, Continues, Expected, IndexOrder, LIST_ENTRIES, Leaf, LogProof, Refused, Salt, Status, StatusList,
    TreeHead, TrustedKeys, Typ, authorize, base64url, check_consistency, checkpoint_note, encode, grow,
};
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};
use std::collections::HashMap;

const STATUS: &str = include_str!("../../../../tests/vectors/status_list.json");
const LOG: &str = include_str!("../../../../tests/vectors/log.json");
const LEDGER: &str = "https://verify.example/ledger";

fn ledger() -> TrustedKeys {
    keys(&load(RECEIPT), "ledger_jwks", "ledger")
}

fn list(vectors: &Value) -> &[Value] {
    vectors.as_array().unwrap()
}

fn hash(value: &Value) -> [u8; 32] {
    hex::decode(value.as_str().unwrap()).unwrap().try_into().unwrap()
}

fn read(vectors: &Value, case: &Value) -> Result<StatusList, Refused> {
    let of = |name: &str| case["expected"].get(name).unwrap_or(&vectors["expected"][name]).clone();
    let (uri, now) = (of("uri"), of("now").as_i64().unwrap());
    StatusList::verify(case["token"].as_str().unwrap(), &ledger(), uri.as_str().unwrap(), now)
}

#[test]
fn status_lists_are_read_and_refused_as_the_vectors_say() {
    let vectors = load(STATUS);
    let listed = read(&vectors, &vectors).unwrap();
    assert_eq!(listed.entries() as u64, vectors["beyond"].as_u64().unwrap());
    for (name, status) in [("revoked", Status::Invalid), ("valid", Status::Valid)] {
        for index in typed::<Vec<u32>>(&vectors[name]) {
            assert_eq!(listed.status_of(index), Ok(status), "{index}");
        }
    }
    for case in list(&vectors["refused"]) {
        let reason = read(&vectors, case).map(drop).map_err(Refused::reason);
        assert_eq!(reason, Err(case["reason"].as_str().unwrap()), "{}", case["name"]);
    }
    assert!(list(&vectors["refused"]).len() >= 14);
}

#[test]
fn receipts_meet_their_status_as_the_vectors_say() {
    let (vectors, receipts) = (load(STATUS), load(RECEIPT));
    let (listed, trusted) = (read(&vectors, &vectors).unwrap(), keys(&receipts, "jwks", "receipts"));
    let case = json!({ "expected": { "now": vectors["expected"]["now"] } });
    for receipt in list(&vectors["receipts"]) {
        let outcome = under(&receipts["expected"], &case, |expected, now| {
            let expected = Expected { status: Some(&listed), ..*expected };
            authorize(receipt["token"].as_str().unwrap(), &trusted, &expected, now).map(drop)
        });
        assert_eq!(outcome.map_or_else(Refused::reason, |()| "OK"), receipt["outcome"].as_str().unwrap());
    }
}

#[test]
fn indexes_are_given_out_in_the_order_of_the_vectors() {
    for case in list(&load(STATUS)["index_order"]) {
        let order = IndexOrder::new(&hash(&case["key"]));
        assert_eq!(order.index(typed(&case["counter"])), Some(typed(&case["index"])));
    }
}

#[test]
fn packing_makes_what_the_vectors_unpack_to() {
    let vectors = load(STATUS);
    let revoked: Vec<u32> = typed(&vectors["revoked"]);
    let place = receipt::StatusListPlace {
        iss: LEDGER,
        uri: vectors["expected"]["uri"].as_str().unwrap(),
        iat: vectors["expected"]["now"].as_i64().unwrap() - 5,
        ttl: 15,
        life: 60,
    };
    let claims = receipt::StatusListClaims::new(place, revoked).unwrap();
    let key = seed(&load(RECEIPT), "ledger");
    let token = encode(Typ::StatusList, &receipt::thumbprint(&public(&key)), &claims, signer(&key)).unwrap();
    let case = json!({ "token": token, "expected": {} });
    let (made, given) = (read(&vectors, &case).unwrap(), read(&vectors, &vectors).unwrap());
    assert_eq!(made, given, "packed by another zlib, the same list");
    assert!((0..LIST_ENTRIES).step_by(4099).all(|index| made.status_of(index) == given.status_of(index)));
}

fn leaves() -> Vec<Leaf> {
    let leaf = |case: &Value| {
        let salt = base64url(&hash(&case["salt"]));
        let leaf = Leaf::from_json(json!({ "leaf": case["leaf"], "salt": salt }).to_string().as_bytes()).unwrap();
        assert_eq!(leaf.entry(), hash(&case["entry"]), "{}", case["leaf"]);
        leaf
    };
    list(&load(LOG)["leaves"]).iter().map(leaf).collect()
}

#[test]
fn leaves_of_every_kind_hash_to_the_entries_of_the_vectors_and_are_written_the_same() {
    for leaf in leaves() {
        let event = leaf.event().unwrap();
        let again = Leaf::new(&event, Salt::new(*leaf.salt().expose())).unwrap();
        assert_eq!(again, leaf);
    }
}

#[test]
fn the_tree_checkpoints_and_tiles_are_those_of_the_vectors() {
    let vectors = load(LOG);
    let entries: Vec<_> = leaves().iter().map(Leaf::entry).collect();
    let key = seed(&load(RECEIPT), "ledger");
    for case in list(&vectors["checkpoints"]) {
        let size = case["size"].as_u64().unwrap();
        let grown = grow(&TreeHead::EMPTY, &[], &entries[..usize::try_from(size).unwrap()]).unwrap();
        assert_eq!(grown.head, TreeHead { size, root: hash(&case["root"]) });
        let note = checkpoint_note(&grown.head, LEDGER, &public(&key), signer(&key)).unwrap();
        assert_eq!(note, case["note"].as_str().unwrap());
        assert_eq!(Checkpoint::verify(&note, &ledger()).unwrap().head(), grown.head);
    }
    let grown = grow(&TreeHead::EMPTY, &[], &entries).unwrap();
    let tiles: HashMap<String, Vec<u8>> = grown.tiles.into_iter().map(|(tile, bytes)| (tile.path(), bytes)).collect();
    for (path, sha256) in vectors["tiles"].as_object().unwrap() {
        assert_eq!(hex::encode(digest(&SHA256, &tiles[path])), sha256.as_str().unwrap(), "{path}");
    }
}

#[test]
fn proofs_are_accepted_and_refused_as_the_vectors_say() {
    let (vectors, leaves) = (load(LOG), leaves());
    for case in list(&vectors["proofs"]) {
        let proof = LogProof::read(case["text"].as_str().unwrap()).unwrap();
        let logged = proof.verify(&ledger()).unwrap();
        assert_eq!(proof.leaf, leaves[usize::try_from(logged.index()).unwrap()]);
        assert_eq!(logged.checkpoint().head().size, case["size"].as_u64().unwrap());
        assert_eq!(proof.to_text().unwrap(), case["text"].as_str().unwrap(), "written the same");
    }
    for case in list(&vectors["refused"]) {
        let verdict = LogProof::read(case["text"].as_str().unwrap()).and_then(|proof| proof.verify(&ledger()));
        assert_eq!(verdict.map(drop).map_err(Refused::reason), Err(case["reason"].as_str().unwrap()));
    }
    let receipt = load(RECEIPT);
    let logged = LogProof::read(vectors["proofs"][0]["text"].as_str().unwrap()).unwrap().verify(&ledger()).unwrap();
    assert_eq!(logged.check_receipt(receipt["token"].as_str().unwrap()), Ok(()));
    assert!(logged.check_receipt(receipt["enrollment"]["token"].as_str().unwrap()).is_err());
}

#[test]
fn consistency_is_shown_as_the_vectors_say() {
    let vectors = load(LOG);
    let heads: HashMap<u64, TreeHead> = list(&vectors["checkpoints"])
        .iter()
        .map(|case| (case["size"].as_u64().unwrap(), hash(&case["root"])))
        .map(|(size, root)| (size, TreeHead { size, root }))
        .collect();
    for case in list(&vectors["consistency"]) {
        let (from, to) = (case["from"].as_u64().unwrap(), case["to"].as_u64().unwrap());
        let way: Vec<_> = list(&case["way"]).iter().map(hash).collect();
        let said = check_consistency(&heads[&from], &heads[&to], &way);
        assert_eq!(said, Ok(Continues::Grown { by: to - from }));
        let other = TreeHead { root: [0; 32], ..heads[&from] };
        assert!(check_consistency(&other, &heads[&to], &way).is_err());
    }
    assert!(list(&vectors["consistency"]).len() >= 20);
}
