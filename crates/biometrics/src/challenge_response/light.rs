//! The light part: colours read from the face against its background, then held against the script.
//!
//! Ratios to the ambient frames take skin colour out (retinex; each channel's albedo cancels). The median ratio of the far
//! background is divided out with them: exposure and white balance change both alike, while light from the screen falls with
//! the square of the distance. What is left per channel is the screen's share of the light on the face. The channel that
//! moved least is taken as unlit, so that shading by a turning head cancels; each channel is scaled by its own typical
//! response, so that coloured ambient light does not bend hues; the colour is the nearest of six hues.

mod change;
mod colour;
mod relief;

use super::Reasons;
use crate::{
    CaptureScript, GateReason,
    challenge::LIGHT_ERRORS,
    observation::{Colour, FrameObservation},
};
use change::{Change, changes};
use colour::{agreement, middle, read, scales, shares, strongest};
use relief::{gains, relief, spread};
use std::ops::RangeInclusive;

/// Smallest screen share of the light, median over slots: below, ambient light drowns the screen.
const MIN_AMPLITUDE: f32 = 0.03;
/// A slot whose share is below this part of the median is not read.
const MIN_SLOT_SHARE: f32 = 0.3;
/// Correlation with the script over all slots and channels.
const MIN_CORRELATION: f32 = 0.75;
/// Background response over the face's: a plane that holds both answers alike, a room behind a head answers little.
const MAX_BACKGROUND_SHARE: f32 = 0.6;
/// Regions that must correlate with the script each on its own. The cheeks of a turned head are not seen.
const MIN_REGIONS: usize = 4;
/// Correlation of one region.
const MIN_REGION_CORRELATION: f32 = 0.55;
/// Deviation of the regions' responses over their mean, in slots where the head looks as it did in ambient light. Light from
/// a screen falls on a head at as many angles as it has normals; on paper, and where software tints a picture, regions
/// answer more alike; on a picture that answers nothing, chance decides and they differ wildly. Simulated heads have 0.21 to
/// 0.39, prints of all forms 0.04 to 0.18. Light alone asks for it; beside motion there are too few such slots.
const SPREAD: RangeInclusive<f32> = 0.195..=0.7;
/// Least relief: how far the regions' responses differ as a head's do, where 1 is a typical head ...
const MIN_RELIEF: f32 = 0.5;
/// ... and least correlation of their differences with a head's. Of 347 simulated captures of the people that limits are set
/// with, beside motion, 6 have less of either; of 85 faces pasted over such heads and lit alike all over, or tinted as a
/// whole, that answer the script otherwise, 3 have both.
const MIN_LIKENESS: f32 = 0.45;

/// Figures behind the light part's decision.
#[derive(Debug, Clone, PartialEq)]
pub struct LightFigures {
    /// Slots read as another colour than the script's.
    pub wrong: usize,
    /// Slots not read.
    pub unread: usize,
    /// Per slot, the screen's share of the light on the face by channel, each channel in parts of its typical one.
    pub seen: Vec<Option<Colour>>,
    /// Screen share of the light on the face, median over slots.
    pub amplitude: f32,
    /// Correlation with the script.
    pub correlation: f32,
    /// Background response over the face's own; 0 where the background is too dark to answer.
    pub background_share: f32,
    /// Whether the background is too dark to be measured.
    pub dark: bool,
    /// Deviation of the regions' responses over their mean.
    pub spread: f32,
    /// How far the regions' responses differ as a head's do: about 1 on a head, 0 where all are lit alike.
    pub relief: f32,
    /// Correlation of the regions' differences with a head's.
    pub likeness: f32,
    /// Each region's correlation with the script, in the order of [`crate::observation::Region::ALL`]; `None` where it was not measured.
    pub region_correlation: [Option<f32>; 8],
    /// Each region's response relative to their mean.
    pub region_gain: [Option<f32>; 8],
}

