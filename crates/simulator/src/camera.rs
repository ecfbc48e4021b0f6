//! A camera: automatic exposure and white balance, noise, blur, tone curve, and when frames come.
//!
//! Must never know: what is before it. Invariant: two exposures never share their noise; a camera's fixed pattern stays.

#[cfg(test)]
mod tests;

use crate::{
    conditions::{Conditions, mix},
    raster::Canvas,
    script::Script,
    texture::luminance,
};
use image::RgbImage;
use rand::{Rng, RngExt, SeedableRng, rngs::StdRng};
use std::sync::LazyLock;

/// Mean luminance that automatic exposure aims at.
const KEY: f32 = 0.17;
/// Exposure is metered on what is in the middle, as large as a face before a telephone, so many times as on the rest: cameras
/// that take faces meter on faces.
const MIDDLE_WEIGHT: f32 = 6.0;
/// Half axes of that middle as shares of width and height.
const MIDDLE: [f32; 2] = [0.15, 0.26];
/// No more than a fiftieth of the middle may be brighter than this: the upper highlight constraint of libcamera's automatic
/// exposure.
const HIGHLIGHT: f32 = 0.8;
const HIGHLIGHT_SHARE: f32 = 0.02;
/// An exposure bias beyond this many stops is somebody's wish: it lifts that limit by what it is beyond.
const OWN_BIAS: f32 = 0.35;
/// Time constants of exposure and white balance, in milliseconds.
const EXPOSURE_MS: f32 = 450.0;
const BALANCE_MS: f32 = 2500.0;
/// Photon noise: variance per unit of light at gain one. Read noise: deviation at gain one.
const PHOTON: f32 = 0.000_42;
const READ: f32 = 0.0013;
/// Differences of pixels' sensitivity.
const PATTERN: f32 = 0.007;
const TONES: usize = 8192;
/// Light at the end of the tone table.
const WHITEST: f32 = 2.0;
const DEVIATES: usize = 1 << 16;

/// Normal deviates, read from random places.
static NORMAL: LazyLock<Vec<f32>> = LazyLock::new(|| {
    let mut rng = StdRng::seed_from_u64(0x0A05_1E0F);
    let mut pair = || {
        let (a, b): (f32, f32) = (rng.random_range(1e-7..1.0), rng.random_range(0.0..std::f32::consts::TAU));
        let radius = (-2.0 * a.ln()).sqrt();
        [radius * b.cos(), radius * b.sin()]
    };
    (0..DEVIATES / 2).flat_map(|_| pair()).collect()
});

/// sRGB with a soft shoulder.
static TONE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let tone = |i: usize| {
        let x = i as f32 / TONES as f32 * WHITEST;
        let x = if x < 0.75 { x } else { 0.75 + 0.25 * (1.0 - (-(x - 0.75) / 0.25).exp()) };
        let encoded = if x <= 0.003_130_8 { 12.92 * x } else { 1.055 * x.powf(1.0 / 2.4) - 0.055 };
        (encoded * 255.0 + 0.5).clamp(0.0, 255.0) as u8
    };
    (0..TONES).map(tone).collect()
});

/// One camera through one capture.
pub(crate) struct Camera {
    rng: StdRng,
    pattern: u64,
    conditions: Conditions,
    gain: Option<(f32, f32)>,
    balance: [f32; 3],
}

impl Camera {
    pub(crate) fn new(conditions: &Conditions) -> Self {
        let pattern = mix(conditions.seed, 22);
        Self { rng: conditions.rng(21), pattern, conditions: conditions.clone(), gain: None, balance: [1.0; 3] }
    }

    /// When frames are really taken that a script asks for: on the camera's own beat, and a little late.
    pub(crate) fn times(&mut self, script: &Script) -> Vec<f32> {
        let beat = 1000.0 / self.conditions.fps.clamp(1.0, 240.0);
        let phase = self.rng.random_range(0.0..beat);
        let mut last = f32::NEG_INFINITY;
        let mut times = Vec::new();
        for &wanted in &script.frame_times_ms {
            let asked = wanted as f32 + self.rng.random_range(0.0..self.conditions.jitter_ms.max(0.1));
            let time = (((asked - phase) / beat).ceil() * beat + phase).max(last + beat);
            times.push(time);
            last = time;
        }
        let first = times.first().copied().unwrap_or(0.0);
        times.iter().map(|time| time - first).collect()
    }

    /// Takes a picture of what is on the canvas, which is used up.
    pub(crate) fn expose(&mut self, canvas: &mut Canvas, ms: f32) -> RgbImage {
        self.adapt(canvas, ms);
        let gain = self.gain.map_or(1.0, |(gain, _)| gain);
        self.sense(canvas, gain);
        blur(canvas, self.conditions.blur_px);
        let tone = &*TONE;
        let level = |x: f32| tone[((x * (TONES as f32 / WHITEST)).max(0.0) as usize).min(TONES - 1)];
        let mut levels = vec![0; 3 * canvas.pixels.len()];
        for (out, pixel) in levels.as_chunks_mut().0.iter_mut().zip(&canvas.pixels) {
            *out = pixel.map(level);
        }
        RgbImage::from_raw(canvas.width as u32, canvas.height as u32, levels).unwrap_or_default()
    }

