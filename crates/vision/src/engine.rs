//! The pipeline from frames to evidence, on sessions of its own.
//!
//! Owns the order of the steps and every buffer. Must never know: references, keys, who asks. Invariant: nothing of a
//! capture is left in the engine's own buffers when a call returns.

use crate::{
    alignment, decode,
    detector::{Detection, Detector},
    error::{FrameFault, VisionError},
    evidence::Sample,
    mesh::Mesh,
    pack::{
        Pack,
        manifest::{Alignment, Colour, SelfTest},
    },
    picture::Picture,
    presentation_attack::Panel,
    resample::Warper,
    runtime::Runtime,
    session::{Model, Specification},
};
use biometrics::{Features, FeaturesError};

mod bare;
mod examine;
mod observe;
mod presentation;

pub use bare::Role;

/// Detections below this score are not faces.
const DETECTION_THRESHOLD: f32 = 0.5;

/// How sessions use memory. Both off is the default: what ONNX Runtime keeps for the next run, it keeps unwiped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EngineOptions {
    /// Keep freed tensors for the next run.
    pub arena: bool,
    /// Lay out all tensors of a run in one block.
    pub memory_pattern: bool,
}

/// One thread's engine. Make as many as there are cores; an engine serves one caller at a time.
pub struct Engine {
    detector: Detector,
    mesh: Mesh,
    recogniser: Model,
    presentation_attack: Option<Panel>,
    alignment: Alignment,
    colour: Colour,
    self_test: SelfTest,
    warper: Warper,
    picture: Picture,
    chip: Picture,
    runs: u64,
}

impl Engine {
    /// Makes the sessions.
    ///
    /// # Errors
    /// [`VisionError::Model`] when ONNX Runtime refuses a model.
    pub fn new(runtime: &Runtime, pack: &Pack, options: EngineOptions) -> Result<Self, VisionError> {
        let m = pack.manifest();
        let detector = Specification {
            role: "detector",
            bytes: pack.detector_bytes(),
            input: &m.detector.input,
            outputs: &m.detector.outputs,
            read: &["boxes", "logits"],
        };
        let landmarks = Specification {
            role: "landmarks",
            bytes: pack.landmarks_bytes(),
            input: &m.landmarks.input,
            outputs: &m.landmarks.outputs,
            read: &["points", "presence_logit"],
        };
        let recogniser = Specification {
            role: "recogniser",
            bytes: pack.recogniser_bytes(),
            input: &m.recogniser.input,
            outputs: &m.recogniser.outputs,
            read: &["features"],
        };
        Ok(Self {
            detector: Detector::new(Model::new(runtime, &detector, options)?),
            mesh: Mesh::new(Model::new(runtime, &landmarks, options)?, m.landmarks.crop_scale),
            recogniser: Model::new(runtime, &recogniser, options)?,
            presentation_attack: None,
            alignment: m.recogniser.alignment,
            colour: m.recogniser.input.colour,
            self_test: m.self_test.clone(),
            warper: Warper::default(),
            picture: Picture::default(),
            chip: Picture::default(),
            runs: 0,
        })
    }

    /// Runs the recogniser on the pack's synthetic chip and compares the answer with the manifest's.
    ///
    /// # Errors
    /// [`VisionError::SelfTest`] naming the component that differs most.
    pub fn self_test(&mut self) -> Result<(), VisionError> {
        let side = self.alignment.side();
        let mut chip = Picture::default();
        chip.make_room(side, side).copy_from_slice(&ramp(side, self.colour));
        let ran = self.run_recogniser(&chip);
        let differences = self.recogniser.output(0).iter().zip(&self.self_test.first).map(|(a, b)| (a - b).abs());
        let worst = differences.enumerate().max_by(|a, b| a.1.total_cmp(&b.1));
        self.wipe();
        ran?;
        match worst {
            Some((component, error)) if error > self.self_test.tolerance => {
                Err(VisionError::SelfTest { component, error, tolerance: self.self_test.tolerance })
            }
            _ => Ok(()),
        }
    }

