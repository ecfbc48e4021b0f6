//! How an evaluation under attack is told: tables for people, one JSON object for machines.
//!
//! Invariant: what could not be computed reads `absent` (`null` in JSON), and every share stands beside its counts.

use super::detection::Detection;
use crate::evaluate::{
    rates::Share,
    tally::{Reason, Tally},
};
use comfy_table::{Table as Grid, presets::UTF8_FULL_CONDENSED};

/// What stands for a figure that does not exist.
pub(super) const ABSENT: &str = "absent";
/// Reasons told a kind of captures.
const REASONS: usize = 6;

/// Tables of the whole chain.
pub(super) fn chain(tally: &Tally) -> String {
    let mut parts = vec![bona_fide(tally)];
    if !tally.species.is_empty() {
        parts.push(format!("Attacks let pass (APCER) by each gate heard by itself, by gates 3 and 4, by gates 1 to 4, and by all five (IAPAR), with\n\
                 the upper 95 % bound; no response: a gate from 1 to 4 says INCONCLUSIVE\n{}", species(tally)));
        parts.push(format!(
            "Gate by gate, each heard by itself (PASS / FAIL / INCONCLUSIVE / NOT_RUN)\n{}",
            gates(tally)
        ));
        parts.push(format!("Captures by the gate that stopped them\n{}", stops(tally)));
        parts.push(format!("Positive controls: accepted when one gate is left out\n{}", controls(tally)));
        parts.push(closing(tally));
    }
    parts.join("\n\n")
}

fn bona_fide(tally: &Tally) -> String {
    let Some(row) = &tally.bona_fide else { return "Bona fide captures: absent".to_owned() };
    let [another, same] = tally.matches;
    let lines = [
        ("first-attempt success, gates 1 to 5", row.accepted),
        ("passed gates 1 to 4", row.passed_1_to_4),
        ("BPCER (a gate from 1 to 4 says FAIL)", row.refused_1_to_4),
        ("non-response (a gate from 1 to 4 says INCONCLUSIVE)", row.no_response),
        ("match, compared with another picture", another),
        ("match, compared with the portrait it was rendered from", same),
    ];
    let mut grid = grid(["bona fide", "share", "count", "95 %"]);
    for (what, share) in lines {
        grid.add_row([what.to_owned(), percent(share), count(share), bounds(share)]);
    }
    format!("{grid}\nstopped by: {}", reasons(&row.reasons))
}

fn species(tally: &Tally) -> Grid {
    let mut grid = grid([
        "species",
        "captures / people",
        "gate 1",
        "gate 2",
        "gate 3",
        "gate 4",
        "3 and 4",
        "1 to 4",
        "IAPAR",
        "no response",
    ]);
    for row in tally.species.iter().chain(&tally.attacks) {
        let mut cells = vec![row.name.to_owned(), format!("{} / {}", row.captures, row.people)];
        cells.extend(row.passed[..4].iter().map(|share| percent(*share)));
        cells.extend([row.passed_3_and_4, row.passed_1_to_4, row.accepted].map(bounded));
        cells.push(percent(row.no_response));
        grid.add_row(cells);
    }
    grid
}

fn gates(tally: &Tally) -> Grid {
    let mut grid = grid(["captures", "gate 1", "gate 2", "gate 3", "gate 4", "gate 5"]);
    for row in tally.bona_fide.iter().chain(&tally.attacks).chain(&tally.species) {
        let cells = row.found.iter().map(|counts| counts.map(|c| c.to_string()).join(" / "));
        grid.add_row(std::iter::once(row.name.to_owned()).chain(cells));
    }
    grid
}

fn stops(tally: &Tally) -> Grid {
    let mut grid = grid(["captures", "gate 1", "gate 2", "gate 3", "gate 4", "gate 5", "accepted", "reasons"]);
    for row in tally.bona_fide.iter().chain(&tally.species) {
        let mut cells = vec![row.name.to_owned()];
        cells.extend(row.stopped_by.iter().map(u64::to_string));
        cells.push(count(row.accepted));
        cells.push(reasons(&row.reasons));
        grid.add_row(cells);
    }
    grid
}

