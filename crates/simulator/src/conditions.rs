//! Under which conditions a capture is taken: light, camera, distance, place, and the seed of everything random.
//!
//! Invariant: equal conditions give equal bytes.

use rand::{RngExt, SeedableRng, rngs::StdRng};

/// What stands behind the capture subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Background {
    /// What the portrait shows, with the person painted out, a little blurred.
    Portrait,
    /// A blurred room: wall, window, furniture. The number chooses which.
    Room(u64),
}

/// Conditions of one capture. [`Conditions::default`] is a fair indoor place and a common laptop camera.
#[derive(Debug, Clone, PartialEq)]
pub struct Conditions {
    /// Seed of everything random: motion, noise, timing.
    pub seed: u64,
    /// Frame width in pixels, 64 to 2,048.
    pub width: u32,
    /// Frame height in pixels, 64 to 2,048.
    pub height: u32,
    /// Ambient light on the face; 1 is an ordinary room (about 150 lux), 60 is outdoors.
    pub ambient: f32,
    /// Colour of the ambient light, about 1 each.
    pub ambient_rgb: [f32; 3],
    /// Light of the white screen on a face 40 cm away, in the unit of `ambient`; a telephone gives about 0.2, a laptop 0.4.
    pub screen_strength: f32,
    /// Sensor noise; 1 is a common webcam.
    pub noise: f32,
    /// Exposure bias in stops.
    pub exposure: f32,
    /// How strongly automatic exposure follows the scene, 0 (locked) to 1.
    pub auto_exposure: f32,
    /// How strongly automatic white balance follows the scene, 0 (locked) to 1.
    pub auto_white_balance: f32,
    /// Blur by lens and demosaicing: standard deviation in pixels.
    pub blur_px: f32,
    /// JPEG quality, 1 to 100.
    pub jpeg_quality: u8,
    /// Frames a second that the camera delivers.
    pub fps: f32,
    /// The browser takes a frame up to this much late, in milliseconds.
    pub jitter_ms: f32,
    /// From a change of the script until a frame shows it: display and camera, in milliseconds.
    pub lag_ms: f32,
    /// From camera to face, in centimetres.
    pub distance_cm: f32,
    /// What stands behind.
    pub background: Background,
}

impl Default for Conditions {
    fn default() -> Self {
        Self {
            seed: 0,
            width: 640,
            height: 480,
            ambient: 1.0,
            ambient_rgb: [1.0; 3],
            screen_strength: 0.4,
            noise: 1.0,
            exposure: 0.0,
            auto_exposure: 0.6,
            auto_white_balance: 0.15,
            blur_px: 0.5,
            jpeg_quality: 90,
            fps: 30.0,
            jitter_ms: 12.0,
            lag_ms: 70.0,
            distance_cm: 42.0,
            background: Background::Portrait,
        }
    }
}

impl Conditions {
    /// Conditions as a compliant capture subject may have them, drawn by the seed: dim to bright rooms, telephones and
    /// laptops, common cameras.
    #[must_use]
    pub fn typical(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed ^ 0x5EED_C0DE);
        let warm = rng.random_range(-0.12..0.12_f32);
        let background = if rng.random_bool(0.5) { Background::Portrait } else { Background::Room(rng.random()) };
        Self {
            seed,
            ambient: 2.0_f32.powf(rng.random_range(-1.2..0.7)),
            ambient_rgb: [1.0 + warm, 1.0, 1.0 - warm],
            screen_strength: rng.random_range(0.18..0.55),
            noise: rng.random_range(0.6..1.6),
            exposure: rng.random_range(-0.35..0.35),
            auto_exposure: rng.random_range(0.2..0.9),
            auto_white_balance: rng.random_range(0.0..0.35),
            blur_px: rng.random_range(0.35..0.7),
            jpeg_quality: rng.random_range(80..=95),
            fps: if rng.random_bool(0.7) { 30.0 } else { rng.random_range(15.0..30.0) },
            jitter_ms: rng.random_range(2.0..25.0),
            lag_ms: rng.random_range(40.0..110.0),
            distance_cm: rng.random_range(34.0..50.0),
            background,
            ..Self::default()
        }
    }

    /// A generator for one purpose, independent of the others.
    pub(crate) fn rng(&self, purpose: u64) -> StdRng {
        StdRng::seed_from_u64(mix(self.seed, purpose))
    }

    /// The same place and camera at another time: everything random is drawn anew.
    pub(crate) fn again(&self, purpose: u64) -> Self {
        Self { seed: mix(self.seed, purpose), ..self.clone() }
    }

    /// Another day, place and camera, with frames of the same size.
    pub(crate) fn elsewhere(&self, purpose: u64) -> Self {
        Self { width: self.width, height: self.height, ..Self::typical(mix(self.seed, purpose)) }
    }

    /// Pixels per unit of slope: a horizontal field of view of about 60 degrees.
    pub(crate) fn focal_px(&self) -> f32 {
        0.86 * self.width.max(self.height) as f32
    }
}

/// SplitMix64 over a pair.
pub(crate) fn mix(a: u64, b: u64) -> u64 {
    let mut z = a ^ b.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
