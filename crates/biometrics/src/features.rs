//! Features (ISO/IEC 2382-37 37.03.11): what a recogniser extracts from one sample, as a direction of length one.
//!
//! Comparison asks for the angle alone, and a length would outlive every orthonormal map and link protected templates, so
//! none is kept. Must never know: which recogniser made them. Invariant: components are finite, the norm is one up to
//! rounding, and the memory is wiped on drop; content never reaches `Debug`.

use std::{fmt, ops::RangeInclusive};
use zeroize::Zeroizing;

/// Components of the features of the packs we build.
pub const DIMENSION: usize = 128;
/// Fewest and most components any recogniser may give.
pub const DIMENSION_RANGE: RangeInclusive<usize> = 2..=1024;
/// Euclidean norms a recogniser may give; outside them the vector carries no usable direction.
pub const NORM_RANGE: RangeInclusive<f64> = 1e-6..=1e6;
/// References that were sealed under version 1 of the keyed transform may still have a length, changed a little by rounding.
const STORED_NORM_RANGE: RangeInclusive<f64> = 0.99e-6..=1.01e6;

/// Why numbers are not features.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FeaturesError {
    /// Too few or too many components, or a byte count that is no multiple of four.
    #[error("{0} is not an allowed length of features")]
    Length(usize),
    /// A component is NaN or infinite.
    #[error("component {0} is not finite")]
    NotFinite(usize),
    /// The norm is outside [`NORM_RANGE`] (an all-zero vector, for instance).
    #[error("the norm is outside the allowed range")]
    Norm,
    /// Nothing to fuse.
    #[error("no samples")]
    NoSamples,
    /// Samples of different lengths cannot be fused.
    #[error("samples of {0} and {1} components")]
    Mixed(usize, usize),
}

/// Features of one sample or of several fused ones: 2 to 1024 finite components, of length one.
pub struct Features(Zeroizing<Box<[f32]>>);

impl Features {
    /// Takes a recogniser's output, scaled to length one.
    ///
    /// # Errors
    /// `Length`, `NotFinite` or `Norm` when the numbers cannot be compared.
    pub fn new(raw: &[f32]) -> Result<Self, FeaturesError> {
        check(raw, &NORM_RANGE)?;
        let norm = norm(raw);
        Ok(Self(Zeroizing::new(raw.iter().map(|&x| (f64::from(x) / norm) as f32).collect())))
    }

    /// Fuses the features of several samples of one capture: the direction of their mean. The order of samples does not
    /// matter, to the bit.
    ///
    /// # Errors
    /// `NoSamples`, `Mixed` dimensions, or `Norm` where the samples cancel out.
    pub fn fuse(samples: &[Self]) -> Result<Self, FeaturesError> {
        let first = samples.first().ok_or(FeaturesError::NoSamples)?;
        if let Some(other) = samples.iter().find(|s| s.dimension() != first.dimension()) {
            return Err(FeaturesError::Mixed(first.dimension(), other.dimension()));
        }
        // Floating-point sums depend on their order, so the order is made canonical.
        let mut ordered: Vec<&[f32]> = samples.iter().map(Self::as_slice).collect();
        ordered.sort_unstable_by(|a, b| {
            a.iter().zip(*b).map(|(x, y)| x.total_cmp(y)).find(|o| o.is_ne()).map_or(std::cmp::Ordering::Equal, |o| o)
        });
        let mut sum = Zeroizing::new(vec![0.0_f64; first.dimension()]);
        for sample in ordered {
            for (total, &component) in sum.iter_mut().zip(sample) {
                *total += f64::from(component);
            }
        }
        let fused: Zeroizing<Vec<f32>> = Zeroizing::new(sum.iter().map(|&x| x as f32).collect());
        Self::new(&fused)
    }

    /// Reads what [`Features::to_le_bytes`] wrote.
    ///
    /// # Errors
    /// As [`Features::new`].
    pub fn from_le_bytes(bytes: &[u8]) -> Result<Self, FeaturesError> {
        let (words, rest) = bytes.as_chunks::<4>();
        if !rest.is_empty() {
            return Err(FeaturesError::Length(bytes.len()));
        }
        let raw: Zeroizing<Box<[f32]>> = Zeroizing::new(words.iter().map(|&word| f32::from_le_bytes(word)).collect());
        check(&raw, &STORED_NORM_RANGE)?;
        Ok(Self(raw))
    }

    /// IEEE 754 single precision, little endian, in order: four bytes a component.
    #[must_use]
    pub fn to_le_bytes(&self) -> Zeroizing<Vec<u8>> {
        // Sized at once: growing would leave copies behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(self.0.len() * 4));
        for component in self.0.iter() {
            bytes.extend_from_slice(&component.to_le_bytes());
        }
        bytes
    }

    /// The components.
    #[must_use]
    pub fn as_slice(&self) -> &[f32] {
        &self.0
    }

    /// Number of components.
    #[must_use]
    pub fn dimension(&self) -> usize {
        self.0.len()
    }

