//! The log changed by somebody: without the key, and by the one who holds it.

use crate::support::ledger::{Log, leaf, note_of};
use crate::support::{LEDGER, ledger_key, ledger_keys};
use receipt::{
    Checkpoint, Continues, KeyFault, Leaf, LogFault, LogProof, Refused, Salt, Tile, TreeHead, continues,
    prove_inclusion,
};

fn verdict(text: &str) -> Result<(), Refused> {
    LogProof::read(text)?.verify(&ledger_keys()).map(drop)
}

#[test]
fn every_single_bit_flip_of_a_proof_is_refused() {
    let good = Log::with(300).proof(150).to_text().unwrap();
    assert_eq!(verdict(&good), Ok(()));
    let mut judged = 0;
    for bit in 0..good.len() * 8 {
        let mut bytes = good.clone().into_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let Ok(flipped) = String::from_utf8(bytes) else { continue };
        assert!(verdict(&flipped).is_err(), "bit {bit}: {flipped}");
        judged += 1;
    }
    assert!(judged > good.len() * 6, "{judged}");
}

#[test]
fn every_shortening_and_any_addition_is_refused() {
    let good = Log::with(300).proof(150).to_text().unwrap();
    for length in (0..good.len()).filter(|length| good.is_char_boundary(*length)) {
        assert!(verdict(&good[..length]).is_err(), "{length}");
    }
    for addition in ["A", "\n", " ", "\0", "\r\n", "\u{2014} "] {
        assert!(verdict(&format!("{good}{addition}")).is_err(), "{addition:?} behind");
        assert!(verdict(&format!("{addition}{good}")).is_err(), "{addition:?} before");
    }
    assert!(verdict(&good.replace('\n', "\r\n")).is_err());
}

#[test]
fn a_proof_of_another_leaf_place_or_tree_is_refused() {
    let log = Log::with(300);
    let good = log.proof(150);
    let refused = |proof: LogProof| proof.verify(&ledger_keys()).err();
    assert_eq!(refused(good.clone()), None);
    assert_eq!(refused(LogProof { leaf: leaf(151), ..good.clone() }), Some(LogFault::Inclusion.into()));
    let other_salt = Leaf::of_body(good.leaf.body().into(), Salt::new([9; 32])).unwrap();
    assert_eq!(refused(LogProof { leaf: other_salt, ..good.clone() }), Some(LogFault::Inclusion.into()));
    for index in [0, 149, 151, 299] {
        assert_eq!(refused(LogProof { index, ..good.clone() }), Some(LogFault::Inclusion.into()));
    }
    for index in [300, u64::MAX] {
        assert_eq!(refused(LogProof { index, ..good.clone() }), Some(LogFault::Size.into()));
    }
    let mut grown = log.clone();
    grown.add([leaf(300)]);
    assert_eq!(refused(LogProof { checkpoint: grown.note(), ..good.clone() }), Some(LogFault::Inclusion.into()));
    for at in 0..good.hashes.len() {
        let mut fewer = good.clone();
        fewer.hashes.remove(at);
        assert_eq!(refused(fewer), Some(LogFault::Inclusion.into()));
        let mut more = good.clone();
        more.hashes.insert(at, [0; 32]);
        assert_eq!(refused(more), Some(LogFault::Inclusion.into()));
    }
    let hashes = vec![[0; 32]; 41];
    assert_eq!(verdict(&LogProof { hashes, ..good }.to_text().unwrap()), Err(LogFault::ProofForm.into()));
}

#[test]
fn an_interior_node_is_no_leaf() {
    let log = Log::with(4);
    let tile = &log.tiles[&Tile { level: Some(0), index: 0, width: 4 }];
    let hash = |at: usize| -> [u8; 32] { tile[32 * at..32 * (at + 1)].try_into().unwrap() };
    // The right half of the tree, passed off as the one sibling of a leaf in a tree of two.
    let forged = LogProof { hashes: vec![hash(2), hash(3)], index: 0, ..log.proof(0) };
    assert_eq!(forged.verify(&ledger_keys()).err(), Some(LogFault::Inclusion.into()));
}

#[test]
fn every_single_bit_flip_of_a_checkpoint_is_refused() {
    let good = Log::with(3).note();
    let mut judged = 0;
    for bit in 0..good.len() * 8 {
        let mut bytes = good.clone().into_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let Ok(flipped) = String::from_utf8(bytes) else { continue };
        assert!(Checkpoint::verify(&flipped, &ledger_keys()).is_err(), "bit {bit}: {flipped}");
        judged += 1;
    }
    assert!(judged > good.len() * 6 && Checkpoint::verify(&good, &ledger_keys()).is_ok());
}

