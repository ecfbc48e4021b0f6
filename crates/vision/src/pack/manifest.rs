//! `pack.toml` as types. Unknown keys are an error; meaning that a type cannot carry is checked in `check`.
//!
//! Must never know: files, ONNX. Invariant: a `Manifest` that passed `check` can be run by this crate.

use super::fault::PackFault;
use serde::Deserialize;

/// The whole manifest.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of the manifest's format; 1.
    pub schema: u32,
    /// Name of the pack.
    pub name: String,
    /// Version of the pack.
    pub version: String,
    /// Names what may be compared with what: a recogniser and its alignment.
    pub feature_space: String,
    /// Finds faces.
    pub detector: Detector,
    /// Finds landmarks in a face.
    pub landmarks: Landmarks,
    /// Turns an aligned face into features.
    pub recogniser: Recogniser,
    /// Presentation attack detectors; verified with the pack, run by the gates that need them.
    #[serde(default)]
    pub presentation_attack: Vec<PresentationAttack>,
    /// The operating point of all of them together; without it they are not run.
    pub presentation_attack_calibration: Option<CalibrationName>,
    /// Known answer of the recogniser.
    pub self_test: SelfTest,
}

/// How pixels become the numbers of an input tensor: `(pixel - mean[channel]) * scale[channel]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Name in the graph.
    pub name: String,
    /// Channels, height, width; the batch dimension is left out.
    pub shape: [usize; 3],
    /// Order of dimensions.
    pub layout: Layout,
    /// Order of channels.
    pub colour: Colour,
    /// Subtracted from 0..255, per channel in the order of `colour`.
    pub mean: [f32; 3],
    /// Multiplied after that.
    pub scale: [f32; 3],
}

/// Order of an input's dimensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Layout {
    /// Planes of one colour.
    #[serde(rename = "NCHW")]
    Nchw,
}

/// Order of an input's channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Colour {
    /// Red first.
    #[serde(rename = "RGB")]
    Rgb,
    /// Blue first.
    #[serde(rename = "BGR")]
    Bgr,
}

/// One output of a graph.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// What it holds.
    pub meaning: String,
    /// Name in the graph.
    pub name: String,
    /// Dimensions without the batch.
    pub shape: Vec<usize>,
}

/// Where a file comes from.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// Package or repository, and the file in it.
    pub source: String,
    /// SHA-256 of that file, hexadecimal.
    pub source_sha256: String,
    /// Version or commit.
    pub version: String,
    /// What a user should know before use.
    pub note: String,
}

/// The face detector.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Detector {
    /// The method of pre- and post-processing.
    pub kind: DetectorKind,
    /// File name in the pack.
    pub file: String,
    /// SHA-256 of the file, hexadecimal.
    pub sha256: String,
    /// SPDX expression.
    pub licence: String,
    /// What the graph answers.
    pub outputs: Vec<Output>,
    /// What the graph is fed.
    pub input: Input,
    /// Where it comes from.
    pub provenance: Provenance,
}

/// Detectors this crate can run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum DetectorKind {
    /// BlazeFace, short range (Bazarevsky et al. 2019).
    #[serde(rename = "blazeface-short-range")]
    BlazeFaceShortRange,
}

/// The landmark model.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Landmarks {
    /// The method of pre- and post-processing.
    pub kind: LandmarksKind,
    /// File name in the pack.
    pub file: String,
    /// SHA-256 of the file, hexadecimal.
    pub sha256: String,
    /// SPDX expression.
    pub licence: String,
    /// Side of the square crop over the detector's longer side.
    pub crop_scale: f32,
    /// What the graph answers.
    pub outputs: Vec<Output>,
    /// What the graph is fed.
    pub input: Input,
    /// Where it comes from.
    pub provenance: Provenance,
}

/// Landmark models this crate can run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum LandmarksKind {
    /// 468-point face mesh (Kartynnik et al. 2019).
    #[serde(rename = "face-mesh-468")]
    FaceMesh468,
}

/// The recogniser.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recogniser {
    /// File name in the pack.
    pub file: String,
    /// SHA-256 of the file, hexadecimal.
    pub sha256: String,
    /// SPDX expression.
    pub licence: String,
    /// Number format of the weights, such as `fp32`.
    pub precision: String,
    /// How a face is laid onto the input.
    pub alignment: Alignment,
    /// Length of a feature vector.
    pub dimension: usize,
    /// File name of the calibration table.
    pub calibration: String,
    /// SHA-256 of the calibration table, hexadecimal.
    pub calibration_sha256: String,
    /// What the graph answers.
    pub outputs: Vec<Output>,
    /// What the graph is fed.
    pub input: Input,
    /// Where it comes from.
    pub provenance: Provenance,
}

/// Alignments this crate can make from the face mesh.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Alignment {
    /// Eye corners and nose base onto a 150-pixel chip with dlib's margins.
    #[serde(rename = "dlib-mesh-150")]
    DlibMesh150,
    /// Eye centres, nose tip and mouth corners onto the 112-pixel ArcFace template (Deng et al. 2019).
    #[serde(rename = "arcface-112")]
    Arcface112,
}

impl Alignment {
    /// Side of the aligned square in pixels.
    #[must_use]
    pub const fn side(self) -> usize {
        match self {
            Self::DlibMesh150 => 150,
            Self::Arcface112 => 112,
        }
    }
}

