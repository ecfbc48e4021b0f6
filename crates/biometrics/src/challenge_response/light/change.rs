//! From frames to changes of light: what each slot added to the ambient light of every region, with what the background
//! shows of exposure and white balance divided out.
//!
//! Must never know: the script's colours. Invariant: a change is never made from frames that may show two colours.

use super::colour::{combine, median};
use crate::{
    CaptureScript, GateReason,
    challenge::LIGHT_ERRORS,
    observation::{Colour, FaceObservation, FrameObservation, GRID_COLUMNS, GRID_ROWS},
};

/// A frame shows what the screen was told to show this long before, in milliseconds: at least a display's and half an
/// exposure's time, at most what slow telephones take. A frame whose window holds two colours is not read.
const LAG_MS: [u32; 2] = [30, 160];
/// Cells count as background when they are this many inter-eye distances beside or above the middle of the eyes, beyond
/// hair and ears ...
const BESIDE: f32 = 2.0;
const ABOVE: f32 = 2.5;
/// ... and not lower than this below it, where shoulders begin.
const BELOW: f32 = 1.6;
/// Background cells needed.
const MIN_CELLS: usize = 6;
/// Poses closer than this are one, in degrees.
const TURNED_DEG: f32 = 6.0;
/// Regions that must be measured. The cheeks of a turned head are not seen.
const MIN_REGIONS: usize = 4;
/// Linear light outside which a cell or region says little.
const MEASURABLE: std::ops::RangeInclusive<f32> = 0.002..=0.95;

/// What the screen was told to show when a frame was exposed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    Dark,
    Slot(usize),
    Mixed,
}

/// Logarithms of the light of one frame.
#[derive(Clone)]
struct Reading {
    offset_ms: f32,
    regions: [Option<Colour>; 8],
    /// Background cells that can be measured.
    cells: Vec<Option<Colour>>,
    /// Background cells that are too dark to be.
    dark: usize,
    /// Turn and nod in degrees.
    pose: [f32; 2],
}

/// Changes of one slot against ambient light, as logarithms of ratios.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Change {
    /// Of each region, background divided out.
    pub(super) regions: [Option<Colour>; 8],
    /// Median of the regions.
    pub(super) face: Colour,
    /// `None` where it is too dark to be measured.
    pub(super) background: Option<Colour>,
    /// Turn and nod from where the head was in ambient light, in degrees.
    pub(super) turned_deg: [f32; 2],
}

/// Reads every slot; `Err` where frames or background are missing.
pub(super) fn changes(
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
        change(&now, &ambient(&before, after.as_ref(), &now))
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
        pose: frame.face.as_ref().map_or([0.0; 2], |face| [face.yaw_deg, face.pitch_deg]),
    }
}

/// Whether a grid cell lies clear of head and shoulders.
fn is_far(frame: &FrameObservation, face: &FaceObservation, at: usize) -> bool {
    let x = ((at % GRID_COLUMNS) as f32 + 0.5) / GRID_COLUMNS as f32 * frame.width as f32;
    let y = ((at / GRID_COLUMNS) as f32 + 0.5) / GRID_ROWS as f32 * frame.height as f32;
    let (right, down) = ((x - face.centre[0]) / face.inter_eye_px, (y - face.centre[1]) / face.inter_eye_px);
    down < BELOW && (right.abs() > BESIDE || down < -ABOVE)
}

/// The mean of readings of the same light; what one of them lacks is lacking.
fn mean(readings: &[Reading]) -> Option<Reading> {
    let (first, rest) = readings.split_first()?;
    let mut sum = first.clone();
    for other in rest {
        sum.offset_ms += other.offset_ms;
        sum.dark = sum.dark.min(other.dark);
        sum.pose = [0, 1].map(|i| sum.pose[i] + other.pose[i]);
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
        pose: sum.pose.map(|v| v / n),
    })
}

/// Degrees between two poses.
fn apart(a: &Reading, b: &Reading) -> f32 {
    (a.pose[0] - b.pose[0]).hypot(a.pose[1] - b.pose[1])
}

/// Ambient light for a reading, between what was measured before and after the light steps: the background's by time, as
/// exposure and white balance drift; the face's by pose where the head turned between, as its shading follows the pose.
fn ambient(before: &Reading, after: Option<&Reading>, now: &Reading) -> Reading {
    let Some(after) = after else { return before.clone() };
    let time = ((now.offset_ms - before.offset_ms) / (after.offset_ms - before.offset_ms)).clamp(0.0, 1.0);
    let (from, to) = (apart(now, before), apart(now, after));
    let pose = if apart(before, after) > TURNED_DEG { from * from / (from * from + to * to).max(1e-3) } else { time };
    let between = |part: f32| move |a, b| combine(a, b, |a, b| a + (b - a) * part);
    let region = between(pose);
    Reading {
        offset_ms: now.offset_ms,
        regions: std::array::from_fn(|i| region(before.regions[i], after.regions[i])),
        cells: before.cells.iter().zip(&after.cells).map(|(a, b)| between(time)(*a, *b)).collect(),
        dark: before.dark.min(after.dark),
        pose: before.pose,
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
    Ok(Change { regions, face: median(&seen), background, turned_deg: [0, 1].map(|i| now.pose[i] - ambient.pose[i]) })
}
