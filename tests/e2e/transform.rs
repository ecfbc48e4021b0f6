//! The keyed transform and fusion on features of real faces: unlinkable at a glance, and without effect on any decision
//! (TARGETS B6).

use anyhow::{Context, Result, ensure};
use biometrics::{ComparisonScore, Features, KeyedTransform, ReferenceId, TenantId};
use std::{
    fs,
    path::{Path, PathBuf},
};
use support::{places, skips};
use vision::{Engine, EngineOptions, Frame, Pack, Runtime};

const PICTURES: usize = 200;
/// Largest change of a score that the transform may make.
const MOST: f64 = 1e-5;

fn engine(name: &str) -> Result<(Engine, Pack)> {
    let (pack, runtime) = (Pack::open(&places::pack(name)?)?, Runtime::load(&places::onnxruntime()?)?);
    Ok((Engine::new(&runtime, &pack, EngineOptions::default())?, pack))
}

fn map(key: u8, tenant: u128, reference: u128) -> KeyedTransform {
    let tenant = TenantId::new(uuid::Uuid::from_u128(tenant));
    KeyedTransform::derive(&[key; 32], tenant, ReferenceId::new(uuid::Uuid::from_u128(reference)), 1)
}

/// Absolute components in order of size: what is left when an attacker undoes signs and places.
fn sorted(features: &Features) -> Vec<f32> {
    let mut components: Vec<f32> = features.as_slice().iter().map(|x| x.abs()).collect();
    components.sort_by(f32::total_cmp);
    components
}

/// The share of components that are as good as equal.
fn alike(a: &[f32], b: &[f32]) -> f64 {
    let equal = a.iter().zip(b).filter(|(a, b)| (*a - *b).abs() <= 1e-4 * a.abs().max(1e-3)).count();
    equal as f64 / a.len() as f64
}

#[test]
fn one_faces_components_differ_between_tenants_and_between_references_with_base() -> Result<()> {
    components_differ("base")
}

#[test]
fn one_faces_components_differ_between_tenants_and_between_references_with_standard() -> Result<()> {
    components_differ("standard")
}

fn components_differ(name: &str) -> Result<()> {
    let test = format!("transform/components of {name}");
    let Some((mut engine, _)) = skips::or_skip(&test, engine(name)) else { return Ok(()) };
    let Some(portrait) = skips::or_skip(&test, places::portrait("obama2.jpg")) else { return Ok(()) };
    let picture = support::captures::jpeg(&support::captures::picture(&portrait)?, 92)?;
    let face = engine.features_of(&picture)?.context("a portrait has a face")?;
    let mapped = [map(1, 1, 1), map(1, 2, 1), map(1, 1, 2), map(2, 1, 1)].map(|map| sorted(&map.apply(&face)));
    for (at, a) in mapped.iter().enumerate() {
        for b in &mapped[..at] {
            let share = alike(a, b);
            ensure!(share < 0.1, "{name}: {share} of the sorted components agree");
        }
    }
    // Positive control: a map that only moves components and changes signs would be seen through.
    let moved: Vec<f32> = face.as_slice().iter().rev().map(|x| -x).collect();
    ensure!(alike(&sorted(&Features::new(&moved)?), &sorted(&face)) > 0.99);
    ensure!(sorted(&map(1, 1, 1).apply(&face)) == mapped[0], "the same key, tenant, reference and epoch: the same map");
    Ok(())
}

#[test]
fn the_transform_changes_no_score_and_flips_no_decision_with_base() -> Result<()> {
    no_score_changes("base")
}

#[test]
fn the_transform_changes_no_score_and_flips_no_decision_with_standard() -> Result<()> {
    no_score_changes("standard")
}

