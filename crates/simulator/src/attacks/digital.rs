//! Streams in place of the camera, and true captures cut together or sent for another script.

use super::AttackInputs;
use crate::{
    camera::Camera,
    capture::{Capture, Frame, Shot, film, jpeg},
    conditions::{Conditions, mix},
    error::SimulatorError,
    script::Script,
};
use image::RgbImage;
use rand::{RngExt, SeedableRng, rngs::StdRng};

/// The moments at which the live script's frames are taken.
fn live_times(inputs: &AttackInputs<'_>) -> Vec<f32> {
    Camera::new(inputs.conditions).times(inputs.script)
}

/// An older capture of the victim, made under some conditions.
fn older(inputs: &AttackInputs<'_>, conditions: &Conditions) -> Result<Vec<Shot>, SimulatorError> {
    film(inputs.victim, [inputs.older_script; 2], conditions)
}

/// A still file, frame after frame.
pub(super) fn still(inputs: &AttackInputs<'_>) -> Result<Capture, SimulatorError> {
    let conditions = inputs.conditions.elsewhere(61);
    let quiet = Script { slots: Vec::new(), frame_times_ms: vec![0] };
    let shots = film(inputs.victim, [&quiet; 2], &conditions)?;
    let Some(file) = shots.first() else { return Ok(Capture::default()) };
    let mut rng = inputs.conditions.rng(62);
    let manner = rng.random_range(0..3);
    let frame = |(i, ms): (usize, f32)| {
        let (picture, quality) = match manner {
            0 => (file.picture.clone(), inputs.conditions.jpeg_quality),
            1 => (file.picture.clone(), inputs.conditions.jpeg_quality.saturating_sub(i as u8 % 16)),
            _ => (shaken(&file.picture, mix(inputs.conditions.seed, i as u64)), inputs.conditions.jpeg_quality),
        };
        Ok(Frame { jpeg: jpeg(&picture, quality)?, offset_ms: ms.round() as u32 })
    };
    let frames = live_times(inputs).into_iter().enumerate().map(frame).collect::<Result<_, SimulatorError>>()?;
    Ok(Capture { frames })
}

/// Shifted by up to two pixels, brightness and grain changed a little.
fn shaken(picture: &RgbImage, seed: u64) -> RgbImage {
    let mut rng = StdRng::seed_from_u64(seed);
    let (dx, dy) = (rng.random_range(0..3_u32), rng.random_range(0..3_u32));
    let gain = rng.random_range(0.97..1.03_f32);
    let (width, height) = picture.dimensions();
    RgbImage::from_fn(width, height, |x, y| {
        let mut pixel = *picture.get_pixel((x + dx).min(width - 1), (y + dy).min(height - 1));
        let grain = rng.random_range(-3.0..3.0_f32);
        pixel.0 = pixel.0.map(|level| (f32::from(level) * gain + grain).clamp(0.0, 255.0) as u8);
        pixel
    })
}

/// A photograph whose head software turns as the live script asks, in unchanging light.
pub(super) fn animation(inputs: &AttackInputs<'_>) -> Result<Vec<Shot>, SimulatorError> {
    let performed = inputs.script.without_light();
    film(inputs.victim, [&performed, &Script::default()], &inputs.conditions.elsewhere(63))
}

/// The same, every pixel tinted alike.
pub(super) fn tinted(inputs: &AttackInputs<'_>) -> Result<Vec<Shot>, SimulatorError> {
    let share = inputs.conditions.rng(64).random_range(0.12..0.4_f32);
    let mut shots = animation(inputs)?;
    for shot in &mut shots {
        let Some(rgb) = inputs.script.light_at(shot.ms - inputs.conditions.lag_ms) else { continue };
        let tables = rgb.map(|light| {
            let gain = 1.0 - 0.5 * share + share * f32::from(light) / 255.0;
            std::array::from_fn::<u8, 256, _>(|level| (level as f32 * gain).min(255.0) as u8)
        });
        for pixel in shot.picture.pixels_mut() {
            for (level, table) in pixel.0.iter_mut().zip(&tables) {
                *level = table[usize::from(*level)];
            }
        }
    }
    Ok(shots)
}

/// Gives shots the live script's times, as many as there are of both.
fn retime(mut shots: Vec<Shot>, inputs: &AttackInputs<'_>) -> Vec<Shot> {
    let times = live_times(inputs);
    shots.truncate(times.len());
    for (shot, ms) in shots.iter_mut().zip(times) {
        shot.ms = ms;
    }
    shots
}

