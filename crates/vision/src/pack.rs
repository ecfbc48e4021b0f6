//! Model packs: a directory with `pack.toml` and the files it names.
//!
//! Owns reading and vouching for them. Must never know: sessions. Invariant: a `Pack` in hand was read once, every byte of
//! it has the digest its manifest gives, and every model is self-contained and made of ONNX's own operators.

mod fault;
pub mod manifest;
mod onnx;
mod presentation_attack;
mod previous;

pub use fault::{Digest, PackError, PackFault};
pub use manifest::Manifest;
pub use previous::PreviousPack;

use biometrics::{CalibrationTable, OperatingPoint};
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// No manifest or calibration table is larger.
const MAX_TEXT_BYTES: u64 = 1 << 20;
/// No model is larger.
const MAX_MODEL_BYTES: u64 = 1 << 29;

/// A verified pack. Cheap to clone; the model bytes are shared.
#[derive(Clone)]
pub struct Pack {
    manifest: Arc<Manifest>,
    calibration: Arc<CalibrationTable>,
    calibration_digest: Digest,
    detector: Arc<[u8]>,
    landmarks: Arc<[u8]>,
    recogniser: Arc<[u8]>,
    presentation_attack: Arc<[Arc<[u8]>]>,
    presentation_attack_threshold: Option<f32>,
}

impl Pack {
    /// Reads and verifies the pack in `dir`. No session exists before this has passed.
    ///
    /// # Errors
    /// [`PackError`] naming the first file at fault and the reason.
    pub fn open(dir: &Path) -> Result<Self, PackError> {
        let manifest = read_manifest(dir)?;
        let (d, l, r) = (&manifest.detector, &manifest.landmarks, &manifest.recogniser);
        let detector = read_model(dir, &Named { file: &d.file, sha256: &d.sha256 }, (&d.input, &d.outputs))?;
        let landmarks = read_model(dir, &Named { file: &l.file, sha256: &l.sha256 }, (&l.input, &l.outputs))?;
        let recogniser = read_model(dir, &Named { file: &r.file, sha256: &r.sha256 }, (&r.input, &r.outputs))?;
        let detectors = manifest.presentation_attack.iter();
        let presentation_attack = detectors
            .map(|p| read_model(dir, &Named { file: &p.file, sha256: &p.sha256 }, (&p.input, &p.outputs)))
            .collect::<Result<_, _>>()?;
        let presentation_attack_threshold = presentation_attack::read_threshold(dir, &manifest)?;
        let (calibration, calibration_digest) = read_calibration(dir, &manifest)?;
        Ok(Self {
            manifest: Arc::new(manifest),
            calibration: Arc::new(calibration),
            calibration_digest,
            detector,
            landmarks,
            recogniser,
            presentation_attack,
            presentation_attack_threshold,
        })
    }

    /// Name of the pack.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.manifest.name
    }

    /// What may be compared with what: a recogniser and its alignment.
    #[must_use]
    pub fn feature_space(&self) -> &str {
        &self.manifest.feature_space
    }

    /// Operating points of the recogniser; already checked.
    #[must_use]
    pub fn calibration(&self) -> &CalibrationTable {
        &self.calibration
    }

    /// Names the calibration table: the pack's name and the first twelve digits of the table's SHA-256.
    #[must_use]
    pub fn calibration_id(&self) -> String {
        calibration_id(&self.manifest, self.calibration_digest)
    }

    /// The smallest false match rate that the calibration supports.
    #[must_use]
    pub fn min_fmr(&self) -> Option<f64> {
        self.calibration.min_fmr()
    }

    /// Role and SHA-256 (hexadecimal) of each model that an [`crate::Engine`] runs.
    #[must_use]
    pub fn digests(&self) -> BTreeMap<String, String> {
        let m = &self.manifest;
        [("detector", &m.detector.sha256), ("landmarks", &m.landmarks.sha256), ("recogniser", &m.recogniser.sha256)]
            .into_iter()
            .map(|(role, digest)| (role.to_owned(), digest.clone()))
            .collect()
    }

    /// Fused log-odds from which gate 3 passes; `None` when the pack has no detectors or no operating point for them.
    #[must_use]
    pub fn presentation_attack_threshold(&self) -> Option<f32> {
        self.presentation_attack_threshold
    }

    /// The manifest, for description.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    pub(crate) fn detector_bytes(&self) -> &[u8] {
        &self.detector
    }

    pub(crate) fn landmarks_bytes(&self) -> &[u8] {
        &self.landmarks
    }

    pub(crate) fn recogniser_bytes(&self) -> &[u8] {
        &self.recogniser
    }

    /// The models of gate 3 in the manifest's order.
    pub(crate) fn presentation_attack_bytes(&self) -> impl Iterator<Item = &[u8]> {
        self.presentation_attack.iter().map(|bytes| &bytes[..])
    }
}

