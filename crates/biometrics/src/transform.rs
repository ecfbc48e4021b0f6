//! The keyed transform that makes templates renewable: an orthonormal map drawn from the tenant's key, the reference and
//! its epoch. With the key, scores are unchanged; without it, references cannot be linked across tenants, users or renewals.
//! An orthonormal map keeps the length of a vector, so every image is scaled to length one before it is rounded.
//!
//! Must never know: where the key is kept. Invariant: the map is orthonormal and a function of key, tenant, reference and
//! epoch alone, bit for bit on every machine (integers, and IEEE 754 operations that round exactly, in a fixed order).
//!
//! Construction for n components:
//! - seed = HKDF-SHA256(salt `countersign/transform/v1`, key, info = tenant UUID ‖ reference UUID ‖ epoch, big endian);
//! - stream = ChaCha20 (RFC 8439) key stream from block 1 under the seed, nonce = n as 4 bytes little endian ‖ 8 zero bytes;
//! - for k = n down to 2: x has k components, each the sum of the next eight stream bytes less 1020 (near-normal, exact);
//!   v = x + sign(x₁)·‖x‖·e₁; the last k components are reflected at v's hyperplane (Householder);
//! - then each component changes its sign where the low bit of the next stream byte is set;
//! - version 2: at last the image is scaled to length one, in double precision. Version 1 left the length as it was; its map
//!   is the same, so references of both compare alike.
//!
//! With normal x this product is uniform (Haar) over all orthonormal maps: Stewart, SIAM J. Numer. Anal. 17 (1980);
//! Mezzadri, Notices AMS 54 (2007). A product of n full-length reflections is not: it keeps a cosine of e⁻² to its input.

use crate::{
    features::Features,
    ids::{ReferenceId, TenantId},
};
use ring::{aead, hkdf};
use zeroize::{Zeroize, Zeroizing};

/// Version of the construction; part of a sealed reference's associated data.
pub const VERSION: u32 = 2;
/// Versions whose references still open.
pub const READABLE: std::ops::RangeInclusive<u32> = 1..=VERSION;

const SALT: &[u8] = b"countersign/transform/v1";
const BYTES_PER_COMPONENT: usize = 8;
/// Eight times the mean of a byte: makes the sum of eight bytes symmetric about zero.
const CENTRE: i32 = 1020;

/// A tenant's transform key: 32 random bytes, wiped on drop.
pub struct TransformKey(Zeroizing<[u8; 32]>);

impl TransformKey {
    /// Takes 32 bytes; `None` for any other length.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(|key| Self(Zeroizing::new(key)))
    }

    /// The key itself, to derive with or to wrap.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl std::fmt::Debug for TransformKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TransformKey(..)")
    }
}

/// The map of one reference and epoch. Deriving is cheap; drawing the reflections happens in [`KeyedTransform::apply`].
pub struct KeyedTransform {
    seed: Zeroizing<[u8; 32]>,
}

