//! A person as a surface in space: the face mesh, and a head, neck and shoulders guessed around it.
//!
//! Owns shape, albedo and what the portrait's own light did to it. Must never know: the script. Invariant: the first 468
//! anchors are the points of the face mesh, in their order.

mod shape;
#[cfg(test)]
mod tests;

use crate::{
    layout::Layout,
    matte::Matte,
    motion::Pose,
    portrait::{MESH_POINTS, Portrait},
    texture::{Texture, luminance},
    vector::{Rotation, Vector, add, apply, cross, dot, scale, sub, unit},
};
use shape::Shape;

/// Where head and neck turn, in face centimetres: below and behind the middle of the face outline.
const PIVOT: Vector = [0.0, 4.5, 6.0];
/// Share of the portrait's own shading that is taken out of the albedo.
const DELIGHT: f32 = 0.7;
/// A portrait's turn and nod are straightened by this share, up to this many degrees.
const STRAIGHTEN: (f32, f32) = (0.8, 14.0);

/// A point of the surface at rest.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Anchor {
    /// Place relative to the pivot, in centimetres.
    pub(crate) place: Vector,
    /// Place on the texture.
    pub(crate) texel: [f32; 2],
    /// How far it turns with the head, 0 to 1.
    pub(crate) weight: f32,
    /// How far it moves with the jaw, 0 to 1.
    jaw: f32,
    normal: Vector,
    /// Light of the portrait at this normal, relative to its mean.
    lit: f32,
}

/// A point of the surface at one moment, camera at the origin.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Placed {
    /// Place in centimetres.
    pub(crate) place: Vector,
    pub(crate) normal: Vector,
    /// Ambient light relative to the portrait's.
    pub(crate) ambient: f32,
    /// What the albedo is of the texture.
    pub(crate) albedo: f32,
}

/// A person before the camera.
pub(crate) struct Subject {
    pub(crate) texture: Texture,
    pub(crate) anchors: Vec<Anchor>,
    pub(crate) triangles: Vec<[usize; 3]>,
    /// Lit as `constant + slope · normal`, relative to the mean.
    lighting: (f32, Vector),
}

impl Subject {
    pub(crate) fn new(portrait: &Portrait, layout: &Layout) -> (Self, Matte) {
        let cut = layout.cut(portrait);
        let matte = Matte::of(&cut, layout);
        let mut texture = Texture::opaque(&cut);
        let width = texture.width;
        for (i, texel) in texture.texels.iter_mut().enumerate() {
            let at = [i % width, i / width].map(|v| v as f32 / layout.texels_per_cm);
            texel[3] = matte.at([at[0] + layout.low[0], at[1] + layout.low[1]]);
        }
        let mut anchors = Shape::of(portrait, layout).anchors(layout);
        let (triangles, aside) = unfold(&anchors);
        lend_normals(&mut anchors, &triangles);
        straighten(&mut anchors, aside);
        let near = |anchor: &Anchor| {
            let cm = [0, 1].map(|i| anchor.texel[i] / layout.texels_per_cm + layout.low[i]);
            matte.near(cm) > 0.0
        };
        let lighting = fit_lighting(&anchors, &texture);
        for anchor in &mut anchors {
            anchor.lit = lit(lighting, anchor.normal);
        }
        // Most of what is laid out is background, which is not painted with the person.
        let triangles = triangles.into_iter().filter(|t| t.iter().any(|&i| near(&anchors[i]))).collect();
        (Self { texture, anchors, triangles, lighting }, matte)
    }

    /// The surface in a pose. `rest` is where the middle of the face is at the start, in centimetres.
    pub(crate) fn pose(&self, pose: &Pose, rest: Vector) -> Vec<Placed> {
        let depth = rest[2] / pose.scale.max(0.2) - rest[2];
        let shift = add(add(rest, PIVOT), [pose.offset[0], pose.offset[1], depth]);
        let whole = pose.rotation.matrix(1.0);
        let placed = |anchor: &Anchor| {
            let turn = if anchor.weight > 0.999 { whole } else { pose.rotation.matrix(anchor.weight) };
            let opened = add(anchor.place, [0.0, anchor.jaw * pose.jaw, 0.0]);
            let normal = apply(&turn, anchor.normal);
            let ambient = (lit(self.lighting, normal) / anchor.lit).clamp(0.75, 1.3);
            let place = add(apply(&turn, opened), shift);
            Placed { place, normal, ambient, albedo: (1.0 / anchor.lit).clamp(0.65, 1.5).powf(DELIGHT) }
        };
        self.anchors.iter().map(placed).collect()
    }

