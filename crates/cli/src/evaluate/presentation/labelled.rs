//! Gate 3 alone on real pictures: a folder `bona_fide` and one folder a species, with pictures in it or in one folder a person.
//!
//! Must never know: the simulator. Invariant: a picture that the quality gate does not let through is non-response, never
//! a detection.

use super::{detection::Detection, report};
use crate::evaluate::{
    crew::Crew,
    pictures,
    rates::{Clustered, Share},
};
use anyhow::{Context, Result, ensure};
use biometrics::GateStatus;
use serde::Serialize;
use std::path::{Path, PathBuf};
use vision::{ExamineOptions, Frame};

/// The folder of pictures of people who sit before the camera themselves.
const BONA_FIDE: &str = "bona_fide";

/// One folder of pictures.
struct Folder {
    name: String,
    /// Pictures with the index of their person; a picture that lies in no person's folder stands for itself.
    pictures: Vec<(u32, PathBuf)>,
}

/// What gate 3 found in one folder.
#[derive(Debug, Serialize)]
pub(super) struct Seen {
    name: String,
    pictures: usize,
    passed: Option<Share>,
    refused: Option<Share>,
    no_response: Option<Share>,
    #[serde(skip)]
    scores: Vec<f32>,
    /// What each detector of the pack says by itself, in the manifest's order: one list of scores for each.
    #[serde(skip)]
    alone: Vec<Vec<f32>>,
}

/// What gate 3 found in one picture.
struct Found {
    status: GateStatus,
    score: Option<f32>,
    /// Log-odds of each detector; empty where the gate saw nothing.
    alone: Vec<f32>,
}

/// Everything that was measured.
#[derive(Debug, Serialize)]
pub(super) struct Labelled {
    folders: Vec<Seen>,
    /// By scores alone.
    pub(super) detection: Vec<Detection>,
    /// The same for each detector of the pack heard by itself, by its name.
    alone: Vec<(String, Vec<Detection>)>,
}

/// Runs gate 3 on every picture under `root`.
pub(super) fn measure(crew: &Crew<'_>, root: &Path, options: ExamineOptions) -> Result<Labelled> {
    let folders = list(root)?;
    let all: Vec<&(u32, PathBuf)> = folders.iter().flat_map(|folder| &folder.pictures).collect();
    let found = crew.each(("pictures", all.len()), |engine, index| {
        let path = &all[index].1;
        let jpeg = pictures::read(path)?;
        let evidence = engine.examine(&[Frame { jpeg: &jpeg, offset_ms: 0 }], options);
        let evidence = evidence.with_context(|| format!("{}", path.display()))?;
        let score = evidence.presentation_attack_score;
        let face = score.map(|_| engine.sample(&jpeg)).transpose()?.flatten().map(|sample| sample.face);
        let alone = face.map(|face| engine.bona_fide(&jpeg, &face)).transpose()?.flatten().unwrap_or_default();
        Ok(Found { status: evidence.presentation_attack.status, score, alone })
    })?;
    let mut rest = found.as_slice();
    let mut seen = Vec::new();
    for folder in &folders {
        let (own, others) = rest.split_at(folder.pictures.len());
        rest = others;
        seen.push(Seen::new(folder, own, crew.pack.manifest().presentation_attack.len()));
    }
    let detection = detections(&seen, |folder| &folder.scores);
    let named = crew.pack.manifest().presentation_attack.iter().enumerate();
    let alone = named.map(|(at, about)| (about.name.clone(), detections(&seen, |folder| &folder.alone[at]))).collect();
    Ok(Labelled { folders: seen, detection, alone })
}

/// Every species against the bona fide pictures, and all of them together.
fn detections(seen: &[Seen], scores: impl Fn(&Seen) -> &[f32]) -> Vec<Detection> {
    let (bona_fide, attacks): (Vec<&Seen>, Vec<&Seen>) = seen.iter().partition(|folder| folder.name == BONA_FIDE);
    let pooled = |folders: &[&Seen]| folders.iter().flat_map(|folder| scores(folder).to_vec()).collect::<Vec<f32>>();
    let (bona_fide, all) = (pooled(&bona_fide), pooled(&attacks));
    let species = attacks.iter().filter_map(|folder| Detection::new(&folder.name, &bona_fide, scores(folder)));
    species.chain(Detection::new("all attacks", &bona_fide, &all)).collect()
}

