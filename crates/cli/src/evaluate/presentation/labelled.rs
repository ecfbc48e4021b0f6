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
}

/// Everything that was measured.
#[derive(Debug, Serialize)]
pub(super) struct Labelled {
    folders: Vec<Seen>,
    /// By scores alone.
    pub(super) detection: Vec<Detection>,
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
        Ok((evidence.presentation_attack.status, evidence.presentation_attack_score))
    })?;
    let mut rest = found.as_slice();
    let mut seen = Vec::new();
    for folder in &folders {
        let (own, others) = rest.split_at(folder.pictures.len());
        rest = others;
        seen.push(Seen::new(folder, own));
    }
    let bona_fide = seen.iter().find(|s| s.name == BONA_FIDE).map(|s| s.scores.clone()).unwrap_or_default();
    let attacks = seen.iter().filter(|s| s.name != BONA_FIDE);
    let detection = attacks.filter_map(|s| Detection::new(&s.name, &bona_fide, &s.scores)).collect();
    Ok(Labelled { folders: seen, detection })
}

impl Seen {
    fn new(folder: &Folder, found: &[(GateStatus, Option<f32>)]) -> Self {
        let share = |is_so: &dyn Fn(GateStatus) -> bool| {
            let mut clustered = Clustered::default();
            let pairs = folder.pictures.iter().zip(found);
            pairs.for_each(|((person, _), (status, _))| clustered.count(*person, is_so(*status)));
            clustered.share()
        };
        Self {
            name: folder.name.clone(),
            pictures: found.len(),
            passed: share(&|status| status == GateStatus::Pass),
            refused: share(&|status| status == GateStatus::Fail),
            no_response: share(&|status| matches!(status, GateStatus::Inconclusive | GateStatus::NotRun)),
            scores: found.iter().filter_map(|(_, score)| *score).collect(),
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
        format!("{grid}\n\n{}", report::detections(&self.detection))
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
