//! Pictures in linear light, and how they are read at any place.
//!
//! Invariant: colour is linear (sRGB decoded), coverage is 0 to 1; pixel centres lie at whole coordinates.

use image::RgbImage;
use std::sync::LazyLock;

static LINEAR: LazyLock<[f32; 256]> = LazyLock::new(|| {
    let decode = |v: f32| if v <= 0.040_45 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) };
    std::array::from_fn(|v| decode(v as f32 / 255.0))
});

/// sRGB level to linear light.
pub(crate) fn linear(level: u8) -> f32 {
    LINEAR[usize::from(level)]
}

/// An sRGB colour in linear light.
pub(crate) fn linear_rgb(rgb: [u8; 3]) -> [f32; 3] {
    rgb.map(linear)
}

/// Weight of red, green and blue in luminance.
pub(crate) fn luminance(rgb: [f32; 3]) -> f32 {
    0.2126 * rgb[0] + 0.7152 * rgb[1] + 0.0722 * rgb[2]
}

/// Linear colour with coverage.
pub(crate) struct Texture {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) texels: Vec<[f32; 4]>,
}

impl Texture {
    /// Covers everything with a picture.
    pub(crate) fn opaque(picture: &RgbImage) -> Self {
        let table = &*LINEAR;
        let texel = |p: &[u8; 3]| [table[p[0] as usize], table[p[1] as usize], table[p[2] as usize], 1.0];
        let texels = picture.as_raw().as_chunks::<3>().0.iter().map(texel).collect();
        Self { width: picture.width() as usize, height: picture.height() as usize, texels }
    }

    /// Bilinear reading; outside the nearest edge is continued.
    #[inline]
    pub(crate) fn sample(&self, u: f32, v: f32) -> [f32; 4] {
        let u = u.clamp(0.0, (self.width - 1) as f32 - 0.001);
        let v = v.clamp(0.0, (self.height - 1) as f32 - 0.001);
        let (x, y) = (u as usize, v as usize);
        let (fx, fy) = (u - x as f32, v - y as f32);
        let at = y * self.width + x;
        let (Some(&[a, b]), Some(&[c, d])) =
            (self.texels[at..].first_chunk(), self.texels[at + self.width..].first_chunk())
        else {
            return [0.0; 4];
        };
        let weights = [(1.0 - fx) * (1.0 - fy), fx * (1.0 - fy), (1.0 - fx) * fy, fx * fy];
        std::array::from_fn(|i| a[i] * weights[0] + b[i] * weights[1] + c[i] * weights[2] + d[i] * weights[3])
    }

    /// Multiplies every channel at every place; the function gets column, row and channel.
    pub(crate) fn modulate(&mut self, factor: impl Fn(usize, usize, [f32; 3]) -> [f32; 3]) {
        for (y, row) in self.texels.chunks_exact_mut(self.width).enumerate() {
            for (x, texel) in row.iter_mut().enumerate() {
                let [r, g, b] = factor(x, y, [texel[0], texel[1], texel[2]]);
                *texel = [r, g, b, texel[3]];
            }
        }
    }
}

/// A single-channel grid with running box blurs, for mattes and backgrounds.
#[derive(Clone)]
pub(crate) struct Plane {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) cells: Vec<f32>,
}

impl Plane {
    /// A grid filled by column and row.
    pub(crate) fn filled(width: usize, height: usize, value: impl Fn(usize, usize) -> f32) -> Self {
        let cells = (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).map(|(x, y)| value(x, y)).collect();
        Self { width, height, cells }
    }

    /// Box blur in both directions, edges continued; three passes come close to a Gaussian of deviation `radius`.
    pub(crate) fn blur(&mut self, radius: usize, passes: usize) {
        if radius == 0 {
            return;
        }
        for _ in 0..passes {
            for y in 0..self.height {
                box_line(&mut self.cells, y * self.width, 1, self.width, radius);
            }
            for x in 0..self.width {
                box_line(&mut self.cells, x, self.width, self.height, radius);
            }
        }
    }

    /// Bilinear reading with continued edges.
    pub(crate) fn sample(&self, u: f32, v: f32) -> f32 {
        let u = u.clamp(0.0, (self.width - 1) as f32 - 0.001);
        let v = v.clamp(0.0, (self.height - 1) as f32 - 0.001);
        let (x, y) = (u as usize, v as usize);
        let (fx, fy) = (u - x as f32, v - y as f32);
        let at = y * self.width + x;
        let row = |at: usize| self.cells[at] * (1.0 - fx) + self.cells[at + 1] * fx;
        row(at) * (1.0 - fy) + row(at + self.width) * fy
    }
}

/// Blurs one line of `count` cells that lie `stride` apart.
fn box_line(cells: &mut [f32], start: usize, stride: usize, count: usize, radius: usize) {
    let line: Vec<f32> = (0..count).map(|i| cells[start + i * stride]).collect();
    let at = |i: isize| line[i.clamp(0, count as isize - 1) as usize];
    let reach = radius as isize;
    let mut sum: f32 = (-reach..=reach).map(at).sum();
    for i in 0..count {
        cells[start + i * stride] = sum / (2 * radius + 1) as f32;
        sum += at(i as isize + reach + 1) - at(i as isize - reach);
    }
}
