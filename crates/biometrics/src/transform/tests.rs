//! Tests of the keyed transform.

use super::*;
use crate::{features::norm, score::ComparisonScore};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use std::{fs, path::PathBuf};
use uuid::Uuid;

fn tenant(n: u128) -> TenantId {
    TenantId::new(Uuid::from_u128(n))
}

fn reference(n: u128) -> ReferenceId {
    ReferenceId::new(Uuid::from_u128(n))
}

fn transform(key: u8, tenant_and_reference: (u128, u128), epoch: u32) -> KeyedTransform {
    let (t, r) = tenant_and_reference;
    KeyedTransform::derive(&[key; 32], tenant(t), reference(r), epoch)
}

fn features() -> impl Strategy<Value = Features> {
    prop::collection::vec(-1.0f32..1.0, 128).prop_filter_map("zero", |raw| Features::new(&raw).ok())
}

fn sorted_absolute(features: &Features) -> Vec<f32> {
    let mut components: Vec<f32> = features.as_slice().iter().map(|x| x.abs()).collect();
    components.sort_by(f32::total_cmp);
    components
}

/// Largest difference between two lists of sorted components.
fn difference(a: &Features, b: &Features) -> f32 {
    sorted_absolute(a).iter().zip(sorted_absolute(b)).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max)
}

proptest! {
    #[test]
    fn scores_are_preserved_and_images_have_length_one(a in features(), b in features(), key in any::<u8>(), epoch in any::<u32>()) {
        let transform = transform(key, (1, 2), epoch);
        let (ta, tb) = (transform.apply(&a), transform.apply(&b));
        let change = (ComparisonScore::of(&a, &b).value() - ComparisonScore::of(&ta, &tb).value()).abs();
        prop_assert!(change < 1e-6, "changed by {change}");
        prop_assert!((norm(ta.as_slice()) - 1.0).abs() < 1e-6);
        // The raw and the transformed do not compare: nothing of the input's direction is left but chance.
        prop_assert!(ComparisonScore::of(&a, &ta).value().abs() < 0.6);
    }

    #[test]
    fn the_inverse_gives_the_features_back(a in features(), epoch in any::<u32>()) {
        let transform = transform(1, (1, 2), epoch);
        let back = transform.invert(&transform.apply(&a));
        for (x, y) in a.as_slice().iter().zip(back.as_slice()) {
            prop_assert!((x - y).abs() < 1e-5);
        }
    }

    #[test]
    fn tenants_references_epochs_and_keys_give_different_components(a in features()) {
        let base = transform(1, (1, 1), 1).apply(&a);
        let norm = norm(a.as_slice()) as f32;
        for other in [
            transform(2, (1, 1), 1),
            transform(1, (2, 1), 1),
            transform(1, (1, 2), 1),
            transform(1, (1, 1), 2),
        ] {
            prop_assert!(difference(&base, &other.apply(&a)) > 1e-3 * norm);
        }
        prop_assert_eq!(difference(&base, &transform(1, (1, 1), 1).apply(&a)), 0.0);
        prop_assert!(difference(&base, &a) > 1e-3 * norm);
    }
}

#[test]
fn every_dimension_has_its_own_orthonormal_map() {
    for dimension in [2, 3, 5, 128, 512] {
        let transform = transform(1, (1, 1), 1);
        let axis = |at: usize| {
            let mut raw = vec![0.0; dimension];
            raw[at] = 1.0;
            transform.apply(&Features::new(&raw).unwrap())
        };
        let images: Vec<Features> = (0..dimension.min(8)).map(axis).collect();
        for (i, a) in images.iter().enumerate() {
            for (j, b) in images.iter().enumerate() {
                let expected = if i == j { 1.0 } else { 0.0 };
                assert!((ComparisonScore::of(a, b).value() - expected).abs() < 1e-6, "{dimension}: {i} {j}");
            }
        }
    }
}

