//! How often the decision of all five gates on a compliant capture flips when one thing about it changes a little, and whether
//! any attack gains by the same change.
//!
//! Must never know: pixels. Invariant: a decision is compared with that on the unvaried capture of the same seed.

use super::variation::Variation;
use crate::evaluate::{
    capture::Setting,
    crew::Crew,
    decision::{End, Found},
    draw::{Job, Kind, Wanted},
    rates::{Clustered, Share},
    tally::{Hearing, Reason},
};
use anyhow::{Context, Result, ensure};
use biometrics::Gate;
use serde::Serialize;
use simulator::Species;

/// Attacks that are varied too: paper, displays, recordings, software.
pub(super) const SPECIES: [Species; 7] = [
    Species::FlatPrint,
    Species::PhoneReplay,
    Species::MonitorReplay,
    Species::ReplayFillingFrame,
    Species::PhotoAnimation,
    Species::PastedFace,
    Species::WrongNonce,
];

/// Everything that was counted.
#[derive(Debug, Serialize)]
pub(super) struct Robustness {
    /// One line per variation, the unvaried captures first.
    pub(super) lines: Vec<Line>,
    /// Flips under all variations but the control.
    pub(super) flips: Option<Share>,
    /// Those among them that were accepted unvaried, of all such decisions.
    pub(super) lost: Option<Share>,
    /// Attacks accepted under all variations but the control, the unvaried ones among them, by species.
    pub(super) attacks: Vec<(&'static str, Option<Share>)>,
}

/// What one variation did.
#[derive(Debug, Serialize)]
pub(super) struct Line {
    /// Its name.
    pub(super) variation: String,
    /// Whether it is far beyond what is to be borne.
    pub(super) control: bool,
    /// Bona fide captures that are accepted.
    pub(super) accepted: Option<Share>,
    /// Decisions on them that are not what they were on the unvaried capture, in either direction; absent for that itself.
    pub(super) flips: Option<Share>,
    /// Accepted unvaried alone.
    pub(super) lost: u64,
    /// Accepted varied alone.
    pub(super) gained: u64,
    /// What stopped those that flipped, the most frequent reason first.
    pub(super) reasons: Vec<Reason>,
    /// Attacks that are accepted.
    pub(super) attacks: Option<Share>,
}

impl Line {
    /// Whether it counts towards the limit.
    pub(super) const fn counts(&self) -> bool {
        !self.control && self.flips.is_some()
    }
}

/// Makes and judges every capture under every one of `variations`, the first of which the others are compared with.
pub(super) fn measure(
    crew: &Crew<'_>,
    setting: &Setting<'_>,
    wanted: &Wanted<'_>,
    variations: &[Variation],
) -> Result<Robustness> {
    ensure!(variations.first() == Some(&Variation::None), "nothing to compare variations with");
    let jobs = wanted.jobs(setting.scene.people.len());
    let places = 0..variations.len();
    let tasks: Vec<(usize, Job)> = places
        .flat_map(|place| jobs.iter().map(move |&job| (place, job)))
        .filter(|(place, job)| !variations[*place].is_control() || job.kind == Kind::BonaFide)
        .collect();
    let found = crew.each(("captures", tasks.len()), |engine, index| {
        let (place, job) = &tasks[index];
        let variation = variations[*place];
        let mut made = setting.scene.made(engine, job, &variation.conditions(job.seed))?;
        variation.apply(&mut made.capture, job.seed)?;
        let judged = setting.judged(engine, job, &made);
        judged.with_context(|| format!("capture {index}, {}, {}", job.kind.name(), variation.name()))
    })?;
    let mut groups: Vec<(Variation, Vec<&Found>)> = variations.iter().map(|&one| (one, Vec::new())).collect();
    tasks.iter().zip(&found).for_each(|((place, _), found)| groups[*place].1.push(found));
    Ok(count(&groups))
}

fn is_accepted(found: &Found) -> bool {
    found.end(&Gate::ALL) == End::Accepted
}

fn share<'a>(found: impl Iterator<Item = &'a Found>, is_so: impl Fn(&Found) -> bool) -> Option<Share> {
    let mut clustered = Clustered::default();
    found.for_each(|found| clustered.count(found.identity, is_so(found)));
    clustered.share()
}

