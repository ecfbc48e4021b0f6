//! People of a picture folder (one folder a person), apart by hashes of their names: what was trained or tuned on and what is
//! measured on never meet.
//!
//! Must never know: gates. Invariant: the same folder and seed give the same people in the same order on every machine.

use super::{crew::Crew, hash::sha256, pictures};
use anyhow::{Context, Result, ensure};
use biometrics::{Features, GateReason, GateStatus};
use simulator::{Conditions, Portrait, Script, render};
use std::path::{Path, PathBuf};
use vision::{Engine, Evidence, ExamineOptions, Face, Frame};

/// How names are split, for reports.
const RULE: &str = "d = first byte of SHA-256(\"countersign/pad-split/v1/\" + name) mod 10: 0 to 3 train the detectors of gate 3, 4 sets their \
     threshold; of 5 to 9, an even last byte of SHA-256(name) is what gates 1 and 4 were tuned on, an odd one is measured on";

/// A portrait must look about straight at the camera, in degrees: a compliant capture begins so.
const MAX_YAW_DEG: f32 = 15.0;
/// ... and be a face beyond doubt.
const MIN_PRESENCE: f32 = 0.9;
/// ... and half as sharp again as gate 2 asks: every capture inherits the portrait's blur and adds a camera's.
const MIN_SHARPNESS: f32 = 0.06;

/// Pictures that are looked at for one to compare with.
const MAX_OTHERS: usize = 8;

/// What a person's pictures are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Part {
    /// Training of the detectors of our own: four of ten.
    Train,
    /// Their threshold: one of ten.
    Threshold,
    /// The limits of gates 1 and 4: half of the rest.
    Tune,
    /// Measurement: the other half.
    Measure,
}

impl Part {
    /// Decided by the name alone; [`RULE`] in words.
    pub(super) fn of(name: &str) -> Self {
        match sha256(&[b"countersign/pad-split/v1/", name.as_bytes()])[0] % 10 {
            0..=3 => Self::Train,
            4 => Self::Threshold,
            _ if sha256(&[name.as_bytes()])[31].is_multiple_of(2) => Self::Tune,
            _ => Self::Measure,
        }
    }
}

/// One person by one or two pictures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Person {
    /// The first picture: captures are rendered from it.
    portrait: PathBuf,
    /// The others: the first of them that gate 2 takes is compared with.
    others: Vec<PathBuf>,
}

/// What a capture is compared with.
pub(super) struct Reference {
    /// Its features.
    pub(super) features: Features,
    /// Whether they are of another picture than the one that captures are rendered from.
    pub(super) of_another_picture: bool,
}

/// Those of one part, in an order drawn by the seed.
pub(super) fn list(folder: &Path, part: Part, seed: u64) -> Result<Vec<Person>> {
    let mut people = Vec::new();
    for path in pictures::sorted(folder)?.into_iter().filter(|path| path.is_dir()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if Part::of(&name) != part {
            continue;
        }
        let mut files = pictures::sorted(&path)?.into_iter().filter(|file| pictures::is_jpeg(file));
        let Some(portrait) = files.next() else { continue };
        let order = sha256(&[b"countersign/evaluate/order/v1", &seed.to_be_bytes(), name.as_bytes()]);
        people.push((order, Person { portrait, others: files.take(MAX_OTHERS).collect() }));
    }
    people.sort_by_key(|(order, _)| *order);
    Ok(people.into_iter().map(|(_, person)| person).collect())
}

/// Who is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Selection {
    /// The part they belong to.
    pub(super) part: Part,
    /// Draws their order.
    pub(super) seed: u64,
    /// How many are wanted, as far as there are so many.
    pub(super) enough: usize,
}

/// Whom captures are made of.
pub(super) struct Drawn {
    /// The people.
    pub(super) people: Vec<Person>,
    /// Looked at and passed over: gate 2 does not take the portrait, or it is turned away, blurred or not alone.
    passed_over: usize,
    /// In the part that they belong to.
    in_part: usize,
    part: Part,
}

impl Drawn {
    /// The first usable people in the seed's order; two at least.
    pub(super) fn new(crew: &Crew<'_>, folder: &Path, asked: Selection) -> Result<Self> {
        let Selection { part, seed, enough } = asked;
        let all = list(folder, part, seed)?;
        let (mut people, mut looked_at) = (Vec::new(), 0);
        while people.len() < enough && looked_at < all.len() {
            let next = &all[looked_at..all.len().min(looked_at + enough - people.len())];
            let usable = crew.each(("people", next.len()), |engine, i| next[i].is_usable(engine))?;
            people.extend(next.iter().zip(usable).filter(|(_, usable)| *usable).map(|(person, _)| person.clone()));
            looked_at += next.len();
        }
        let enough = people.len() > 1;
        ensure!(enough, "{} holds fewer than two usable people of the part {part:?} ({RULE})", folder.display());
        Ok(Self { passed_over: looked_at - people.len(), in_part: all.len(), part, people })
    }

    /// Who they are, for reports.
    pub(super) fn told(&self) -> String {
        let warning = match self.part {
            Part::Measure => "",
            _ => "\nPEOPLE OF ANOTHER PART THAN THE ONE TO MEASURE ON: for setting limits, never for figures",
        };
        format!(
            "People: {} of {} in the part {:?}, {} passed over (gate 2 does not take the portrait, or it is turned away, blurred or not alone)\n\
             Split: {RULE}{warning}",
            self.people.len(),
            self.in_part,
            self.part,
            self.passed_over
        )
    }

    /// The same for machines.
    pub(super) fn value(&self) -> serde_json::Value {
        serde_json::json!({
            "rule": RULE,
            "part": self.part,
            "people": self.in_part,
            "used": self.people.len(),
            "passed_over": self.passed_over,
        })
    }
}

