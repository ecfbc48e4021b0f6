//! Geometry on pixels: similarity transforms, reduction by pixel area, bilinear warping.
//!
//! Must never know: faces. Invariant: coordinates name pixel centres, and the numbers are those of OpenCV's `INTER_AREA`
//! and `warpAffine` to a grey level, because the recognisers were calibrated on those. `fast_image_resize` has neither: its
//! box filter takes whole pixels only, and its scratch memory, which holds a capture subject's picture, cannot be wiped.

mod area;
mod warp;

pub(crate) use area::{Grid, Reducer};
pub(crate) use warp::Warper;

use crate::evidence::Point;

/// x' = a x - b y + tx, y' = b x + a y + ty: rotation, scale and shift.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Similarity {
    pub(crate) a: f64,
    pub(crate) b: f64,
    pub(crate) tx: f64,
    pub(crate) ty: f64,
}

impl Similarity {
    /// The least-squares similarity (without reflection) that takes `from` to `to`, point by point (Umeyama 1991 in two
    /// dimensions). `None` when `from` is a single spot or a number is not finite.
    pub(crate) fn fit<const N: usize>(from: &[Point; N], to: &[(f64, f64); N]) -> Option<Self> {
        let n = N as f64;
        let (mut mx, mut my, mut ux, mut uy) = (0.0, 0.0, 0.0, 0.0);
        for (p, q) in from.iter().zip(to) {
            mx += f64::from(p.x) / n;
            my += f64::from(p.y) / n;
            ux += q.0 / n;
            uy += q.1 / n;
        }
        let (mut spread, mut dot, mut cross) = (0.0, 0.0, 0.0);
        for (p, q) in from.iter().zip(to) {
            let (px, py, qx, qy) = (f64::from(p.x) - mx, f64::from(p.y) - my, q.0 - ux, q.1 - uy);
            spread += px * px + py * py;
            dot += px * qx + py * qy;
            cross += px * qy - py * qx;
        }
        let (a, b) = (dot / spread, cross / spread);
        let fit = Self { a, b, tx: ux - (a * mx - b * my), ty: uy - (b * mx + a * my) };
        fit.is_usable().then_some(fit)
    }

    /// Rotates and scales about `centre`, which lands on (`to`, `to`).
    pub(crate) fn about(centre: Point, scale: f64, angle: f64, to: f64) -> Self {
        let (a, b) = (scale * angle.cos(), scale * angle.sin());
        let (x, y) = (f64::from(centre.x), f64::from(centre.y));
        Self { a, b, tx: to - (a * x - b * y), ty: to - (b * x + a * y) }
    }

    pub(crate) fn scale(&self) -> f64 {
        self.a.hypot(self.b)
    }

    /// Whether it can be inverted without losing all precision.
    pub(crate) fn is_usable(&self) -> bool {
        let scale = self.scale();
        scale > 1e-3 && scale < 1e3 && self.tx.abs() < 1e5 && self.ty.abs() < 1e5
    }

    pub(crate) fn inverse(&self) -> Self {
        let square = self.a * self.a + self.b * self.b;
        let (a, b) = (self.a / square, -self.b / square);
        Self { a, b, tx: -(a * self.tx - b * self.ty), ty: -(b * self.tx + a * self.ty) }
    }

    pub(crate) fn apply(&self, x: f64, y: f64) -> (f64, f64) {
        (self.a * x - self.b * y + self.tx, self.b * x + self.a * y + self.ty)
    }
}

#[cfg(test)]
mod tests;