/// Compares every group with the first; all are in one order, which bona fide captures begin.
fn count(groups: &[(Variation, Vec<&Found>)]) -> Robustness {
    let base: &[&Found] = groups.first().map_or(&[], |(_, found)| found);
    let (mut all, mut all_lost) = (Clustered::default(), Clustered::default());
    let line = |(variation, found): &(Variation, Vec<&Found>)| {
        let own = || found.iter().copied().filter(|found| found.kind == Kind::BonaFide);
        let pairs = || base.iter().copied().zip(own());
        let (mut flips, mut stopped, mut lost) = (Clustered::default(), Vec::new(), 0);
        for (before, now) in pairs() {
            let flipped = is_accepted(before) != is_accepted(now);
            flips.count(now.identity, flipped);
            if !variation.is_control() && *variation != Variation::None {
                all.count(now.identity, flipped);
                if is_accepted(before) {
                    all_lost.count(now.identity, flipped);
                }
            }
            lost += u64::from(flipped && is_accepted(before));
            stopped.extend(flipped.then(|| if is_accepted(before) { now } else { before }));
        }
        Line {
            variation: variation.name(),
            control: variation.is_control(),
            accepted: share(own(), is_accepted),
            flips: flips.share().filter(|_| *variation != Variation::None),
            lost,
            gained: stopped.len() as u64 - lost,
            reasons: Hearing::without(&[]).row("flipped", &stopped).reasons,
            attacks: share(found.iter().copied().filter(|found| found.kind != Kind::BonaFide), is_accepted),
        }
    };
    let lines = groups.iter().map(line).collect();
    let borne = || groups.iter().filter(|(variation, _)| !variation.is_control()).flat_map(|(_, found)| found);
    let of = |species: &Species| {
        let captures = borne().copied().filter(|found| found.kind == Kind::Attack(*species));
        (species.name(), share(captures, is_accepted))
    };
    let attacks = SPECIES.iter().map(of).filter(|(_, share)| share.is_some()).collect();
    Robustness { lines, flips: all.share(), lost: all_lost.share(), attacks }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::decision::tests::found;
    use biometrics::GateStatus::{Fail, Pass};

    #[test]
    fn flips_are_counted_in_both_directions_and_the_control_apart() {
        let good = |person| found(Kind::BonaFide, person, [Pass; 5]);
        let bad = |person| found(Kind::BonaFide, person, [Pass, Pass, Pass, Fail, Pass]);
        let print = |status| found(Kind::Attack(Species::FlatPrint), 9, [Pass, Pass, Pass, status, Pass]);
        let made = [
            (Variation::None, vec![good(0), good(1), bad(2), bad(3), print(Fail)]),
            (Variation::Jpeg(60), vec![good(0), bad(1), good(2), bad(3), print(Pass)]),
            (Variation::Brightness(-90), vec![bad(0), bad(1), bad(2), bad(3)]),
        ];
        let groups: Vec<(Variation, Vec<&Found>)> =
            made.iter().map(|(v, found)| (*v, found.iter().collect())).collect();
        let counted = count(&groups);
        let flips = |line: &Line| (line.flips.map(|share| (share.count, share.of)), line.lost, line.gained);
        let told: Vec<_> = counted.lines.iter().map(flips).collect();
        assert_eq!(told, [(None, 0, 0), (Some((2, 4)), 1, 1), (Some((2, 4)), 2, 0)]);
        assert_eq!(counted.flips.map(|share| (share.count, share.of)), Some((2, 4)));
        assert_eq!(counted.lost.map(|share| (share.count, share.of)), Some((1, 2)));
        assert_eq!(counted.lines[1].reasons[0].captures, 2);
        assert_eq!(counted.lines[1].attacks.map(|share| (share.count, share.of)), Some((1, 1)));
        assert_eq!(counted.attacks.len(), 1);
        assert_eq!(counted.attacks[0].1.map(|share| (share.count, share.of)), Some((1, 2)));
    }
}