impl Person {
    /// Whether compliant captures can be rendered from the portrait: gate 2 takes it, it looks straight at the camera, it is
    /// sharp, and nobody else is in it nor in a frame that is rendered from it. Another face in its background, closed eyes or
    /// blur would stand in every capture.
    pub(super) fn is_usable(&self, engine: &mut Engine) -> Result<bool> {
        let evidence = examine(engine, &pictures::read(&self.portrait)?, &self.portrait)?;
        let sharp = evidence.per_frame.iter().all(|frame| frame.sharpness >= MIN_SHARPNESS);
        if evidence.quality.status != GateStatus::Pass || !sharp {
            return Ok(false);
        }
        let Some(portrait) = self.portrait(engine)? else { return Ok(false) };
        let glance = Script { slots: Vec::new(), frame_times_ms: vec![0] };
        let glance = render(&portrait, &glance, &Conditions::default())?;
        let frames = glance.frames.iter().map(|frame| examine(engine, &frame.jpeg, &self.portrait));
        Ok(frames.collect::<Result<Vec<_>>>()?.iter().all(is_alone))
    }

    /// Loads the portrait; `None` where it shows no face or one that is turned away.
    pub(super) fn portrait(&self, engine: &mut Engine) -> Result<Option<Portrait>> {
        let jpeg = pictures::read(&self.portrait)?;
        let sample = engine.sample(&jpeg).with_context(|| format!("{}", self.portrait.display()))?;
        let Some(sample) = sample.filter(|sample| is_straight(&sample.face)) else { return Ok(None) };
        // Rounded, so that processors which differ in the last bit still render the same.
        let coarse = |v: f32| (v * 16.0).round() / 16.0;
        let points = sample.face.points.iter().zip(&sample.face.depth);
        let points = points.map(|(p, &z)| [coarse(p.x), coarse(p.y), coarse(z)]).collect();
        let pixels = image::load_from_memory(&jpeg)?.to_rgb8();
        Ok(Portrait::new(pixels, points).ok())
    }

    /// Features of the portrait as an enrollment would take them; `None` where gate 2 gives none.
    pub(super) fn enrollment(&self, engine: &mut Engine) -> Result<Option<Features>> {
        Ok(examine(engine, &pictures::read(&self.portrait)?, &self.portrait)?.features)
    }

    /// Features of another picture that an enrollment would take; `None` where there is none.
    pub(super) fn another(&self, engine: &mut Engine) -> Result<Option<Features>> {
        for path in &self.others {
            if let Some(features) = examine(engine, &pictures::read(path)?, path)?.features {
                return Ok(Some(features));
            }
        }
        Ok(None)
    }

    /// What captures are compared with: another picture, or the portrait where there is none.
    pub(super) fn reference(&self, engine: &mut Engine) -> Result<Reference> {
        if let Some(features) = self.another(engine)? {
            return Ok(Reference { features, of_another_picture: true });
        }
        let features = engine.features_of(&pictures::read(&self.portrait)?)?;
        let features = features.with_context(|| format!("{} shows no face any more", self.portrait.display()))?;
        Ok(Reference { features, of_another_picture: false })
    }
}

fn is_alone(evidence: &Evidence) -> bool {
    !evidence.quality.reasons.contains(&GateReason::QualitySeveralFaces)
}

/// Gates 1 and 2 on a picture that comes from `path`, and its features where they pass.
fn examine(engine: &mut Engine, jpeg: &[u8], path: &Path) -> Result<Evidence> {
    let options =
        ExamineOptions { min_inter_eye_px: vision::MIN_INTER_EYE_PX, presentation_attack: false, previous: false };
    let evidence = engine.examine(&[Frame { jpeg, offset_ms: 0 }], options);
    evidence.with_context(|| format!("{}", path.display()))
}

fn is_straight(face: &Face) -> bool {
    let (right, left) = (234, 454);
    let across = face.points[left].x - face.points[right].x;
    let yaw = (face.depth[left] - face.depth[right]).atan2(across).to_degrees();
    yaw.abs() <= MAX_YAW_DEG && face.presence >= MIN_PRESENCE
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn parts_have_the_shares_that_the_rule_promises() {
        let names: Vec<String> = (0..4000).map(|i| format!("person {i}")).collect();
        let share = |part| names.iter().filter(|name| Part::of(name) == part).count() as f64 / names.len() as f64;
        for (part, expected) in [(Part::Train, 0.4), (Part::Threshold, 0.1), (Part::Tune, 0.25), (Part::Measure, 0.25)]
        {
            assert!((share(part) - expected).abs() < 0.03, "{part:?}: {}", share(part));
        }
    }

    #[test]
    fn only_people_of_the_part_are_listed_and_the_seed_draws_their_order() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let names: Vec<String> = (0..60).map(|i| format!("person {i}")).collect();
        for name in &names {
            fs::create_dir(dir.path().join(name))?;
            for file in ["b.jpg", "a.jpg", "c.txt"] {
                fs::write(dir.path().join(name).join(file), b"")?;
            }
        }
        let people = list(dir.path(), Part::Measure, 1)?;
        assert_eq!(people.len(), names.iter().filter(|name| Part::of(name) == Part::Measure).count());
        assert!(
            people
                .iter()
                .all(|p| p.portrait.ends_with("a.jpg") && p.others.len() == 1 && p.others[0].ends_with("b.jpg"))
        );
        assert_eq!(people, list(dir.path(), Part::Measure, 1)?);
        assert_ne!(people, list(dir.path(), Part::Measure, 2)?);
        Ok(())
    }
}