#[test]
fn two_maps_of_one_face_are_as_unalike_as_two_random_directions() {
    let face = Features::new(&(0..128_u8).map(|i| f32::from(i) - 40.0).collect::<Vec<_>>()).unwrap();
    let images: Vec<Features> = (0..60).map(|epoch| transform(1, (1, 1), epoch).apply(&face)).collect();
    let mut cosines = Vec::new();
    for (i, a) in images.iter().enumerate() {
        cosines.extend(images[..i].iter().map(|b| f64::from(ComparisonScore::of(a, b).value())));
    }
    let n = cosines.len() as f64;
    let mean = cosines.iter().sum::<f64>() / n;
    let deviation = (cosines.iter().map(|c| (c - mean) * (c - mean)).sum::<f64>() / n).sqrt();
    // 1,770 cosines of directions in 128 dimensions: mean 0 ± 0.0021, deviation 1/√128 = 0.0884.
    assert!(mean.abs() < 0.01, "mean {mean}");
    assert!((deviation - 0.0884).abs() < 0.008, "deviation {deviation}");
}

#[test]
fn keys_are_not_shown() {
    let key = TransformKey::from_slice(&[7; 32]).unwrap();
    assert_eq!(format!("{key:?} {:?}", transform(1, (1, 1), 1)), "TransformKey(..) KeyedTransform(..)");
    assert!(TransformKey::from_slice(&[7; 31]).is_none());
}

/// One transform under `tests/vectors`: references of every version must stay comparable forever.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    version: u32,
    key: String,
    tenant: TenantId,
    reference: ReferenceId,
    epoch: u32,
    input: Vec<f32>,
    output: Vec<f32>,
}

impl Vector {
    fn applied(&self) -> Features {
        let key: [u8; 32] = std::array::from_fn(|i| u8::from_str_radix(&self.key[2 * i..2 * i + 2], 16).unwrap());
        let map = KeyedTransform::derive(&key, self.tenant, self.reference, self.epoch);
        map.apply(&Features::new(&self.input).unwrap())
    }

    /// What a store holds of it.
    fn stored(&self) -> Features {
        let bytes: Vec<u8> = self.output.iter().flat_map(|x| x.to_le_bytes()).collect();
        Features::from_le_bytes(&bytes).unwrap()
    }
}

fn vectors() -> Vec<Vector> {
    let path =
        [env!("CARGO_MANIFEST_DIR"), "..", "..", "tests", "vectors", "transform.json"].iter().collect::<PathBuf>();
    let mut vectors: Vec<Vector> = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    if std::env::var_os("COUNTERSIGN_WRITE_VECTORS").is_some_and(|v| v == "1") {
        vectors.retain(|v| v.version < VERSION);
        vectors.extend(make_vectors());
        fs::write(path, serde_json::to_string_pretty(&vectors).unwrap() + "\n").unwrap();
    }
    vectors
}

fn make_vectors() -> impl Iterator<Item = Vector> {
    let inputs = [(1_u8, 128_u16, 1_u32), (2, 128, 2), (3, 4, 1), (4, 192, 4_000_000_000)];
    inputs.into_iter().map(|(number, dimension, epoch)| {
        let key = (0..32_u8).map(|i| format!("{:02x}", i.wrapping_mul(number))).collect();
        let (tenant, reference) = (tenant(u128::from(number)), reference(u128::from(number) << 64));
        let input: Vec<f32> = (0..dimension).map(|i| f32::from(i % 17) - 7.5).collect();
        let mut vector = Vector { version: VERSION, key, tenant, reference, epoch, input, output: vec![] };
        vector.output = vector.applied().as_slice().to_vec();
        vector
    })
}

#[test]
fn committed_transforms_are_reproduced_to_the_bit() {
    let vectors: Vec<Vector> = vectors().into_iter().filter(|v| v.version == VERSION).collect();
    assert_eq!(vectors.len(), 4);
    for v in vectors {
        assert_eq!(v.applied().as_slice(), v.output);
    }
}

#[test]
fn references_of_the_first_version_compare_as_those_of_this_one() {
    let vectors: Vec<Vector> = vectors().into_iter().filter(|v| v.version == 1).collect();
    assert_eq!(vectors.len(), 4);
    for v in &vectors {
        let stored = v.stored();
        assert!(norm(stored.as_slice()) > 2.0, "the first version kept lengths");
        assert!(ComparisonScore::of(&stored, &v.applied()).value() > 0.999_999);
        assert!((norm(v.applied().as_slice()) - 1.0).abs() < 1e-6);
    }
}