impl KeyedTransform {
    /// Derives the map's seed. `epoch` counts renewals of the reference.
    #[must_use]
    pub fn derive(key: &[u8; 32], tenant: TenantId, reference: ReferenceId, epoch: u32) -> Self {
        let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, SALT).extract(key);
        let (tenant, reference) = (tenant.uuid(), reference.uuid());
        let mut seed = Zeroizing::new([0; 32]);
        prk.expand(&[tenant.as_bytes(), reference.as_bytes(), &epoch.to_be_bytes()], hkdf::HKDF_SHA256)
            .and_then(|okm| okm.fill(&mut *seed))
            .expect("32 bytes are one HKDF-SHA256 block");
        Self { seed }
    }

    /// Maps features; angles, and so scores, are preserved up to rounding.
    #[must_use]
    pub fn apply(&self, features: &Features) -> Features {
        let mut components = doubles(features);
        let dimension = components.len();
        let stream = self.stream(dimension);
        let (draws, signs) = stream.split_at(draw_bytes(dimension));
        let mut normal = Zeroizing::new(vec![0.0_f64; dimension]);
        for k in (2..=dimension).rev() {
            draw(&mut normal[..k], draws, dimension);
            reflect(&mut components[dimension - k..], &mut normal[..k]);
        }
        flip(&mut components, signs);
        Features::mapped(&components)
    }

    /// Undoes [`KeyedTransform::apply`] up to rounding: signs and reflections are their own inverses, taken in reverse.
    /// Renewal needs it, to lay a reference out anew under the next epoch.
    #[must_use]
    pub fn invert(&self, features: &Features) -> Features {
        let mut components = doubles(features);
        let dimension = components.len();
        let stream = self.stream(dimension);
        let (draws, signs) = stream.split_at(draw_bytes(dimension));
        let mut normal = Zeroizing::new(vec![0.0_f64; dimension]);
        flip(&mut components, signs);
        for k in 2..=dimension {
            draw(&mut normal[..k], draws, dimension);
            reflect(&mut components[dimension - k..], &mut normal[..k]);
        }
        Features::mapped(&components)
    }

    fn stream(&self, dimension: usize) -> Zeroizing<Vec<u8>> {
        let key = aead::UnboundKey::new(&aead::CHACHA20_POLY1305, &*self.seed).expect("a ChaCha20 key is 32 bytes");
        let mut nonce = [0; aead::NONCE_LEN];
        nonce[..4].copy_from_slice(&u32::try_from(dimension).unwrap_or(u32::MAX).to_le_bytes());
        let mut stream = Zeroizing::new(vec![0; draw_bytes(dimension) + dimension]);
        // Encrypting zeros gives the key stream; each seed and dimension has its own, so the nonce never meets other text.
        let mut tag = aead::LessSafeKey::new(key)
            .seal_in_place_separate_tag(aead::Nonce::assume_unique_for_key(nonce), aead::Aad::empty(), &mut stream)
            .expect("far below ChaCha20's limit")
            .as_ref()
            .to_vec();
        tag.zeroize();
        stream
    }
}

impl std::fmt::Debug for KeyedTransform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyedTransform(..)")
    }
}

/// Stream bytes of all reflections: eight for each of n + (n - 1) + ... + 2 components.
const fn draw_bytes(dimension: usize) -> usize {
    (dimension * (dimension + 1) / 2 - 1) * BYTES_PER_COMPONENT
}

fn doubles(features: &Features) -> Zeroizing<Vec<f64>> {
    Zeroizing::new(features.as_slice().iter().map(|&x| f64::from(x)).collect())
}

/// Fills `normal`, of k components, with its near-normal draws: they follow those of n, n - 1, ... k + 1 components.
fn draw(normal: &mut [f64], draws: &[u8], dimension: usize) {
    let k = normal.len();
    let before = dimension * (dimension + 1) / 2 - k * (k + 1) / 2;
    let mine = draws.as_chunks::<BYTES_PER_COMPONENT>().0.iter().skip(before);
    for (component, bytes) in normal.iter_mut().zip(mine) {
        *component = f64::from(bytes.iter().map(|&b| i32::from(b)).sum::<i32>() - CENTRE);
    }
}

/// Changes the sign of each component where the low bit of its byte is set.
fn flip(components: &mut [f64], signs: &[u8]) {
    for (component, sign) in components.iter_mut().zip(signs) {
        if sign & 1 == 1 {
            *component = -*component;
        }
    }
}

/// Reflects `components` at the hyperplane that maps `normal` onto the first axis; leaves `normal` overwritten.
fn reflect(components: &mut [f64], normal: &mut [f64]) {
    let length = normal.iter().map(|x| x * x).sum::<f64>().sqrt();
    let Some(first) = normal.first_mut() else { return };
    *first += if *first < 0.0 { -length } else { length };
    let square: f64 = normal.iter().map(|x| x * x).sum();
    if square == 0.0 {
        return; // drew the origin: no hyperplane, and the identity is orthonormal too
    }
    let along = normal.iter().zip(components.iter()).map(|(v, x)| v * x).sum::<f64>() * 2.0 / square;
    for (x, v) in components.iter_mut().zip(normal.iter()) {
        *x -= along * v;
    }
}

#[cfg(test)]
mod tests;
