//! Which regions answer the screen more than others, and whether they do so as a head's.
//!
//! A telephone is held an arm's length away or less, where light falls off within the depth of a head: tip of the nose and
//! chin, which are nearer the screen or face it, answer more than the middle of the face, and its outer sides, which are
//! farther and turned away, answer less; the side that a turn brings before the screen answers more, the other one less.
//! Every head has that shape. A picture put over a head and lit alike all over has not, however much its regions differ by
//! chance.
//!
//! Must never know: limits. Invariant: a response is relative to the mean of the regions measured, so that the screen's
//! strength cancels.

use super::{
    change::Change,
    colour::{chroma, dot, shares},
};
use crate::observation::Colour;

/// What a slot counts in which the head is turned, against 1 where it looks as it did in ambient light: its ambient light is
/// not known as well, and it answers as another side of it does.
const TURNED_WEIGHT: f32 = 0.1;
/// The head looks as it did when it is turned by no more than this, in degrees.
const MAX_TURNED_DEG: f32 = 9.0;
/// Responses of heads, in the order of [`crate::observation::Region::ALL`]: straight on, what a turn of 20 degrees adds (its
/// square in the last column), and what a nod of 15 adds. Least squares over simulated captures of the people that limits
/// are set with, both sides of the face taken together.
const HEAD: [[f32; 4]; 8] = [
    [1.05, 0.0, -0.12, -0.06],
    [0.92, 0.32, 0.0, 0.0],
    [0.92, -0.32, 0.0, 0.0],
    [1.02, 0.0, -0.05, -0.05],
    [1.43, 0.0, 0.0, -0.15],
    [1.36, 0.0, 0.3, -0.13],
    [0.55, 0.3, 0.0, 0.07],
    [0.55, -0.3, 0.0, 0.07],
];
/// Degrees that [`HEAD`] is stated at.
const STATED_DEG: [f32; 2] = [20.0, 15.0];
/// Regions that a slot needs to say something of a shape, and their mean response, 1 being the capture's own typical one.
const MIN_REGIONS: usize = 4;
const MIN_RESPONSE: f32 = 0.3;

/// How the regions' differences compare with a head's, over all slots.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Relief {
    /// Regression slope: 1 on a typical head, 0 where regions answer alike.
    pub(super) slope: f32,
    /// Correlation: 1 where regions differ as a head's and no otherwise.
    pub(super) likeness: f32,
}

/// Each region's response relative to their mean. `None` where it was measured in half of what counts or less.
pub(super) fn gains(
    expected: &[Colour],
    changes: &[Option<Change>],
    scaled: impl Fn(Colour) -> Colour,
) -> [Option<f32>; 8] {
    let slots =
        || expected.iter().zip(changes).filter_map(|(expected, change)| Some((chroma(*expected), change.as_ref()?)));
    let whole: f32 = slots().map(|(_, change)| weight(change)).sum();
    let gain = |region: usize| {
        let (mut both, mut wanted, mut counted) = (0.0, 0.0, 0.0);
        for (expected, change) in slots() {
            let Some(light) = change.regions[region] else { continue };
            both += weight(change) * dot(expected, chroma(scaled(shares(light))));
            wanted += weight(change) * dot(expected, expected);
            counted += weight(change);
        }
        (2.0 * counted > whole && wanted > 0.0).then(|| both / wanted)
    };
    let gains: [Option<f32>; 8] = std::array::from_fn(gain);
    let mean = mean(gains.iter().flatten().copied());
    gains.map(|gain| gain.map(|gain| gain / mean))
}

/// Deviation of values whose mean is one.
pub(super) fn spread(gains: &[Option<f32>; 8]) -> f32 {
    mean(gains.iter().flatten().map(|gain| (gain - 1.0).powi(2))).sqrt()
}

/// Compares the regions' differences with a head's in the pose of each slot.
pub(super) fn relief(expected: &[Colour], changes: &[Option<Change>], scaled: impl Fn(Colour) -> Colour) -> Relief {
    let (mut both, mut own, mut found) = (0.0, 0.0, 0.0);
    for (expected, change) in expected.iter().zip(changes) {
        let (expected, Some(change)) = (chroma(*expected), change) else { continue };
        let response = |light: Colour| dot(expected, chroma(scaled(shares(light)))) / dot(expected, expected);
        let known = change.regions.iter().zip(HEAD);
        let known = known.filter_map(|(light, head)| Some((response((*light)?), in_pose(head, change.turned_deg))));
        let known: Vec<(f32, f32)> = known.collect();
        let [response, head] = [mean(known.iter().map(|k| k.0)), mean(known.iter().map(|k| k.1))];
        if known.len() < MIN_REGIONS || response < MIN_RESPONSE {
            continue;
        }
        for (r, h) in &known {
            let (r, h) = (r / response - 1.0, h / head - 1.0);
            both += weight(change) * r * h;
            own += weight(change) * h * h;
            found += weight(change) * r * r;
        }
    }
    let over = |whole: f32| if whole > 0.0 { both / whole } else { 0.0 };
    Relief { slope: over(own), likeness: over((own * found).sqrt()) }
}

fn in_pose([straight, turn, nod, turned]: [f32; 4], degrees: [f32; 2]) -> f32 {
    let [yaw, pitch] = [0, 1].map(|i| degrees[i] / STATED_DEG[i]);
    straight + turn * yaw + nod * pitch + turned * yaw * yaw
}

fn weight(change: &Change) -> f32 {
    let [yaw, pitch] = change.turned_deg;
    if yaw.hypot(pitch) <= MAX_TURNED_DEG { 1.0 } else { TURNED_WEIGHT }
}

/// The mean; 0 of nothing.
fn mean(values: impl Iterator<Item = f32>) -> f32 {
    let (sum, count) = values.fold((0.0, 0.0_f32), |(sum, count), value| (sum + value, count + 1.0));
    sum / count.max(1.0)
}
