//! Gate 3: does a face look as a living one does to a camera, or as paper and screens do (ISO/IEC 30107-3)?
//!
//! Owns the pack's detectors, which frames they see and what their answers add up to. Must never know: the challenge, who is
//! in the picture. Invariant: a missing, strange or unfinished answer is never PASS, and nothing passes without
//! an operating point that was measured with exactly these detectors.

mod fusion;
mod view;

use crate::{
    engine::EngineOptions,
    error::VisionError,
    evidence::{Face, gate},
    pack::{Pack, manifest::PresentationAttack},
    picture::Picture,
    runtime::Runtime,
    session::{Model, Specification},
};
use biometrics::{Gate, GateReason, GateResult, GateStatus};

pub(crate) use fusion::Choice;
pub use fusion::fuse;
pub(crate) use view::{Cutter, Wanted};

/// Names the way in which answers become a score; an operating point belongs to it.
pub(crate) const METHOD: &str = "median-of-mean-1";

/// One of the pack's detectors, ready to run.
struct Detector {
    about: PresentationAttack,
    model: Model,
    reading: Reading,
}

/// What a detector's output holds.
#[derive(Clone, Copy)]
enum Reading {
    Probabilities,
    Logits,
}

/// What a frame leaves behind for this gate once its picture is gone: one small picture for each detector.
pub(crate) struct Views(Vec<Picture>);

/// What the gate found in a capture.
pub(crate) struct Finding {
    pub(crate) result: GateResult,
    /// The fused evidence for a bona fide presentation, in log-odds; higher is better.
    pub(crate) score: Option<f32>,
}

/// All detectors of a pack with their operating point.
pub(crate) struct Panel {
    detectors: Vec<Detector>,
    /// Without one the panel looks, so that one can be measured, and judges nothing.
    threshold: Option<f32>,
    cutter: Cutter,
}

impl Panel {
    /// Makes the sessions; `None` when the pack has no detector.
    pub(crate) fn new(runtime: &Runtime, pack: &Pack, options: EngineOptions) -> Result<Option<Self>, VisionError> {
        let mut detectors = Vec::new();
        for (about, bytes) in pack.manifest().presentation_attack.iter().zip(pack.presentation_attack_bytes()) {
            let reading = match about.outputs.first().map(|o| o.meaning.as_str()) {
                Some("probabilities") => Reading::Probabilities,
                _ => Reading::Logits,
            };
            let read = match reading {
                Reading::Probabilities => "probabilities",
                Reading::Logits => "logits",
            };
            let what = Specification {
                role: "presentation attack",
                bytes,
                input: &about.input,
                outputs: &about.outputs,
                read: &[read],
            };
            detectors.push(Detector { about: about.clone(), model: Model::new(runtime, &what, options)?, reading });
        }
        let threshold = pack.presentation_attack_threshold();
        let panel = Self { detectors, threshold, cutter: Cutter::default() };
        Ok((!panel.detectors.is_empty()).then_some(panel))
    }

    /// Cuts what the detectors want to see out of a frame; `None` when the face is too small for one of them. `zoom` is
    /// applied to each detector's own crop, so that frames are seen at several scales.
    pub(crate) fn cut(&mut self, picture: &Picture, face: &Face, zoom: f32) -> Option<Views> {
        let mut views = Vec::with_capacity(self.detectors.len());
        for detector in &self.detectors {
            let mut view = Picture::default();
            let side = detector.about.input.shape[1];
            let crop = Wanted { crop: &detector.about.crop, zoom, side };
            if !self.cutter.cut(picture, face, &crop, &mut view) {
                return None;
            }
            views.push(view);
        }
        Some(Views(views))
    }

    /// Runs every detector on its view: log-odds of a bona fide presentation, in the manifest's order.
    pub(crate) fn look(&mut self, views: &Views) -> Result<Vec<f32>, VisionError> {
        let mut answers = Vec::with_capacity(self.detectors.len());
        for (detector, view) in self.detectors.iter_mut().zip(&views.0) {
            detector.model.feed(view.pixels());
            detector.model.run()?;
            answers.push(detector.reading.log_odds(detector.model.output(0), detector.about.bona_fide_class));
        }
        Ok(answers)
    }

    /// Runs every detector on whatever its input holds, for benches.
    pub(crate) fn run_models_only(&mut self) -> Result<(), VisionError> {
        self.detectors.iter_mut().try_for_each(|detector| detector.model.run())
    }

    /// Whether there is an operating point.
    pub(crate) const fn can_judge(&self) -> bool {
        self.threshold.is_some()
    }

    /// What the answers over the chosen frames add up to.
    pub(crate) fn judge(&self, answers: &[Vec<f32>]) -> Finding {
        let Some(score) = fusion::fuse(answers) else { return inconclusive() };
        let Some(threshold) = self.threshold else {
            return Finding { score: Some(score), ..not_run(GateReason::NoModel) };
        };
        let (status, reasons) = match score.is_finite() && score >= threshold {
            true => (GateStatus::Pass, Vec::new()),
            false => (GateStatus::Fail, vec![GateReason::PresentationAttackSuspected]),
        };
        Finding { result: gate(Gate::PresentationAttack, status, reasons), score: Some(score) }
    }

    /// Wipes what is left of the last capture.
    pub(crate) fn wipe(&mut self) {
        self.detectors.iter_mut().for_each(|d| d.model.wipe());
        self.cutter.wipe();
    }
}

impl Reading {
    /// Logarithm of the odds of the class at `index`; not a number where the output has no such class.
    fn log_odds(self, output: &[f32], index: usize) -> f32 {
        let Some(&own) = output.get(index) else { return f32::NAN };
        let others = output.iter().enumerate().filter(|(i, _)| *i != index).map(|(_, &v)| v);
        match self {
            // Far more than any detector can know; keeps certainty finite.
            Self::Probabilities => {
                let rest: f32 = others.sum();
                (own.max(1e-6) / rest.max(1e-6)).ln()
            }
            Self::Logits => own - log_sum_exp(others),
        }
    }
}

fn log_sum_exp(values: impl Iterator<Item = f32> + Clone) -> f32 {
    let most = values.clone().fold(f32::NEG_INFINITY, f32::max);
    most + values.map(|v| (v - most).exp()).sum::<f32>().ln()
}

/// No frame showed a face large enough for the detectors, or an answer was no number.
pub(crate) fn inconclusive() -> Finding {
    let reasons = vec![GateReason::PresentationAttackNoView];
    Finding { result: gate(Gate::PresentationAttack, GateStatus::Inconclusive, reasons), score: None }
}

/// The gate did not run.
pub(crate) fn not_run(reason: GateReason) -> Finding {
    Finding { result: gate(Gate::PresentationAttack, GateStatus::NotRun, vec![reason]), score: None }
}

#[cfg(test)]
mod tests;
