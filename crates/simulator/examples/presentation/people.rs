//! People of a picture folder (one folder a person), apart by a hash of their names: what is trained on, what a threshold
//! is set on, and what is measured on never meet.

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use simulator::Portrait;
use std::{
    fs,
    path::{Path, PathBuf},
};
use vision::{Engine, Face};

/// What a person is used for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub(crate) enum Part {
    /// The detector of our own is trained on these: four of ten.
    Train,
    /// Thresholds are set on these: one of ten.
    Calibrate,
    /// Everything is measured on these: five of ten.
    Test,
}

impl Part {
    /// Decided by the name alone.
    pub(crate) fn of(name: &str) -> Self {
        match Sha256::digest(format!("countersign/pad-split/v1/{name}"))[0] % 10 {
            0..=3 => Self::Train,
            4 => Self::Calibrate,
            _ => Self::Test,
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Calibrate => "calibrate",
            Self::Test => "test",
        }
    }
}

/// One person by one picture.
pub(crate) struct Person {
    pub(crate) part: Part,
    pub(crate) path: PathBuf,
    /// SHA-256 of the picture.
    pub(crate) sha256: String,
    /// Drawn from the digest: equal pictures are rendered alike wherever they lie.
    pub(crate) seed: u64,
}

/// The first picture of every person of these parts, in the order of the pictures' digests.
pub(crate) fn list(folder: &Path, parts: &[Part]) -> Result<Vec<Person>> {
    let mut people = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))? {
        let entry = entry?;
        let part = Part::of(&entry.file_name().to_string_lossy());
        if !parts.contains(&part) || !entry.file_type()?.is_dir() {
            continue;
        }
        let mut files: Vec<_> = fs::read_dir(entry.path())?.map(|e| Ok(e?.path())).collect::<Result<_>>()?;
        files.sort();
        let Some(path) = files.into_iter().next() else { continue };
        let digest = Sha256::digest(fs::read(&path)?);
        let seed = digest.iter().take(8).fold(0, |seed, &b| seed << 8 | u64::from(b));
        people.push(Person { part, path, sha256: hex::encode(digest), seed });
    }
    people.sort_by(|a, b| a.sha256.cmp(&b.sha256));
    Ok(people)
}

/// A picture with its mesh, as the simulator wants it. Points are rounded to a sixteenth of a pixel, so that processors
/// which round differently still render the same.
pub(crate) fn portrait(engine: &mut Engine, jpeg: &[u8]) -> Result<Option<(Portrait, Face)>> {
    let Some(sample) = engine.sample(jpeg)? else { return Ok(None) };
    let coarse = |v: f32| (v * 16.0).round() / 16.0;
    let points = sample.face.points.iter().zip(&sample.face.depth);
    let points = points.map(|(p, &z)| [coarse(p.x), coarse(p.y), coarse(z)]).collect();
    let pixels = image::load_from_memory(jpeg)?.to_rgb8();
    Ok(Portrait::new(pixels, points).ok().map(|portrait| (portrait, sample.face)))
}
