//! From captures to error rates of ISO/IEC 30107-3: APCER a species, BPCER, non-response, IAPAR, and who stopped what.
//!
//! Must never know: how captures were made. Invariant: a rate of captures that do not exist is absent, never 0.

use super::{
    decision::{End, Found},
    draw::Kind,
    rates::{Clustered, Share},
};
use biometrics::{Gate, GateStatus};
use serde::Serialize;
use simulator::Species;
use std::collections::BTreeMap;

/// What became of the captures of one kind.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Row {
    /// `bona_fide` or the species.
    pub(super) name: &'static str,
    /// Captures.
    pub(super) captures: u64,
    /// People in them.
    pub(super) people: u64,
    /// Captures that each gate lets pass, heard by itself, among those on which it ran: of attacks its APCER.
    pub(super) passed: [Option<Share>; 5],
    /// ... that neither gate 3 nor gate 4 objects to.
    pub(super) passed_3_and_4: Option<Share>,
    /// ... that pass gates 1 to 4 as the product hears them.
    pub(super) passed_1_to_4: Option<Share>,
    /// ... that a gate from 1 to 4 says no to: of bona fide captures the BPCER.
    pub(super) refused_1_to_4: Option<Share>,
    /// ... that a gate from 1 to 4 cannot judge.
    pub(super) no_response: Option<Share>,
    /// ... that all five gates accept: of attacks the IAPAR, of bona fide captures the success of the first attempt.
    pub(super) accepted: Option<Share>,
    /// ... that the others accept when one more gate is left out, by its number: the positive control of that gate.
    pub(super) accepted_without: [Option<Share>; 5],
    /// How often each gate found what, by its number: PASS, FAIL, INCONCLUSIVE, NOT_RUN.
    pub(super) found: [[u64; 4]; 5],
    /// Captures by the gate that stopped them first.
    pub(super) stopped_by: [u64; 5],
    /// Reasons that stopped captures, by gate and reason, the most frequent first.
    pub(super) reasons: Vec<Reason>,
}

/// One reason of the gate that stopped captures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Reason {
    /// Number of the gate.
    pub(super) gate: usize,
    /// The reason's code.
    pub(super) reason: String,
    /// Captures.
    pub(super) captures: u64,
}

/// Gates that are heard: all but those left out as a control.
#[derive(Debug, Clone)]
pub(super) struct Hearing(Vec<Gate>);

impl Hearing {
    /// All gates but those of these numbers, 1 to 5.
    pub(super) fn without(numbers: &[u8]) -> Self {
        let heard = |gate: &Gate| !numbers.contains(&(*gate as u8 + 1));
        Self(Gate::ALL.into_iter().filter(heard).collect())
    }

    fn among(&self, gates: &[Gate]) -> Vec<Gate> {
        self.0.iter().copied().filter(|gate| gates.contains(gate)).collect()
    }