    /// Moves exposure and white balance towards what the frame asks for.
    fn adapt(&mut self, canvas: &Canvas, ms: f32) {
        let (mean, highlight) = meter(canvas);
        let key = KEY * 2.0_f32.powf(self.conditions.exposure);
        let limit = HIGHLIGHT * 2.0_f32.powf((self.conditions.exposure - OWN_BIAS).max(0.0));
        let wanted = (key / luminance(mean).max(1e-4)).min(limit / highlight.max(1e-4)).clamp(0.004, 40.0);
        let Some((gain, before)) = self.gain else {
            self.gain = Some((wanted, ms));
            return;
        };
        let passed = (ms - before).max(0.0);
        let follow = self.conditions.auto_exposure.clamp(0.0, 1.0) * (1.0 - (-passed / EXPOSURE_MS).exp());
        self.gain = Some((gain * (wanted / gain).powf(follow), ms));
        let grey = luminance(mean).max(1e-4);
        let follow = self.conditions.auto_white_balance.clamp(0.0, 1.0) * (1.0 - (-passed / BALANCE_MS).exp());
        for (balance, channel) in self.balance.iter_mut().zip(mean) {
            *balance *= (grey / (channel * *balance).max(1e-4)).clamp(0.5, 2.0).powf(follow);
        }
    }

    /// Gain, fixed pattern and noise.
    fn sense(&mut self, canvas: &mut Canvas, gain: f32) {
        let normal = &*NORMAL;
        let noise = self.conditions.noise.max(0.0);
        let (photon, read) = (PHOTON * gain * noise * noise, (READ * gain * noise).powi(2));
        let gains = self.balance.map(|balance| balance * gain);
        let width = canvas.width;
        for (y, line) in canvas.pixels.chunks_exact_mut(width).enumerate() {
            let fixed = mix(self.pattern, y as u64) as usize;
            let fresh = self.rng.next_u64() as usize;
            for (x, pixel) in line.iter_mut().enumerate() {
                let pattern = 1.0 + PATTERN * normal[(fixed + x) % DEVIATES];
                let shared = normal[(fresh + x) % DEVIATES];
                for (c, value) in pixel.iter_mut().enumerate() {
                    let own = normal[((fresh >> (12 + 9 * c)) + 3 * x) % DEVIATES];
                    let light = *value * gains[c] * pattern;
                    *value = light + (photon * light + read).sqrt() * (0.75 * shared + 0.65 * own);
                }
            }
        }
    }
}

/// Mean colour with the middle of the frame counted more than the rest, and how bright the brightest of the middle is.
fn meter(canvas: &Canvas) -> ([f32; 3], f32) {
    let (mut sum, mut total, mut brightest) = ([0.0; 3], 0.0, Vec::new());
    let aside = |at: usize, side: usize, half: f32| (at as f32 / side as f32 - 0.5) / half;
    for y in (0..canvas.height).step_by(8) {
        for x in (0..canvas.width).step_by(8) {
            let pixel = canvas.pixels[y * canvas.width + x];
            let (dx, dy) = (aside(x, canvas.width, MIDDLE[0]), aside(y, canvas.height, MIDDLE[1]));
            let middle = dx * dx + dy * dy <= 1.0;
            if middle {
                brightest.push(pixel.iter().fold(0.0_f32, |most, part| most.max(*part)));
            }
            let weight = if middle { MIDDLE_WEIGHT } else { 1.0 };
            for (total, part) in sum.iter_mut().zip(pixel) {
                *total += weight * part.min(4.0);
            }
            total += weight;
        }
    }
    brightest.sort_by(|a, b| b.total_cmp(a));
    let at = (brightest.len() as f32 * HIGHLIGHT_SHARE) as usize;
    (sum.map(|v| v / total), brightest.get(at).copied().unwrap_or_default())
}

/// Gaussian blur as passes of three taps.
fn blur(canvas: &mut Canvas, deviation: f32) {
    let variance = deviation.max(0.0).powi(2);
    let passes = (variance / 0.5).ceil() as usize;
    if passes == 0 {
        return;
    }
    let side = variance / passes as f32 / 2.0;
    let mix = |a: [f32; 3], b: [f32; 3], c: [f32; 3]| -> [f32; 3] {
        std::array::from_fn(|i| b[i] + side * (a[i] - 2.0 * b[i] + c[i]))
    };
    let width = canvas.width;
    let mut above = vec![[0.0; 3]; width];
    for _ in 0..passes {
        for line in canvas.pixels.chunks_exact_mut(width) {
            let mut left = line[0];
            for x in 0..width {
                let (here, right) = (line[x], line[(x + 1).min(width - 1)]);
                line[x] = mix(left, here, right);
                left = here;
            }
        }
        above.copy_from_slice(&canvas.pixels[..width]);
        for y in 0..canvas.height {
            let next = if y + 1 < canvas.height { (y + 1) * width } else { y * width };
            for (x, above) in above.iter_mut().enumerate() {
                let here = canvas.pixels[y * width + x];
                canvas.pixels[y * width + x] = mix(*above, here, canvas.pixels[next + x]);
                *above = here;
            }
        }
    }
}
