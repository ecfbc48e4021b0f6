//! Landmarks of one face: the 468-point face mesh (Kartynnik et al. 2019) on a square crop with level eyes.
//!
//! Must never know: what the points are used for. Invariant: points come back in pixels of the picture, depth in the same
//! unit.

use crate::{
    detector::{Detection, sigmoid},
    error::VisionError,
    evidence::{Face, Point},
    picture::Picture,
    resample::{Similarity, Warper},
    session::Model,
};

/// Side of the network's input.
const SIDE: usize = 192;

/// The landmark model.
pub(crate) struct Mesh {
    model: Model,
    crop_scale: f32,
    warper: Warper,
    crop: Picture,
}

impl Mesh {
    pub(crate) fn new(model: Model, crop_scale: f32) -> Self {
        Self { model, crop_scale, warper: Warper::default(), crop: Picture::default() }
    }

    /// Finds the landmarks of a detected face; `None` when the detection has no usable size.
    pub(crate) fn locate(&mut self, picture: &Picture, detection: &Detection) -> Result<Option<Face>, VisionError> {
        let Some(map) = self.crop_map(detection) else { return Ok(None) };
        self.warper.warp(picture, &map, SIDE, &mut self.crop);
        self.model.feed(self.crop.pixels());
        self.model.run()?;
        let (back, scale) = (map.inverse(), map.scale());
        let (numbers, presence) = (self.model.output(0).as_chunks::<3>().0, self.model.output(1));
        let place = |n: &[f32; 3]| {
            let (x, y) = back.apply(n[0].into(), n[1].into());
            Point { x: x as f32, y: y as f32 }
        };
        Ok(Some(Face {
            rectangle: detection.rectangle,
            detection_score: detection.score,
            presence: presence.first().map_or(0.0, |&logit| sigmoid(logit)),
            points: numbers.iter().map(place).collect(),
            depth: numbers.iter().map(|n| n[2] / scale as f32).collect(),
        }))
    }

    /// Runs the model on whatever its input holds, for benches.
    pub(crate) fn run_model_only(&mut self) -> Result<(), VisionError> {
        self.model.run()
    }

    /// Wipes what is left of the last face.
    pub(crate) fn wipe(&mut self) {
        self.model.wipe();
        self.crop.wipe();
    }

    fn crop_map(&self, detection: &Detection) -> Option<Similarity> {
        let (right, left, area) = (detection.right_eye, detection.left_eye, detection.rectangle);
        let angle = f64::from(left.y - right.y).atan2(f64::from(left.x - right.x));
        let side = f64::from(area.width().max(area.height()) * self.crop_scale);
        let map = Similarity::about(area.centre(), SIDE as f64 / side, -angle, SIDE as f64 / 2.0);
        (side > 1.0 && map.is_usable()).then_some(map)
    }
}
