//! Gate 3 inside the engine: detectors are an addition to an engine, and look at frames that passed quality.

use super::{Engine, EngineOptions, examine::Examined};
use crate::{
    error::VisionError,
    evidence::{Face, Pose},
    pack::{Pack, manifest::Crop},
    picture::Picture,
    presentation_attack::{self, Choice, Cutter, Finding, Panel, Views, Wanted},
    runtime::Runtime,
};
use biometrics::GateReason;

/// Frames in turn are seen a little closer, as they are and a little wider: an attack must hold at every scale.
const ZOOMS: [f32; 3] = [1.0, 0.95, 1.05];

impl Engine {
    /// Adds the pack's presentation attack detectors. Without them, or with a pack that has none or no operating point for
    /// them, gate 3 is NOT_RUN.
    ///
    /// # Errors
    /// [`VisionError::Model`] when ONNX Runtime refuses a model.
    pub fn with_presentation_attack(
        mut self,
        runtime: &Runtime,
        pack: &Pack,
        options: EngineOptions,
    ) -> Result<Self, VisionError> {
        self.presentation_attack = Panel::new(runtime, pack, options)?;
        Ok(self)
    }

    /// Whether gate 3 can be run at all: there are detectors, and an operating point for them.
    #[must_use]
    pub fn detects_presentation_attacks(&self) -> bool {
        self.presentation_attack.as_ref().is_some_and(Panel::can_judge)
    }

    /// What each detector says of one picture, outside any gate, with `face` as it was found or moved on purpose: log-odds
    /// of a bona fide presentation in the manifest's order. `None` without detectors or when the face is too small.
    ///
    /// # Errors
    /// [`VisionError::BadFrame`] with index 0 when the picture is refused; a model that fails.
    pub fn bona_fide(&mut self, jpeg: &[u8], face: &Face) -> Result<Option<Vec<f32>>, VisionError> {
        self.decode(0, jpeg)?;
        let picture = &self.picture;
        let panel = self.presentation_attack.as_mut();
        let answers = panel.and_then(|panel| panel.cut(picture, face, ZOOMS[0]).map(|views| panel.look(&views)));
        self.wipe();
        answers.transpose()
    }

    /// What a detector with this crop sees of one picture, for training one: interleaved RGB, `side` pixels square. `None`
    /// when the face is too small. The caller owns what it shows.
    ///
    /// # Errors
    /// [`VisionError::BadFrame`] with index 0 when the picture is refused.
    pub fn presentation_view(
        &mut self,
        jpeg: &[u8],
        face: &Face,
        (crop, side): (&Crop, usize),
    ) -> Result<Option<Vec<u8>>, VisionError> {
        self.decode(0, jpeg)?;
        let mut view = Picture::default();
        let seen = Cutter::default().cut(&self.picture, face, &Wanted { crop, zoom: 1.0, side }, &mut view);
        self.wipe();
        Ok(seen.then(|| view.pixels().to_vec()))
    }

    /// Keeps what the detectors will want to see of the frame at hand, unless others have outranked it: `pose` in degrees from
    /// a frontal view.
    pub(super) fn keep_views(&mut self, (index, pose): (usize, Pose), face: &Face, choice: &mut Choice<Views>) {
        let Some(panel) = self.presentation_attack.as_mut() else { return };
        let distance = pose.yaw.hypot(pose.pitch);
        if choice.wants(distance)
            && let Some(views) = panel.cut(&self.picture, face, ZOOMS[index % ZOOMS.len()])
        {
            choice.keep((index, distance), views);
        }
    }

    /// Gate 3 over the frames that were chosen.
    pub(super) fn judge_presentation(
        &mut self,
        examined: &mut [Examined],
        choice: Choice<Views>,
    ) -> Result<Finding, VisionError> {
        let Some(panel) = &mut self.presentation_attack else {
            return Ok(presentation_attack::not_run(GateReason::NoModel));
        };
        let mut answers = Vec::new();
        for (index, views) in choice.in_order() {
            let answer = panel.look(&views)?;
            if let Some(frame) = examined.get_mut(index) {
                frame.evidence.bona_fide.clone_from(&answer);
            }
            answers.push(answer);
        }
        Ok(panel.judge(&answers))
    }
}
