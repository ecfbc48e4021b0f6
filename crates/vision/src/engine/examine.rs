//! Gates 1 to 4 over the frames of a capture, then features fused over the good ones.

use super::{Engine, recogniser::Recogniser};
use crate::{
    capture_integrity::Still,
    decode,
    detector::Detection,
    error::VisionError,
    evidence::{Evidence, ExamineOptions, Frame, FrameEvidence},
    integrity,
    picture::Picture,
    presentation_attack::{self, Choice, Views},
    quality,
};
use biometrics::{
    CaptureScript, ComparisonScore, Features, GateReason, GateResult, GateStatus, Instruction, capture_integrity,
    challenge_response, observation::FrameObservation,
};

/// Frames count as frontal up to so many degrees beyond the least turned one.
const FRONTAL_DEG: f32 = 12.0;

/// What is kept of a frame once its picture is gone.
pub(super) struct Examined {
    pub(super) evidence: FrameEvidence,
    /// The aligned face: of a good frame, and where there is a script of every frame.
    chip: Option<Picture>,
    /// The same for the recogniser of the pack before, of a good frame and where it is asked.
    previous_chip: Option<Picture>,
    fingerprint: integrity::Fingerprint,
    /// What gates 1 and 4 decide over, where there is a script.
    observation: Option<FrameObservation>,
}

/// A frame's features.
struct Recognised {
    features: Features,
    /// Inside the quality envelope.
    good: bool,
    /// How far the head is turned and nodded, in degrees.
    turned_deg: f32,
}

/// What is handed on from frame to frame.
#[derive(Default)]
struct Carried {
    /// The frame before, to compare this one with.
    before: Option<Still>,
    /// What presentation attack detectors will look at, of the most frontal good frames so far.
    choice: Choice<Views>,
}

/// What frames are examined for.
struct Asked<'a> {
    options: ExamineOptions,
    script: Option<&'a CaptureScript>,
}

