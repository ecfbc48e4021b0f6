//! The log as its readers meet it: checkpoints, proofs, tiles.

use crate::support::ledger::{Log, leaf, note_of};
use crate::support::{
    IAT, ISSUER, LEDGER, TENANT, claims, document, kid, ledger_key, ledger_keys, public, receipt_key, root, signer,
    token, trusted,
};
use ed25519_dalek::{Signer as _, SigningKey};
use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};
use receipt::{
    Checkpoint, Continues, CoversClaim, DeletionClaims, ExpectedDeletion, KeyFault, Leaf, LiveStore, LogEvent,
    LogFault, LogProof, Pin, Refused, Salt, Tile, TreeHead, TrustedKeys, Typ, base64url, check_consistency, continues,
    edge, encode, grow, log_origin, prove_consistency, prove_inclusion, verify_deletion_proof,
};

#[test]
fn a_proof_of_every_leaf_verifies_in_trees_of_many_sizes() {
    for size in [1, 2, 3, 7, 8, 255, 256, 257, 300, 511, 512, 513, 700] {
        let log = Log::with(size);
        for index in (0..size).step_by(usize::try_from(size / 16).unwrap().max(1)).chain([size - 1]) {
            let text = log.proof(index).to_text().unwrap();
            let logged = LogProof::read(&text).unwrap().verify(&ledger_keys()).unwrap();
            assert_eq!(logged.index(), index);
            assert_eq!(logged.event(), &leaf(index).event().unwrap());
            assert_eq!(logged.checkpoint().head(), log.head);
        }
        assert_eq!(prove_inclusion(&log.checkpoint(), size, &log.read()), Err(LogFault::Size));
    }
}

/// More leaves than one tile of level 1 covers: 65,536 entries and a bit, in steps as a sequencer takes them.
#[test]
fn three_levels_of_tiles_hold_together() {
    let mut log = Log::new();
    let mut at = 0;
    for step in [1, 255, 1000, 64_000, 279, 1, 300] {
        log.add((at..at + step).map(leaf));
        at += step;
    }
    assert_eq!(log.head.size, 65_836);
    assert!(log.tiles.contains_key(&Tile { level: Some(2), index: 0, width: 1 }), "control: a third level");
    for index in [0, 255, 256, 65_534, 65_535, 65_536, 65_835] {
        assert!(log.proof(index).verify(&ledger_keys()).is_ok(), "{index}");
    }
    let at_once = Log::with(65_836);
    assert_eq!(at_once.head, log.head, "the steps do not matter");
}

#[test]
fn the_empty_tree_has_a_checkpoint_and_no_proof() {
    let log = Log::new();
    assert_eq!(log.checkpoint().head(), TreeHead::EMPTY);
    assert_eq!(prove_inclusion(&log.checkpoint(), 0, &log.read()), Err(LogFault::Size));
    let grown = Log::with(5);
    assert_eq!(continues(&TreeHead::EMPTY, &grown.checkpoint(), &grown.read()), Ok(Continues::Grown { by: 5 }));
}

#[test]
fn every_tree_continues_every_smaller_one_and_no_other() {
    let sizes = [1, 2, 3, 100, 255, 256, 257, 300, 512, 600];
    for old in sizes {
        for new in sizes {
            let (seen, log) = (Log::with(old), Log::with(new));
            let said = continues(&seen.head, &log.checkpoint(), &log.read());
            let right = match new.cmp(&old) {
                std::cmp::Ordering::Less => Err(LogFault::Rollback),
                std::cmp::Ordering::Equal => Ok(Continues::Same),
                std::cmp::Ordering::Greater => Ok(Continues::Grown { by: new - old }),
            };
            assert_eq!(said, right, "{old} to {new}");
            let other = TreeHead { root: [7; 32], ..seen.head };
            let said = continues(&other, &log.checkpoint(), &log.read());
            assert_eq!(said, Err(if new < old { LogFault::Rollback } else { LogFault::Fork }), "{old} to {new}");
            if new >= old {
                let proof = prove_consistency(&log.checkpoint(), old, &log.read()).unwrap();
                assert!(check_consistency(&seen.head, &log.head, &proof).is_ok());
            }
        }
    }
}