impl std::fmt::Debug for Pack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pack").field("name", &self.name()).finish_non_exhaustive()
    }
}

fn calibration_id(manifest: &Manifest, digest: Digest) -> String {
    let mut digits = digest.to_string();
    digits.truncate(12);
    format!("{}/{digits}", manifest.name)
}

struct Named<'a> {
    file: &'a str,
    sha256: &'a str,
}

fn read_manifest(dir: &Path) -> Result<Manifest, PackError> {
    let file = PathBuf::from("pack.toml");
    let at = |fault| PackError { file: file.clone(), fault };
    let bytes = read_regular(&dir.join(&file), MAX_TEXT_BYTES).map_err(at)?;
    let manifest: Manifest = toml::from_slice(&bytes).map_err(|e| at(PackFault::Manifest(Box::new(e))))?;
    manifest.check().map_err(at)?;
    Ok(manifest)
}

fn read_model(
    dir: &Path,
    named: &Named<'_>,
    (input, outputs): (&manifest::Input, &[manifest::Output]),
) -> Result<Arc<[u8]>, PackError> {
    let at = |fault| PackError { file: named.file.into(), fault };
    let bytes = read_named(dir, named, MAX_MODEL_BYTES).map_err(at)?;
    onnx::inspect(&bytes, input, outputs).map_err(at)?;
    Ok(bytes.into())
}

/// Reads a file by its plain name and compares its digest.
fn read_named(dir: &Path, named: &Named<'_>, limit: u64) -> Result<Vec<u8>, PackFault> {
    plain(named.file)?;
    let mut digest = [0; 32];
    hex::decode_to_slice(named.sha256, &mut digest).map_err(|_| PackFault::Value { key: "sha256" })?;
    let bytes = read_regular(&dir.join(named.file), limit)?;
    let (expected, found) = (Digest(digest), Digest::of(&bytes));
    if expected == found { Ok(bytes) } else { Err(PackFault::Digest { expected, found }) }
}

/// A plain name stays inside the pack's directory.
fn plain(file: &str) -> Result<(), PackFault> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    let plain = !file.is_empty() && !file.starts_with('.') && file.bytes().all(allowed);
    if plain { Ok(()) } else { Err(PackFault::Name) }
}

/// Reads a regular file that is not reached through a link in its last step.
fn read_regular(path: &Path, limit: u64) -> Result<Vec<u8>, PackFault> {
    let about = fs::symlink_metadata(path).map_err(|e| match e.kind() {
        io::ErrorKind::NotFound => PackFault::Missing,
        _ => PackFault::Unreadable(e),
    })?;
    if about.file_type().is_symlink() {
        return Err(PackFault::SymbolicLink);
    }
    if !about.is_file() {
        return Err(PackFault::NotAFile);
    }
    if about.len() > limit {
        return Err(PackFault::TooLarge { limit });
    }
    fs::read(path).map_err(PackFault::Unreadable)
}

/// The parts of a calibration file that bind it to its pack; what else it tells is for readers.
#[derive(Deserialize)]
struct CalibrationFile {
    recogniser_sha256: String,
    feature_space: String,
    operating_points: Vec<OperatingPoint>,
}

fn read_calibration(dir: &Path, manifest: &Manifest) -> Result<(CalibrationTable, Digest), PackError> {
    let recogniser = &manifest.recogniser;
    let at = |fault| PackError { file: recogniser.calibration.as_str().into(), fault };
    let named = Named { file: &recogniser.calibration, sha256: &recogniser.calibration_sha256 };
    let bytes = read_named(dir, &named, MAX_TEXT_BYTES).map_err(at)?;
    let file: CalibrationFile = serde_json::from_slice(&bytes).map_err(|e| at(PackFault::Calibration(e)))?;
    let bound = file.recogniser_sha256 == recogniser.sha256 && file.feature_space == manifest.feature_space;
    if !bound {
        return Err(at(PackFault::CalibrationOfAnother));
    }
    let table = CalibrationTable { operating_points: file.operating_points };
    table.check().map_err(|_| at(PackFault::OperatingPoints))?;
    Ok((table, Digest::of(&bytes)))
}

#[cfg(test)]
mod tests;