/// Judges the light part and adds its reasons. `None` where nothing could be read.
pub(super) fn judge(
    script: &CaptureScript,
    frames: &[FrameObservation],
    reasons: &mut Reasons,
) -> Option<LightFigures> {
    let expected: Vec<Colour> = script.light_steps().map(|(_, rgb)| rgb.map(|v| f32::from(v) / 255.0)).collect();
    let changes = match changes(script, frames, expected.len()) {
        Ok(changes) => changes,
        Err(reason) => {
            reasons.push(reason);
            return None;
        }
    };
    let figures = figures(&expected, &changes);
    // A face that answers no more than what is behind it is a picture of a face, however strong the answer.
    let flat = figures.background_share > MAX_BACKGROUND_SHARE;
    let weak = figures.amplitude < MIN_AMPLITUDE;
    let regions = figures.region_correlation.iter().flatten().filter(|c| **c >= MIN_REGION_CORRELATION).count();
    let answered = figures.correlation >= MIN_CORRELATION && regions >= MIN_REGIONS;
    if weak {
        reasons.push(GateReason::ChallengeAmbientLight);
    } else if figures.wrong > LIGHT_ERRORS && !nearly(&figures) {
        reasons.push(GateReason::ChallengeLightMismatch);
    } else if figures.wrong + figures.unread > LIGHT_ERRORS || !answered {
        reasons.push(GateReason::ChallengeLightUnclear);
    }
    // Without a background to compare with, light alone does not tell a head from a picture: motion has to.
    let still = script.head_steps().next().is_none();
    if figures.dark && still {
        reasons.push(GateReason::ChallengeBackground);
    }
    let spread = !still || SPREAD.contains(&figures.spread);
    let as_a_head = spread && figures.relief >= MIN_RELIEF && figures.likeness >= MIN_LIKENESS;
    if flat || !figures.background_share.is_finite() || !as_a_head {
        reasons.push(GateReason::ChallengeLightFlat);
    }
    Some(figures)
}

/// Whether slots read as other colours only look so, which is unclear rather than a contradiction. Neighbouring hues correlate
/// by one half, so that each slot that truly shows another colour than the script's takes at least half a slot from the
/// correlation: who shows more other colours than are borne, as an older recording does, does not come this near.
fn nearly(figures: &LightFigures) -> bool {
    let borne = 1.0 - 0.5 * (LIGHT_ERRORS + 1) as f32 / figures.seen.len() as f32;
    figures.correlation > borne
}

fn figures(expected: &[Colour], changes: &[Option<Change>]) -> LightFigures {
    let face: Vec<Option<Colour>> = changes.iter().map(|change| change.map(|c| shares(c.face))).collect();
    let scale = scales(&face);
    let scaled = |share: Colour| [0, 1, 2].map(|i| share[i] / scale[i]);
    let seen: Vec<Option<Colour>> = face.iter().map(|share| share.map(scaled)).collect();
    let mut amplitudes: Vec<f32> = face.iter().flatten().map(|share| strongest(*share)).collect();
    let amplitude = middle(&mut amplitudes);
    let (mut wrong, mut unread) = (0, 0);
    for ((expected, share), seen) in expected.iter().zip(&face).zip(&seen) {
        let clear = share.filter(|share| strongest(*share) >= amplitude * MIN_SLOT_SHARE).and(*seen);
        match clear.and_then(read) {
            None => unread += 1,
            Some(rgb) => wrong += usize::from(rgb.map(|v| f32::from(v) / 255.0) != *expected),
        }
    }
    let of_region = |i: usize| {
        let shares = |c: &Option<Change>| c.and_then(|c| c.regions[i]).map(|change| scaled(shares(change)));
        let seen: Vec<_> = changes.iter().map(shares).collect();
        let enough = seen.iter().filter(|share| share.is_none()).count() <= LIGHT_ERRORS;
        enough.then(|| agreement(expected, &seen).0)
    };
    let background = |change: &Change| change.background.unwrap_or_default();
    let whole = |change: &Change| [0, 1, 2].map(|i| change.face[i] + background(change)[i]);
    let region_gain = gains(expected, changes, scaled);
    let relief = relief(expected, changes, scaled);
    let slope = |f: &dyn Fn(&Change) -> Colour| {
        agreement(expected, &changes.iter().map(|c| c.as_ref().map(f)).collect::<Vec<_>>()).1
    };
    LightFigures {
        wrong,
        unread,
        amplitude,
        correlation: agreement(expected, &seen).0,
        seen,
        background_share: slope(&background) / slope(&whole).max(f32::MIN_POSITIVE),
        dark: changes.iter().flatten().filter(|change| change.background.is_none()).count() > LIGHT_ERRORS,
        spread: spread(&region_gain),
        relief: relief.slope,
        likeness: relief.likeness,
        region_correlation: std::array::from_fn(of_region),
        region_gain,
    }
}
