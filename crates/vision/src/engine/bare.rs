//! Single steps of the pipeline with nothing around them, for benches.
//!
//! Must never know: what the steps are measured against. Invariant: each does the work that the pipeline does in that step.

use super::Engine;
use crate::error::VisionError;

/// One of the engine's models.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Faces in a picture.
    Detector,
    /// The face mesh.
    Landmarks,
    /// Features of a face.
    Recogniser,
    /// All presentation attack detectors in turn.
    PresentationAttack,
}

impl Engine {
    /// Decodes one picture and nothing else: width and height.
    ///
    /// # Errors
    /// [`VisionError::BadFrame`] with index 0.
    pub fn decode_only(&mut self, jpeg: &[u8]) -> Result<(usize, usize), VisionError> {
        self.decode(0, jpeg)?;
        let size = (self.picture.width(), self.picture.height());
        self.picture.wipe();
        Ok(size)
    }

    /// Runs the three models of every frame once on whatever their inputs hold and nothing else.
    ///
    /// # Errors
    /// A model that fails.
    pub fn run_models_only(&mut self) -> Result<(), VisionError> {
        [Role::Detector, Role::Landmarks, Role::Recogniser].into_iter().try_for_each(|role| self.run_only(role))
    }

    /// Runs a model once on whatever its input holds and nothing else; without presentation attack detectors theirs is nothing.
    ///
    /// # Errors
    /// A model that fails.
    pub fn run_only(&mut self, role: Role) -> Result<(), VisionError> {
        match role {
            Role::Detector => self.detector.run_model_only(),
            Role::Landmarks => self.mesh.run_model_only(),
            Role::Recogniser => self.recogniser.run_only(),
            Role::PresentationAttack => {
                self.presentation_attack.as_mut().map_or(Ok(()), |panel| panel.run_models_only())
            }
        }
    }
}