    /// The row of one kind of captures.
    pub(super) fn row(&self, name: &'static str, captures: &[&Found]) -> Row {
        let share = |is_so: &dyn Fn(&Found) -> bool| {
            let mut clustered = Clustered::default();
            captures.iter().for_each(|found| clustered.count(found.identity, is_so(found)));
            clustered.share()
        };
        let by_itself = |gate: Gate| {
            let mut clustered = Clustered::default();
            let ran = captures.iter().filter(|found| found.of(gate).status != GateStatus::NotRun);
            ran.for_each(|found| clustered.count(found.identity, found.of(gate).status == GateStatus::Pass));
            clustered.share()
        };
        let (detection, early) = (self.among(&Gate::ALL[2..4]), self.among(&Gate::ALL[..4]));
        let accepted = share(&|found| found.end(&self.0) == End::Accepted);
        let count = |gate: Gate, status| captures.iter().filter(|found| found.of(gate).status == status).count() as u64;
        let statuses = [GateStatus::Pass, GateStatus::Fail, GateStatus::Inconclusive, GateStatus::NotRun];
        Row {
            name,
            captures: captures.len() as u64,
            people: accepted.map_or(0, |share| share.identities),
            passed: Gate::ALL.map(by_itself),
            passed_3_and_4: share(&|found| found.passes(&detection)),
            passed_1_to_4: share(&|found| found.end(&early) == End::Accepted),
            refused_1_to_4: share(&|found| matches!(found.end(&early), End::Refused(_))),
            no_response: share(&|found| matches!(found.end(&early), End::NoResponse(_))),
            accepted,
            accepted_without: Gate::ALL.map(|gate| {
                let others: Vec<Gate> = self.0.iter().copied().filter(|heard| *heard != gate).collect();
                share(&|found| found.end(&others) == End::Accepted)
            }),
            found: Gate::ALL.map(|gate| statuses.map(|status| count(gate, status))),
            stopped_by: Gate::ALL.map(|gate| {
                let stopped = |found: &&&Found| stopper(found.end(&self.0)) == Some(gate);
                captures.iter().filter(stopped).count() as u64
            }),
            reasons: self.reasons(captures),
        }
    }

    fn reasons(&self, captures: &[&Found]) -> Vec<Reason> {
        let mut counts = BTreeMap::<(usize, String), u64>::new();
        for found in captures {
            let Some(gate) = stopper(found.end(&self.0)) else { continue };
            for reason in &found.of(gate).reasons {
                *counts.entry((gate as usize + 1, code(reason))).or_default() += 1;
            }
        }
        let mut reasons: Vec<Reason> =
            counts.into_iter().map(|((gate, reason), captures)| Reason { gate, reason, captures }).collect();
        reasons.sort_by_key(|reason| std::cmp::Reverse(reason.captures));
        reasons
    }
}

/// The gate that stopped a capture.
fn stopper(end: End) -> Option<Gate> {
    match end {
        End::Accepted => None,
        End::Refused(gate) | End::NoResponse(gate) => Some(gate),
    }
}

/// Captures that were true once, or injected, and answer another script: none may be accepted.
pub(super) const REUSED: [Species; 7] = [
    Species::WrongNonce,
    Species::OtherAction,
    Species::Looped,
    Species::Spliced,
    Species::Reordered,
    Species::Assembled,
    Species::TakingTurns,
];

/// Everything that was counted.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Tally {
    /// Bona fide captures; `None` where none were made.
    pub(super) bona_fide: Option<Row>,
    /// Attacks, in the order of the species.
    pub(super) species: Vec<Row>,
    /// All attacks together.
    pub(super) attacks: Option<Row>,
    /// All captures of [`REUSED`] species together.
    pub(super) reused: Option<Row>,
    /// Bona fide comparisons that match among those that came to gate 5: with another picture, and with the portrait itself.
    pub(super) matches: [Option<Share>; 2],
}

impl Tally {
    /// Counts everything.
    pub(super) fn new(found: &[Found], hearing: &Hearing) -> Self {
        let row = |name, is_one: &dyn Fn(Kind) -> bool| {
            let captures: Vec<&Found> = found.iter().filter(|found| is_one(found.kind)).collect();
            (!captures.is_empty()).then(|| hearing.row(name, &captures))
        };
        let matches = [true, false].map(|another| {
            let mut clustered = Clustered::default();
            let early = hearing.among(&Gate::ALL[..4]);
            let compared = found.iter().filter(|f| f.kind == Kind::BonaFide && f.end(&early) == End::Accepted);
            compared
                .filter(|f| f.by_another_picture == another)
                .for_each(|f| clustered.count(f.identity, f.of(Gate::Comparison).status == GateStatus::Pass));
            clustered.share()
        });
        Self {
            bona_fide: row("bona_fide", &|kind| kind == Kind::BonaFide),
            species: Species::ALL.iter().filter_map(|&s| row(s.name(), &|kind| kind == Kind::Attack(s))).collect(),
            attacks: row("all attacks", &|kind| kind != Kind::BonaFide),
            reused: row("reused captures", &|kind| REUSED.iter().any(|&s| kind == Kind::Attack(s))),
            matches,
        }
    }

