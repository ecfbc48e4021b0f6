//! Features (ISO/IEC 2382-37 37.03.11): what a recogniser extracts from one sample, kept as the recogniser gave them.
//!
//! Must never know: which recogniser made them. Invariant: components are finite, the norm lies in [`NORM_RANGE`], and the
//! memory is wiped on drop; content never reaches `Debug`.

use std::{fmt, ops::RangeInclusive};
use zeroize::Zeroizing;

/// Components of the features of the packs we build.
pub const DIMENSION: usize = 128;
/// Fewest and most components any recogniser may give.
pub const DIMENSION_RANGE: RangeInclusive<usize> = 2..=1024;
/// Euclidean norms a recogniser may give; outside them the vector carries no usable direction.
pub const NORM_RANGE: RangeInclusive<f64> = 1e-6..=1e6;
/// The norm survives the keyed transform only up to rounding, so what was stored is read back with a little more room.
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

/// Features of one sample or of several fused ones: 2 to 1024 finite components, unscaled.
pub struct Features(Zeroizing<Box<[f32]>>);

impl Features {
    /// Takes a recogniser's output as it is, without scaling.
    ///
    /// # Errors
    /// `Length`, `NotFinite` or `Norm` when the numbers cannot be compared.
    pub fn new(raw: &[f32]) -> Result<Self, FeaturesError> {
        check(raw, &NORM_RANGE)?;
        Ok(Self(Zeroizing::new(raw.into())))
    }

    /// Takes a recogniser's output scaled to length one.
    ///
    /// # Errors
    /// As [`Features::new`].
    pub fn normalise(raw: &[f32]) -> Result<Self, FeaturesError> {
        check(raw, &NORM_RANGE)?;
        let norm = norm(raw);
        Ok(Self(Zeroizing::new(raw.iter().map(|&x| (f64::from(x) / norm) as f32).collect())))
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

    /// What a norm-preserving map made of features; the map's rounding may leave the range of fresh ones by a hair.
    pub(crate) fn mapped(components: &[f64]) -> Self {
        Self(Zeroizing::new(components.iter().map(|&x| x as f32).collect()))
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
