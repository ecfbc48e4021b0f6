//! Captures to measure on: 8 frames of 640x480, rendered from portraits, each of which all five gates pass.
//!
//! Must never know: what is measured. Invariant: equal portraits give equal captures, and each is examined to its end, so that
//! no gate's work is missing from a figure.

use crate::Common;
use anyhow::{Context, Result, ensure};
use biometrics::{
    CaptureMode, CaptureScript, ComparisonScore, Features, GateStatus, KeyedTransform, ReferenceId, ScriptInputs,
    TenantId,
    challenge::{Step, Target},
};
use image::{ImageReader, RgbImage, codecs::jpeg::JpegEncoder, imageops::FilterType};
use simulator::{Conditions, Portrait, Script, render};
use std::path::Path;
use uuid::Uuid;
use vision::{Engine, EngineOptions, ExamineOptions, Frame, Pack, Runtime};

/// Frames of a capture: the first one, one in each light slot, and the last one.
pub(crate) const FRAMES: usize = 8;
/// Light slots of a script that asks for so many frames; the default script has two more of them.
const LIGHT_SLOTS: usize = FRAMES - 2;
/// Captures that are made.
const WANTED: usize = 6;
/// Portraits are shrunk to this many pixels on their longer side, as a frame may not be larger.
const LONGEST: u32 = 1280;
/// What gate 5 is held against.
const FMR: f64 = 1e-3;
/// What the default policy asks for, all gates on.
pub(crate) const OPTIONS: ExamineOptions =
    ExamineOptions { min_inter_eye_px: 60, presentation_attack: true, previous: false };

/// One capture and what it is compared with.
pub(crate) struct Filmed {
    script: CaptureScript,
    frames: Vec<simulator::Frame>,
    /// Of another capture of the same person, transformed as a stored reference is.
    reference: Features,
}

impl Filmed {
    /// The frames as the engine takes them.
    pub(crate) fn frames(&self) -> Vec<Frame<'_>> {
        self.frames.iter().map(|f| Frame { jpeg: &f.jpeg, offset_ms: f.offset_ms }).collect()
    }

    /// The script that the frames answer.
    pub(crate) fn script(&self) -> &CaptureScript {
        &self.script
    }

    /// Gate 5 as the worker computes it: the probe transformed by the reference's key, and compared.
    pub(crate) fn compare(&self, probe: &Features) -> ComparisonScore {
        ComparisonScore::of(&transform().apply(probe), &self.reference)
    }
}

/// An engine with all gates.
pub(crate) fn engine(runtime: &Runtime, pack: &Pack) -> Result<Engine> {
    let options = EngineOptions::default();
    Ok(Engine::new(runtime, pack, options)?.with_presentation_attack(runtime, pack, options)?)
}

/// Renders captures of the people on the images, several of each where there are few images.
pub(crate) fn film(common: &Common, engine: &mut Engine, pack: &Pack) -> Result<Vec<Filmed>> {
    let threshold = pack.calibration().threshold_at(FMR).context("the pack's calibration does not reach 1e-3")?;
    let mut filmed = Vec::new();
    for (number, path) in (0..10 * WANTED as u64).zip(common.images.iter().cycle()) {
        if filmed.len() == WANTED {
            break;
        }
        let Some(portrait) = portrait(engine, path)? else { continue };
        filmed.extend(passing(engine, &portrait, (number, threshold))?);
    }
    ensure!(!filmed.is_empty(), "no capture of the people on the images passes all gates");
    Ok(filmed)
}

/// A capture of the person that passes all gates; `None` where one of them refuses it.
fn passing(engine: &mut Engine, portrait: &Portrait, (number, threshold): (u64, f64)) -> Result<Option<Filmed>> {
    let capture = |number| -> Result<_> {
        let script = script(number);
        let frames = render(portrait, &Script::from(&script), &Conditions::typical(number))?.frames;
        ensure!(frames.len() == FRAMES, "a capture of {} frames", frames.len());
        Ok((script, frames))
    };
    let ((script, frames), (other_script, others)) = (capture(2 * number)?, capture(2 * number + 1)?);
    let mut features = |script: &CaptureScript, frames: &[simulator::Frame]| -> Result<Option<Features>> {
        let frames: Vec<_> = frames.iter().map(|f| Frame { jpeg: &f.jpeg, offset_ms: f.offset_ms }).collect();
        let evidence = engine.examine_response(&frames, script, OPTIONS)?;
        let passed = evidence.gates().iter().all(|gate| gate.status == GateStatus::Pass);
        let one_face = evidence.frame_consistency.is_none_or(|score| score.is_match(threshold));
        Ok(evidence.features.filter(|_| passed && one_face))
    };
    let (Some(probe), Some(reference)) = (features(&script, &frames)?, features(&other_script, &others)?) else {
        return Ok(None);
    };
    let filmed = Filmed { script, frames, reference: transform().apply(&reference) };
    Ok(filmed.compare(&probe).is_match(threshold).then_some(filmed))
}

/// A script of light and motion with fewer light slots than the default one; the head targets share its time.
fn script(number: u64) -> CaptureScript {
    let (nonce, tenant) = ([number.to_be_bytes(); 2].concat(), TenantId::new(Uuid::nil()));
    let mode = CaptureMode::LightAndMotion;
    let whole =
        CaptureScript::derive(&ScriptInputs { nonce: &nonce, tenant, action_sha256: &[7; 32], mode, attempt: 1 });
    let mut steps: Vec<Step> = whole.light_steps().map(|(step, _)| *step).take(LIGHT_SLOTS).collect();
    let (from, to) = (steps.first().map_or(0, |s| s.at_ms), steps.last().map_or(0, Step::end_ms));
    let heads: Vec<_> = whole.head_steps().map(|(_, head)| head).collect();
    let duration_ms = (to - from) / heads.len().max(1) as u32;
    let head = |(i, target)| Step { at_ms: from + i * duration_ms, duration_ms, target: Target::Head(target) };
    steps.extend((0..).zip(heads).map(head));
    CaptureScript::of_steps(mode, 1, steps)
}

fn transform() -> KeyedTransform {
    KeyedTransform::derive(&[1; 32], TenantId::new(Uuid::nil()), ReferenceId::new(Uuid::nil()), 1)
}

/// The person on a picture; `None` without a face.
fn portrait(engine: &mut Engine, path: &Path) -> Result<Option<Portrait>> {
    let picture = ImageReader::open(path)?.with_guessed_format()?.decode()?;
    let fits = picture.width().max(picture.height()) <= LONGEST;
    let picture = if fits { picture } else { picture.resize(LONGEST, LONGEST, FilterType::Triangle) }.to_rgb8();
    let Some(sample) = engine.sample(&jpeg(&picture)?)? else { return Ok(None) };
    let points = sample.face.points.iter().zip(&sample.face.depth).map(|(p, &z)| [p.x, p.y, z]).collect();
    Ok(Portrait::new(picture, points).ok())
}

fn jpeg(picture: &RgbImage) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, 95).encode_image(picture)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_ask_for_eight_frames_light_and_two_head_targets() {
        for number in 0..50 {
            let script = script(number);
            assert_eq!(script.frame_times_ms().len(), FRAMES);
            assert_eq!((script.light_steps().count(), script.head_steps().count()), (LIGHT_SLOTS, 2));
            let last = script.light_steps().last().unwrap().0.end_ms();
            assert!(script.head_steps().all(|(step, _)| step.end_ms() <= last));
        }
        assert_ne!(script(0), script(1));
    }
}
