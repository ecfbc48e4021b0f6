use super::*;

const SHIFT: Crop = Crop {
    rectangle: CropBox::Detector,
    scale: 2.7,
    shape: CropShape::Box,
    edge: CropEdge::Shift,
    filter: CropFilter::Linear,
};
const REFLECT: Crop = Crop {
    rectangle: CropBox::Mesh,
    scale: 1.5,
    shape: CropShape::Square,
    edge: CropEdge::Reflect,
    filter: CropFilter::Area,
};

/// A face whose detector rectangle and mesh bounds are the same.
fn face(left: f32, top: f32, right: f32, bottom: f32) -> Face {
    Face {
        rectangle: Rectangle { left, top, right, bottom },
        detection_score: 1.0,
        presence: 1.0,
        points: vec![Point { x: left, y: top }, Point { x: right, y: bottom }],
        depth: vec![0.0; 2],
    }
}

fn find(crop: &Crop, side: usize, face: &Face) -> Option<[i64; 4]> {
    let wanted = Wanted { crop, zoom: 1.0, side };
    region(&wanted, face, (640, 480)).map(|r| [r.left, r.top, r.width as i64, r.height as i64])
}

/// The expected numbers were computed with the `pad_crop` that MiniFASNet's makers publish.
#[test]
fn crops_that_shift_stay_inside_and_keep_the_shape() {
    assert_eq!(find(&SHIFT, 80, &face(250.0, 150.0, 350.0, 250.0)), Some([165, 65, 271, 271]));
    assert_eq!(find(&SHIFT, 80, &face(20.0, 150.0, 120.0, 270.0)), Some([0, 48, 271, 325]));
    assert_eq!(find(&SHIFT, 80, &face(540.0, 380.0, 640.0, 480.0)), Some([369, 209, 271, 271]));
    // A face that fills the picture is shown with as much around it as there is.
    assert_eq!(find(&SHIFT, 80, &face(200.0, 100.0, 440.0, 340.0)), Some([80, 0, 480, 480]));
}

#[test]
fn crops_that_mirror_stay_centred_on_a_square() {
    assert_eq!(find(&REFLECT, 128, &face(250.0, 150.0, 350.0, 270.0)), Some([210, 120, 180, 180]));
    assert_eq!(find(&REFLECT, 128, &face(5.0, 10.0, 105.0, 110.0)), Some([-20, -15, 150, 150]));
}

#[test]
fn faces_too_small_or_in_no_usable_place_give_no_view() {
    assert!(find(&REFLECT, 128, &face(300.0, 200.0, 354.0, 254.0)).is_some());
    assert_eq!(find(&REFLECT, 128, &face(300.0, 200.0, 353.0, 253.0)), None);
    for bad in [f32::NAN, f32::INFINITY, 1e9] {
        assert_eq!(find(&REFLECT, 128, &face(bad, 0.0, 100.0, 100.0)), None);
        assert_eq!(find(&SHIFT, 80, &face(0.0, 0.0, 100.0, bad)), None);
    }
    assert_eq!(find(&SHIFT, 80, &face(200.0, 100.0, 100.0, 50.0)), None);
}

#[test]
fn outside_the_picture_mirrors() {
    assert_eq!([-3, -1, 0, 4, 5, 6, 9, -9].map(|i| mirror(i, 5)), [3, 1, 0, 4, 3, 2, 1, 1]);
    assert_eq!([-7, 0, 3].map(|i| mirror(i, 1)), [0, 0, 0]);
}

#[test]
fn a_plain_picture_stays_plain_and_a_ramp_a_ramp() {
    let mut picture = Picture::default();
    for (j, row) in picture.make_room(640, 480).chunks_exact_mut(640 * 3).enumerate() {
        for (i, pixel) in row.as_chunks_mut::<3>().0.iter_mut().enumerate() {
            *pixel = [77, (i / 4) as u8, (j / 2) as u8];
        }
    }
    let mut cutter = Cutter::default();
    for (crop, side) in [(SHIFT, 80), (REFLECT, 128)] {
        let mut view = Picture::default();
        let wanted = Wanted { crop: &crop, zoom: 1.0, side };
        assert!(cutter.cut(&picture, &face(250.0, 150.0, 350.0, 270.0), &wanted, &mut view));
        let pixels = view.pixels().as_chunks::<3>().0;
        assert!(pixels.len() == side * side && pixels.iter().all(|p| p[0] == 77));
        let rising = |line: &[[u8; 3]]| line.windows(2).all(|w| w[0][1] <= w[1][1] && w[1][1] - w[0][1] < 3);
        assert!(pixels.chunks_exact(side).all(rising));
        let middle = pixels[side / 2 * side + side / 2];
        assert!((73..=76).contains(&middle[1]) && (104..=106).contains(&middle[2]), "{middle:?}");
    }
}

#[test]
fn a_stretched_pixel_is_the_blend_of_its_four_neighbours() {
    let (width, height, side) = (37, 23, 16);
    let mut picture = Picture::default();
    for (i, level) in picture.make_room(width, height).iter_mut().enumerate() {
        *level = (i * 7919 % 251) as u8;
    }
    let mut view = Picture::default();
    stretch(&picture, side, &mut view);
    let place = |i: usize, length: usize| {
        let at = ((i as f32 + 0.5) * (length as f32 / side as f32) - 0.5).clamp(0.0, length as f32 - 1.0);
        (at as usize, (at as usize + 1).min(length - 1), at.fract())
    };
    for (j, i, c) in (0..side * side * 3).map(|at| (at / 3 / side, at / 3 % side, at % 3)) {
        let ((left, right, across), (above, below, down)) = (place(i, width), place(j, height));
        let mix = |y: usize| {
            let (l, r) = (f32::from(picture.row(y)[left * 3 + c]), f32::from(picture.row(y)[right * 3 + c]));
            l + (r - l) * across
        };
        let expected = (mix(above) + (mix(below) - mix(above)) * down + 0.5) as u8;
        assert_eq!(view.row(j)[i * 3 + c], expected, "{i} {j} {c}");
    }
}
