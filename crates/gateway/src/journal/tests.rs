//! The journal's file: what it keeps, what it notices, what a crash may leave.

use super::*;
use std::fs;
use uuid::Uuid;

fn erased(number: u128) -> Erased {
    Erased {
        deletion_id: Uuid::from_u128(number),
        tenant: TenantId::new(Uuid::from_u128(7)),
        user: "somebody@example.com".parse().unwrap(),
        reference_id: ReferenceId::new(Uuid::from_u128(number)),
        epoch: 1,
        commitment: [3; 32],
        cause: "user-request".into(),
        deleted_at_ms: 1_000 + i64::try_from(number).unwrap(),
        job: None,
        journaled: false,
    }
}

/// A journal of three entries in a folder of its own.
fn three() -> (tempfile::TempDir, PathBuf, Journal, JournalHead) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deletions.journal");
    let journal = Journal::open(&path).unwrap();
    journal.append(&[erased(1)]).unwrap();
    let head = journal.append(&[erased(2), erased(3)]).unwrap();
    assert_eq!(head.position, 3);
    (folder, path, journal, head)
}

fn references(entries: &[Entry]) -> Vec<u128> {
    entries.iter().map(|entry| entry.reference.uuid().as_u128()).collect()
}

#[test]
fn what_was_written_is_read_again_after_what_was_seen() {
    let (_folder, path, _, head) = three();
    let again = Journal::open(&path).unwrap();
    let (all, end) = again.after(None).unwrap();
    assert_eq!((references(&all), end), (vec![1, 2, 3], head));
    let (rest, _) = again.after(Some(all[0].head)).unwrap();
    assert_eq!(references(&rest), [2, 3]);
    assert_eq!(again.after(Some(head)).unwrap().0, []);
}

#[test]
fn it_holds_nothing_of_a_person_and_is_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let (_folder, path, ..) = three();
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("rf_") && !text.contains("somebody") && !text.contains("user"), "{text}");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn two_processes_write_one_chain() {
    let (_folder, path, first, _) = three();
    let second = Journal::open(&path).unwrap();
    second.append(&[erased(4)]).unwrap();
    first.append(&[erased(5)]).unwrap();
    second.append(&[erased(6)]).unwrap();
    assert_eq!(references(&Journal::open(&path).unwrap().after(None).unwrap().0), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn a_line_that_was_never_whole_is_cut_away_and_the_next_one_follows() {
    let (_folder, path, journal, _) = three();
    let whole = fs::read(&path).unwrap();
    fs::write(&path, [&whole[..], b"{\"n\":4,\"ten"].concat()).unwrap();
    assert_eq!(journal.append(&[erased(4)]).unwrap().position, 4);
    assert_eq!(references(&Journal::open(&path).unwrap().after(None).unwrap().0), [1, 2, 3, 4]);
}

#[test]
fn an_entry_that_was_edited_taken_out_or_moved_is_noticed() {
    let (_folder, path, ..) = three();
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let edited = text.replacen("\"deleted_at_ms\":1002", "\"deleted_at_ms\":1009", 1);
    assert_ne!(edited, text, "positive control");
    let of = |order: &[usize]| order.iter().map(|at| format!("{}\n", lines[*at])).collect::<String>();
    for (what, broken, entry) in [
        ("edited", edited, 2),
        ("taken out", of(&[0, 2]), 2),
        ("moved", of(&[1, 0, 2]), 1),
        ("no journal", "x\n".into(), 1),
    ] {
        fs::write(&path, broken).unwrap();
        let error = Journal::open(&path).unwrap_err();
        assert!(matches!(error, JournalError::Broken { entry: at, .. } if at == entry), "{what}: {error:?}");
    }
}

#[test]
fn a_tail_that_was_cut_and_another_journal_are_noticed_by_what_the_database_has_seen() {
    let (_folder, path, journal, head) = three();
    let (_other, _, foreign, _) = three();
    foreign.append(&[erased(9)]).unwrap();
    assert!(foreign.after(Some(head)).is_ok(), "the same entries are the same journal");
    let elsewhere = JournalHead { hash: [1; 32], ..head };
    assert!(matches!(foreign.after(Some(elsewhere)), Err(JournalError::Lacking { .. })));

    let text = fs::read_to_string(&path).unwrap();
    let cut = text.lines().take(2).map(|line| format!("{line}\n")).collect::<String>();
    fs::write(&path, cut).unwrap();
    assert!(matches!(Journal::open(&path).unwrap().after(Some(head)), Err(JournalError::Lacking { .. })));
    assert!(matches!(journal.append(&[erased(4)]), Err(JournalError::Lacking { .. })), "a running gateway notices too");
    fs::remove_file(&path).unwrap();
    assert!(matches!(Journal::open(&path).unwrap().after(Some(head)), Err(JournalError::Lacking { .. })));
}
