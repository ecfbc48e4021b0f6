//! The light part: colours read from the face against its background, then held against the script.
//!
//! Ratios to the ambient frames take skin colour out (retinex; each channel's albedo cancels). The median ratio of the far
//! background is divided out with them: exposure and white balance change both alike, while light from the screen falls with
//! the square of the distance. What is left per channel is the screen's share of the light on the face. The channel that
//! moved least is taken as unlit, so that shading by a turning head cancels; each channel is scaled by its own largest
//! response, so that coloured ambient light does not bend hues; the colour is the nearest of six hues.

use super::Reasons;
use crate::{
    CaptureScript, GateReason,
    challenge::{LIGHT_COLOURS, LIGHT_ERRORS},
    observation::{Colour, FaceObservation, FrameObservation, GRID_COLUMNS, GRID_ROWS, Region},
};

/// A frame shows what the screen was told to show this long before, in milliseconds: at least a display's and half an
/// exposure's time, at most what slow telephones take. A frame whose window holds two colours is not read.
const LAG_MS: [u32; 2] = [30, 160];
/// Smallest screen share of the light, median over slots: below, ambient light drowns the screen.
const MIN_AMPLITUDE: f32 = 0.03;
/// A slot whose share is below this part of the median is not read.
const MIN_SLOT_SHARE: f32 = 0.3;
/// A channel's scale is at least this part of the strongest one's: a script may leave a channel dark.
const MIN_CHANNEL_SHARE: f32 = 0.4;
/// Correlation with the script over all slots and channels.
const MIN_CORRELATION: f32 = 0.75;
/// Background response over the face's: a plane that holds both answers alike, a room behind a head answers little.
const MAX_BACKGROUND_SHARE: f32 = 0.6;
/// Regions that must be measured, and correlate with the script each on its own. The cheeks of a turned head are not seen.
const MIN_REGIONS: usize = 4;
/// Correlation of one region.
const MIN_REGION_CORRELATION: f32 = 0.55;
/// Cells count as background when they are this many inter-eye distances beside or above the middle of the eyes, beyond
/// hair and ears ...
const BESIDE: f32 = 2.0;
const ABOVE: f32 = 2.5;
/// ... and not lower than this below it, where shoulders begin.
const BELOW: f32 = 1.6;
/// Background cells needed.
const MIN_CELLS: usize = 6;
/// Deviation of the regions' responses over their mean. Light from a screen falls on a head at as many angles as it has
/// normals; on paper, and where software tints a picture, every region answers alike.
const MIN_SPREAD: f32 = 0.07;
/// Linear light outside which a cell or region says little.
const MEASURABLE: std::ops::RangeInclusive<f32> = 0.002..=0.95;

/// Figures behind the light part's decision.
#[derive(Debug, Clone, PartialEq)]
pub struct LightFigures {
    /// Slots read as another colour than the script's.
    pub wrong: usize,
    /// Slots not read.
    pub unread: usize,
    /// Per slot, the screen's share of the light on the face by channel, each channel in parts of its largest.
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
    /// Each region's correlation with the script, in the order of [`Region::ALL`]; `None` where it was not measured.
    pub region_correlation: [Option<f32>; 8],
    /// Each region's response relative to their mean.
    pub region_gain: [Option<f32>; 8],
}

/// What the screen was told to show when a frame was exposed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    Dark,
    Slot(usize),
    Mixed,
}

/// Logarithms of the light of one frame.
struct Reading {
    offset_ms: f32,
    regions: [Option<Colour>; 8],
    /// Background cells that can be measured.
    cells: Vec<Option<Colour>>,
    /// Background cells that are too dark to be.
    dark: usize,
}

