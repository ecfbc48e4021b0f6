//! The whole chain on the demo's portraits, in a folder as an evaluation takes one.

use super::{
    Mode, Presentation,
    decision::Found,
    draw::Kind,
    simulated,
    tally::{Hearing, Tally},
};
use crate::evaluate::{
    crew::Crew,
    people::{self, Part},
};
use biometrics::GateStatus;
use simulator::Species;
use std::{
    fs,
    path::{Path, PathBuf},
};
use tempfile::TempDir;
use vision::{Pack, Runtime};

/// What a test stands on.
struct Ground {
    pack: Pack,
    runtime: Runtime,
    /// Two people under names that are measured on.
    faces: TempDir,
}

/// `None` after saying what is missing.
fn ground(test: &str) -> Option<Ground> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let place = |variable: &str, path: &str| std::env::var_os(variable).map_or_else(|| root.join(path), PathBuf::from);
    let pack = place("COUNTERSIGN_PACK", "target/packs/base");
    let library = place("COUNTERSIGN_ONNXRUNTIME", "target/onnxruntime/libonnxruntime.so.1.31.1");
    let portraits = root.join("target/portraits");
    if let Some(missing) = [&pack, &library, &portraits].into_iter().find(|path| !path.exists()) {
        println!("skipped: {test}: {} is not there", missing.display());
        return None;
    }
    let faces = tempfile::tempdir().unwrap();
    let mut names = (0..).map(|i| format!("person {i}")).filter(|name| Part::of(name) == Part::Measure);
    for files in [["obama.jpg", "obama2.jpg"].as_slice(), &["biden.jpg"]] {
        let folder = faces.path().join(names.next().unwrap());
        fs::create_dir(&folder).unwrap();
        for file in files {
            std::os::unix::fs::symlink(portraits.join(file).canonicalize().unwrap(), folder.join(file)).unwrap();
        }
    }
    Some(Ground { pack: Pack::open(&pack).unwrap(), runtime: Runtime::load(&library).unwrap(), faces })
}

fn asked(species: &[Species]) -> Presentation {
    Presentation {
        faces: None,
        pictures: None,
        pack: PathBuf::new(),
        onnxruntime: PathBuf::new(),
        bona_fide: 1,
        attacks: 2,
        species: species.to_vec(),
        mode: Mode::LightAndMotion,
        fmr: 1e-2,
        min_inter_eye: None,
        seed: 3,
        tuning: false,
        threads: 1,
        without: Vec::new(),
        constant_script: false,
        json: None,
        plots: None,
    }
}

impl Ground {
    fn found(&self, options: &Presentation, threads: usize) -> Vec<Found> {
        let crew = Crew { pack: &self.pack, runtime: &self.runtime, threads, detectors: true };
        let people = people::list(self.faces.path(), Part::Measure, options.seed).unwrap();
        assert_eq!(people.len(), 2);
        let mut found = simulated::captures(&crew, &people, options).unwrap();
        found.iter_mut().for_each(|found| found.took = Default::default());
        found
    }
}

/// Attacks that are accepted with these gates left out.
fn accepted(found: &[Found], without: &[u8]) -> u64 {
    Tally::new(found, &Hearing::without(without)).attacks.unwrap().accepted.unwrap().count
}

#[test]
fn a_recording_is_caught_unless_gate_4_is_left_out_and_threads_change_nothing() {
    let Some(ground) = ground("a_recording_is_caught_unless_gate_4_is_left_out") else { return };
    let options = asked(&[Species::WrongNonce]);
    let found = ground.found(&options, 1);
    assert_eq!(found.len(), 3);
    assert_eq!(found, ground.found(&options, 3), "equal for a seed, whatever the number of threads");
    assert_eq!(found.iter().map(|f| f.kind == Kind::BonaFide).collect::<Vec<_>>(), [true, false, false]);
    assert_eq!(accepted(&found, &[]), 0);
    assert_eq!(accepted(&found, &[4]), 2, "{found:#?}");
}

#[test]
fn an_older_recording_passes_when_every_script_is_the_same() {
    let Some(ground) = ground("an_older_recording_passes_when_every_script_is_the_same") else { return };
    let found = ground.found(&Presentation { constant_script: true, ..asked(&[Species::WrongNonce]) }, 2);
    assert!(accepted(&found, &[]) > 0, "{found:#?}");
}

#[test]
fn every_gate_is_heard_by_itself_even_after_gate_1_said_no() {
    let Some(ground) = ground("every_gate_is_heard_by_itself_even_after_gate_1_said_no") else { return };
    let found = ground.found(&Presentation { attacks: 1, bona_fide: 0, ..asked(&[Species::InjectedStill]) }, 1);
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
    let crew = Crew { pack: &ground.pack, runtime: &ground.runtime, threads: 1, detectors: true };
    let refused = super::real(&crew, ground.faces.path(), &asked(&[])).unwrap_err();
    assert!(refused.to_string().contains("no operating point"), "{refused}");
}