fn no_score_changes(name: &str) -> Result<()> {
    let test = format!("transform/scores of {name}");
    let Some((mut engine, pack)) = skips::or_skip(&test, engine(name)) else { return Ok(()) };
    let Some(pictures) = skips::or_skip(&test, pictures()) else { return Ok(()) };
    let mut faces = Vec::with_capacity(pictures.len());
    for path in &pictures {
        faces.extend(engine.features_of(&fs::read(path)?)?);
    }
    let calibration = pack.calibration();
    let thresholds: Vec<f64> = [1e-2, 1e-3, 1e-4].into_iter().filter_map(|fmr| calibration.threshold_at(fmr)).collect();
    ensure!(!thresholds.is_empty(), "{name} is not calibrated");
    let (mut pairs, mut worst, mut flips, mut matches) = (0_u32, 0_f64, 0, 0);
    for (at, probe) in faces.iter().enumerate() {
        // Each reference has a map of its own, as in the store; the probe goes through the reference's.
        let map = map(7, 1, at as u128);
        let reference = map.apply(probe);
        for other in &faces[..at] {
            let plain = ComparisonScore::of(probe, other);
            let mapped = ComparisonScore::of(&reference, &map.apply(other));
            worst = worst.max(f64::from((plain.value() - mapped.value()).abs()));
            flips += thresholds.iter().filter(|&&t| plain.is_match(t) != mapped.is_match(t)).count();
            matches += usize::from(plain.is_match(thresholds[thresholds.len() - 1]));
            pairs += 1;
        }
    }
    println!(
        "{name}: {pairs} pairs of {} faces, {matches} match, largest change {worst:.1e}, {flips} flips",
        faces.len()
    );
    ensure!(faces.len() > PICTURES * 9 / 10 && matches > 0, "{name}: too few faces or matches to show anything");
    ensure!(worst < MOST && flips == 0, "{name}: largest change {worst:e}, {flips} decisions flipped");
    Ok(())
}

#[test]
fn fused_features_do_not_depend_on_the_order_and_are_neither_of_the_two_with_base() -> Result<()> {
    fusion_is_its_own("base")
}

#[test]
fn fused_features_do_not_depend_on_the_order_and_are_neither_of_the_two_with_standard() -> Result<()> {
    fusion_is_its_own("standard")
}

fn fusion_is_its_own(name: &str) -> Result<()> {
    let test = format!("transform/fusion of {name}");
    let Some((mut engine, _)) = skips::or_skip(&test, engine(name)) else { return Ok(()) };
    let jpeg = |portrait: &str| {
        places::portrait(portrait).and_then(|path| support::captures::jpeg(&support::captures::picture(&path)?, 92))
    };
    let both = jpeg("obama2.jpg").and_then(|a| Ok((a, jpeg("obama.jpg")?)));
    let Some((a, b)) = skips::or_skip(&test, both) else { return Ok(()) };
    let mut features = |frames: &[&[u8]]| -> Result<Features> {
        let frames: Vec<_> = (0..).zip(frames).map(|(at, jpeg)| Frame { jpeg, offset_ms: at * 200 }).collect();
        let evidence = engine.examine(
            &frames,
            vision::ExamineOptions { min_inter_eye_px: 40, presentation_attack: false, previous: false },
        )?;
        evidence.features.context("the portraits pass gate 2")
    };
    let (ab, ba) = (features(&[&a, &b])?, features(&[&b, &a])?);
    let (only_a, only_b) = (features(&[&a])?, features(&[&b])?);
    ensure!(ab.as_slice() == ba.as_slice(), "{name}: the order of frames changes the features");
    let score = |x: &Features, y: &Features| ComparisonScore::of(x, y).value();
    for (one, of) in [(&only_a, "a"), (&only_b, "b")] {
        ensure!(score(&ab, one) < 0.9999, "{name}: [a, b] is [{of}]");
        ensure!(score(&ab, one) > score(&only_a, &only_b), "{name}: [a, b] is not between both");
    }
    let fused = Features::fuse(&[only_a, only_b])?;
    ensure!(score(&fused, &ab) > 0.999_999, "{name}: fused after the fact is not what the engine fuses");
    Ok(())
}

/// The first pictures of people with several, so that there are genuine pairs among them.
fn pictures() -> Result<Vec<PathBuf>> {
    let folder = places::faces("lfw-dev")?;
    let mut people: Vec<PathBuf> = list(&folder)?;
    people.sort();
    let mut pictures = Vec::new();
    for person in people {
        let mut own = list(&person)?;
        own.sort();
        if own.len() >= 2 && pictures.len() < PICTURES {
            pictures.extend(own.into_iter().take(2));
        }
    }
    Ok(pictures)
}

fn list(folder: &Path) -> Result<Vec<PathBuf>> {
    fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect()
}
