//! Moved boxes: a gate that judges a face must not change its mind when the box around it moves by a few pixels.

use anyhow::Result;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use vision::{Engine, Face, Frame, FrameEvidence, Point, fuse_bona_fide};

/// How far a box moves and how much it grows or shrinks, over its size.
const MOST: f32 = 0.05;

/// The fused score of the frames that the gate looked at, each with its face moved.
pub(crate) fn again(
    engine: &mut Engine,
    (frames, about): (&[Frame<'_>], &[FrameEvidence]),
    seed: u64,
) -> Result<Option<f32>> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut answers = Vec::new();
    for (frame, _) in frames.iter().zip(about).filter(|(_, about)| !about.bona_fide.is_empty()) {
        let Some(sample) = engine.sample(frame.jpeg)? else { continue };
        let moved = moved(&mut rng, sample.face);
        answers.extend(engine.bona_fide(frame.jpeg, &moved)?);
    }
    Ok(fuse_bona_fide(&answers))
}

fn moved(rng: &mut StdRng, mut face: Face) -> Face {
    let mut draw = || rng.random_range(-MOST..MOST);
    let (centre, width, height) = (face.rectangle.centre(), face.rectangle.width(), face.rectangle.height());
    let (dx, dy, sx, sy) = (draw() * width, draw() * height, 1.0 + draw(), 1.0 + draw());
    let place = |p: Point| Point { x: centre.x + (p.x - centre.x) * sx + dx, y: centre.y + (p.y - centre.y) * sy + dy };
    face.points.iter_mut().for_each(|p| *p = place(*p));
    let r = face.rectangle;
    let (a, b) = (place(Point { x: r.left, y: r.top }), place(Point { x: r.right, y: r.bottom }));
    face.rectangle = vision::Rectangle { left: a.x, top: a.y, right: b.x, bottom: b.y };
    face
}