#[test]
fn a_receipt_and_a_deletion_are_told_from_others_by_their_leaves() {
    let good = token(&claims());
    let hash = ring::digest::digest(&ring::digest::SHA256, good.as_bytes());
    let receipt = LogEvent::Receipt {
        iss: ISSUER.into(),
        aud: TENANT.into(),
        jti: claims().jti,
        sha256: base64url(hash.as_ref()),
        at: IAT,
    };
    let deletion = DeletionClaims {
        iss: LEDGER.into(),
        aud: TENANT.into(),
        iat: IAT + 1,
        jti: "dl_1".into(),
        sub: None,
        reference: claims().reference.unwrap(),
        covers: CoversClaim { live_store: LiveStore::Erased, backups_until: IAT + 86_400, exception: None },
        cause: "user-request".into(),
        deleted_at: IAT,
    };
    let destroyed = LogEvent::Deletion {
        aud: deletion.aud.clone(),
        jti: deletion.jti.clone(),
        reference: deletion.reference.clone(),
        at: deletion.deleted_at,
    };
    let mut log = Log::new();
    log.add([receipt, destroyed].map(|event| Leaf::new(&event, Salt::random().unwrap()).unwrap()));
    let logged = |index| log.proof(index).verify(&ledger_keys()).unwrap();
    assert_eq!(logged(0).check_receipt(&good), Ok(()));
    let other = token(&receipt::ReceiptClaims { sub: "other".into(), ..claims() });
    assert_eq!(logged(0).check_receipt(&other), Err(LogFault::OtherLeaf));
    assert_eq!(logged(1).check_receipt(&good), Err(LogFault::OtherLeaf));
    let proof = |claims: &DeletionClaims| {
        let token = encode(Typ::DeletionProof, &kid(&ledger_key()), claims, signer(&ledger_key())).unwrap();
        let expected = ExpectedDeletion { aud: TENANT, commitment: crate::support::COMMITMENT };
        verify_deletion_proof(&token, &ledger_keys(), &expected).unwrap()
    };
    assert_eq!(logged(1).check_deletion(&proof(&deletion)), Ok(()));
    assert_eq!(logged(0).check_deletion(&proof(&deletion)), Err(LogFault::OtherLeaf));
    for changed in
        [DeletionClaims { jti: "dl_2".into(), ..deletion.clone() }, DeletionClaims { deleted_at: IAT - 1, ..deletion }]
    {
        assert_eq!(logged(1).check_deletion(&proof(&changed)), Err(LogFault::OtherLeaf));
    }
}

#[test]
fn an_entry_tells_nothing_without_its_salt() {
    let event = leaf(1).event().unwrap();
    let entry = |salt| Leaf::new(&event, salt).unwrap().entry();
    assert_ne!(entry(Salt::random().unwrap()), entry(Salt::random().unwrap()), "one body, two entries");
    assert_eq!(entry(Salt::new([1; 32])), entry(Salt::new([1; 32])), "control");
    assert_eq!(format!("{:?}", Salt::new([1; 32])), "Salt(..)");
}

#[test]
fn a_leaf_has_one_form() {
    let good = String::from_utf8(leaf(1).to_json().unwrap().into_bytes()).unwrap();
    assert_eq!(Leaf::from_json(good.as_bytes()).unwrap(), leaf(1));
    for wrong in ["{}".to_owned(), good.replace("\"salt\"", "\"Salt\""), good.replacen('{', "{\"x\":1,", 1)] {
        assert!(Leaf::from_json(wrong.as_bytes()).is_err(), "{wrong}");
    }
    assert!(Leaf::of_body("{\"b\":1,\"a\":2}".into(), Salt::new([0; 32])).is_err(), "not canonical");
    assert!(Leaf::of_body("[]".into(), Salt::new([0; 32])).is_err());
    let unknown = Leaf::of_body("{\"kind\":\"later\"}".into(), Salt::new([0; 32])).unwrap();
    assert!(unknown.event().is_err(), "its entry is known, its meaning is not");
    let more = leaf(1).body().replacen('{', "{\"a_new_member\":1,", 1);
    let more = Leaf::of_body(more, Salt::new([0; 32])).unwrap();
    assert_eq!(more.event(), leaf(1).event(), "members can be added");
    assert_ne!(more.entry(), Leaf::of_body(leaf(1).body().into(), Salt::new([0; 32])).unwrap().entry());
}

#[test]
fn a_checkpoint_has_the_form_of_its_specification() {
    let log = Log::with(3);
    let note = log.note();
    let lines: Vec<_> = note.split('\n').collect();
    assert_eq!((lines[0], lines[1]), ("verify.example/ledger", "3"));
    assert_eq!((lines[2].len(), lines[3]), (44, ""));
    assert!(lines[4].starts_with("\u{2014} verify.example/ledger "));
    assert_eq!((lines[5], lines.len()), ("", 6));
    assert_eq!(log_origin("https://verify.example/ledger"), "verify.example/ledger");
    assert!(note_of(&log.head, "https://verify.example/a b", &ledger_key()).is_err(), "a space makes no name");
    assert!(note_of(&log.head, "https://verify.example/a+b", &ledger_key()).is_err());
}

