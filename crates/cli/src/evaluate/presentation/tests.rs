//! The whole chain on the demo's portraits, in a folder as an evaluation takes one.

use super::{Mode, Presentation, agreement::Agreement, simulated};
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
        beside: Vec::new(),
        bona_fide: 1,
        attacks: 2,
        species: species.to_vec(),
        mode: Mode::LightAndMotion,
        fmr: vec![1e-2],
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
    let mut found = simulated::captures(&ground.crew(threads, true), &[], (&people, options)).unwrap().remove(0);
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
fn a_pack_beside_judges_the_same_captures_and_differences_are_counted() {
    let Some(ground) = ground("a_pack_beside_judges_the_same_captures_and_differences_are_counted") else { return };
    let options = asked(&[Species::WrongNonce]);
    let people = people::list(ground.faces.path(), Part::Measure, options.setup.seed).unwrap();
    let beside = [vision::Pack::open(ground.pack_folder.as_path()).unwrap()];
    let found = simulated::captures(&ground.crew(2, true), &beside, (&people, &options)).unwrap();
    let gates = |pack: usize| found[pack].iter().map(|found| found.gates.clone()).collect::<Vec<_>>();
    assert_eq!((found.len(), gates(0)), (2, gates(1)), "the same pack finds the same");
    let alike = Agreement::new((&ground.pack, &found[0]), (&beside[0], &found[1])).unwrap().told();
    assert!(alike.contains("all 3 of 3") && alike.ends_with(": kept"), "{alike}");
    let mut other = found[1].clone();
    let turned =
        if other[0].gates.iter().all(|g| g.status == GateStatus::Pass) { GateStatus::Fail } else { GateStatus::Pass };
    other[0].gates.iter_mut().for_each(|finding| finding.status = turned);
    let unlike = Agreement::new((&ground.pack, &found[0]), (&beside[0], &other)).unwrap().told();
    assert!(unlike.contains("bona fide 0 of 1") && unlike.ends_with(": NOT KEPT"), "{unlike}");
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