    /// Features of one picture by the protocol of the published figures (MODELS "Accuracy"): the face that maximises width
    /// times score less half its distance to the centre, no gates. `None` without a face.
    ///
    /// # Errors
    /// [`VisionError::BadFrame`] with index 0 when the picture is refused; a model that fails.
    pub fn features_of(&mut self, jpeg: &[u8]) -> Result<Option<Features>, VisionError> {
        Ok(self.sample(jpeg)?.map(|sample| sample.features))
    }

    /// As [`Engine::features_of`], with the face that was used.
    ///
    /// # Errors
    /// As [`Engine::features_of`].
    pub fn sample(&mut self, jpeg: &[u8]) -> Result<Option<Sample>, VisionError> {
        let sample = self.take_sample(jpeg);
        self.wipe();
        sample
    }

    /// Frames whose models have run since the engine was made.
    #[must_use]
    pub fn runs(&self) -> u64 {
        self.runs
    }

    fn take_sample(&mut self, jpeg: &[u8]) -> Result<Option<Sample>, VisionError> {
        self.decode(0, jpeg)?;
        let found = self.detect()?;
        let Some(best) = self.most_central(&found) else { return Ok(None) };
        let Some(face) = self.mesh.locate(&self.picture, &best)? else { return Ok(None) };
        let Some(map) = alignment::chip_map(self.alignment, &face.points) else { return Ok(None) };
        let mut chip = std::mem::take(&mut self.chip);
        self.warper.warp(&self.picture, &map, self.alignment.side(), &mut chip);
        let features = self.recognise(&chip);
        self.chip = chip;
        Ok(Some(Sample { face, features: features? }))
    }

    fn decode(&mut self, index: usize, jpeg: &[u8]) -> Result<(), VisionError> {
        decode::decode(jpeg, &mut self.picture).map_err(|fault: FrameFault| VisionError::BadFrame { index, fault })
    }

    fn detect(&mut self) -> Result<Vec<Detection>, VisionError> {
        self.runs += 1;
        self.detector.detect(&self.picture, DETECTION_THRESHOLD)
    }

    /// The face that maximises width times score less half its distance to the picture's centre.
    fn most_central(&self, found: &[Detection]) -> Option<Detection> {
        let (x, y) = (self.picture.width() as f32 / 2.0, self.picture.height() as f32 / 2.0);
        let rank = |d: &Detection| {
            let centre = d.rectangle.centre();
            d.weight() - (centre.x - x).hypot(centre.y - y) / 2.0
        };
        found.iter().copied().max_by(|a, b| rank(a).total_cmp(&rank(b)))
    }

    /// Features of an aligned face.
    fn recognise(&mut self, chip: &Picture) -> Result<Features, VisionError> {
        self.run_recogniser(chip)?;
        Features::new(self.recogniser.output(0))
            .map_err(|_: FeaturesError| VisionError::NotFinite { model: "recogniser" })
    }

    fn run_recogniser(&mut self, chip: &Picture) -> Result<(), VisionError> {
        self.recogniser.feed(chip.pixels());
        self.recogniser.run()
    }

    /// Wipes what is left of the last capture.
    fn wipe(&mut self) {
        self.detector.wipe();
        self.mesh.wipe();
        self.recogniser.wipe();
        if let Some(panel) = &mut self.presentation_attack {
            panel.wipe();
        }
        self.picture.wipe();
        self.chip.wipe();
    }
}

/// The synthetic chip of the known-answer test: channel c, in the model's colour order, is `(7 x + 13 y + 29 c) mod 256`.
fn ramp(side: usize, colour: Colour) -> Vec<u8> {
    let channels = match colour {
        Colour::Rgb => [0, 1, 2],
        Colour::Bgr => [2, 1, 0],
    };
    let pixel = |x: usize, y: usize| channels.map(|c| ((7 * x + 13 * y + 29 * c) % 256) as u8);
    (0..side).flat_map(|y| (0..side).flat_map(move |x| pixel(x, y))).collect()
}
