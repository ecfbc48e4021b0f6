//! How an evaluation of the challenge is told.
//!
//! Invariant: what could not be computed reads `absent`, and every share stands beside its counts.

use super::{
    FLIP_LIMIT,
    answers::Answers,
    robustness::{Line, Robustness},
};
use crate::evaluate::{
    presentation::report::{bounded, bounds, count, grid, reasons},
    tally::{Row, code},
};

/// Tables of all modes.
pub(super) fn answers(modes: &[Answers]) -> String {
    let mut own = grid(["bona fide", "gate 1", "gate 4", "passed both", "95 %", "stopped by"]);
    let mut others = grid(["mode", "answers another script", "gate 1", "gate 4", "accepted", "stopped by"]);
    let mut blind = grid([
        "mode",
        "scripts drawn / captures",
        "passed gate 4",
        "share, 95 %",
        "bound of a blind guess",
        "at most so many",
        "passed gates 1 and 4",
        "chance of so many",
        "bound",
    ]);
    for answers in modes {
        let mode = code(&answers.mode);
        if let Some(row) = &answers.tally.bona_fide {
            let cells = [count(row.accepted), bounds(row.accepted), reasons(&row.reasons)];
            own.add_row([mode.clone(), statuses(row, 0), statuses(row, 3)].into_iter().chain(cells));
        }
        for row in answers.tally.species.iter().chain(&answers.tally.reused) {
            let cells = [statuses(row, 0), statuses(row, 3), bounded(row.accepted), reasons(&row.reasons)];
            others.add_row([mode.clone(), row.name.to_owned()].into_iter().chain(cells));
        }
        let b = &answers.blind;
        blind.add_row([
            mode,
            format!("{} / {}", b.scripts, b.captures),
            b.gate_4.to_string(),
            format!("{:.1e}, {:.1e} – {:.1e}", b.share, b.lower, b.upper),
            format!("{:.1e}", b.bound),
            format!("{:.1}", b.bound * b.scripts as f64),
            b.gates_1_and_4.to_string(),
            format!("{:.2}", b.chance),
            if b.holds { "holds" } else { "REFUTED" }.to_owned(),
        ]);
    }
    let controls: Vec<String> = modes.iter().map(control).collect();
    format!(
        "Gates 1 and 4 alone, attempt 1 (PASS / FAIL / INCONCLUSIVE)\n{own}\n\n\
         Captures that answer another script, accepted by gates 1 and 4, with the upper 95 % bound; in MOTION a capture for another\n\
         script answers the live one by chance as often as the bound of a blind guess says\n{others}\n\n\
         True captures that pass gate 4 for their own script, held against other scripts drawn at random\n{blind}\n\n{}",
        controls.join("\n")
    )
}

/// Shares of captures that answer another script, for a plot.
pub(super) fn bars(answers: &Answers) -> Vec<(String, f64, f64)> {
    let bar =
        |row: &Row| row.accepted.map(|s| (format!("{} {}", row.name, short(&code(&answers.mode))), s.share, s.upper));
    answers.tally.species.iter().filter_map(bar).collect()
}

/// A mode by its initials.
fn short(mode: &str) -> String {
    mode.split('_').filter(|word| *word != "AND").filter_map(|word| word.get(..1)).collect::<Vec<_>>().join("+")
}

fn control(answers: &Answers) -> String {
    let accepted = answers.constant_script.as_ref().and_then(|row| row.accepted);
    format!(
        "Positive control, {}: one script for all captures, those made for another nonce are accepted: {}",
        code(&answers.mode),
        count(accepted)
    )
}

fn statuses(row: &Row, gate: usize) -> String {
    row.found[gate][..3].iter().map(u64::to_string).collect::<Vec<_>>().join(" / ")
}

/// The table of all variations.
pub(super) fn robustness(measured: &Robustness) -> String {
    let mut grid = grid([
        "variation",
        "accepted",
        "flips",
        "95 %",
        "lost",
        "gained",
        "what stopped those that flipped",
        "attacks accepted",
    ]);
    for line in &measured.lines {
        let name = if line.control { format!("control: {}", line.variation) } else { line.variation.clone() };
        grid.add_row([
            name,
            count(line.accepted),
            count(line.flips),
            bounds(line.flips),
            line.lost.to_string(),
            line.gained.to_string(),
            reasons(&line.reasons),
            bounded(line.attacks),
        ]);
    }
    let over = |line: &&Line| line.counts() && line.flips.is_some_and(|share| share.share > FLIP_LIMIT);
    let over: Vec<&str> = measured.lines.iter().filter(over).map(|line| line.variation.as_str()).collect();
    let attacks: Vec<String> =
        measured.attacks.iter().map(|(name, share)| format!("{name} {}", bounded(*share))).collect();
    format!(
        "Decisions of all five gates (accepted or not) against the unvaried capture of the same seed, in either direction\n{grid}\n\
         Flips under all variations: {}, 95 %: {}; limit {:.0} %; over it: {}\n\
         Of those accepted unvaried, lost: {}, 95 %: {}\n\
         Attacks accepted under all variations: {}",
        count(measured.flips),
        bounds(measured.flips),
        FLIP_LIMIT * 100.0,
        if over.is_empty() { "none".to_owned() } else { over.join(", ") },
        count(measured.lost),
        bounds(measured.lost),
        if attacks.is_empty() { "absent".to_owned() } else { attacks.join("; ") },
    )
}
