//! Linkage functions on protected templates: what an attacker can compute who has two of them and no key.
//!
//! An orthonormal transform drawn anew for each template hides all but the Euclidean length, and templates have length one
//! before they are rounded; so the two functions are the comparison score and how well what rounding left of lengths agrees. Must never know: keys. Invariant: a pair of two people serves either as
//! non-mated or as null control, never as both.

use super::places::{Draw, Samples};
use biometrics::{ComparisonScore, Features, error_rates::LinkageScore};
use serde::Serialize;
use std::ops::Range;

/// Digits of agreement that are told apart.
const MOST_DIGITS: f64 = 16.0;

/// What is computed from two templates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Function {
    /// The pack's comparison score.
    Comparison,
    /// Decimal digits in which both Euclidean lengths agree.
    Length,
}

impl Function {
    pub(super) const ALL: [Self; 2] = [Self::Comparison, Self::Length];

    /// Its name in tables and file names.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Comparison => "comparison",
            Self::Length => "length",
        }
    }
}

/// Scores of one function.
#[derive(Debug, Default)]
pub(super) struct Linked {
    /// Of one person's two templates.
    pub(super) mated: Vec<LinkageScore>,
    /// Of two people's.
    pub(super) non_mated: Vec<LinkageScore>,
    /// Of two people's, told as if they were the first one's.
    pub(super) null: Vec<LinkageScore>,
}

/// Both functions on the templates of one draw, in the order of [`Function::ALL`]. Each person meets the next one for the
/// null control, always the same as mated pairs always are, and `others` of the rest, others in each draw.
pub(super) fn link(draw: Draw, people: &[Samples<'_>], others: usize) -> [Linked; 2] {
    let templates: Vec<[Features; 2]> = (0..).zip(people).map(|(i, samples)| draw.templates(i, *samples)).collect();
    linked(&templates, draw.number as usize * others..(draw.number as usize + 1) * others)
}

fn linked(templates: &[[Features; 2]], numbers: Range<usize>) -> [Linked; 2] {
    let lengths: Vec<[f64; 2]> = templates.iter().map(|both| [length(&both[0]), length(&both[1])]).collect();
    let score = |function, a: usize, b: usize| match function {
        Function::Comparison => ComparisonScore::of(&templates[a][0], &templates[b][1]).value(),
        Function::Length => digits(lengths[a][0], lengths[b][1]),
    };
    Function::ALL.map(|function| {
        let mut linked = Linked::default();
        for a in 0..templates.len() {
            let pair = |b: usize, told| LinkageScore { score: score(function, a, b), a: a as u32, b: told as u32 };
            let (control, met) = met(a, templates.len(), numbers.clone());
            linked.mated.push(pair(a, a));
            linked.null.extend(control.map(|b| pair(b, a)));
            linked.non_mated.extend(met.into_iter().map(|b| pair(b, b)));
        }
        linked
    })
}

/// Whom a person meets among `people`: one for the null control, and those of the given numbers, counted round, each once.
fn met(person: usize, people: usize, numbers: Range<usize>) -> (Option<usize>, Vec<usize>) {
    match people {
        0 | 1 => (None, Vec::new()),
        // Of two people one way round is the control.
        2 if person == 0 => (None, vec![1]),
        2 => (Some(0), Vec::new()),
        _ => {
            let others = people - 2;
            let numbers = numbers.take(others).map(|number| (person + 2 + number % others) % people);
            (Some((person + 1) % people), numbers.collect())
        }
    }
}

impl Linked {
    /// All draws together.
    pub(super) fn append(&mut self, mut other: Self) {
        self.mated.append(&mut other.mated);
        self.non_mated.append(&mut other.non_mated);
        self.null.append(&mut other.null);
    }
}

fn length(features: &Features) -> f64 {
    features.as_slice().iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt()
}

fn digits(a: f64, b: f64) -> f32 {
    let apart = 2.0 * (a - b).abs() / (a + b);
    (-apart.log10()).min(MOST_DIGITS) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_met_twice_in_a_draw_nor_as_oneself_nor_as_ones_control() {
        for people in 2..9 {
            for person in 0..people {
                let (control, mut others) = met(person, people, 12..16);
                assert!(!others.contains(&person) && control != Some(person));
                assert!(control.is_none_or(|control| !others.contains(&control)));
                let met = others.len();
                others.sort_unstable();
                others.dedup();
                assert!(others.len() == met && (met > 0 || control.is_some()), "{person} of {people}");
            }
        }
    }

    #[test]
    fn all_others_are_met_in_time() {
        let (control, others) = met(3, 8, 0..100);
        assert_eq!((control, others.len()), (Some(4), 6));
    }

    #[test]
    fn lengths_that_templates_have_link_them() {
        // As version 1 of the transform left them: read back from bytes, each person with a length of their own.
        let of_length = |length: f32| {
            let bytes: Vec<u8> = [0.6 * length, 0.8 * length].iter().flat_map(|x| x.to_le_bytes()).collect();
            Features::from_le_bytes(&bytes).unwrap()
        };
        let templates = [1.0, 1.1, 1.3, 1.6].map(|length| [of_length(length), of_length(length)]);
        let [_, by_length] = linked(&templates, 0..2);
        assert!(by_length.mated.iter().all(|pair| pair.score > 6.0), "one person's lengths agree");
        assert!(by_length.non_mated.iter().all(|pair| pair.score < 2.0), "two people's do not");
        assert_eq!((by_length.mated.len(), by_length.non_mated.len()), (4, 8));
    }

    #[test]
    fn digits_count_agreement() {
        assert_eq!(digits(1.0, 1.0), 16.0);
        assert!((digits(1.0, 1.001) - 3.0).abs() < 0.01);
    }
}