    /// The triangles between points of the face mesh.
    pub(crate) fn face_triangles(&self) -> Vec<[usize; 3]> {
        self.triangles.iter().filter(|t| t.iter().all(|&i| i < MESH_POINTS)).copied().collect()
    }
}

/// Gives every anchor the mean normal of its triangles, towards the camera.
fn lend_normals(anchors: &mut [Anchor], triangles: &[[usize; 3]]) {
    let mut sums = vec![[0.0; 3]; anchors.len()];
    for triangle in triangles {
        let [a, b, c] = triangle.map(|i| anchors[i].place);
        let normal = cross(sub(b, a), sub(c, a));
        let normal = if normal[2] > 0.0 { scale(normal, -1.0) } else { normal };
        for &i in triangle {
            sums[i] = add(sums[i], normal);
        }
    }
    for (anchor, sum) in anchors.iter_mut().zip(sums) {
        anchor.normal = unit(sum);
    }
}

/// Triangles over the surface turned frontal, where no part hides another, and the portrait's turn and nod.
fn unfold(anchors: &[Anchor]) -> (Vec<[usize; 3]>, Rotation) {
    let (left, right) = (anchors[234].place, anchors[454].place);
    let yaw = (right[2] - left[2]).atan2(right[0] - left[0]).to_degrees();
    let (top, bottom) = (anchors[10].place, anchors[152].place);
    // The chin of a face that looks straight on lies about five degrees behind the forehead.
    let pitch = 5.0 - (bottom[2] - top[2]).atan2(bottom[1] - top[1]).to_degrees();
    let back = Rotation { yaw: -yaw, pitch: -pitch, roll: 0.0 };
    let frontal: Vec<Vector> = anchors.iter().map(|a| apply(&back.matrix(a.weight), a.place)).collect();
    (shape::triangles(&frontal), Rotation { yaw, pitch, roll: 0.0 })
}

/// Turns a portrait that looks aside most of the way to the camera.
fn straighten(anchors: &mut [Anchor], aside: Rotation) {
    let back = |angle: f32| (-STRAIGHTEN.0 * angle).clamp(-STRAIGHTEN.1, STRAIGHTEN.1);
    let rotation = Rotation { yaw: back(aside.yaw), pitch: back(aside.pitch), roll: 0.0 };
    for anchor in anchors {
        let turn = rotation.matrix(anchor.weight);
        anchor.place = apply(&turn, anchor.place);
        anchor.normal = apply(&turn, anchor.normal);
    }
}

/// Least squares of the face's luminance over its normals: one broad light and an ambient part.
fn fit_lighting(anchors: &[Anchor], texture: &Texture) -> (f32, Vector) {
    let (mut normal_matrix, mut right) = ([[0.0_f64; 4]; 4], [0.0_f64; 4]);
    for anchor in &anchors[..MESH_POINTS] {
        let [r, g, b, _] = texture.sample(anchor.texel[0], anchor.texel[1]);
        let row = [1.0, anchor.normal[0], anchor.normal[1], anchor.normal[2]].map(f64::from);
        for i in 0..4 {
            right[i] += row[i] * f64::from(luminance([r, g, b]));
            for j in 0..4 {
                // A ridge keeps the slope small where the mesh is too flat to tell.
                normal_matrix[i][j] += row[i] * row[j] + if i == j && i > 0 { 4.0 } else { 0.0 };
            }
        }
    }
    let [constant, x, y, z] = solve(normal_matrix, right).map(|v| v as f32);
    let mean = constant - z;
    if mean > 1e-3 { (constant / mean, [x / mean, y / mean, z / mean]) } else { (1.0, [0.0; 3]) }
}

fn lit((constant, slope): (f32, Vector), normal: Vector) -> f32 {
    (constant + dot(slope, normal)).clamp(0.45, 1.8)
}

/// Gauss elimination of a small positive definite system.
fn solve(mut a: [[f64; 4]; 4], mut b: [f64; 4]) -> [f64; 4] {
    for k in 0..4 {
        let (pivot, known) = (a[k], b[k]);
        if pivot[k].abs() < 1e-12 {
            continue;
        }
        for i in (0..4).filter(|&i| i != k) {
            let share = a[i][k] / pivot[k];
            for (cell, above) in a[i].iter_mut().zip(pivot) {
                *cell -= share * above;
            }
            b[i] -= share * known;
        }
    }
    [0, 1, 2, 3].map(|i| if a[i][i].abs() > 1e-12 { b[i] / a[i][i] } else { 0.0 })
}

/// A point of the surface before normals and light are known.
pub(crate) fn anchor_at(place: Vector, texel: [f32; 2]) -> Anchor {
    Anchor { place: sub(place, PIVOT), texel, weight: 1.0, jaw: 0.0, normal: [0.0, 0.0, -1.0], lit: 1.0 }
}
