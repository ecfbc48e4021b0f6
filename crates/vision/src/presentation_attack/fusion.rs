//! Which frames are looked at, and what many answers add up to.
//!
//! Must never know: pictures, models. Invariant: order of frames and of detectors does not matter, one strange answer among
//! several frames cannot carry the capture, and an answer that is no number leaves no score.

use std::cmp::Ordering;

/// Frames that the detectors see; each costs one run of every detector.
pub(crate) const FRAMES: usize = 3;

/// Log-odds beyond this are certainty that no detector has; a single one must not outvote the others.
const MOST_CERTAIN: f32 = 6.0;

/// Of the frames so far, those to look at: the most frontal ones, the earlier of equals. Frames come one by one, so that
/// nothing is kept, or even made, of a frame that others have outranked already.
pub(crate) struct Choice<V> {
    /// The best first.
    kept: Vec<(usize, f32, V)>,
}

impl<V> Default for Choice<V> {
    fn default() -> Self {
        Self { kept: Vec::with_capacity(FRAMES + 1) }
    }
}

impl<V> Choice<V> {
    /// Whether a frame that comes now, at this distance from a frontal view (degrees), would be among those to look at.
    pub(crate) fn wants(&self, distance: f32) -> bool {
        self.place(distance) < FRAMES
    }

    /// Keeps what is to be looked at of a frame that comes now, and drops what it outranks.
    pub(crate) fn keep(&mut self, (index, distance): (usize, f32), view: V) {
        self.kept.insert(self.place(distance), (index, distance, view));
        self.kept.truncate(FRAMES);
    }

    /// What was kept, in the order of the capture.
    pub(crate) fn in_order(mut self) -> impl Iterator<Item = (usize, V)> {
        self.kept.sort_by_key(|(index, ..)| *index);
        self.kept.into_iter().map(|(index, _, view)| (index, view))
    }

    fn place(&self, distance: f32) -> usize {
        self.kept.partition_point(|(_, kept, _)| kept.total_cmp(&distance) != Ordering::Greater)
    }
}

/// What gate 3 holds against its threshold: the median over frames of the mean over detectors, from each frame's log-odds
/// ([`crate::FrameEvidence::bona_fide`]). `None` without frames, with a frame without answers, or with an answer
/// that is not a number.
pub fn fuse(answers: &[Vec<f32>]) -> Option<f32> {
    let mut frames = answers.iter().map(|frame| mean(frame)).collect::<Option<Vec<f32>>>()?;
    frames.sort_by(f32::total_cmp);
    let middle = frames.len() / 2;
    match frames.len() {
        0 => None,
        count if count % 2 == 1 => Some(frames[middle]),
        _ => Some((frames[middle - 1] + frames[middle]) / 2.0),
    }
}

fn mean(answers: &[f32]) -> Option<f32> {
    let sound = !answers.is_empty() && answers.iter().all(|v| !v.is_nan());
    let total: f32 = answers.iter().map(|v| v.clamp(-MOST_CERTAIN, MOST_CERTAIN)).sum();
    sound.then(|| total / answers.len() as f32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_frame_of_three_cannot_carry_the_capture() {
        let (good, bad) = (vec![5.0, 4.0], vec![-4.0, -5.0]);
        assert_eq!(fuse(&[bad.clone(), good.clone(), bad.clone()]), Some(-4.5));
        assert_eq!(fuse(&[bad.clone(), good.clone(), good.clone()]), Some(4.5));
        assert_eq!(fuse(&[bad, good]), Some(0.0));
    }

    #[test]
    fn a_certain_detector_does_not_outvote_the_others() {
        assert!(fuse(&[vec![f32::INFINITY, -4.0, -4.0]]).unwrap() < 0.0);
    }

    #[test]
    fn what_is_no_number_leaves_no_score() {
        assert_eq!(fuse(&[]), None);
        assert_eq!(fuse(&[vec![]]), None);
        assert_eq!(fuse(&[vec![1.0, 2.0], vec![1.0, f32::NAN]]), None);
    }

    /// The frames chosen of these, each offered as the engine offers it.
    fn choose(distances: &[(usize, f32)]) -> Vec<usize> {
        let mut choice = Choice::default();
        for &(index, distance) in distances {
            if choice.wants(distance) {
                choice.keep((index, distance), index);
            }
        }
        choice.in_order().map(|(index, view)| (index == view).then_some(index).unwrap()).collect()
    }

    #[test]
    fn the_most_frontal_frames_are_looked_at_in_order() {
        assert_eq!(choose(&[(0, 1.0), (3, 9.0), (4, 0.5), (7, 2.0), (9, 1.0)]), [0, 4, 9]);
        assert_eq!(choose(&[(2, 8.0)]), [2]);
        assert!(choose(&[]).is_empty());
        assert_eq!(choose(&[(0, f32::NAN), (1, 1.0), (2, 1.0), (3, 1.0)]), [1, 2, 3]);
    }

    #[test]
    fn nothing_is_wanted_of_a_frame_that_others_outrank() {
        let mut choice = Choice::default();
        (0..FRAMES).for_each(|index| choice.keep((index, index as f32), ()));
        assert!(choice.wants(1.5) && !choice.wants(2.0) && !choice.wants(f32::NAN));
    }

    proptest! {
        #[test]
        fn frames_that_come_one_by_one_are_chosen_as_if_all_were_known(
            distances in prop::collection::vec(prop_oneof![0_u8..6, Just(255)], 0..17),
        ) {
            let at = |level: u8| if level == 255 { f32::NAN } else { level.into() };
            let frames: Vec<(usize, f32)> = distances.iter().map(|&level| at(level)).enumerate().collect();
            let mut ranked = frames.clone();
            ranked.sort_by(|a, b| a.1.total_cmp(&b.1));
            let mut expected: Vec<usize> = ranked.into_iter().take(FRAMES).map(|(index, _)| index).collect();
            expected.sort_unstable();
            prop_assert_eq!(choose(&frames), expected);
        }

        #[test]
        fn order_does_not_matter_and_worse_answers_never_raise_the_score(
            answers in prop::collection::vec(prop::collection::vec(-9.0_f32..9.0, 3), 1..5),
            frame in 0_usize..5, detector in 0_usize..3, less in 0.0_f32..9.0,
        ) {
            let score = fuse(&answers).unwrap();
            let mut turned = answers.clone();
            turned.reverse();
            prop_assert_eq!(fuse(&turned), Some(score));
            let mut worse = answers.clone();
            let frame = frame % worse.len();
            worse[frame][detector] -= less;
            prop_assert!(fuse(&worse).unwrap() <= score);
        }
    }
}
