//! Which regions answer the screen more than others, and whether they do so as a head's.
//!
//! A telephone is held an arm's length away or less, where light falls off within the depth of a head: tip of the nose and
//! chin, which are nearer the screen or face it, answer more than the middle of the face, and its outer sides, which are
//! farther and turned away, answer less. Every head has that shape. A picture put over a head and lit alike all over has
//! not, however much its regions differ by chance.
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
/// Responses of heads over their mean, in the order of [`crate::observation::Region::ALL`]: medians over simulated captures
/// of the people that limits are set with, both sides of the face taken together.
const HEAD: [f32; 8] = [1.06, 0.93, 0.93, 1.0, 1.4, 1.35, 0.56, 0.56];

/// Each region's response relative to their mean. `None` where it was measured in half of what counts or less.
pub(super) fn gains(
    expected: &[Colour],
    changes: &[Option<Change>],
    scaled: impl Fn(Colour) -> Colour,
) -> [Option<f32>; 8] {
    let weight = |change: &Change| if change.turned_deg <= MAX_TURNED_DEG { 1.0 } else { TURNED_WEIGHT };
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

/// Regression slope of the regions' differences on a head's: 1 on a typical head, 0 where regions answer alike.
pub(super) fn shape(gains: &[Option<f32>; 8]) -> f32 {
    let known = || gains.iter().zip(HEAD).filter_map(|(gain, head)| Some(((*gain)?, head)));
    let middle = mean(known().map(|(_, head)| head));
    let (mut both, mut own) = (0.0, 0.0);
    for (gain, head) in known() {
        let head = head / middle - 1.0;
        both += (gain - 1.0) * head;
        own += head * head;
    }
    if own > 0.0 { both / own } else { 0.0 }
}

/// The mean; 0 of nothing.
fn mean(values: impl Iterator<Item = f32>) -> f32 {
    let (sum, count) = values.fold((0.0, 0.0_f32), |(sum, count), value| (sum + value, count + 1.0));
    sum / count.max(1.0)
}
