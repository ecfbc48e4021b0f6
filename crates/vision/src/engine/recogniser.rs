//! A recogniser on a session of its own: aligned faces to features.
//!
//! Must never know: whose features, which pack is the present one. Invariant: its buffers hold nothing after `wipe`.

use super::EngineOptions;
use crate::{
    alignment,
    error::VisionError,
    evidence::Point,
    pack::manifest::{Alignment, Colour, Manifest, SelfTest},
    picture::Picture,
    resample::{Similarity, Warper},
    runtime::Runtime,
    session::{Model, Specification},
};
use biometrics::{Features, FeaturesError};

/// See the module.
pub(super) struct Recogniser {
    role: &'static str,
    model: Model,
    alignment: Alignment,
    colour: Colour,
    self_test: SelfTest,
}

impl Recogniser {
    /// Makes the session; `role` names it in errors.
    pub(super) fn new(
        runtime: &Runtime,
        (role, manifest, bytes): (&'static str, &Manifest, &[u8]),
        options: EngineOptions,
    ) -> Result<Self, VisionError> {
        let described = &manifest.recogniser;
        let what =
            Specification { role, bytes, input: &described.input, outputs: &described.outputs, read: &["features"] };
        Ok(Self {
            role,
            model: Model::new(runtime, &what, options)?,
            alignment: described.alignment,
            colour: described.input.colour,
            self_test: manifest.self_test.clone(),
        })
    }

    /// How a face lies on the input; `None` when its points have collapsed.
    pub(super) fn chip_map(&self, points: &[Point]) -> Option<Similarity> {
        alignment::chip_map(self.alignment, points)
    }

    /// The face on the input, cut out of the picture.
    pub(super) fn chip(&self, warper: &mut Warper, (picture, map): (&Picture, &Similarity), chip: &mut Picture) {
        warper.warp(picture, map, self.alignment.side(), chip);
    }

    /// Features of an aligned face.
    pub(super) fn recognise(&mut self, chip: &Picture) -> Result<Features, VisionError> {
        self.model.feed(chip.pixels());
        self.model.run()?;
        Features::new(self.model.output(0)).map_err(|_: FeaturesError| VisionError::NotFinite { model: self.role })
    }

    /// Runs on whatever the input holds.
    pub(super) fn run_only(&mut self) -> Result<(), VisionError> {
        self.model.run()
    }

    /// Runs on the pack's synthetic chip and compares the answer with the manifest's.
    pub(super) fn self_test(&mut self) -> Result<(), VisionError> {
        let side = self.alignment.side();
        let mut chip = Picture::default();
        chip.make_room(side, side).copy_from_slice(&ramp(side, self.colour));
        self.model.feed(chip.pixels());
        let ran = self.model.run();
        let differences = self.model.output(0).iter().zip(&self.self_test.first).map(|(a, b)| (a - b).abs());
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

    pub(super) fn wipe(&mut self) {
        self.model.wipe();
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
