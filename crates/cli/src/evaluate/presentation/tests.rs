//! The whole chain on the demo's portraits, in a folder as an evaluation takes one.

use super::{Mode, Presentation, simulated};
use crate::evaluate::{
    decision::Found,
    draw::Kind,
    ground::{Ground, ground},
    people::{self, Part},
    setup::Setup,
    tally::{Hearing, Tally},
};
use biometrics::GateStatus;
use simulator::Species;

fn asked(species: &[Species]) -> Presentation {
    Presentation {
        faces: None,
        pictures: None,
        setup: Setup::seeded(3),
        bona_fide: 1,
        attacks: 2,
        species: species.to_vec(),
        mode: Mode::LightAndMotion,
        fmr: 1e-2,
        min_inter_eye: None,
        tuning: false,
        without: Vec::new(),
        constant_script: false,
        plots: None,
    }
}

fn captured(ground: &Ground, options: &Presentation, threads: usize) -> Vec<Found> {
    let people = people::list(ground.faces.path(), Part::Measure, options.setup.seed).unwrap();
    assert_eq!(people.len(), 2);
    let mut found = simulated::captures(&ground.crew(threads, true), &people, options).unwrap();
    found.iter_mut().for_each(|found| found.took = Default::default());
    found
}

/// Attacks that are accepted with these gates left out.
fn accepted(found: &[Found], without: &[u8]) -> u64 {
    Tally::new(found, &Hearing::without(without)).attacks.unwrap().accepted.unwrap().count
}

#[test]
fn a_recording_is_caught_unless_gate_4_is_left_out_and_threads_change_nothing() {
    let Some(ground) = ground("a_recording_is_caught_unless_gate_4_is_left_out") else { return };
    let options = asked(&[Species::WrongNonce]);
    let found = captured(&ground, &options, 1);
    assert_eq!(found.len(), 3);
    assert_eq!(found, captured(&ground, &options, 3), "equal for a seed, whatever the number of threads");
    assert_eq!(found.iter().map(|f| f.kind == Kind::BonaFide).collect::<Vec<_>>(), [true, false, false]);
    assert_eq!(accepted(&found, &[]), 0);
    assert_eq!(accepted(&found, &[4]), 2, "{found:#?}");
}

#[test]
fn an_older_recording_passes_when_every_script_is_the_same() {
    let Some(ground) = ground("an_older_recording_passes_when_every_script_is_the_same") else { return };
    let found = captured(&ground, &Presentation { constant_script: true, ..asked(&[Species::WrongNonce]) }, 2);
    assert!(accepted(&found, &[]) > 0, "{found:#?}");
}

#[test]
fn every_gate_is_heard_by_itself_even_after_gate_1_said_no() {
    let Some(ground) = ground("every_gate_is_heard_by_itself_even_after_gate_1_said_no") else { return };
    let found = captured(&ground, &Presentation { attacks: 1, bona_fide: 0, ..asked(&[Species::InjectedStill]) }, 1);
    let statuses: Vec<GateStatus> = found[0].gates.iter().map(|finding| finding.status).collect();
    assert_ne!(statuses[0], GateStatus::Pass, "{statuses:?}");
    assert!(statuses[3] != GateStatus::NotRun && statuses[4] != GateStatus::NotRun, "{statuses:?}");
}

#[test]
fn real_pictures_need_an_operating_point() {
    let Some(ground) = ground("real_pictures_need_an_operating_point") else { return };
    if ground.pack.presentation_attack_threshold().is_some() {
        return;
    }
    let crew = ground.crew(1, true);
    let refused = super::real(&crew, ground.faces.path(), &asked(&[])).unwrap_err();
    assert!(refused.to_string().contains("no operating point"), "{refused}");
}