/// A true capture for an older script under the live script's times, made in the same place.
pub(super) fn wrong_nonce(inputs: &AttackInputs<'_>) -> Result<Vec<Shot>, SimulatorError> {
    Ok(retime(older(inputs, &inputs.conditions.again(65))?, inputs))
}

/// A true capture for another action's script, as it is.
pub(super) fn other_action(inputs: &AttackInputs<'_>) -> Result<Vec<Shot>, SimulatorError> {
    older(inputs, &inputs.conditions.again(66))
}

/// The first third of an older capture, repeated.
pub(super) fn looped(inputs: &AttackInputs<'_>) -> Result<Vec<Shot>, SimulatorError> {
    let shots = older(inputs, &inputs.conditions.again(67))?;
    let turn = (shots.len() / 3).max(1).min(shots.len());
    let again = |(i, ms): (usize, f32)| shots.get(i % turn.max(1)).map(|s| Shot { picture: s.picture.clone(), ms });
    Ok(live_times(inputs).into_iter().enumerate().filter_map(again).collect())
}

/// Half of one older capture, half of another from elsewhere.
pub(super) fn spliced(inputs: &AttackInputs<'_>) -> Result<Vec<Shot>, SimulatorError> {
    let mut shots = older(inputs, &inputs.conditions.again(68))?;
    let second = older(inputs, &inputs.conditions.elsewhere(69))?;
    let half = shots.len() / 2;
    shots.splice(half.., second.into_iter().skip(half));
    Ok(retime(shots, inputs))
}

/// An older capture's frames, each used once, in the order that matches the live colours best.
pub(super) fn reordered(inputs: &AttackInputs<'_>) -> Result<Vec<Shot>, SimulatorError> {
    let conditions = inputs.conditions.again(70);
    let pool = older(inputs, &conditions)?;
    Ok(choose(inputs, labelled(pool, inputs.older_script, conditions.lag_ms)))
}

/// The same from two older captures.
pub(super) fn assembled(inputs: &AttackInputs<'_>) -> Result<Vec<Shot>, SimulatorError> {
    let (first, second) = (inputs.conditions.again(71), inputs.conditions.again(72));
    let mut pool = labelled(older(inputs, &first)?, inputs.older_script, first.lag_ms);
    pool.extend(labelled(older(inputs, &second)?, inputs.older_script, second.lag_ms));
    Ok(choose(inputs, pool))
}

type Labelled = (Shot, [u8; 3]);

/// Shots with the colour that fell on them; black for none.
fn labelled(shots: Vec<Shot>, script: &Script, lag_ms: f32) -> Vec<Labelled> {
    let label = |shot: Shot| {
        let rgb = script.light_at(shot.ms - lag_ms).unwrap_or_default();
        (shot, rgb)
    };
    shots.into_iter().map(label).collect()
}

/// For every live moment the remaining shot whose colour is nearest, the earliest of equals.
fn choose(inputs: &AttackInputs<'_>, mut pool: Vec<Labelled>) -> Vec<Shot> {
    let mut chosen = Vec::new();
    for ms in live_times(inputs) {
        let wanted = inputs.script.light_at(ms - inputs.conditions.lag_ms).unwrap_or_default();
        let far = |rgb: &[u8; 3]| (0..3).map(|i| u32::from(rgb[i].abs_diff(wanted[i]))).sum::<u32>();
        let Some((at, _)) = pool.iter().enumerate().min_by_key(|(_, (_, rgb))| far(rgb)) else { break };
        let (shot, _) = pool.remove(at);
        chosen.push(Shot { picture: shot.picture, ms });
    }
    chosen
}

/// The attacker's live capture with the victim's older one in every third frame.
pub(super) fn taking_turns(inputs: &AttackInputs<'_>) -> Result<Vec<Shot>, SimulatorError> {
    let attacker = inputs.attacker.unwrap_or(inputs.victim);
    let mut shots = film(attacker, [inputs.script; 2], inputs.conditions)?;
    for (i, old) in older(inputs, &inputs.conditions.again(73))?.into_iter().enumerate().filter(|(i, _)| i % 3 == 1) {
        if let Some(shot) = shots.get_mut(i) {
            shot.picture = old.picture;
        }
    }
    Ok(shots)
}
