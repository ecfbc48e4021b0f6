//! Vectors in space: x to the right of the picture, y down, z away from the camera; centimetres or unitless.

/// A place or a direction.
pub(crate) type Vector = [f32; 3];

pub(crate) fn add(a: Vector, b: Vector) -> Vector {
    [a[0] + b[0], a[1] + b[1], a[2] + b[2]]
}

pub(crate) fn sub(a: Vector, b: Vector) -> Vector {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

pub(crate) fn scale(a: Vector, by: f32) -> Vector {
    a.map(|v| v * by)
}

pub(crate) fn dot(a: Vector, b: Vector) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

pub(crate) fn cross(a: Vector, b: Vector) -> Vector {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

/// Length one; the zero vector faces the camera.
pub(crate) fn unit(a: Vector) -> Vector {
    let length = dot(a, a).sqrt();
    if length > 1e-9 { scale(a, 1.0 / length) } else { [0.0, 0.0, -1.0] }
}

/// Turn, nod and tilt in degrees, applied in that order about the origin.
///
/// Positive turn carries what is near to the right of the picture, positive nod carries it up, positive tilt is clockwise.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Rotation {
    pub(crate) yaw: f32,
    pub(crate) pitch: f32,
    pub(crate) roll: f32,
}

impl Rotation {
    /// The rotation by a share of all three angles.
    pub(crate) fn matrix(self, share: f32) -> [Vector; 3] {
        let (sy, cy) = (self.yaw * share).to_radians().sin_cos();
        let (sp, cp) = (self.pitch * share).to_radians().sin_cos();
        let (sr, cr) = (self.roll * share).to_radians().sin_cos();
        let yaw = [[cy, 0.0, -sy], [0.0, 1.0, 0.0], [sy, 0.0, cy]];
        let pitch = [[1.0, 0.0, 0.0], [0.0, cp, sp], [0.0, -sp, cp]];
        let roll = [[cr, -sr, 0.0], [sr, cr, 0.0], [0.0, 0.0, 1.0]];
        product(roll, product(pitch, yaw))
    }
}

fn product(a: [Vector; 3], b: [Vector; 3]) -> [Vector; 3] {
    a.map(|row| [0, 1, 2].map(|column| (0..3).map(|k| row[k] * b[k][column]).sum()))
}

/// Matrix times vector.
pub(crate) fn apply(matrix: &[Vector; 3], v: Vector) -> Vector {
    [dot(matrix[0], v), dot(matrix[1], v), dot(matrix[2], v)]
}

/// 0 below `from`, 1 above `to`, smooth between; `from` may exceed `to`.
pub(crate) fn smoothstep(from: f32, to: f32, v: f32) -> f32 {
    let t = ((v - from) / (to - from)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}
