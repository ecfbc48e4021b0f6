//! Observations of a capture's frames for the decisions of gates 1 and 4.
//!
//! Must never know: the script. Invariant: a frame without a face is observed too.

use super::Engine;
use crate::{
    capture_integrity::{self, Still},
    challenge_response,
    detector::SIDE,
    error::VisionError,
    evidence::{Face, Frame, Pose},
    integrity::Fingerprint,
    quality,
};
use biometrics::observation::FrameObservation;

impl Engine {
    /// Observes the frames of a capture and judges nothing, for evaluation.
    ///
    /// # Errors
    /// [`VisionError::BadFrame`] naming the first refused frame, or a model that fails.
    pub fn observe(&mut self, frames: &[Frame<'_>]) -> Result<Vec<FrameObservation>, VisionError> {
        let observations = self.observe_frames(frames);
        self.wipe();
        observations
    }

    fn observe_frames(&mut self, frames: &[Frame<'_>]) -> Result<Vec<FrameObservation>, VisionError> {
        let (mut observations, mut before) = (Vec::with_capacity(frames.len()), None);
        for (index, frame) in frames.iter().enumerate() {
            self.decode(index, frame.jpeg)?;
            let found = self.detect()?;
            let face = match self.most_central(&found) {
                Some(best) => self.mesh.locate(&self.picture, &best)?,
                None => None,
            };
            let face = face.filter(|face| face.presence >= quality::MIN_PRESENCE);
            let measured =
                face.as_ref().map(|face| quality::Measured::of(face, (frame.jpeg, &self.picture), &mut self.warper));
            let face = face.as_ref().zip(measured.map(|m| m.pose));
            let print = Fingerprint::of(frame.jpeg, &self.picture, self.detector.letterbox());
            let (observation, still) = self.observation(frame, print, face, before.as_ref());
            observations.push(observation);
            before = Some(still);
        }
        Ok(observations)
    }

    /// Observes the decoded picture; `before` is what the frame before left behind, and the second answer what this one does.
    pub(super) fn observation(
        &self,
        frame: &Frame<'_>,
        print: Fingerprint,
        face: Option<(&Face, Pose)>,
        before: Option<&Still>,
    ) -> (FrameObservation, Still) {
        let rectangle = face.map(|(face, _)| face.rectangle);
        let still = Still::of(self.detector.letterbox(), SIDE, rectangle, &self.picture);
        let observation = FrameObservation {
            offset_ms: frame.offset_ms,
            width: self.picture.width() as u32,
            height: self.picture.height() as u32,
            file: print.bytes,
            picture: print.pixels,
            encoding: capture_integrity::encoding(frame.jpeg),
            noise: capture_integrity::noise(&self.picture),
            unchanged: before.and_then(|before| still.unchanged(before)),
            grid: challenge_response::observe_grid(&self.picture),
            face: face.map(|(face, pose)| challenge_response::observe_face(face, pose, &self.picture)),
        };
        (observation, still)
    }
}