/// Changes of one slot against ambient light, as logarithms of ratios.
#[derive(Clone, Copy, PartialEq)]
struct Change {
    /// Of each region, background divided out.
    regions: [Option<Colour>; 8],
    /// Median of the regions.
    face: Colour,
    /// `None` where it is too dark to be measured.
    background: Option<Colour>,
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
    } else if figures.wrong > LIGHT_ERRORS {
        reasons.push(GateReason::ChallengeLightMismatch);
    } else if figures.wrong + figures.unread > LIGHT_ERRORS || !answered {
        reasons.push(GateReason::ChallengeLightUnclear);
    }
    // Without a background to compare with, light alone does not tell a head from a picture: motion has to.
    if figures.dark && script.head_steps().next().is_none() {
        reasons.push(GateReason::ChallengeBackground);
    }
    let flat = flat || figures.spread < MIN_SPREAD;
    if flat || !figures.background_share.is_finite() || !figures.spread.is_finite() {
        reasons.push(GateReason::ChallengeLightFlat);
    }
    Some(figures)
}

/// Reads every slot; `Err` where frames or background are missing.
fn changes(
    script: &CaptureScript,
    frames: &[FrameObservation],
    slots: usize,
) -> Result<Vec<Option<Change>>, GateReason> {
    let first = script.light_steps().map(|(step, _)| step.at_ms).min().unwrap_or(0);
    let (mut before, mut after, mut lit) = (Vec::new(), Vec::new(), vec![Vec::new(); slots]);
    for frame in frames {
        match shown(script, frame.offset_ms) {
            Shown::Dark if frame.offset_ms <= first => before.push(reading(frame)),
            Shown::Dark => after.push(reading(frame)),
            Shown::Slot(slot) => lit[slot].push(frame),
            Shown::Mixed => {}
        }
    }
    let (Some(before), after) = (mean(&before), mean(&after)) else {
        return Err(GateReason::ChallengeFramesMissing);
    };
    if lit.iter().filter(|slot| slot.is_empty()).count() > LIGHT_ERRORS {
        return Err(GateReason::ChallengeFramesMissing);
    }
    let change = |frames: &Vec<&FrameObservation>| {
        let readings: Vec<Reading> = frames.iter().map(|frame| reading(frame)).collect();
        let Some(now) = mean(&readings) else { return Err(GateReason::ChallengeFramesMissing) };
        change(&now, &ambient(&before, after.as_ref(), now.offset_ms))
    };
    let changes: Vec<_> = lit.iter().map(change).collect();
    let faults = |reason| changes.iter().filter(|change| **change == Err(reason)).count();
    for reason in [GateReason::ChallengeBackground, GateReason::ChallengeUnmeasured] {
        if faults(reason) > LIGHT_ERRORS {
            return Err(reason);
        }
    }
    Ok(changes.into_iter().map(Result::ok).collect())
}

fn shown(script: &CaptureScript, offset_ms: u32) -> Shown {
    let [least, most] = LAG_MS;
    let (from, to) = (offset_ms.saturating_sub(most), offset_ms.saturating_sub(least));
    let slots = script.light_steps().enumerate();
    let met: Vec<_> = slots.filter(|(_, (step, _))| step.at_ms <= to && from < step.end_ms()).collect();
    match met.as_slice() {
        [] => Shown::Dark,
        [(slot, (step, _))] if step.at_ms <= from && to < step.end_ms() => Shown::Slot(*slot),
        _ => Shown::Mixed,
    }
}

fn logarithm(light: Colour) -> Option<Colour> {
    light.iter().all(|v| MEASURABLE.contains(v)).then(|| light.map(f32::ln))
}

fn reading(frame: &FrameObservation) -> Reading {
    let regions = frame.face.as_ref().map_or([None; 8], |face| face.regions.map(|light| light.and_then(logarithm)));
    let far = |at: usize| frame.face.as_ref().is_some_and(|face| is_far(frame, face, at));
    let cell = |(at, light): (usize, &Colour)| if far(at) { logarithm(*light) } else { None };
    let is_dark = |(at, light): &(usize, &Colour)| far(*at) && light.iter().any(|v| v < MEASURABLE.start());
    Reading {
        offset_ms: frame.offset_ms as f32,
        regions,
        cells: frame.grid.iter().enumerate().map(cell).collect(),
        dark: frame.grid.iter().enumerate().filter(is_dark).count(),
    }
}

