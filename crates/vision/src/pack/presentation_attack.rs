//! The operating point of gate 3: a file of the pack, bound to the detectors it was measured with.
//!
//! Must never know: scores. Invariant: a threshold in hand was measured with exactly the manifest's detectors, in its order
//! and with their crops, fused by the method of this crate.

use super::{
    MAX_TEXT_BYTES, Named,
    fault::{PackError, PackFault},
    manifest::Manifest,
    read_named,
};
use crate::presentation_attack::METHOD;
use serde::Deserialize;
use std::path::Path;

/// The part of the file that binds; what else it tells is for readers.
#[derive(Deserialize)]
struct OperatingPoint {
    method: String,
    /// SHA-256 of each detector, in the manifest's order.
    detectors: Vec<String>,
    /// Smallest fused log-odds that pass.
    threshold: f32,
}

/// Reads the threshold that the manifest names; `None` when it names none.
pub(super) fn read_threshold(dir: &Path, manifest: &Manifest) -> Result<Option<f32>, PackError> {
    let Some(name) = &manifest.presentation_attack_calibration else { return Ok(None) };
    let at = |fault| PackError { file: name.calibration.as_str().into(), fault };
    let named = Named { file: &name.calibration, sha256: &name.sha256 };
    let bytes = read_named(dir, &named, MAX_TEXT_BYTES).map_err(at)?;
    let point: OperatingPoint = serde_json::from_slice(&bytes).map_err(|e| at(PackFault::Calibration(e)))?;
    let detectors = manifest.presentation_attack.iter().map(|p| &p.sha256);
    if point.method != METHOD || !detectors.eq(&point.detectors) {
        return Err(at(PackFault::OperatingPointOfOthers));
    }
    if !point.threshold.is_finite() {
        return Err(at(PackFault::OperatingPoints));
    }
    Ok(Some(point.threshold))
}
