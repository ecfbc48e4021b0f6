//! The shape of a person about a face mesh: depth continued over head, neck and shoulders, and what turns with the head.
//!
//! Invariant: depth and weight are continuous, so the surface does not tear when it turns.

use super::{Anchor, anchor_at};
use crate::{
    layout::{Layout, Outline},
    portrait::{CHIN, OVAL, Portrait},
    vector::{Vector, smoothstep},
};
use delaunator::Point;

/// Distance of the points around the face, in centimetres.
const GRID_CM: f32 = 2.2;
/// How much turns with the head below the shoulders.
const BODY_WEIGHT: f32 = 0.08;

/// Points in face centimetres.
pub(super) struct Shape {
    /// The mesh first, then the points around it.
    places: Vec<Vector>,
    outline: Outline,
    chin_y: f32,
}

impl Shape {
    pub(super) fn of(portrait: &Portrait, layout: &Layout) -> Self {
        let (centre_z, cm_per_px) = (portrait.centre()[2], portrait.cm_per_px());
        let mut places: Vec<Vector> = portrait
            .points()
            .iter()
            .map(|&[x, y, z]| {
                let [x, y] = layout.face_cm([x, y]);
                [x, y, (z - centre_z) * cm_per_px]
            })
            .collect();
        let oval: Vec<Vector> = OVAL.iter().map(|&i| places[i]).collect();
        let mut shape = Self { chin_y: places[CHIN][1], places: Vec::new(), outline: layout.outline };
        let columns = ((layout.high[0] - layout.low[0]) / GRID_CM).ceil() as usize;
        let rows = ((layout.high[1] - layout.low[1]) / GRID_CM).ceil() as usize;
        for row in 0..=rows {
            for column in 0..=columns {
                let x = layout.low[0] + (layout.high[0] - layout.low[0]) * column as f32 / columns as f32;
                let y = layout.low[1] + (layout.high[1] - layout.low[1]) * row as f32 / rows as f32;
                if shape.radius(x, y) > 1.1 && !inside(&oval, [x, y]) {
                    places.push([x, y, shape.depth(&oval, x, y)]);
                }
            }
        }
        shape.places = places;
        shape
    }

    pub(super) fn anchors(&self, layout: &Layout) -> Vec<Anchor> {
        let anchor = |&place: &Vector| {
            let [x, y, _] = place;
            let jaw = smoothstep(0.2, 0.75, y / self.outline.half_height) * smoothstep(1.5, 1.0, self.radius(x, y));
            Anchor { weight: self.weight(x, y), jaw, ..anchor_at(place, layout.texel([x, y])) }
        };
        self.places.iter().map(anchor).collect()
    }

    /// Distance from the middle of the face, 1 on its outline.
    fn radius(&self, x: f32, y: f32) -> f32 {
        (x / self.outline.half_width).hypot(y / self.outline.half_height)
    }

    /// Depth outside the outline: continued from the nearest part of it, backwards over the skull, less so down the neck.
    fn depth(&self, oval: &[Vector], x: f32, y: f32) -> f32 {
        let (mut sum, mut total) = (0.0, 0.0);
        for p in oval {
            let weight = 1.0 / (0.5 + (p[0] - x).powi(2) + (p[1] - y).powi(2)).powi(2);
            sum += weight * p[2];
            total += weight;
        }
        let below = smoothstep(self.chin_y - 2.0, self.chin_y + 4.0, y);
        let skull = 5.5 * ((self.radius(x, y) - 1.0) / 0.5).clamp(0.0, 1.1).powi(2);
        let neck = 5.0 * smoothstep(self.chin_y - 1.0, self.chin_y + 3.0, y);
        sum / total + skull * (1.0 - below) + neck * below
    }

    /// How far a place turns with the head.
    fn weight(&self, x: f32, y: f32) -> f32 {
        let about = smoothstep(2.1, 1.45, self.radius(x, y));
        let above_neck = smoothstep(self.chin_y + 7.5, self.chin_y + 0.3, y);
        BODY_WEIGHT + (1.0 - BODY_WEIGHT) * about * above_neck
    }
}

/// Delaunay triangles over the picture plane.
pub(super) fn triangles(places: &[Vector]) -> Vec<[usize; 3]> {
    let points: Vec<Point> = places.iter().map(|p| Point { x: p[0].into(), y: p[1].into() }).collect();
    delaunator::triangulate(&points).triangles.as_chunks::<3>().0.to_vec()
}

/// Whether a place lies inside a polygon.
fn inside(polygon: &[Vector], [x, y]: [f32; 2]) -> bool {
    let mut odd = false;
    for (i, p) in polygon.iter().enumerate() {
        let q = polygon[(i + 1) % polygon.len()];
        if (p[1] > y) != (q[1] > y) && x < p[0] + (q[0] - p[0]) * (y - p[1]) / (q[1] - p[1]) {
            odd = !odd;
        }
    }
    odd
}