    /// The species with the largest APCER of gates 3 and 4; of equals the first.
    pub(super) fn worst(&self) -> Option<(&Row, Share)> {
        let rows = self.species.iter().filter_map(|row| Some((row, row.passed_3_and_4?)));
        rows.reduce(|worst, next| if next.1.share > worst.1.share { next } else { worst })
    }
}

/// The code under which a status or reason is known.
pub(super) fn code(value: &impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::decision::tests::found;
    use GateStatus::{Fail, Inconclusive, NotRun, Pass};

    const PRINT: Kind = Kind::Attack(Species::FlatPrint);

    #[test]
    fn what_was_not_made_is_absent() {
        let tally = Tally::new(&[found(Kind::BonaFide, 0, [Pass; 5])], &Hearing::without(&[]));
        assert!(tally.species.is_empty() && tally.attacks.is_none() && tally.worst().is_none());
        assert_eq!(tally.bona_fide.unwrap().accepted.unwrap().share, 1.0);
        assert_eq!(tally.matches[0], None);
        assert_eq!(Hearing::without(&[]).row("none", &[]).accepted, None);
    }

    #[test]
    fn a_gate_that_did_not_run_has_no_rate_of_its_own() {
        let tally = Tally::new(&[found(PRINT, 0, [Pass, Pass, NotRun, Fail, Pass])], &Hearing::without(&[]));
        let row = &tally.species[0];
        assert_eq!(row.passed[2], None);
        assert_eq!(row.passed[3].unwrap().count, 0);
        assert_eq!((row.found[2], row.stopped_by), ([0, 0, 0, 1], [0, 0, 0, 1, 0]));
        assert_eq!(row.reasons[0].reason, "CHALLENGE_LIGHT_FLAT");
    }

    #[test]
    fn an_attack_counts_against_gates_3_and_4_even_where_gate_1_stops_it() {
        let tally = Tally::new(&[found(PRINT, 0, [Fail, Pass, NotRun, Pass, Pass])], &Hearing::without(&[]));
        let row = &tally.species[0];
        assert_eq!(row.passed_3_and_4.unwrap().count, 1);
        assert_eq!(row.passed_1_to_4.unwrap().count, 0);
        assert_eq!(tally.worst().unwrap().0.name, "flat_print");
    }

    #[test]
    fn a_gate_left_out_lets_its_attacks_through() {
        let captures =
            [found(PRINT, 0, [Pass, Pass, Pass, Fail, Pass]), found(PRINT, 1, [Pass, Pass, Fail, Pass, Pass])];
        let accepted =
            |without: &[u8]| Tally::new(&captures, &Hearing::without(without)).species[0].accepted.unwrap().count;
        assert_eq!([accepted(&[]), accepted(&[4]), accepted(&[3]), accepted(&[3, 4])], [0, 1, 1, 2]);
        let row = &Tally::new(&captures, &Hearing::without(&[])).species[0];
        assert_eq!(row.accepted_without.map(|share| share.unwrap().count), [0, 0, 1, 1, 0]);
    }

    #[test]
    fn refusal_and_no_response_are_told_apart() {
        let statuses = [[Pass, Inconclusive, NotRun, Fail, Pass], [Pass, Pass, NotRun, Fail, Pass], [Pass; 5]];
        let captures: Vec<_> = (0..).zip(statuses).map(|(i, s)| found(Kind::BonaFide, i, s)).collect();
        let row = Tally::new(&captures, &Hearing::without(&[])).bona_fide.unwrap();
        let counts = [row.refused_1_to_4, row.no_response, row.accepted].map(|share| share.unwrap().count);
        assert_eq!(counts, [1, 1, 1]);
    }
}