fn controls(tally: &Tally) -> Grid {
    let mut grid = grid(["species", "all gates", "no gate 1", "no gate 2", "no gate 3", "no gate 4", "no gate 5"]);
    for row in tally.species.iter().chain(&tally.attacks) {
        let shares = std::iter::once(row.accepted).chain(row.accepted_without);
        grid.add_row(std::iter::once(row.name.to_owned()).chain(shares.map(count)));
    }
    grid
}

fn closing(tally: &Tally) -> String {
    let worst =
        tally.worst().map_or(ABSENT.to_owned(), |(row, share)| format!("{} {}", row.name, bounded(Some(share))));
    let reused = tally.reused.as_ref().map_or(ABSENT.to_owned(), |row| bounded(row.accepted));
    format!(
        "Worst species of gates 3 and 4: {worst}\n\
         Captures for another nonce or action, looped, spliced, reordered, assembled, taking turns (B5), accepted: {reused}"
    )
}

/// Gate 3 by its scores alone.
pub(super) fn detections(detections: &[Detection]) -> String {
    if detections.is_empty() {
        return format!("Gate 3 by its scores: {ABSENT}");
    }
    let mut grid =
        grid(["gate 3 alone", "scores", "EER", "BPCER at APCER 10 %", "at 5 %", "at 1 %", "APCER at BPCER 10 %"]);
    let digits = |share: Option<f64>| share.map_or(ABSENT.to_owned(), |v| format!("{:.1} %", v * 100.0));
    for d in detections {
        let mut cells = vec![d.species.clone(), format!("{} / {}", d.bona_fide, d.attacks)];
        let rates = [d.bpcer_at_apcer_10, d.bpcer_at_apcer_5, d.bpcer_at_apcer_1, d.apcer_at_bpcer_10];
        cells.push(digits(Some(d.equal_error_rate)));
        cells.extend(rates.map(digits));
        grid.add_row(cells);
    }
    grid.to_string()
}

/// The most frequent reasons of a kind of captures.
pub(in crate::evaluate) fn reasons(reasons: &[Reason]) -> String {
    let told = reasons.iter().take(REASONS).map(|r| format!("gate {} {} {}", r.gate, r.reason, r.captures));
    let told: Vec<String> = told.collect();
    if told.is_empty() { "-".to_owned() } else { told.join("; ") }
}

/// An empty table with its heads.
pub(in crate::evaluate) fn grid<'a>(heads: impl IntoIterator<Item = &'a str>) -> Grid {
    let mut grid = Grid::new();
    grid.load_preset(UTF8_FULL_CONDENSED).set_header(heads.into_iter().collect::<Vec<_>>());
    grid
}

/// A share in percent.
pub(in crate::evaluate) fn percent(share: Option<Share>) -> String {
    share.map_or(ABSENT.to_owned(), |s| format!("{:.1} %", s.share * 100.0))
}

/// Counts with the share's upper bound.
pub(in crate::evaluate) fn bounded(share: Option<Share>) -> String {
    share.map_or(ABSENT.to_owned(), |s| format!("{} of {}, ≤ {:.1} %", s.count, s.of, s.upper * 100.0))
}

/// A share's counts.
pub(in crate::evaluate) fn count(share: Option<Share>) -> String {
    share.map_or(ABSENT.to_owned(), |s| format!("{} of {}", s.count, s.of))
}

/// A share's 95 % bounds.
pub(in crate::evaluate) fn bounds(share: Option<Share>) -> String {
    share.map_or(ABSENT.to_owned(), |s| format!("{:.1} – {:.1} %", s.lower * 100.0, s.upper * 100.0))
}