/// Whether a grid cell lies clear of head and shoulders.
fn is_far(frame: &FrameObservation, face: &FaceObservation, at: usize) -> bool {
    let x = ((at % GRID_COLUMNS) as f32 + 0.5) / GRID_COLUMNS as f32 * frame.width as f32;
    let y = ((at / GRID_COLUMNS) as f32 + 0.5) / GRID_ROWS as f32 * frame.height as f32;
    let (right, down) = ((x - face.centre[0]) / face.inter_eye_px, (y - face.centre[1]) / face.inter_eye_px);
    down < BELOW && (right.abs() > BESIDE || down < -ABOVE)
}

fn combine(a: Option<Colour>, b: Option<Colour>, f: impl Fn(f32, f32) -> f32) -> Option<Colour> {
    let (a, b) = (a?, b?);
    Some([0, 1, 2].map(|i| f(a[i], b[i])))
}

/// The mean of readings of the same light; what one of them lacks is lacking.
fn mean(readings: &[Reading]) -> Option<Reading> {
    let (first, rest) = readings.split_first()?;
    let mut sum =
        Reading { offset_ms: first.offset_ms, regions: first.regions, cells: first.cells.clone(), dark: first.dark };
    for other in rest {
        sum.offset_ms += other.offset_ms;
        sum.dark = sum.dark.min(other.dark);
        sum.regions = std::array::from_fn(|i| combine(sum.regions[i], other.regions[i], |a, b| a + b));
        sum.cells = sum.cells.iter().zip(&other.cells).map(|(a, b)| combine(*a, *b, |a, b| a + b)).collect();
    }
    let n = readings.len() as f32;
    let share = |sum: Option<Colour>| sum.map(|sum| sum.map(|v| v / n));
    Some(Reading {
        offset_ms: sum.offset_ms / n,
        regions: sum.regions.map(share),
        cells: sum.cells.into_iter().map(share).collect(),
        dark: sum.dark,
    })
}

/// Ambient light at a time, between what was measured before and after the light steps.
fn ambient(before: &Reading, after: Option<&Reading>, ms: f32) -> Reading {
    let Some(after) = after else {
        return Reading { offset_ms: ms, regions: before.regions, cells: before.cells.clone(), dark: before.dark };
    };
    let part = ((ms - before.offset_ms) / (after.offset_ms - before.offset_ms)).clamp(0.0, 1.0);
    let between = |a, b| combine(a, b, |a, b| a + (b - a) * part);
    Reading {
        offset_ms: ms,
        regions: std::array::from_fn(|i| between(before.regions[i], after.regions[i])),
        cells: before.cells.iter().zip(&after.cells).map(|(a, b)| between(*a, *b)).collect(),
        dark: before.dark.min(after.dark),
    }
}

fn change(now: &Reading, ambient: &Reading) -> Result<Change, GateReason> {
    let less = |a, b| combine(a, b, |a, b| a - b);
    let cells: Vec<Colour> = now.cells.iter().zip(&ambient.cells).filter_map(|(a, b)| less(*a, *b)).collect();
    let background = match cells.len() {
        MIN_CELLS.. => Some(median(&cells)),
        _ if now.dark >= MIN_CELLS && ambient.dark >= MIN_CELLS => None,
        _ => return Err(GateReason::ChallengeBackground),
    };
    let still = Some(background.unwrap_or_default());
    let regions = std::array::from_fn(|i| less(less(now.regions[i], ambient.regions[i]), still));
    let seen: Vec<Colour> = regions.iter().copied().flatten().collect();
    if seen.len() < MIN_REGIONS {
        return Err(GateReason::ChallengeUnmeasured);
    }
    Ok(Change { regions, face: median(&seen), background })
}

