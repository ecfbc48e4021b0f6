//! Answers and firmness on the demo's portraits.

use super::{
    answers::{self, Answers},
    report,
    robustness::{self, Robustness},
    variation::Variation,
};
use crate::evaluate::{
    capture::{Scene, Setting},
    draw::Wanted,
    ground::{Ground, ground},
    people::{self, Part, Person},
};
use biometrics::CaptureMode;
use service::Clock;
use simulator::Species;

fn people(ground: &Ground) -> Vec<Person> {
    people::list(ground.faces.path(), Part::Measure, 3).unwrap()
}

fn scene(people: &[Person], mode: CaptureMode) -> Scene<'_> {
    Scene { people, mode, constant_script: false, clock: Clock::system() }
}

fn answers(ground: &Ground, mode: CaptureMode, scripts: u64) -> Answers {
    let wanted = Wanted { bona_fide: 2, attacks: 2, species: &[Species::WrongNonce], seed: 3 };
    answers::measure(&ground.crew(2, true), &scene(&people(ground), mode), &wanted, scripts).unwrap()
}

fn robust(ground: &Ground, species: &[Species], variations: &[Variation]) -> Robustness {
    let people = people(ground);
    let scene = scene(&people, CaptureMode::LightAndMotion);
    let setting = Setting::new(&ground.pack, scene, 1e-2, None).unwrap();
    let wanted = Wanted { bona_fide: 2, attacks: 1, species, seed: 3 };
    robustness::measure(&ground.crew(2, true), &setting, &wanted, variations).unwrap()
}

#[test]
fn another_script_is_not_answered_unless_all_scripts_are_one() {
    let Some(ground) = ground("another_script_is_not_answered_unless_all_scripts_are_one") else { return };
    let answers = answers(&ground, CaptureMode::LightAndMotion, 50);
    let accepted = |row: &crate::evaluate::tally::Row| row.accepted.unwrap().count;
    assert!(accepted(answers.tally.bona_fide.as_ref().unwrap()) > 0, "{answers:#?}");
    assert_eq!(accepted(&answers.tally.species[0]), 0, "{answers:#?}");
    assert!(accepted(answers.constant_script.as_ref().unwrap()) > 0, "{answers:#?}");
    assert_eq!(answers.blind.gate_4, 0, "one in three hundred thousand");
    let told = report::answers(&[answers]);
    assert!(told.contains("holds") && told.contains("wrong_nonce"), "{told}");
}

#[test]
fn four_head_targets_are_met_by_chance_as_seldom_as_receipts_say() {
    let Some(ground) = ground("four_head_targets_are_met_by_chance_as_seldom_as_receipts_say") else { return };
    let blind = answers(&ground, CaptureMode::Motion, 4000).blind;
    assert!(blind.captures > 0 && blind.gate_4 > 0, "chance is seen at all: {blind:?}");
    assert!(blind.holds, "{blind:?}");
    assert!(blind.gates_1_and_4 <= blind.gate_4);
}

#[test]
fn a_decision_stands_when_nothing_changes_and_falls_in_the_dark() {
    let Some(ground) = ground("a_decision_stands_when_nothing_changes_and_falls_in_the_dark") else { return };
    let measured = robust(&ground, &[], &[Variation::None, Variation::None, Variation::Brightness(-90)]);
    let [base, same, dark] = measured.lines.as_slice() else { panic!("{measured:#?}") };
    assert!(base.accepted.unwrap().count > 0, "{measured:#?}");
    assert_eq!((same.lost, same.gained), (0, 0), "{measured:#?}");
    assert!(dark.control && dark.lost == base.accepted.unwrap().count, "{measured:#?}");
    assert!(!dark.reasons.is_empty(), "{measured:#?}");
}

#[test]
fn frames_are_cropped_and_attacks_are_varied_too() {
    let Some(ground) = ground("frames_are_cropped_and_attacks_are_varied_too") else { return };
    let measured = robust(&ground, &[Species::WrongNonce], &[Variation::None, Variation::CropShaken]);
    assert_eq!(measured.lines.len(), 2);
    assert_eq!(measured.attacks[0].1.unwrap().of, 2);
    assert_eq!(measured.attacks[0].1.unwrap().count, 0, "{measured:#?}");
    assert!(report::robustness(&measured).contains("crop 5 %, each anew"));
}