impl Seen {
    fn new(folder: &Folder, found: &[Found], detectors: usize) -> Self {
        let share = |is_so: &dyn Fn(GateStatus) -> bool| {
            let mut clustered = Clustered::default();
            let pairs = folder.pictures.iter().zip(found);
            pairs.for_each(|((person, _), found)| clustered.count(*person, is_so(found.status)));
            clustered.share()
        };
        Self {
            name: folder.name.clone(),
            pictures: found.len(),
            passed: share(&|status| status == GateStatus::Pass),
            refused: share(&|status| status == GateStatus::Fail),
            no_response: share(&|status| matches!(status, GateStatus::Inconclusive | GateStatus::NotRun)),
            scores: found.iter().filter_map(|found| found.score).collect(),
            alone: (0..detectors)
                .map(|at| found.iter().filter_map(|found| found.alone.get(at).copied()).collect())
                .collect(),
        }
    }
}

impl Labelled {
    /// Tables for people.
    pub(super) fn tables(&self) -> String {
        let mut grid = report::grid([
            "folder",
            "pictures",
            "PASS (of attacks: APCER)",
            "FAIL (of bona fide: BPCER)",
            "no response",
        ]);
        for seen in &self.folders {
            let cells = [seen.passed, seen.refused, seen.no_response].map(report::bounded);
            grid.add_row([seen.name.clone(), seen.pictures.to_string()].into_iter().chain(cells));
        }
        format!("{grid}\n\n{}\n\n{}", report::detections(&self.detection), self.beside_each_detector())
    }

    /// What fusing gains: gate 3 beside every detector of the pack heard by itself.
    fn beside_each_detector(&self) -> String {
        let names = self.alone.iter().map(|(name, _)| name.as_str());
        let mut grid = report::grid(["species", "gate 3"].into_iter().chain(names));
        let at_tenth = |found: Option<&Detection>| match found.and_then(|one| one.apcer_at_bpcer_10) {
            Some(apcer) => format!("{:.1} %", apcer * 100.0),
            None => "absent".to_owned(),
        };
        for fused in &self.detection {
            let alone = self.alone.iter().map(|(_, all)| all.iter().find(|one| one.species == fused.species));
            let cells = std::iter::once(Some(fused)).chain(alone).map(at_tenth);
            grid.add_row(std::iter::once(fused.species.clone()).chain(cells));
        }
        format!("APCER where 10 % of bona fide pictures are refused\n{grid}")
    }
}

fn list(root: &Path) -> Result<Vec<Folder>> {
    let mut folders = Vec::new();
    for path in pictures::sorted(root)?.into_iter().filter(|path| path.is_dir()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (mut found, mut person) = (Vec::new(), 0);
        for entry in pictures::sorted(&path)? {
            let files = if entry.is_dir() { pictures::sorted(&entry)? } else { vec![entry] };
            found.extend(files.into_iter().filter(|file| pictures::is_jpeg(file)).map(|file| (person, file)));
            person += 1;
        }
        folders.push(Folder { name, pictures: found });
    }
    let has = |wanted: bool| folders.iter().any(|f| (f.name == BONA_FIDE) == wanted && !f.pictures.is_empty());
    ensure!(has(true), "{} holds no folder {BONA_FIDE} with *.jpg in it", root.display());
    ensure!(has(false), "{} holds no folder of attacks with *.jpg in it, one folder a species", root.display());
    Ok(folders)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn pictures_of_one_person_are_one_cluster_and_single_ones_stand_for_themselves() -> Result<()> {
        let dir = tempfile::tempdir()?;
        for file in ["bona_fide/ann/1.jpg", "bona_fide/ann/2.jpg", "bona_fide/bob/1.jpg", "print/1.jpg", "print/2.jpg"]
        {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap())?;
            fs::write(path, b"")?;
        }
        let folders = list(dir.path())?;
        let people = |at: usize| folders[at].pictures.iter().map(|(person, _)| *person).collect::<Vec<_>>();
        assert_eq!((people(0), people(1)), (vec![0, 0, 1], vec![0, 1]));
        fs::remove_dir_all(dir.path().join("print"))?;
        assert!(list(dir.path()).is_err());
        Ok(())
    }
}
