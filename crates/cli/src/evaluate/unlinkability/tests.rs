//! Linkage of the demo's portraits, with two people in a folder as an evaluation takes one.

use super::{
    Enrolled, Unlinkability, decisions, enrolled,
    linkage::Function,
    report,
    rows::{self, Pictures, Row},
};
use crate::evaluate::{
    ground::{Ground, ground},
    people::{self, Part},
    setup::Setup,
};
use std::path::PathBuf;

const SEED: u64 = 5;

fn asked(plots: Option<PathBuf>) -> Unlinkability {
    Unlinkability { faces: PathBuf::new(), setup: Setup::seeded(SEED), people: 2, pairs: 8000, plots }
}

fn templates(ground: &Ground) -> Vec<Enrolled> {
    let people = people::list(ground.faces.path(), Part::Measure, SEED).unwrap();
    enrolled(&ground.crew(1, false), &people).unwrap()
}

fn of(rows: &[Row], function: Function, keys_known: bool) -> Vec<&Row> {
    rows.iter().filter(|row| row.function == function && row.keys_known == keys_known).collect()
}

#[test]
fn scores_link_no_templates_unless_keys_are_known_and_threads_change_nothing() {
    let Some(ground) = ground("scores_link_no_templates_unless_keys_are_known") else { return };
    let people = templates(&ground);
    assert_eq!(people.len(), 2);
    let folder = tempfile::tempdir().unwrap();
    let options = asked(Some(folder.path().to_owned()));
    let rows = rows::measure(&ground.crew(1, false), &people, &options).unwrap();
    assert!(rows.iter().all(|row| row.pictures == Pictures::Same), "one of two people has another picture");
    let (unknown, known) = (of(&rows, Function::Comparison, false), of(&rows, Function::Comparison, true));
    assert_eq!((unknown.len(), known.len()), (3, 1));
    assert!(known[0].system > 0.99, "{known:?}");
    for row in unknown {
        assert_eq!((row.mated, row.people), (8000, 2));
        assert!(row.system < 0.1 && row.null < 0.1, "{row:?}");
    }
    let plot = folder.path().join("unlinkability-renewals-same-comparison.png");
    assert!(plot.metadata().unwrap().len() > 1000);
    let decisions = decisions::measure(&ground.crew(1, false), &people, SEED).unwrap();
    let text = report::text(&rows, &decisions);
    assert!(text.contains("keys known"), "{text}");
    let again = rows::measure(&ground.crew(3, false), &people, &asked(None)).unwrap();
    let figures = |rows: &[Row]| rows.iter().map(|row| (row.system, row.null, row.bounds_95)).collect::<Vec<_>>();
    assert_eq!(figures(&rows), figures(&again));
}

#[test]
fn lengths_link_no_templates() {
    let Some(ground) = ground("lengths_link_no_templates") else { return };
    let rows = rows::measure(&ground.crew(2, false), &templates(&ground), &asked(None)).unwrap();
    for row in of(&rows, Function::Length, false) {
        assert!(row.system < 0.1, "templates have length one: {row:?}");
    }
}

#[test]
fn the_keyed_transform_decides_as_without() {
    let Some(ground) = ground("the_keyed_transform_decides_as_without") else { return };
    let decided = decisions::measure(&ground.crew(1, false), &templates(&ground), SEED).unwrap();
    assert_eq!((decided.mated, decided.non_mated, decided.flipped), (1, 3, 0));
    assert!(decided.matches > 0 && decided.largest_change <= 1e-5, "{decided:?}");
}
