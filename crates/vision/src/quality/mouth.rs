//! Whether the mouth shows: lips and the skin around them are no less red than the cheeks.
//!
//! Must never know: limits. Invariant: what is measured is relative to the same face's cheeks, so skin, light and exposure
//! cancel out, and one patch of lip or skin between beard, teeth and shadow is enough.

use super::patch::{Patch, SIDE};
use crate::evidence::Point;
use std::ops::Range;
use zeroize::Zeroizing;

/// Points of the face mesh: corners, upper edge of the upper and lower edge of the lower lip.
const CORNERS: [usize; 2] = [61, 291];
const LIPS: [usize; 2] = [0, 17];
/// So many pixels of the patch above and below the lips are looked at too.
const AROUND: [f32; 2] = [3.0, 4.0];
/// Fewer columns or rows than this on the patch are no mouth to judge: the head is turned away.
const LEAST: [usize; 2] = [5, 3];
/// Columns and rows of the upper cheeks, which masks leave free.
const CHEEKS: [Range<usize>; 2] = [20..34, 62..76];
const CHEEK_ROWS: Range<usize> = 46..56;
/// The mouth is as red as this share of it at most.
const REDDEST: f32 = 0.9;
/// Added to both channels, in grey levels, lest noise in the dark be colour.
const DARK: f32 = 8.0;

/// How much redder the mouth's redder part is than the cheeks: difference of ln(red / green). 0 where there is no mouth to judge.
pub(super) fn redness(patch: &Patch, points: &[Point]) -> f32 {
    let corners = CORNERS.map(|at| patch.place(points[at]).x);
    let lips = LIPS.map(|at| patch.place(points[at]).y);
    let columns = inside(corners[0].min(corners[1]), corners[0].max(corners[1]));
    let rows = inside(lips[0] - AROUND[0], lips[1] + AROUND[1]);
    if columns.len() < LEAST[0] || rows.len() < LEAST[1] {
        return 0.0;
    }
    let [right, left] = CHEEKS;
    let mouth = quantile([(columns, rows)], patch, REDDEST);
    mouth - quantile([(right, CHEEK_ROWS), (left, CHEEK_ROWS)], patch, 0.5)
}

/// Columns or rows of the patch from one to another, as far as they have neighbours.
fn inside(from: f32, to: f32) -> Range<usize> {
    let last = (SIDE - 2) as f32;
    from.clamp(1.0, last) as usize..to.clamp(0.0, last) as usize + 1
}

/// The redness that a share of the pixels of some areas stays below.
fn quantile<const N: usize>(areas: [(Range<usize>, Range<usize>); N], patch: &Patch, share: f32) -> f32 {
    let pixels = patch.colour.pixels().as_chunks::<3>().0;
    let mut found = Zeroizing::new(Vec::new());
    for (columns, rows) in areas {
        for y in rows {
            found.extend(columns.clone().map(|x| {
                let sum = |channel: usize| -> f32 {
                    let near = (y - 1..=y + 1).flat_map(|v| &pixels[v * SIDE + x - 1..=v * SIDE + x + 1]);
                    near.map(|pixel| f32::from(pixel[channel])).sum()
                };
                ((sum(0) / 9.0 + DARK) / (sum(1) / 9.0 + DARK)).ln()
            }));
        }
    }
    let at = (found.len().saturating_sub(1) as f32 * share) as usize;
    *found.select_nth_unstable_by(at, f32::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{picture::Picture, quality::patch::EYES, resample::Warper};

    const MOUTH: [Range<usize>; 2] = [36..60, 72..84];

    /// A face of one colour whose mouth and what is around it are painted; `lip` is a small part of it.
    fn found(skin: [u8; 3], around: [u8; 3], lip: [u8; 3]) -> f32 {
        let mut picture = Picture::default();
        for (at, pixel) in picture.make_room(SIDE, SIDE).as_chunks_mut::<3>().0.iter_mut().enumerate() {
            let (x, y) = (at % SIDE, at / SIDE);
            *pixel = match y {
                78..83 if MOUTH[0].contains(&x) => lip,
                60.. => around,
                _ => skin,
            };
        }
        let mut points = vec![Point::default(); 468];
        points[CORNERS[0]] = Point { x: MOUTH[0].start as f32, y: 78.0 };
        points[CORNERS[1]] = Point { x: MOUTH[0].end as f32, y: 78.0 };
        points[LIPS[0]] = Point { x: 48.0, y: MOUTH[1].start as f32 };
        points[LIPS[1]] = Point { x: 48.0, y: MOUTH[1].end as f32 };
        let eyes = EYES.map(|(x, y)| Point { x: x as f32, y: y as f32 });
        redness(&Patch::cut(eyes, &picture, &mut Warper::default()).unwrap(), &points)
    }

    const PALE: [u8; 3] = [220, 170, 150];
    const DARK_SKIN: [u8; 3] = [96, 66, 52];

    #[test]
    fn cloth_of_another_colour_than_skin_is_less_red_than_the_cheeks() {
        for skin in [PALE, DARK_SKIN] {
            for cloth in [[150, 190, 212], [225, 226, 222], [36, 36, 40], [60, 90, 60]] {
                let found = found(skin, cloth, cloth);
                assert!(found < -0.18, "{skin:?} {cloth:?}: {found}");
            }
        }
    }

    #[test]
    fn lips_in_a_black_or_grey_beard_and_bare_skin_are_as_red_as_the_cheeks() {
        for skin in [PALE, DARK_SKIN] {
            let lip = [skin[0], (f32::from(skin[1]) * 0.8) as u8, skin[2]];
            for beard in [[30, 28, 27], [190, 188, 186], skin] {
                let found = found(skin, beard, lip);
                assert!(found > 0.0, "{skin:?} {beard:?}: {found}");
            }
        }
    }

    #[test]
    fn a_picture_without_colour_shows_nothing_covered() {
        assert_eq!(found([120; 3], [40; 3], [90; 3]), 0.0);
    }
}
