use super::*;
use crate::picture::Picture;

/// Smooth colours with some texture; plain arithmetic, no randomness.
fn picture(width: usize, height: usize) -> Picture {
    let mut picture = Picture::default();
    let pixels = picture.make_room(width, height);
    for (i, value) in pixels.iter_mut().enumerate() {
        let (x, y, c) = (i / 3 % width, i / 3 / width, i % 3);
        *value = (x + y * (c + 1) / 2 + (x * y * 7 + c * 40) % 23).min(255) as u8;
    }
    picture
}

fn level(picture: &Picture, x: i64, y: i64, c: usize) -> f64 {
    let inside = (0..picture.width() as i64).contains(&x) && (0..picture.height() as i64).contains(&y);
    if inside { picture.row(y as usize)[x as usize * 3 + c].into() } else { 0.0 }
}

/// Bilinear sampling as the textbook has it.
fn sampled(picture: &Picture, (x, y): (f64, f64), c: usize) -> f64 {
    let (ix, iy) = (x.floor(), y.floor());
    let (fx, fy) = (x - ix, y - iy);
    let at = |dx: i64, dy: i64| level(picture, ix as i64 + dx, iy as i64 + dy, c);
    (at(0, 0) * (1.0 - fx) + at(1, 0) * fx) * (1.0 - fy) + (at(0, 1) * (1.0 - fx) + at(1, 1) * fx) * fy
}

/// The mean over a rectangle of source area.
fn mean_over(picture: &Picture, (x0, x1): (f64, f64), (y0, y1): (f64, f64), c: usize) -> f64 {
    let (mut sum, mut area) = (0.0, 0.0);
    for y in y0 as i64..y1.ceil() as i64 {
        for x in x0 as i64..x1.ceil() as i64 {
            let across = x1.min(x as f64 + 1.0) - x0.max(x as f64);
            let share = across * (y1.min(y as f64 + 1.0) - y0.max(y as f64));
            sum += share * level(picture, x, y, c);
            area += share;
        }
    }
    sum / area
}

#[test]
fn similarity_is_recovered_and_inverted() {
    let truth = Similarity { a: 1.2, b: -0.4, tx: 7.0, ty: -3.0 };
    let from = [(3.0, 4.0), (50.0, 9.0), (20.0, 60.0)].map(|(x, y)| Point { x, y });
    let fit = Similarity::fit(&from, &from.map(|p| truth.apply(p.x.into(), p.y.into()))).unwrap();
    let (x, y) = truth.inverse().apply(truth.apply(5.0, 6.0).0, truth.apply(5.0, 6.0).1);
    assert!((fit.a - truth.a).abs() < 1e-9 && (fit.ty - truth.ty).abs() < 1e-6);
    assert!((x - 5.0).abs() < 1e-9 && (y - 6.0).abs() < 1e-9);
}

#[test]
fn collapsed_points_have_no_similarity() {
    let spot = [Point { x: 3.0, y: 4.0 }; 3];
    assert_eq!(Similarity::fit(&spot, &[(0.0, 0.0), (1.0, 0.0), (0.0, 1.0)]), None);
    let lost = [Point { x: f32::NAN, y: 4.0 }, Point { x: 1.0, y: 1.0 }];
    assert_eq!(Similarity::fit(&lost, &[(0.0, 0.0), (1.0, 0.0)]), None);
}

#[test]
fn reduction_is_the_mean_over_area() {
    let source = picture(97, 61);
    for (step, first, size) in
        [((1.953, 2.31), (3, 2), (40, 20)), ((5.0, 4.0), (0, 0), (19, 15)), ((1.0, 1.0), (5, 6), (9, 9))]
    {
        let mut reduced = Picture::default();
        Reducer::default().reduce(&source, &Grid { step, first, size }, &mut reduced);
        for y in 0..size.1 {
            for x in 0..size.0 {
                let span = |i: usize, step: f64, end: f64| (i as f64 * step, ((i + 1) as f64 * step).min(end));
                let (xs, ys) = (span(first.0 + x, step.0, 97.0), span(first.1 + y, step.1, 61.0));
                for c in 0..3 {
                    let difference = level(&reduced, x as i64, y as i64, c) - mean_over(&source, xs, ys, c);
                    assert!(difference.abs() < 1.6, "{step:?} {x} {y}: {difference}");
                }
            }
        }
    }
}

#[test]
fn warp_is_bilinear_and_black_outside() {
    let source = picture(80, 60);
    let map = Similarity { a: 1.1, b: 0.35, tx: -20.0, ty: 4.5 };
    let back = map.inverse();
    let mut warped = Picture::default();
    Warper::default().warp(&source, &map, 96, &mut warped);
    let mut outside = 0;
    for y in 0..96 {
        for x in 0..96 {
            let at = back.apply(x as f64, y as f64);
            for c in 0..3 {
                let wanted = sampled(&source, at, c);
                outside += usize::from(wanted == 0.0);
                // Positions are kept in 64ths; the texture jumps by up to 23 levels a pixel.
                assert!((level(&warped, x, y, c) - wanted).abs() < 2.0, "{x} {y}");
            }
        }
    }
    assert!(outside > 500, "the test must see the outside: {outside}");
}

#[test]
fn identity_changes_nothing() {
    let source = picture(40, 40);
    let mut warped = Picture::default();
    Warper::default().warp(&source, &Similarity { a: 1.0, b: 0.0, tx: 0.0, ty: 0.0 }, 40, &mut warped);
    assert!(source.pixels() == warped.pixels());
}

#[test]
fn strong_shrinking_averages_instead_of_skipping() {
    // Columns alternate black and white: skipping pixels would give one or the other.
    let mut source = Picture::default();
    let stripes = source.make_room(400, 400);
    stripes.iter_mut().enumerate().for_each(|(i, v)| *v = if i / 3 % 2 == 0 { 0 } else { 255 });
    let mut warped = Picture::default();
    let map = Similarity { a: 0.25, b: 0.0, tx: 0.0, ty: 0.0 };
    Warper::default().warp(&source, &map, 100, &mut warped);
    let middle = &warped.row(50)[30..270];
    assert!(middle.iter().all(|v| (126..=129).contains(v)), "{middle:?}");
}

#[test]
fn maps_that_see_nothing_of_the_picture_give_black() {
    let source = picture(40, 40);
    let mut warped = Picture::default();
    for (a, tx) in [(1.0, 900.0), (1.0, -900.0), (0.2, 9000.0), (0.2, -9000.0)] {
        Warper::default().warp(&source, &Similarity { a, b: 0.0, tx, ty: 0.0 }, 32, &mut warped);
        assert!(warped.pixels().iter().all(|&v| v == 0), "{a} {tx}");
    }
}