    /// A second copy, asked for by name because each copy is one more place to wipe.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        Self(self.0.clone())
    }

    /// What a norm-preserving map made of features, scaled to length one before it is rounded: what the features' own
    /// rounding left of a length would link their images.
    pub(crate) fn mapped(components: &[f64]) -> Self {
        let norm = components.iter().map(|x| x * x).sum::<f64>().sqrt();
        Self(Zeroizing::new(components.iter().map(|&x| (x / norm) as f32).collect()))
    }
}

impl fmt::Debug for Features {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Features({} components)", self.0.len())
    }
}

/// Euclidean norm, summed in order in double precision.
pub(crate) fn norm(raw: &[f32]) -> f64 {
    raw.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt()
}

fn check(raw: &[f32], norms: &RangeInclusive<f64>) -> Result<(), FeaturesError> {
    if !DIMENSION_RANGE.contains(&raw.len()) {
        return Err(FeaturesError::Length(raw.len()));
    }
    if let Some(at) = raw.iter().position(|x| !x.is_finite()) {
        return Err(FeaturesError::NotFinite(at));
    }
    if norms.contains(&norm(raw)) { Ok(()) } else { Err(FeaturesError::Norm) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_cannot_be_compared_is_refused() {
        let refused = |raw: &[f32]| Features::new(raw).unwrap_err();
        assert_eq!(refused(&[1.0]), FeaturesError::Length(1));
        assert_eq!(refused(&vec![1.0; 1025]), FeaturesError::Length(1025));
        assert_eq!(refused(&[1.0, f32::NAN]), FeaturesError::NotFinite(1));
        assert_eq!(refused(&[f32::NEG_INFINITY, 1.0]), FeaturesError::NotFinite(0));
        assert_eq!(refused(&[0.0; 128]), FeaturesError::Norm);
        assert_eq!(refused(&[f32::MAX; 128]), FeaturesError::Norm);
        assert_eq!(Features::from_le_bytes(&[0; 511]).unwrap_err(), FeaturesError::Length(511));
    }

    fn features() -> impl Strategy<Value = Features> {
        prop::collection::vec(-1.0f32..1.0, 128).prop_filter_map("zero", |raw| Features::new(&raw).ok())
    }

    proptest! {
        #[test]
        fn whatever_its_length_a_direction_gives_the_same_features_of_length_one(a in features(), power in -16_i32..16) {
            let scaled: Vec<f32> = a.as_slice().iter().map(|x| x * 2.0_f32.powi(power)).collect();
            let again = Features::new(&scaled).unwrap();
            prop_assert!((norm(again.as_slice()) - 1.0).abs() < 1e-6);
            prop_assert_eq!(again.to_le_bytes(), Features::new(a.as_slice()).unwrap().to_le_bytes());
        }

        #[test]
        fn fusion_does_not_depend_on_the_order_of_samples(samples in prop::collection::vec(features(), 2..6), turn in 0usize..6) {
            let mut turned: Vec<Features> = samples.iter().map(Features::duplicate).collect();
            turned.rotate_left(turn % samples.len());
            turned.swap(0, 1);
            let (one, other) = (Features::fuse(&samples).unwrap(), Features::fuse(&turned).unwrap());
            prop_assert_eq!(&*one.to_le_bytes(), &*other.to_le_bytes());
        }

        #[test]
        fn fusing_two_samples_gives_neither(a in features(), b in features()) {
            let both = Features::fuse(&[a.duplicate(), b.duplicate()]).unwrap();
            for single in [&a, &b] {
                let alone = Features::fuse(std::slice::from_ref(single)).unwrap();
                prop_assert_ne!(&*both.to_le_bytes(), &*alone.to_le_bytes());
            }
        }
    }

    #[test]
    fn samples_that_cancel_out_or_differ_in_length_do_not_fuse() {
        let pair = [Features::new(&[1.0, 2.0]).unwrap(), Features::new(&[-1.0, -2.0]).unwrap()];
        assert_eq!(Features::fuse(&pair).unwrap_err(), FeaturesError::Norm);
        let mixed = [Features::new(&[1.0, 0.0]).unwrap(), Features::new(&[1.0, 0.0, 0.0]).unwrap()];
        assert_eq!(Features::fuse(&mixed).unwrap_err(), FeaturesError::Mixed(2, 3));
        assert_eq!(Features::fuse(&[]).unwrap_err(), FeaturesError::NoSamples);
    }

    #[test]
    fn bytes_read_back_exactly() {
        let features = Features::new(&[0.25, -3.5, 1e-3]).unwrap();
        let bytes = features.to_le_bytes();
        assert_eq!(Features::from_le_bytes(&bytes).unwrap().as_slice(), features.as_slice());
        assert_eq!(bytes.len(), 12);
    }

    #[test]
    fn debug_shows_no_component() {
        assert_eq!(format!("{:?}", Features::new(&[0.5, 0.75]).unwrap()), "Features(2 components)");
    }
}
