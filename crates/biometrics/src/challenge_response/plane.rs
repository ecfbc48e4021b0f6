//! Parallax: how well the motion of the mesh between two frames is explained by a plane, and how well by a head.
//!
//! Two views of a plane are related by a homography, whatever the camera; a print and a screen move so. Two views of a head
//! under weak perspective are related by an affine camera that takes the first view's depth into account. Both have eight
//! parameters, so neither fits better by being looser.
//!
//! Invariant: no answer where either fit is degenerate.

use super::least_squares::Normal;
use crate::observation::FaceObservation;

/// Root mean square errors in inter-eye distances of the first view.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Fit {
    /// Of the best homography.
    pub(super) plane: f32,
    /// Of the best affine camera over the first view's own depth.
    pub(super) head: f32,
}

/// Compares both explanations of the motion from one face to the other.
pub(super) fn compare(from: &FaceObservation, to: &FaceObservation) -> Option<Fit> {
    let (a, b) = (normalised(from)?, normalised(to)?);
    // Residuals are measured in the second view, scaled to its own inter-eye distance.
    Some(Fit { plane: plane_error(&a, &b)?, head: head_error(&a, &b)? })
}

/// Points about their middle, in inter-eye distances.
fn normalised(face: &FaceObservation) -> Option<Vec<[f64; 3]>> {
    let n = face.points.len() as f64;
    let mean = [0, 1, 2].map(|i| face.points.iter().map(|p| f64::from(p[i])).sum::<f64>() / n);
    let unit = f64::from(face.inter_eye_px);
    let point = |p: &[f32; 3]| [0, 1, 2].map(|i| (f64::from(p[i]) - mean[i]) / unit);
    (n >= 16.0 && unit > 1e-3).then(|| face.points.iter().map(point).collect())
}

/// Direct linear transformation with the last entry set to 1, which centred points allow.
fn plane_error(from: &[[f64; 3]], to: &[[f64; 3]]) -> Option<f32> {
    let mut normal = Normal::<8>::new();
    for ([x, y, _], [u, v, _]) in from.iter().zip(to) {
        normal.add(&[*x, *y, 1.0, 0.0, 0.0, 0.0, -u * x, -u * y], *u);
        normal.add(&[0.0, 0.0, 0.0, *x, *y, 1.0, -v * x, -v * y], *v);
    }
    let h = normal.solve()?;
    let error = from.iter().zip(to).map(|([x, y, _], [u, v, _])| {
        let w = h[6] * x + h[7] * y + 1.0;
        let (du, dv) = ((h[0] * x + h[1] * y + h[2]) / w - u, (h[3] * x + h[4] * y + h[5]) / w - v);
        du * du + dv * dv
    });
    root_mean(error.sum(), from.len())
}

/// u and v as affine functions of x, y and depth.
fn head_error(from: &[[f64; 3]], to: &[[f64; 3]]) -> Option<f32> {
    let fit = |axis: usize| {
        let mut normal = Normal::<4>::new();
        for ([x, y, z], target) in from.iter().zip(to) {
            normal.add(&[*x, *y, *z, 1.0], target[axis]);
        }
        let [a, b, c, d] = normal.solve()?;
        let error = |([x, y, z], target): (&[f64; 3], &[f64; 3])| (a * x + b * y + c * z + d - target[axis]).powi(2);
        Some(from.iter().zip(to).map(error).sum::<f64>())
    };
    root_mean(fit(0)? + fit(1)?, from.len())
}

fn root_mean(sum: f64, count: usize) -> Option<f32> {
    let error = (sum / count as f64).sqrt() as f32;
    error.is_finite().then_some(error)
}
