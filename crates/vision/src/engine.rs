//! The pipeline from frames to evidence, on sessions of its own.
//!
//! Owns the order of the steps and every buffer. Must never know: references, keys, who asks. Invariant: nothing of a
//! capture is left in the engine's own buffers when a call returns.

use crate::{
    decode,
    detector::{Detection, Detector},
    error::{FrameFault, VisionError},
    evidence::Sample,
    mesh::Mesh,
    pack::{Pack, PreviousPack},
    picture::Picture,
    presentation_attack::Panel,
    resample::Warper,
    runtime::Runtime,
    session::{Model, Specification},
};
use biometrics::Features;

mod bare;
mod examine;
mod observe;
mod presentation;
mod recogniser;

pub use bare::Role;

use recogniser::Recogniser;

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
    recogniser: Recogniser,
    /// Of the pack before, for references that it made.
    previous: Option<Recogniser>,
    presentation_attack: Option<Panel>,
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
        let recogniser = Recogniser::new(runtime, ("recogniser", m, pack.recogniser_bytes()), options)?;
        Ok(Self {
            detector: Detector::new(Model::new(runtime, &detector, options)?),
            mesh: Mesh::new(Model::new(runtime, &landmarks, options)?, m.landmarks.crop_scale),
            recogniser,
            previous: None,
            presentation_attack: None,
            warper: Warper::default(),
            picture: Picture::default(),
            chip: Picture::default(),
            runs: 0,
        })
    }

    /// Adds the recogniser of the pack before, which [`ExamineOptions::previous`](crate::ExamineOptions) asks.
    ///
    /// # Errors
    /// [`VisionError::Model`] when ONNX Runtime refuses the model.
    pub fn with_previous(
        mut self,
        runtime: &Runtime,
        pack: &PreviousPack,
        options: EngineOptions,
    ) -> Result<Self, VisionError> {
        let what = ("previous recogniser", pack.manifest(), pack.recogniser_bytes());
        self.previous = Some(Recogniser::new(runtime, what, options)?);
        Ok(self)
    }

    /// Runs each recogniser on its pack's synthetic chip and compares the answer with the manifest's.
    ///
    /// # Errors
    /// [`VisionError::SelfTest`] naming the component that differs most.
    pub fn self_test(&mut self) -> Result<(), VisionError> {
        self.recogniser.self_test()?;
        self.previous.as_mut().map_or(Ok(()), Recogniser::self_test)
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
        let Some(map) = self.recogniser.chip_map(&face.points) else { return Ok(None) };
        let mut chip = std::mem::take(&mut self.chip);
        self.recogniser.chip(&mut self.warper, (&self.picture, &map), &mut chip);
        let features = self.recogniser.recognise(&chip);
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

    /// Wipes what is left of the last capture.
    fn wipe(&mut self) {
        self.detector.wipe();
        self.mesh.wipe();
        self.recogniser.wipe();
        if let Some(previous) = &mut self.previous {
            previous.wipe();
        }
        if let Some(panel) = &mut self.presentation_attack {
            panel.wipe();
        }
        self.picture.wipe();
        self.chip.wipe();
    }
}