impl Engine {
    /// Examines a capture: gate 1, gate 2, and where both pass, gate 3 and features fused over the good frames.
    ///
    /// # Errors
    /// [`VisionError::NoFrames`], [`VisionError::BadFrame`] naming the first refused frame, or a model that fails.
    /// A poor capture is not an error.
    pub fn examine(&mut self, frames: &[Frame<'_>], options: ExamineOptions) -> Result<Evidence, VisionError> {
        self.examine_asked(frames, &Asked { options, script: None })
    }

    /// Examines a capture that performs a script: as [`Engine::examine`], with the whole of gate 1, with gate 4, and with
    /// every frame's face in [`Evidence::frame_consistency`], the off-axis ones too.
    ///
    /// # Errors
    /// As [`Engine::examine`].
    pub fn examine_response(
        &mut self,
        frames: &[Frame<'_>],
        script: &CaptureScript,
        options: ExamineOptions,
    ) -> Result<Evidence, VisionError> {
        self.examine_asked(frames, &Asked { options, script: Some(script) })
    }

    fn examine_asked(&mut self, frames: &[Frame<'_>], asked: &Asked<'_>) -> Result<Evidence, VisionError> {
        let evidence = self.examine_frames(frames, asked);
        self.wipe();
        evidence
    }

    fn examine_frames(&mut self, frames: &[Frame<'_>], asked: &Asked<'_>) -> Result<Evidence, VisionError> {
        if frames.is_empty() {
            return Err(VisionError::NoFrames);
        }
        for (index, frame) in frames.iter().enumerate() {
            decode::inspect(frame.jpeg).map_err(|fault| VisionError::BadFrame { index, fault })?;
        }
        let (mut examined, mut carried) = (Vec::with_capacity(frames.len()), Carried::default());
        for (index, frame) in frames.iter().enumerate() {
            self.decode(index, frame.jpeg)?;
            examined.push(self.examine_frame((index, frame), asked, &mut carried)?);
        }
        let (integrity, challenge_response) = judge_answer(frames, &mut examined, asked);
        let reasons: Vec<_> = examined.iter().map(|e| e.evidence.reasons.as_slice()).collect();
        let quality = quality::judge_capture(&reasons);
        let passed = integrity.status == GateStatus::Pass && quality.status == GateStatus::Pass;
        let challenge_response = if passed { challenge_response } else { not_answered(GateReason::EarlierGate) };
        let recognised = if passed { self.recognise_all(&examined)? } else { Vec::new() };
        let previous_features = if passed { self.recognise_as_before(&examined)? } else { None };
        let presentation = match (passed, asked.options.presentation_attack) {
            (true, true) => self.judge_presentation(&mut examined, carried.choice)?,
            (true, false) => presentation_attack::not_run(GateReason::NotRequired),
            (false, _) => presentation_attack::not_run(GateReason::EarlierGate),
        };
        Ok(Evidence {
            presentation_attack: presentation.result,
            presentation_attack_score: presentation.score,
            frame_consistency: Self::consistency(&recognised)?,
            features: fuse(recognised.iter().filter(|frame| frame.good).map(|frame| &frame.features))?,
            previous_features,
            instructions: match asked.script {
                None => Instruction::for_reasons(&quality.reasons),
                Some(_) => instructions(&integrity, &quality, &challenge_response),
            },
            per_frame: examined.into_iter().map(|e| e.evidence).collect(),
            integrity,
            quality,
            challenge_response,
        })
    }

    /// Measures the decoded picture and keeps its aligned face if it is good.
    fn examine_frame(
        &mut self,
        (index, frame): (usize, &Frame<'_>),
        asked: &Asked<'_>,
        carried: &mut Carried,
    ) -> Result<Examined, VisionError> {
        let found = self.detect()?;
        let fingerprint = integrity::Fingerprint::of(frame.jpeg, &self.picture, self.detector.letterbox());
        let mut evidence = FrameEvidence { faces: found.len() as u32, ..FrameEvidence::default() };
        let best = self.most_central(&found);
        let face = match &best {
            Some(best) => self.mesh.locate(&self.picture, best)?,
            None => None,
        };
        let measured =
            face.as_ref().map(|face| quality::Measured::of(face, (frame.jpeg, &self.picture), &mut self.warper));
        let alone = !best.map_or(Ok(false), |best| self.has_rival(&best, &found))?;
        quality::judge_frame(measured.as_ref(), alone, asked.options, &mut evidence);
        let observation = asked.script.map(|_| {
            let posed = face.as_ref().zip(measured.as_ref().map(|m| m.pose));
            let present = posed.filter(|(face, _)| face.presence >= quality::MIN_PRESENCE);
            let (observation, still) = self.observation(frame, fingerprint, present, carried.before.as_ref());
            carried.before = Some(still);
            observation
        });
        let good = evidence.reasons.is_empty();
        if let Some(face) = face.as_ref().filter(|_| good && asked.options.presentation_attack) {
            self.keep_views((index, evidence.pose), face, &mut carried.choice);
        }
        let (picture, warper) = (&self.picture, &mut self.warper);
        let mut cut = |recogniser: &Recogniser| {
            let map = recogniser.chip_map(&face.as_ref()?.points)?;
            let mut chip = Picture::default();
            recogniser.chip(warper, (picture, &map), &mut chip);
            Some(chip)
        };
        let chip = if good || asked.script.is_some() { cut(&self.recogniser) } else { None };
        let previous = self.previous.as_ref().filter(|_| good && asked.options.previous);
        let previous_chip = previous.and_then(cut);
        Ok(Examined { evidence, chip, previous_chip, fingerprint, observation })
    }

    /// Whether another face competes with the chosen one: wallpaper and shadows that the detector takes for faces are none to
    /// the landmark model. It is asked of a few; who shows more has a crowd in the picture, whatever the model would say.
    fn has_rival(&mut self, chosen: &Detection, found: &[Detection]) -> Result<bool, VisionError> {
        let rivals = quality::rivals(chosen, found);
        if rivals.len() > quality::MAX_DOUBTED_RIVALS {
            return Ok(true);
        }
        for rival in rivals {
            let face = self.mesh.locate(&self.picture, &rival)?;
            if face.is_some_and(|face| face.presence >= quality::MIN_RIVAL_PRESENCE) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Features of every frame that has a face to compare.
    fn recognise_all(&mut self, examined: &[Examined]) -> Result<Vec<Recognised>, VisionError> {
        let mut recognised = Vec::with_capacity(examined.len());
        for Examined { evidence, chip, .. } in examined {
            let Some(chip) = chip else { continue };
            let turned_deg = evidence.pose.yaw.hypot(evidence.pose.pitch);
            recognised.push(Recognised {
                features: self.recogniser.recognise(chip)?,
                good: evidence.reasons.is_empty(),
                turned_deg,
            });
        }
        Ok(recognised)
    }

    /// Features by the recogniser of the pack before, fused over the good frames; `None` where it is not asked.
    fn recognise_as_before(&mut self, examined: &[Examined]) -> Result<Option<Features>, VisionError> {
        let Some(previous) = &mut self.previous else { return Ok(None) };
        let chips = examined.iter().filter_map(|frame| frame.previous_chip.as_ref());
        let samples: Vec<_> = chips.map(|chip| previous.recognise(chip)).collect::<Result<_, _>>()?;
        fuse(samples.iter())
    }

    /// The lowest score among the frontal frames, pair by pair, and between each other frame and the frontal ones fused: two
    /// frames turned to opposite sides lie outside what thresholds were calibrated on.
    fn consistency(recognised: &[Recognised]) -> Result<Option<ComparisonScore>, VisionError> {
        let least = recognised.iter().filter(|frame| frame.good).map(|frame| frame.turned_deg).reduce(f32::min);
        let Some(least) = least else { return Ok(None) };
        let is_frontal = |frame: &&Recognised| frame.good && frame.turned_deg <= least + FRONTAL_DEG;
        let (frontal, turned): (Vec<_>, Vec<_>) = recognised.iter().partition(is_frontal);
        let Some(fused) = fuse(frontal.iter().map(|frame| &frame.features))? else { return Ok(None) };
        let pairs = frontal.iter().enumerate().flat_map(|(i, a)| frontal[..i].iter().map(move |b| (a, b)));
        let among = pairs.map(|(a, b)| ComparisonScore::of(&a.features, &b.features));
        let aside = turned.iter().map(|frame| ComparisonScore::of(&frame.features, &fused));
        Ok(among.chain(aside).reduce(ComparisonScore::lower))
    }
}

/// One set of features out of those of several frames; `None` where there are none.
fn fuse<'a>(frames: impl Iterator<Item = &'a Features>) -> Result<Option<Features>, VisionError> {
    let samples: Vec<Features> = frames.map(Features::duplicate).collect();
    if samples.is_empty() {
        return Ok(None);
    }
    Features::fuse(&samples).map(Some).map_err(|_| VisionError::NotFinite { model: "recogniser" })
}

/// Gates 1 and 4. Without a script gate 1 is what it can be without one.
fn judge_answer(frames: &[Frame<'_>], examined: &mut [Examined], asked: &Asked<'_>) -> (GateResult, GateResult) {
    match asked.script {
        None => {
            let prints: Vec<_> = examined.iter().map(|e| e.fingerprint).collect();
            (integrity::judge(frames, &prints), not_answered(GateReason::ChallengeNotBinding))
        }
        Some(script) => {
            let observations: Vec<_> = examined.iter_mut().filter_map(|e| e.observation.take()).collect();
            let answer = challenge_response::judge(script, &observations);
            (capture_integrity::judge(script, &observations), answer.result)
        }
    }
}

/// Gate 4 where it was not run.
fn not_answered(reason: GateReason) -> GateResult {
    challenge_response::result(GateStatus::NotRun, vec![reason])
}

/// What the capture subject can do better. Of an answer that contradicts the script nothing is told, or who makes answers up
/// would learn which half of one was good.
fn instructions(integrity: &GateResult, quality: &GateResult, answer: &GateResult) -> Vec<Instruction> {
    let answer: &[GateReason] = if answer.status == GateStatus::Fail { &[] } else { &answer.reasons };
    Instruction::for_reasons(&[integrity.reasons.as_slice(), &quality.reasons, answer].concat())
}