#[test]
fn one_bad_signature_of_the_ledger_refuses_a_note_that_has_a_good_one_too() {
    let log = Log::with(3);
    let other = note_of(&TreeHead { size: 4, ..log.head }, LEDGER, &ledger_key()).unwrap();
    let stray = other.trim_end().rsplit('\n').next().unwrap();
    let both = format!("{}{stray}\n", log.note());
    assert_eq!(Checkpoint::verify(&both, &ledger_keys()), Err(KeyFault::Signature.into()));
}

#[test]
fn extension_lines_and_impossible_trees_are_refused_though_signed() {
    let huge = TreeHead { size: receipt::MAX_TREE, root: [1; 32] };
    assert!(Checkpoint::verify(&note_of(&huge, LEDGER, &ledger_key()).unwrap(), &ledger_keys()).is_ok(), "control");
    assert!(note_of(&TreeHead { size: receipt::MAX_TREE + 1, ..huge }, LEDGER, &ledger_key()).is_err());
    let no_leaves = TreeHead { size: 0, root: [1; 32] };
    let note = note_of(&no_leaves, LEDGER, &ledger_key()).unwrap();
    assert_eq!(Checkpoint::verify(&note, &ledger_keys()), Err(LogFault::Checkpoint.into()));
}

/// The one who holds the ledger key writes the past anew: everything it serves is sound in itself.
#[test]
fn a_rewritten_past_is_a_fork_to_whoever_saw_the_old_one() {
    for size in [10, 256, 300, 600] {
        let seen = Log::with(size);
        let rewritten = |change: &dyn Fn(&mut Vec<Leaf>)| {
            let mut leaves: Vec<_> = (0..size).map(leaf).collect();
            change(&mut leaves);
            let mut log = Log::new();
            log.add(leaves);
            log.add((size..size + 50).map(leaf));
            log
        };
        let honest = rewritten(&|_| {});
        assert_eq!(continues(&seen.head, &honest.checkpoint(), &honest.read()), Ok(Continues::Grown { by: 50 }));
        type Change = (&'static str, Box<dyn Fn(&mut Vec<Leaf>)>);
        let changes: [Change; 5] = [
            ("flip", Box::new(|leaves| leaves[3] = leaf(9999))),
            ("delete", Box::new(|leaves| drop(leaves.remove(3)))),
            ("swap", Box::new(|leaves| leaves.swap(3, 4))),
            ("insert", Box::new(|leaves| leaves.insert(3, leaf(9999)))),
            ("last", Box::new(|leaves| *leaves.last_mut().unwrap() = leaf(9999))),
        ];
        for (name, change) in changes {
            let log = rewritten(&change);
            assert!(log.proof(size).verify(&ledger_keys()).is_ok(), "control: sound in itself");
            let said = continues(&seen.head, &log.checkpoint(), &log.read());
            assert_eq!(said, Err(LogFault::Fork), "{name} at {size}");
        }
        let cut = Log::with(size - 1);
        assert_eq!(continues(&seen.head, &cut.checkpoint(), &cut.read()), Err(LogFault::Rollback), "truncate");
    }
}

#[test]
fn tiles_that_are_missing_short_long_or_changed_withhold_and_never_forge() {
    let log = Log::with(700);
    let (checkpoint, seen) = (log.checkpoint(), Log::with(300).head);
    let touched: Vec<Tile> = log.tiles.keys().filter(|tile| tile.level.is_some()).copied().collect();
    type Damage = (&'static str, LogFault, fn(&[u8]) -> Option<Vec<u8>>);
    let damages: [Damage; 5] = [
        ("missing", LogFault::Tile, |_| None),
        ("empty", LogFault::Tile, |_| Some(Vec::new())),
        ("truncated", LogFault::Tile, |bytes| Some(bytes[..bytes.len() - 1].to_vec())),
        ("too long", LogFault::Tile, |bytes| Some([bytes, &[0; 32]].concat())),
        ("changed", LogFault::TileContent, |bytes| {
            let mut bytes = bytes.to_vec();
            bytes[7] ^= 1;
            Some(bytes)
        }),
    ];
    for (name, fault, damage) in damages {
        let mut seen_it = 0;
        for bad in &touched {
            let read = |tile: Tile| {
                let bytes = log.tiles.get(&tile)?;
                if tile == *bad { damage(bytes) } else { Some(bytes.clone()) }
            };
            for index in [0, 256, 512, 699] {
                let said = prove_inclusion(&checkpoint, index, &read);
                seen_it += usize::from(said == Err(fault));
                assert!(said == Err(fault) || said == Ok(log.proof(index).hashes), "{name} {bad:?}: {said:?}");
            }
            let said = continues(&seen, &checkpoint, &read);
            assert!(said == Err(fault) || said == Ok(Continues::Grown { by: 400 }), "{name} {bad:?}: {said:?}");
        }
        assert!(seen_it > 0, "control: {name} was met");
    }
}
