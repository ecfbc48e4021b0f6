//! Laying a face onto a recogniser's input: a similarity from mesh points to a template.
//!
//! Must never know: features. Invariant: template constants are those the calibration was made with.

use crate::{evidence::Point, pack::manifest::Alignment, resample::Similarity};

/// Outer and inner corner of the right eye (on the left of the picture), of the left eye, nose base.
const CORNERS: [usize; 5] = [33, 133, 362, 263, 2];
/// Where they lie on dlib's chip, in pixels; measured once on faces that dlib itself had aligned.
const DLIB_150: [(f64, f64); 5] = [(36.29, 46.1), (59.41, 47.2), (88.43, 47.25), (112.01, 46.09), (73.68, 86.47)];
/// Right eye, left eye, nose tip, right and left mouth corner on the ArcFace template, in pixels.
const ARCFACE_112: [(f64, f64); 5] =
    [(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)];

/// Where the subject's right and left eye are: the middle between each eye's corners.
pub(crate) fn eye_centres(points: &[Point]) -> [Point; 2] {
    let middle =
        |a: usize, b: usize| Point { x: (points[a].x + points[b].x) / 2.0, y: (points[a].y + points[b].y) / 2.0 };
    [middle(33, 133), middle(362, 263)]
}

/// The map from the picture onto the aligned chip; `None` when the points have collapsed.
pub(crate) fn chip_map(alignment: Alignment, points: &[Point]) -> Option<Similarity> {
    match alignment {
        Alignment::DlibMesh150 => Similarity::fit(&CORNERS.map(|i| points[i]), &DLIB_150),
        Alignment::Arcface112 => {
            let [right, left] = eye_centres(points);
            Similarity::fit(&[right, left, points[4], points[61], points[291]], &ARCFACE_112)
        }
    }
}
