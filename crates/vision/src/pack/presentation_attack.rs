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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pack::{fault::Digest, manifest::CalibrationName};
    use std::fs;

    /// The committed manifest of `standard`, with an operating point for `detectors`.
    fn read(method: &str, threshold: &str, detectors: impl Fn(&mut Vec<String>)) -> Result<Option<f32>, PackFault> {
        let mut manifest: Manifest = toml::from_str(include_str!("../../../../deploy/pack/standard.toml")).unwrap();
        let mut digests: Vec<String> = manifest.presentation_attack.iter().map(|p| p.sha256.clone()).collect();
        detectors(&mut digests);
        let list = serde_json::to_string(&digests).unwrap();
        let text = format!(r#"{{"method": "{method}", "detectors": {list}, "threshold": {threshold}, "more": [1]}}"#);
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("p.json"), &text).unwrap();
        let sha256 = Digest::of(text.as_bytes()).to_string();
        manifest.presentation_attack_calibration = Some(CalibrationName { calibration: "p.json".to_owned(), sha256 });
        read_threshold(dir.path(), &manifest).map_err(|e| e.fault)
    }

    #[test]
    fn threshold_is_read_for_exactly_these_detectors() {
        assert_eq!(read(METHOD, "-0.25", |_| ()).unwrap(), Some(-0.25));
        let changes: [fn(&mut Vec<String>); 4] =
            [|d| d.truncate(1), |d| d.swap(0, 1), |d| d[0].replace_range(..1, "x"), |d| d.push(String::new())];
        for change in changes {
            assert!(matches!(read(METHOD, "-0.25", change), Err(PackFault::OperatingPointOfOthers)));
        }
        assert!(matches!(read("another", "-0.25", |_| ()), Err(PackFault::OperatingPointOfOthers)));
    }

    /// Reads the committed operating point of a pack against its committed manifest, after `change`.
    fn read_committed(manifest: &str, file: &str, change: fn(&mut Manifest)) -> Result<Option<f32>, PackFault> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/pack");
        let mut manifest: Manifest = toml::from_str(&fs::read_to_string(folder.join(manifest)).unwrap()).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let name = &manifest.presentation_attack_calibration.as_ref().unwrap().calibration;
        fs::copy(folder.join("calibration").join(file), dir.path().join(name)).unwrap();
        change(&mut manifest);
        read_threshold(dir.path(), &manifest).map_err(|e| e.fault)
    }

    #[test]
    fn committed_operating_points_belong_to_the_committed_detectors_and_to_no_others() {
        let packs = [("base", "base"), ("standard", "standard"), ("standard-fp32", "standard")];
        for (pack, family) in packs.map(|(pack, family)| (format!("{pack}.toml"), format!("{family}-pad.json"))) {
            assert!(read_committed(&pack, &family, |_| ()).unwrap().is_some_and(f32::is_finite));
            let changes: [fn(&mut Manifest); 2] =
                [|m| m.presentation_attack[0].sha256.replace_range(..4, "0000"), |m| drop(m.presentation_attack.pop())];
            for change in changes {
                let fault = read_committed(&pack, &family, change).unwrap_err();
                assert!(matches!(fault, PackFault::OperatingPointOfOthers), "{pack}: {fault:?}");
            }
        }
    }

    #[test]
    fn threshold_that_is_no_number_is_refused() {
        assert!(matches!(read(METHOD, "1e99", |_| ()), Err(PackFault::OperatingPoints | PackFault::Calibration(_))));
        for text in ["null", "NaN", "\"0\""] {
            assert!(matches!(read(METHOD, text, |_| ()), Err(PackFault::Calibration(_))), "{text}");
        }
    }

    #[test]
    fn file_with_another_digest_is_refused_and_none_named_is_no_operating_point() {
        let mut manifest: Manifest = toml::from_str(include_str!("../../../../deploy/pack/standard.toml")).unwrap();
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("p.json"), "{}").unwrap();
        let sha256 = "0".repeat(64);
        manifest.presentation_attack_calibration = Some(CalibrationName { calibration: "p.json".to_owned(), sha256 });
        let fault = read_threshold(dir.path(), &manifest).unwrap_err().fault;
        assert!(matches!(fault, PackFault::Digest { .. }));
        manifest.presentation_attack_calibration = None;
        assert_eq!(read_threshold(dir.path(), &manifest).unwrap(), None);
    }
}