fn median(colours: &[Colour]) -> Colour {
    [0, 1, 2].map(|i| {
        let mut values: Vec<f32> = colours.iter().map(|colour| colour[i]).collect();
        middle(&mut values)
    })
}

/// The median; 0 of nothing.
fn middle(values: &mut [f32]) -> f32 {
    values.sort_by(f32::total_cmp);
    match (values.get(values.len() / 2), values.get(values.len().saturating_sub(1) / 2)) {
        (Some(a), Some(b)) => (a + b) / 2.0,
        _ => 0.0,
    }
}

/// The screen's share of the light by channel: the channel that moved least is unlit.
fn shares(change: Colour) -> Colour {
    let ratio = change.map(|v| v.exp() - 1.0);
    let least = ratio.iter().fold(f32::INFINITY, |m, v| m.min(*v));
    ratio.map(|v| v - least)
}

fn strongest(colour: Colour) -> f32 {
    colour.iter().fold(0.0, |m, v| m.max(*v))
}

/// What is left of a colour without its brightness.
fn chroma(colour: Colour) -> Colour {
    let mean = colour.iter().sum::<f32>() / 3.0;
    colour.map(|v| v - mean)
}

fn dot(a: Colour, b: Colour) -> f32 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// Per-channel scales by the largest response in any slot.
fn scales(shares: &[Option<Colour>]) -> Colour {
    let most = [0, 1, 2].map(|i| shares.iter().flatten().map(|share| share[i]).fold(0.0, f32::max));
    most.map(|v| v.max(MIN_CHANNEL_SHARE * strongest(most)).max(f32::MIN_POSITIVE))
}

/// The alphabet's colour nearest in hue.
fn read(share: Colour) -> Option<[u8; 3]> {
    let seen = chroma(share);
    let near = |rgb: &[u8; 3]| {
        let colour = chroma(rgb.map(|v| f32::from(v) / 255.0));
        dot(seen, colour) / dot(colour, colour).sqrt()
    };
    LIGHT_COLOURS.into_iter().max_by(|a, b| near(a).total_cmp(&near(b)))
}

/// Correlation and regression slope of scaled shares with the script, over slots and channels, brightness left out.
fn agreement(expected: &[Colour], seen: &[Option<Colour>]) -> (f32, f32) {
    let (mut both, mut wanted, mut found) = (0.0, 0.0, 0.0);
    for (expected, seen) in expected.iter().zip(seen) {
        let (e, s) = (chroma(*expected), seen.map_or([0.0; 3], chroma));
        both += dot(e, s);
        wanted += dot(e, e);
        found += dot(s, s);
    }
    let norm = (wanted * found).sqrt();
    (if norm > 0.0 { both / norm } else { 0.0 }, if wanted > 0.0 { both / wanted } else { 0.0 })
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
        enough.then(|| agreement(expected, &seen))
    };
    let regions: [Option<(f32, f32)>; 8] = std::array::from_fn(of_region);
    let slopes = regions.iter().flatten().map(|(_, slope)| slope);
    let typical = slopes.clone().sum::<f32>() / slopes.clone().count().max(1) as f32;
    let background = |change: &Change| change.background.unwrap_or_default();
    let whole = |change: &Change| [0, 1, 2].map(|i| change.face[i] + background(change)[i]);
    let gains: Vec<f32> = slopes.clone().map(|slope| slope / typical).collect();
    let variance = gains.iter().map(|gain| (gain - 1.0).powi(2)).sum::<f32>() / gains.len().max(1) as f32;
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
        spread: variance.sqrt(),
        region_correlation: regions.map(|r| r.map(|(correlation, _)| correlation)),
        region_gain: regions.map(|r| r.map(|(_, slope)| slope / typical)),
    }
}

const _: () = assert!(Region::ALL.len() == 8);
