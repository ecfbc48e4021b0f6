//! Arithmetic on colours of light, and which of six a response is.
//!
//! Must never know: frames. Invariant: a colour is read without looking at what was expected.

use crate::{challenge::LIGHT_COLOURS, observation::Colour};

/// A channel's scale is at least this part of the strongest one's: a script may leave a channel dark.
const MIN_CHANNEL_SHARE: f32 = 0.4;

pub(super) fn median(colours: &[Colour]) -> Colour {
    [0, 1, 2].map(|i| {
        let mut values: Vec<f32> = colours.iter().map(|colour| colour[i]).collect();
        middle(&mut values)
    })
}

/// The median; 0 of nothing.
pub(super) fn middle(values: &mut [f32]) -> f32 {
    values.sort_by(f32::total_cmp);
    match (values.get(values.len() / 2), values.get(values.len().saturating_sub(1) / 2)) {
        (Some(a), Some(b)) => (a + b) / 2.0,
        _ => 0.0,
    }
}

/// The screen's share of the light by channel: the channel that moved least is unlit.
pub(super) fn shares(change: Colour) -> Colour {
    let ratio = change.map(|v| v.exp() - 1.0);
    let least = ratio.iter().fold(f32::INFINITY, |m, v| m.min(*v));
    ratio.map(|v| v - least)
}

pub(super) fn strongest(colour: Colour) -> f32 {
    colour.iter().fold(0.0, |m, v| m.max(*v))
}

/// What is left of a colour without its brightness.
pub(super) fn chroma(colour: Colour) -> Colour {
    let mean = colour.iter().sum::<f32>() / 3.0;
    colour.map(|v| v - mean)
}

pub(super) fn dot(a: Colour, b: Colour) -> f32 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// Per-channel scales: the mean of a channel's responses that reach half of its largest, which are those to light.
pub(super) fn scales(shares: &[Option<Colour>]) -> Colour {
    let typical = [0, 1, 2].map(|i| {
        let channel = || shares.iter().flatten().map(|share| share[i]);
        let half = channel().fold(0.0, f32::max) / 2.0;
        let (sum, count) = channel().filter(|v| *v >= half).fold((0.0, 0), |(sum, n), v| (sum + v, n + 1));
        sum / count.max(1) as f32
    });
    typical.map(|v| v.max(MIN_CHANNEL_SHARE * strongest(typical)).max(f32::MIN_POSITIVE))
}

/// The alphabet's colour nearest in hue.
pub(super) fn read(share: Colour) -> Option<[u8; 3]> {
    let seen = chroma(share);
    let near = |rgb: &[u8; 3]| {
        let colour = chroma(rgb.map(|v| f32::from(v) / 255.0));
        dot(seen, colour) / dot(colour, colour).sqrt()
    };
    LIGHT_COLOURS.into_iter().max_by(|a, b| near(a).total_cmp(&near(b)))
}

/// Correlation and regression slope of scaled shares with the script, over slots and channels, brightness left out.
pub(super) fn agreement(expected: &[Colour], seen: &[Option<Colour>]) -> (f32, f32) {
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

/// Channel by channel, where there are both.
pub(super) fn combine(a: Option<Colour>, b: Option<Colour>, f: impl Fn(f32, f32) -> f32) -> Option<Colour> {
    let (a, b) = (a?, b?);
    Some([0, 1, 2].map(|i| f(a[i], b[i])))
}
