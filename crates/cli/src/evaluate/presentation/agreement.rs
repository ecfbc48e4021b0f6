//! Whether variants of one recogniser decide alike on the same captures (TARGETS B8).
//!
//! Must never know: how captures were made. Invariant: captures are compared one by one, never rates.

use super::report;
use crate::evaluate::{
    decision::{End, Found},
    draw::Kind,
    rates::{Clustered, Share},
};
use biometrics::Gate;
use serde::Serialize;
use vision::Pack;

/// Share of decisions that variants of one recogniser must share.
const BAR: f64 = 0.998;

/// How often two packs accept or do not accept the same captures.
#[derive(Debug, Serialize)]
pub(super) struct Agreement {
    packs: [String; 2],
    bona_fide: Option<Share>,
    attacks: Option<Share>,
    all: Option<Share>,
}

impl Agreement {
    /// Of what two packs found on the same captures in the same order; `None` for packs whose features are not compared.
    pub(super) fn new((one, first): (&Pack, &[Found]), (other, second): (&Pack, &[Found])) -> Option<Self> {
        if one.feature_space() != other.feature_space() {
            return None;
        }
        let share = |is_asked: fn(&Found) -> bool| {
            let mut clustered = Clustered::default();
            let pairs = first.iter().zip(second).filter(|(found, _)| is_asked(found));
            pairs.for_each(|(a, b)| clustered.count(a.identity, is_accepted(a) == is_accepted(b)));
            clustered.share()
        };
        Some(Self {
            packs: [one.name().to_owned(), other.name().to_owned()],
            bona_fide: share(|found| found.kind == Kind::BonaFide),
            attacks: share(|found| found.kind != Kind::BonaFide),
            all: share(|_| true),
        })
    }

    /// A line for people.
    pub(super) fn told(&self) -> String {
        let [one, other] = &self.packs;
        let rows = [("bona fide", self.bona_fide), ("attacks", self.attacks), ("all", self.all)];
        let rows = rows.map(|(what, share)| match share {
            Some(s) => {
                format!("{what} {} of {} ({:.2} %, at least {:.2} %)", s.count, s.of, s.share * 100.0, s.lower * 100.0)
            }
            None => format!("{what} {}", report::ABSENT),
        });
        let kept = if self.all.is_some_and(|all| all.share >= BAR) { "kept" } else { "NOT KEPT" };
        let (told, bar) = (rows.join("; "), BAR * 100.0);
        format!("Decided alike by {one} and {other} on the same captures: {told}; bar {bar:.1} %: {kept}")
    }
}

fn is_accepted(found: &Found) -> bool {
    found.end(&Gate::ALL) == End::Accepted
}
