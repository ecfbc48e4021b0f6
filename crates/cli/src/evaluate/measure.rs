//! Pictures to features to scores.
//!
//! Must never know: how rates are computed. Invariant: the result does not depend on the number of threads.

use super::{
    crew::Crew,
    pictures::{Pair, Pictures},
};
use anyhow::{Context, Result};
use biometrics::{
    error_rates::{ImpostorPair, Rate},
    features::Features,
    score::ComparisonScore,
};
use std::fs;
use vision::{Engine, ExamineOptions, Frame};

/// What came of the pictures, in their order.
pub(super) struct Samples {
    /// Features, where a face was found and let through.
    pub(super) features: Vec<Option<Features>>,
    /// Pictures without a usable face.
    pub(super) missed: u64,
}

/// Runs every picture through the pipeline. With `gates`, pictures are left out that the quality gate does not pass at this
/// inter-eye distance in pixels.
///
/// # Errors
/// A picture that cannot be read or decoded, an engine that does not start.
pub(super) fn samples(crew: Crew<'_>, pictures: &Pictures, gates: Option<u32>) -> Result<Samples> {
    let features = crew.each(("pictures", pictures.all.len()), |engine, index| {
        let path = &pictures.all[index].path;
        let jpeg = fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
        one(engine, &jpeg, gates).with_context(|| format!("{}", path.display()))
    })?;
    let missed = features.iter().filter(|found| found.is_none()).count() as u64;
    Ok(Samples { features, missed })
}

fn one(engine: &mut Engine, jpeg: &[u8], gates: Option<u32>) -> Result<Option<Features>> {
    let Some(min_inter_eye_px) = gates else { return Ok(engine.features_of(jpeg)?) };
    let evidence = engine.examine(
        &[Frame { jpeg, offset_ms: 0 }],
        ExamineOptions { min_inter_eye_px, presentation_attack: false, previous: false },
    )?;
    let passed = evidence.quality.status == biometrics::GateStatus::Pass;
    Ok(evidence.features.filter(|_| passed))
}

/// Scores of all comparisons, with what the bootstrap needs to draw identities again.
#[derive(Default)]
pub(super) struct Compared {
    /// Scores of pairs of one person.
    pub(super) genuine: Vec<f32>,
    /// Whose they are, in the same order.
    pub(super) genuine_identity: Vec<u32>,
    /// Scores of pairs of two people.
    pub(super) impostor: Vec<f32>,
    /// The same pairs with their identities; empty for a list of pairs, which is no full cross-comparison.
    pub(super) impostor_pairs: Vec<ImpostorPair>,
    /// Samples per identity.
    pub(super) samples: Vec<u32>,
    /// Scores of the first samples of two people each, every person in one pair: independent comparisons.
    pub(super) disjoint: Vec<f32>,
}

impl Compared {
    /// Every picture with every other.
    pub(super) fn all(pictures: &Pictures, samples: &Samples) -> Self {
        let usable: Vec<(u32, &Features)> = pictures
            .all
            .iter()
            .zip(&samples.features)
            .filter_map(|(picture, features)| Some((picture.identity, features.as_ref()?)))
            .collect();
        let mut compared = Self { samples: vec![0; pictures.identities as usize], ..Self::default() };
        for (place, (a, first)) in usable.iter().enumerate() {
            compared.samples[*a as usize] += 1;
            for (b, second) in &usable[place + 1..] {
                let score = ComparisonScore::of(first, second).value();
                if a == b {
                    compared.genuine.push(score);
                    compared.genuine_identity.push(*a);
                } else {
                    compared.impostor.push(score);
                    compared.impostor_pairs.push(ImpostorPair { score, a: *a, b: *b });
                }
            }
        }
        let mut firsts = usable.clone();
        firsts.dedup_by_key(|(identity, _)| *identity);
        let pairs = firsts.as_chunks::<2>().0.iter();
        compared.disjoint = pairs.map(|[a, b]| ComparisonScore::of(a.1, b.1).value()).collect();
        compared
    }

    /// The listed pairs alone.
    pub(super) fn listed(pictures: &Pictures, samples: &Samples, pairs: &[Pair]) -> Self {
        let mut compared = Self::default();
        for pair in pairs {
            let (Some(first), Some(second)) = (&samples.features[pair.first], &samples.features[pair.second]) else {
                continue;
            };
            let score = ComparisonScore::of(first, second).value();
            if pair.genuine {
                compared.genuine.push(score);
                compared.genuine_identity.push(pictures.all[pair.first].identity);
            } else {
                compared.impostor.push(score);
            }
        }
        compared
    }

    /// Each identity's own genuine comparisons and how many of them do not match at the threshold.
    pub(super) fn per_identity(&self, threshold: f64) -> Vec<Rate> {
        let mut rates = std::collections::BTreeMap::<u32, Rate>::new();
        for (score, identity) in self.genuine.iter().zip(&self.genuine_identity) {
            let rate = rates.entry(*identity).or_default();
            rate.trials += 1;
            rate.errors += u64::from(f64::from(*score) < threshold);
        }
        rates.into_values().collect()
    }
}
