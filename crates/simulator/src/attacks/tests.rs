//! What distinguishes paper from a head: it moves as a plane and has one normal.

use super::sheet::{Asked, Form, Sheet};
use crate::{
    Conditions, Script, Slot, Target,
    motion::Pose,
    portrait::MESH_POINTS,
    raster::Corner,
    stage::{Live, Stage},
    tests::drawn,
    vector::Rotation,
};

fn turning() -> Script {
    let target = Target::Head { yaw_deg: 20.0, pitch_deg: 0.0, scale: 1.0 };
    Script { slots: vec![Slot { at_ms: 0, duration_ms: 2000, target }], frame_times_ms: vec![0] }
}

fn paper(bend: f32) -> [Vec<Corner>; 2] {
    let (script, conditions) = (turning(), Conditions::default());
    let form = Form { width_cm: 21.0, height_cm: 29.7, bend, distance_cm: 34.0, gloss: (0.0, 1) };
    let sheet = Sheet::held(form, &script, &conditions);
    let stage = Stage::new(&script, &conditions, None);
    [0.0, 1900.0].map(|ms| sheet.corners(&stage, &Asked { ms, margin_cm: 0.0, texels: [1.0, 1.0] }))
}

/// Least squares homography from one set of places to the other; the greatest miss in pixels.
fn miss(from: &[[f32; 2]], to: &[[f32; 2]]) -> f64 {
    let mut system = [[0.0_f64; 9]; 8];
    for (p, q) in from.iter().zip(to) {
        let [x, y] = p.map(|v| f64::from(v) / 100.0);
        let [u, v] = q.map(|v| f64::from(v) / 100.0);
        for row in [[x, y, 1.0, 0.0, 0.0, 0.0, -u * x, -u * y, u], [0.0, 0.0, 0.0, x, y, 1.0, -v * x, -v * y, v]] {
            for i in 0..8 {
                for j in 0..9 {
                    system[i][j] += row[i] * row[j];
                }
            }
        }
    }
    for k in 0..8 {
        let pivot = (k..8).max_by(|&a, &b| system[a][k].abs().total_cmp(&system[b][k].abs())).unwrap();
        system.swap(k, pivot);
        let (above, lead) = (system[k], system[k][k]);
        for i in (0..8).filter(|&i| i != k) {
            let share = system[i][k] / lead;
            for (cell, above) in system[i].iter_mut().zip(above) {
                *cell -= share * above;
            }
        }
    }
    let h: Vec<f64> = (0..8).map(|i| system[i][8] / system[i][i]).collect();
    let missed = |(p, q): (&[f32; 2], &[f32; 2])| {
        let [x, y] = p.map(|v| f64::from(v) / 100.0);
        let w = h[6] * x + h[7] * y + 1.0;
        let (u, v) = ((h[0] * x + h[1] * y + h[2]) / w, (h[3] * x + h[4] * y + h[5]) / w);
        100.0 * (u - f64::from(q[0]) / 100.0).hypot(v - f64::from(q[1]) / 100.0)
    };
    from.iter().zip(to).map(missed).fold(0.0, f64::max)
}

fn places(corners: &[Corner]) -> Vec<[f32; 2]> {
    corners.iter().map(|corner| corner.at).collect()
}

#[test]
fn flat_paper_moves_as_a_plane_and_bent_paper_and_heads_do_not() {
    let [before, after] = paper(0.0);
    assert!(miss(&places(&before), &places(&after)) < 0.05);
    let [before, after] = paper(0.08);
    assert!(miss(&places(&before), &places(&after)) > 3.0);
    let script = Script::default();
    let live = Live::new(&drawn([200, 150, 125]), &script, &script, &Conditions::default());
    let [before, after] = [0.0, 15.0].map(|yaw| {
        let pose = Pose { rotation: Rotation { yaw, ..Rotation::default() }, scale: 1.0, ..Pose::default() };
        let placed = live.subject.pose(&pose, live.rest);
        placed[..MESH_POINTS].iter().map(|placed| live.stage.project(placed.place)).collect::<Vec<_>>()
    });
    assert!(miss(&before, &after) > 3.0);
}

#[test]
fn paper_catches_light_as_one_surface_and_a_head_does_not() {
    let spread = |caught: Vec<f32>| {
        let mean = caught.iter().sum::<f32>() / caught.len() as f32;
        (caught.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / caught.len() as f32).sqrt() / mean
    };
    let [before, _] = paper(0.0);
    // The part of the sheet that a face covers; the values begin with the share of its width and height.
    let face = |corner: &&Corner| (corner.values[0] - 0.5).hypot(corner.values[1] - 0.5) < 0.33;
    let flat = spread(before.iter().filter(face).map(|corner| corner.values[3]).collect());
    let script = Script::default();
    let live = Live::new(&drawn([200, 150, 125]), &script, &script, &Conditions::default());
    let placed = live.subject.pose(&Pose { scale: 1.0, ..Pose::default() }, live.rest);
    let caught = |placed| live.stage.corner(placed, [0.0; 2]).values[3];
    let head = spread(placed[..MESH_POINTS].iter().map(caught).collect());
    assert!(flat < 0.6 * head, "{flat} {head}");
}
