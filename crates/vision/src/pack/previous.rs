//! What of the pack before is needed to compare with references that it made: the recogniser and its operating points.
//!
//! Must never know: sessions. Invariant: as of a whole pack, every byte that is used has the digest that the manifest gives.

use super::{Digest, Manifest, Named, Pack, PackError, calibration_id, read_calibration, read_manifest, read_model};
use biometrics::CalibrationTable;
use std::{path::Path, sync::Arc};

/// See the module.
#[derive(Clone)]
pub struct PreviousPack {
    manifest: Arc<Manifest>,
    calibration: Arc<CalibrationTable>,
    calibration_digest: Digest,
    recogniser: Arc<[u8]>,
}

impl PreviousPack {
    /// Reads and verifies the recogniser and the calibration table of the pack in `dir`; its other files are not read.
    ///
    /// # Errors
    /// [`PackError`] naming the first file at fault and the reason.
    pub fn open(dir: &Path) -> Result<Self, PackError> {
        let manifest = read_manifest(dir)?;
        let r = &manifest.recogniser;
        let recogniser = read_model(dir, &Named { file: &r.file, sha256: &r.sha256 }, (&r.input, &r.outputs))?;
        let (calibration, calibration_digest) = read_calibration(dir, &manifest)?;
        let (manifest, calibration) = (Arc::new(manifest), Arc::new(calibration));
        Ok(Self { manifest, calibration, calibration_digest, recogniser })
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

    /// Names the calibration table, as [`Pack::calibration_id`] does.
    #[must_use]
    pub fn calibration_id(&self) -> String {
        calibration_id(&self.manifest, self.calibration_digest)
    }

    /// SHA-256 of the recogniser, hexadecimal.
    #[must_use]
    pub fn recogniser_digest(&self) -> &str {
        &self.manifest.recogniser.sha256
    }

    /// Whether faces are laid onto this recogniser's input by the same landmarks as when it was calibrated, where `pack` finds them.
    #[must_use]
    pub fn is_aligned_by(&self, pack: &Pack) -> bool {
        let (ours, theirs) = (&self.manifest.landmarks, &pack.manifest.landmarks);
        ours.sha256 == theirs.sha256 && ours.crop_scale.to_bits() == theirs.crop_scale.to_bits()
    }

    pub(crate) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    pub(crate) fn recogniser_bytes(&self) -> &[u8] {
        &self.recogniser
    }
}

impl std::fmt::Debug for PreviousPack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PreviousPack").field("name", &self.manifest.name).finish_non_exhaustive()
    }
}