/// A presentation attack detector.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PresentationAttack {
    /// Its name among its like.
    pub name: String,
    /// File name in the pack.
    pub file: String,
    /// SHA-256 of the file, hexadecimal.
    pub sha256: String,
    /// SPDX expression.
    pub licence: String,
    /// What part of the picture it sees.
    pub crop: Crop,
    /// What the graph answers.
    pub outputs: Vec<Output>,
    /// Index of the bona fide class.
    pub bona_fide_class: usize,
    /// What the graph is fed.
    pub input: Input,
    /// Where it comes from.
    pub provenance: Provenance,
}

impl PresentationAttack {
    /// Whether this crate can run it: a square colour input and one output of classes, one of them bona fide.
    fn is_usable(&self) -> bool {
        let Input { shape: [channels, height, width], mean, scale, .. } = &self.input;
        let numbers = mean.iter().chain(scale).chain([&self.crop.scale]);
        let square = *channels == 3 && height == width && (16..=512).contains(height);
        let answers = match self.outputs.as_slice() {
            [one] => {
                matches!(one.meaning.as_str(), "probabilities" | "logits")
                    && matches!(one.shape[..], [classes] if (2..=16).contains(&classes) && self.bona_fide_class < classes)
            }
            _ => false,
        };
        square && answers && self.crop.scale > 0.0 && self.crop.scale <= 8.0 && numbers.copied().all(f32::is_finite)
    }
}

/// A calibration file of the pack.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalibrationName {
    /// File name in the pack.
    pub calibration: String,
    /// SHA-256 of the file, hexadecimal.
    pub sha256: String,
}

/// A crop around a face.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Crop {
    /// Whose rectangle: `detector` or `mesh`.
    #[serde(rename = "box")]
    pub rectangle: CropBox,
    /// Size of the crop over the size of that rectangle.
    pub scale: f32,
    /// Shape of the crop.
    pub shape: CropShape,
    /// What happens at the picture's edge.
    pub edge: CropEdge,
    /// How the crop is brought to the side of the input.
    #[serde(default)]
    pub filter: CropFilter,
}

/// Whose rectangle a crop starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CropBox {
    /// The detector's.
    Detector,
    /// The bounds of the landmarks.
    Mesh,
}

/// Shape of a crop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CropShape {
    /// The rectangle's own.
    Box,
    /// A square on its longer side.
    Square,
}

/// What a crop does at the picture's edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CropEdge {
    /// Moves inside.
    Shift,
    /// Mirrors the picture.
    Reflect,
}

/// How a crop is scaled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CropFilter {
    /// Bilinear samples, whatever is skipped between them.
    #[default]
    Linear,
    /// The mean over the area of each new pixel; bilinear where the crop is enlarged.
    Area,
}

/// A known answer of the recogniser.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SelfTest {
    /// The synthetic chip.
    pub pattern: Pattern,
    /// The first components of the answer.
    pub first: Vec<f32>,
    /// Allowed absolute difference.
    pub tolerance: f32,
}

/// Synthetic chips.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pattern {
    /// Channel c, in the input's colour order, is `(7 x + 13 y + 29 c) mod 256`.
    Ramp,
}

impl Manifest {
    /// Checks what types cannot.
    pub(crate) fn check(&self) -> Result<(), PackFault> {
        let square = |input: &Input, side: usize| input.shape == [3, side, side];
        let length = |outputs: &[Output], meaning: &str, want: usize| {
            outputs.iter().any(|o| o.meaning == meaning && o.shape.iter().product::<usize>() == want)
        };
        let finite = |input: &Input| input.mean.iter().chain(&input.scale).all(|v| v.is_finite());
        let inputs = [&self.detector.input, &self.landmarks.input, &self.recogniser.input];
        let rules = [
            (self.schema == 1, "schema"),
            (!self.name.is_empty(), "name"),
            (!self.feature_space.is_empty(), "feature_space"),
            (inputs.into_iter().all(finite), "input"),
            (square(&self.detector.input, 128), "detector.input.shape"),
            (length(&self.detector.outputs, "boxes", 896 * 16), "detector.outputs"),
            (length(&self.detector.outputs, "logits", 896), "detector.outputs"),
            (square(&self.landmarks.input, 192), "landmarks.input.shape"),
            (length(&self.landmarks.outputs, "points", 468 * 3), "landmarks.outputs"),
            (length(&self.landmarks.outputs, "presence_logit", 1), "landmarks.outputs"),
            ((1.0..=4.0).contains(&self.landmarks.crop_scale), "landmarks.crop_scale"),
            (square(&self.recogniser.input, self.recogniser.alignment.side()), "recogniser.input.shape"),
            (length(&self.recogniser.outputs, "features", self.recogniser.dimension), "recogniser.outputs"),
            (biometrics::features::DIMENSION_RANGE.contains(&self.recogniser.dimension), "recogniser.dimension"),
            (self.presentation_attack.iter().all(PresentationAttack::is_usable), "presentation_attack"),
            (!self.self_test.first.is_empty(), "self_test.first"),
            (self.self_test.first.len() <= self.recogniser.dimension, "self_test.first"),
            (self.self_test.first.iter().all(|v| v.is_finite()), "self_test.first"),
            (self.self_test.tolerance > 0.0 && self.self_test.tolerance.is_finite(), "self_test.tolerance"),
        ];
        rules.iter().find(|(met, _)| !met).map_or(Ok(()), |(_, key)| Err(PackFault::Value { key }))
    }
}
