//! Gates 1, 2 and 3 over the frames of a capture, then features fused over the good ones.

use super::{Engine, alignment};
use crate::{
    decode,
    error::VisionError,
    evidence::{Evidence, ExamineOptions, Frame, FrameEvidence},
    integrity,
    picture::Picture,
    presentation_attack::{self, Views},
    quality,
};
use biometrics::{ComparisonScore, Features, GateReason, GateStatus, Instruction};

/// What is kept of a frame once its picture is gone.
pub(super) struct Examined {
    pub(super) evidence: FrameEvidence,
    /// The aligned face of a good frame.
    chip: Option<Picture>,
    /// What the presentation attack detectors would look at, of a good frame.
    pub(super) views: Option<Views>,
    fingerprint: integrity::Fingerprint,
}

impl Engine {
    /// Examines a capture: gate 1, gate 2, and where both pass, gate 3 and features fused over the good frames.
    ///
    /// # Errors
    /// [`VisionError::NoFrames`], [`VisionError::BadFrame`] naming the first refused frame, or a model that fails.
    /// A poor capture is not an error.
    pub fn examine(&mut self, frames: &[Frame<'_>], options: ExamineOptions) -> Result<Evidence, VisionError> {
        let evidence = self.examine_frames(frames, options);
        self.wipe();
        evidence
    }

    fn examine_frames(&mut self, frames: &[Frame<'_>], options: ExamineOptions) -> Result<Evidence, VisionError> {
        if frames.is_empty() {
            return Err(VisionError::NoFrames);
        }
        for (index, frame) in frames.iter().enumerate() {
            decode::inspect(frame.jpeg).map_err(|fault| VisionError::BadFrame { index, fault })?;
        }
        let mut examined = Vec::with_capacity(frames.len());
        for (index, frame) in frames.iter().enumerate() {
            self.decode(index, frame.jpeg)?;
            examined.push(self.examine_frame(index, frame, options)?);
        }
        let prints: Vec<_> = examined.iter().map(|e| e.fingerprint).collect();
        let integrity = integrity::judge(frames, &prints);
        let reasons: Vec<_> = examined.iter().map(|e| e.evidence.reasons.as_slice()).collect();
        let quality = quality::judge_capture(&reasons);
        let passed = integrity.status == GateStatus::Pass && quality.status == GateStatus::Pass;
        let samples = if passed { self.recognise_all(&examined)? } else { Vec::new() };
        let presentation = match passed {
            true => self.judge_presentation(&mut examined)?,
            false => presentation_attack::not_run(GateReason::EarlierGate),
        };
        Ok(Evidence {
            presentation_attack: presentation.result,
            presentation_attack_score: presentation.score,
            frame_consistency: self.consistency(&samples),
            features: self.fuse(&samples)?,
            instructions: Instruction::for_reasons(&quality.reasons),
            per_frame: examined.into_iter().map(|e| e.evidence).collect(),
            integrity,
            quality,
        })
    }

    /// Measures the decoded picture and keeps its aligned face if it is good.
    fn examine_frame(
        &mut self,
        index: usize,
        frame: &Frame<'_>,
        options: ExamineOptions,
    ) -> Result<Examined, VisionError> {
        let found = self.detect()?;
        let fingerprint = integrity::Fingerprint::of(frame.jpeg, &self.picture, self.detector.letterbox());
        let mut evidence = FrameEvidence { faces: found.len() as u32, ..FrameEvidence::default() };
        let best = self.most_central(&found);
        let face = match &best {
            Some(best) => self.mesh.locate(&self.picture, best)?,
            None => None,
        };
        let measured = face.as_ref().map(|face| quality::Measured::of(face, &self.picture, &mut self.warper));
        let rivals = best.map_or(0, |best| quality::rivals(&best, &found));
        quality::judge_frame(measured.as_ref(), rivals, options, &mut evidence);
        let face = face.filter(|_| evidence.reasons.is_empty());
        let views = face.as_ref().and_then(|face| self.views(index, face));
        let map = face.and_then(|face| alignment::chip_map(self.alignment, &face.points));
        let chip = map.map(|map| {
            let mut chip = Picture::default();
            self.warper.warp(&self.picture, &map, self.alignment.side(), &mut chip);
            chip
        });
        Ok(Examined { evidence, chip, views, fingerprint })
    }

    fn recognise_all(&mut self, examined: &[Examined]) -> Result<Vec<Features>, VisionError> {
        let mut samples = Vec::with_capacity(examined.len());
        for chip in examined.iter().filter_map(|e| e.chip.as_ref()) {
            samples.push(self.recognise(chip)?);
        }
        Ok(samples)
    }

    fn fuse(&self, samples: &[Features]) -> Result<Option<Features>, VisionError> {
        if samples.is_empty() {
            return Ok(None);
        }
        self.metric.fuse(samples).map(Some).map_err(|_| VisionError::NotFinite { model: "recogniser" })
    }

    /// The lowest score between any two samples.
    fn consistency(&self, samples: &[Features]) -> Option<ComparisonScore> {
        let pairs = samples.iter().enumerate().flat_map(|(i, a)| samples[..i].iter().map(move |b| (a, b)));
        pairs.map(|(a, b)| self.metric.score(a, b)).reduce(ComparisonScore::lower)
    }
}
