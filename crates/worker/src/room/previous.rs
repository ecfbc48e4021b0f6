//! The recogniser of the pack before, and what receipts say where it took part.
//!
//! Must never know: references. Invariants: it made references that the pack itself cannot compare, and its faces are aligned by
//! the landmarks that the pack finds.

use crate::{StartError, decision::Models};
use std::path::Path;
use vision::{Pack, PreviousPack};

/// Role of the previous recogniser among the models of a receipt.
const ROLE: &str = "previous_recogniser";

/// See the module.
pub(crate) struct Previous {
    /// Recogniser and calibration.
    pub(crate) pack: PreviousPack,
    /// Models of a decision in the previous feature space.
    pub(crate) alone: Models,
    /// Models of a decision in both.
    pub(crate) both: Models,
}

impl Previous {
    /// Reads and verifies what of the pack in `path` is used beside `present`.
    ///
    /// # Errors
    /// `Pack`, `SameFeatureSpace`, `OtherLandmarks`.
    pub(crate) fn open(path: &Path, present: &Pack) -> Result<Self, StartError> {
        let pack = PreviousPack::open(path).map_err(|source| StartError::Pack { path: path.to_owned(), source })?;
        if pack.feature_space() == present.feature_space() {
            return Err(StartError::SameFeatureSpace { path: path.to_owned() });
        }
        if !pack.is_aligned_by(present) {
            return Err(StartError::OtherLandmarks { path: path.to_owned() });
        }
        let mut digests = present.digests();
        digests.insert(ROLE.to_owned(), pack.recogniser_digest().to_owned());
        let alone = Models { calibration: pack.calibration_id(), digests: digests.clone() };
        let both = Models { calibration: present.calibration_id(), digests };
        Ok(Self { pack, alone, both })
    }
}