#[test]
fn witnesses_beside_the_ledger_are_ignored_and_never_enough() {
    let log = Log::with(3);
    let note = log.note();
    let text = &note[..note.find("\n\n").unwrap() + 1];
    let line = |name: &str, id: [u8; 4]| {
        let bytes = [id.as_slice(), &SigningKey::from_bytes(&[8; 32]).sign(text.as_bytes()).to_bytes()].concat();
        format!("\u{2014} {name} {}\n", base64::Engine::encode(&base64::engine::general_purpose::STANDARD, bytes))
    };
    let witness = line("witness.example", [1, 2, 3, 4]);
    let namesake = line("verify.example/ledger", [1, 2, 3, 4]);
    let many = witness.repeat(20);
    for beside in [&witness, &namesake, &many] {
        assert!(Checkpoint::verify(&format!("{note}{beside}"), &ledger_keys()).is_ok());
        let alone = format!("{text}\n{beside}");
        assert_eq!(Checkpoint::verify(&alone, &ledger_keys()), Err(LogFault::Unsigned.into()));
    }
    let too_many = format!("{note}{}", witness.repeat(40));
    assert_eq!(Checkpoint::verify(&too_many, &ledger_keys()), Err(LogFault::Note.into()));
}

#[test]
fn a_retired_ledger_key_stays_good_for_its_checkpoints() {
    let (log, new_key) = (Log::with(3), SigningKey::from_bytes(&[8; 32]));
    let both = document(LEDGER, &[public(&new_key), public(&ledger_key())]);
    let pin = Pin { issuer: LEDGER, root_thumbprint: &kid(&root()) };
    let keys = TrustedKeys::from_document(&both, pin).unwrap();
    let by_new = note_of(&log.head, LEDGER, &new_key).unwrap();
    assert!(Checkpoint::verify(&log.note(), &keys).is_ok());
    assert!(Checkpoint::verify(&by_new, &keys).is_ok());
    assert_eq!(Checkpoint::verify(&by_new, &ledger_keys()), Err(LogFault::Unsigned.into()), "before it was published");
}

#[test]
fn checkpoints_and_proofs_of_another_deployment_are_told_apart() {
    let log = Log::with(3);
    let elsewhere = trusted("https://other.example/ledger", &ledger_key());
    assert_eq!(Checkpoint::verify(&log.note(), &elsewhere), Err(LogFault::Origin.into()));
    assert_eq!(log.proof(1).verify(&elsewhere), Err(LogFault::Origin.into()));
    let by_receipt_key = note_of(&log.head, LEDGER, &receipt_key()).unwrap();
    assert_eq!(Checkpoint::verify(&by_receipt_key, &ledger_keys()), Err(LogFault::Unsigned.into()));
    let renamed =
        by_receipt_key.replace(&by_receipt_key[by_receipt_key.len() - 93..], &log.note()[log.note().len() - 93..]);
    assert!(Checkpoint::verify(&renamed, &ledger_keys()).is_ok(), "control: the rest was the same");
    assert_eq!(Checkpoint::verify("", &ledger_keys()), Err(LogFault::Note.into()));
    assert_eq!(Checkpoint::verify(&token(&claims()), &ledger_keys()), Err(LogFault::Note.into()));
}

#[test]
fn tile_paths_are_those_of_the_specification_and_nothing_else() {
    for (tile, path) in [
        (Tile { level: Some(0), index: 0, width: 256 }, "tile/0/000"),
        (Tile { level: Some(0), index: 1_234_067, width: 256 }, "tile/0/x001/x234/067"),
        (Tile { level: Some(5), index: 7, width: 1 }, "tile/5/007.p/1"),
        (Tile { level: None, index: 999, width: 256 }, "tile/entries/999"),
        (Tile { level: None, index: 1000, width: 255 }, "tile/entries/x001/000.p/255"),
    ] {
        assert_eq!(tile.path(), path);
        assert_eq!(Tile::from_path(path), Some(tile));
    }
    for wrong in [
        "",
        "tile",
        "tile/",
        "tile/0",
        "tile/0/",
        "tile/0/0",
        "tile/0/00",
        "tile/0/0000",
        "tile/00/000",
        "tile/6/000",
        "tile/64/000",
        "tile/99/000",
        "tile/255/000",
        "tile/256/000",
        "tile/-1/000",
        "tile/+1/000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000.p/",
        "tile/0/x000/000",
        "tile/0/001/000",
        "tile/0/x001",
        "tile/data/000",
        "tile/8/0/000",
        "tile/entries",
        "tile/entries/",
        "tile/entriesx/000",
        "tile/0/000/",
        "/tile/0/000",
        "tile/0/../000",
        "tile/0/x018/x446/x744/x073/x709/x551/616",
        "tile/0/000.p/65536",
        "tile/0/\u{663}00",
    ] {
        assert_eq!(Tile::from_path(wrong), None, "{wrong}");
    }
}

