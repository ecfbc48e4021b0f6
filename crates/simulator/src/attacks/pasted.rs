//! A photograph's face pasted over a living one that moves as the script asks.

use super::AttackInputs;
use crate::{
    capture::{Shot, shoot},
    layout::Layout,
    portrait::{MESH_POINTS, OVAL},
    raster::Corner,
    stage::Live,
    subject::Subject,
    vector::{Vector, smoothstep},
};
use rand::RngExt;

/// Presents the paste.
pub(super) fn present(inputs: &AttackInputs<'_>) -> Vec<Shot> {
    let conditions = inputs.conditions;
    let live = Live::new(inputs.attacker.unwrap_or(inputs.victim), inputs.script, inputs.script, conditions);
    let (mask, _) = Subject::new(inputs.victim, &Layout::new(inputs.victim, conditions));
    let triangles = live.subject.face_triangles();
    let (own, other) = (face_colour(&mask), face_colour(&live.subject));
    let balance: [f32; 3] = std::array::from_fn(|i| (other[i] / own[i].max(1e-3)).clamp(0.3, 3.0));
    let covers = covers(&live.subject);
    let follows = conditions.rng(81).random_bool(0.5);
    shoot(inputs.script, conditions, |canvas, _, ms| {
        live.paint(canvas, ms);
        canvas.flatten();
        let rows = live.stage.light.rows(ms, canvas.height);
        let placed = live.posed(ms);
        let mut corners: Vec<Corner> = placed[..MESH_POINTS]
            .iter()
            .zip(&mask.anchors)
            .map(|(placed, anchor)| live.stage.corner(placed, anchor.texel))
            .collect();
        let mean = corners.iter().map(|corner| corner.values[3]).sum::<f32>() / MESH_POINTS as f32;
        for (corner, &cover) in corners.iter_mut().zip(&covers) {
            corner.values[3] = if follows { mean } else { 0.0 };
            corner.values[4] = cover;
        }
        canvas.draw(&corners, &triangles, |f| {
            let [u, v, ambient, diffuse, cover] = f.values;
            let [r, g, b, _] = mask.texture.sample(u, v);
            let albedo = [r * balance[0], g * balance[1], b * balance[2]];
            (live.stage.shade(albedo, [ambient, diffuse, 0.0], rows[f.y]), cover)
        });
    })
}

/// How much of the paste is seen at each point: it fades out towards the outline.
fn covers(subject: &Subject) -> Vec<f32> {
    let places: Vec<Vector> = subject.anchors[..MESH_POINTS].iter().map(|anchor| anchor.place).collect();
    let from_outline = |place: &Vector| {
        let reach = |&i: &usize| (place[0] - places[i][0]).hypot(place[1] - places[i][1]);
        OVAL.iter().map(reach).fold(f32::INFINITY, f32::min)
    };
    places.iter().map(|place| smoothstep(0.3, 2.0, from_outline(place))).collect()
}

/// Mean colour at the points of the mesh.
fn face_colour(subject: &Subject) -> [f32; 3] {
    let mut sum = [0.0; 3];
    for anchor in &subject.anchors[..MESH_POINTS] {
        let texel = subject.texture.sample(anchor.texel[0], anchor.texel[1]);
        for (total, part) in sum.iter_mut().zip(texel) {
            *total += part / MESH_POINTS as f32;
        }
    }
    sum
}
