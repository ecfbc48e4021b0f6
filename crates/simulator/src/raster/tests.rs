//! Scan conversion.

use super::{Canvas, Corner};

fn corner(x: f32, y: f32, nearness: f32) -> Corner {
    Corner { at: [x, y], nearness, values: [x, y, 0.0, 0.0, 0.0] }
}

/// A fan of triangles around a place, filling the canvas and more.
fn fan(nearness: f32) -> (Vec<Corner>, Vec<[usize; 3]>) {
    let mut corners = vec![corner(13.3, 9.7, nearness)];
    for i in 0..17 {
        let angle = std::f32::consts::TAU * i as f32 / 17.0;
        corners.push(corner(16.0 + 60.0 * angle.cos(), 12.0 + 60.0 * angle.sin(), nearness));
    }
    (corners, (0..17).map(|i| [0, 1 + i, 1 + (i + 1) % 17]).collect())
}

#[test]
fn triangles_that_share_edges_leave_no_gap_and_paint_nothing_twice() {
    let mut canvas = Canvas::new(32, 24);
    let (corners, triangles) = fan(1.0);
    canvas.draw(&corners, &triangles, |_| ([1.0; 3], 0.5));
    assert!(canvas.pixels.iter().all(|pixel| (pixel[0] - 0.5).abs() < 1e-6));
}

#[test]
fn values_are_linear_in_the_place() {
    let mut canvas = Canvas::new(32, 24);
    let (corners, triangles) = fan(1.0);
    canvas.draw(&corners, &triangles, |f| ([f.values[0], f.values[1], f.y as f32], 1.0));
    for (i, pixel) in canvas.pixels.iter().enumerate() {
        assert!((pixel[0] - (i % 32) as f32).abs() < 1e-2 && (pixel[1] - pixel[2]).abs() < 1e-2);
    }
}

#[test]
fn what_is_nearer_hides_what_is_farther_in_any_order() {
    for order in [[1.0, 2.0], [2.0, 1.0]] {
        let mut canvas = Canvas::new(32, 24);
        for nearness in order {
            let (corners, triangles) = fan(nearness);
            canvas.draw(&corners, &triangles, |_| ([nearness; 3], 1.0));
        }
        assert!(canvas.pixels.iter().all(|pixel| pixel[0] > 1.5));
    }
}