#[test]
fn a_full_tile_serves_where_its_partial_one_is_gone() {
    let small = Log::with(300);
    let mut log = small.clone();
    log.add((300..600).map(leaf));
    log.tiles
        .retain(|tile, _| tile.width == 256 || *tile == Tile { level: Some(1), index: 0, width: 2 } || tile.index == 2);
    assert!(!log.tiles.contains_key(&Tile { level: Some(0), index: 1, width: 44 }), "control");
    let old = small.checkpoint();
    let kept = |tile: Tile| {
        log.tiles.get(&tile).cloned().or_else(|| small.tiles.get(&tile).filter(|_| tile.level == Some(1)).cloned())
    };
    assert!(prove_inclusion(&old, 299, &kept).is_ok());
}

#[test]
fn growth_from_a_damaged_edge_is_refused() {
    let log = Log::with(300);
    let sound: Vec<_> = edge(300).into_iter().map(|tile| (tile, log.tiles[&tile].clone())).collect();
    let new = [leaf(300).entry()];
    assert!(grow(&log.head, &sound, &new).is_ok());
    for at in 0..sound.len() {
        let mut missing = sound.clone();
        missing.remove(at);
        assert_eq!(grow(&log.head, &missing, &new), Err(LogFault::Tile));
        let mut short = sound.clone();
        short[at].1.pop();
        assert_eq!(grow(&log.head, &short, &new), Err(LogFault::Tile));
        let mut changed = sound.clone();
        if changed[at].0.level.is_some() {
            changed[at].1[5] ^= 1;
            assert_eq!(grow(&log.head, &changed, &new), Err(LogFault::TileContent));
        }
    }
    let nothing = grow(&log.head, &sound, &[]).unwrap();
    assert_eq!((nothing.head, nothing.tiles.len()), (log.head, 0));
}

proptest! {
    #[test]
    fn steps_of_any_size_make_the_same_tree(steps in prop::collection::vec(0..200_u64, 1..8)) {
        let mut log = Log::new();
        let mut seen = Vec::new();
        for step in steps {
            let at = log.head.size;
            log.add((at..at + step).map(leaf));
            seen.push(log.head);
        }
        prop_assert_eq!(log.head, Log::with(log.head.size).head);
        for head in seen {
            prop_assert!(continues(&head, &log.checkpoint(), &log.read()).is_ok());
        }
    }

    #[test]
    fn arbitrary_text_is_no_note_no_proof_and_no_path(text in "(?s).{0,300}", bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(Checkpoint::verify(&text, &ledger_keys()).is_err());
        prop_assert!(LogProof::read(&text).is_err());
        prop_assert!(Leaf::from_json(&bytes).is_err());
        prop_assert!(Tile::from_path(&text).is_none());
    }

    #[test]
    fn near_paths_name_one_tile_or_none(path in "tile/(entries|[0-9]{1,3})/(x[0-9]{3}/){0,7}[0-9]{0,4}(\\.p/[0-9]{0,5})?") {
        if let Some(tile) = Tile::from_path(&path) {
            prop_assert_eq!(tile.path(), path);
        }
    }

    #[test]
    fn a_signed_body_of_any_text_is_a_checkpoint_only_in_its_form(lines in prop::collection::vec("[ -~]{0,50}", 0..5)) {
        let text = format!("verify.example/ledger\n{}\n", lines.join("\n"));
        let head = TreeHead { size: 1, root: [0; 32] };
        let made = note_of(&head, LEDGER, &ledger_key()).unwrap();
        let signature = ledger_key().sign(text.as_bytes()).to_bytes();
        let id = &base64::Engine::decode(&base64::engine::general_purpose::STANDARD, made.trim_end().rsplit(' ').next().unwrap()).unwrap()[..4];
        let line = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, [id, &signature].concat());
        let note = format!("{text}\n\u{2014} verify.example/ledger {line}\n");
        let said = Checkpoint::verify(&note, &ledger_keys());
        prop_assert!(matches!(said, Err(Refused::Log(LogFault::Checkpoint | LogFault::Note | LogFault::Size) | Refused::Untrusted(KeyFault::Signature))), "{said:?}");
    }
}
