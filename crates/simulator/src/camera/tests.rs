//! Timing and noise.

use super::Camera;
use crate::{Conditions, Script, raster::Canvas};

#[test]
fn frames_come_on_the_cameras_beat_and_never_before_they_are_asked_for() {
    let script = Script { slots: Vec::new(), frame_times_ms: vec![0, 300, 310, 700, 1500] };
    for seed in 0..50 {
        let conditions = Conditions { seed, fps: 25.0, ..Conditions::default() };
        let times = Camera::new(&conditions).times(&script);
        assert!(times[0].abs() < 1e-3);
        for pair in times.windows(2) {
            let beats = (pair[1] - pair[0]) / 40.0;
            assert!((beats - beats.round()).abs() < 1e-2 && beats > 0.5);
        }
        assert!(times[3] > 700.0 - 60.0 && times[3] < 700.0 + 100.0);
    }
}

#[test]
fn two_exposures_share_no_noise_and_dim_light_is_noisier() {
    let deviation = |light: f32| {
        let mut camera = Camera::new(&Conditions::default());
        let mut take = || {
            let mut canvas = Canvas::new(128, 128);
            canvas.pixels.fill([light; 3]);
            camera.expose(&mut canvas, 0.0)
        };
        let (a, b) = (take(), take());
        let square = |(a, b): (&u8, &u8)| (f64::from(*a) - f64::from(*b)).powi(2);
        let sum: f64 = a.as_raw().iter().zip(b.as_raw()).map(square).sum();
        (sum / a.as_raw().len() as f64 / 2.0).sqrt()
    };
    let (bright, dim) = (deviation(0.2), deviation(0.02));
    assert!((0.5..4.0).contains(&bright), "{bright}");
    assert!(dim > 1.5 * bright, "{dim} {bright}");
}

#[test]
fn exposure_is_metered_on_the_middle_and_spares_its_highlights() {
    let conditions = Conditions { noise: 0.0, blur_px: 0.0, ..Conditions::default() };
    let take = |middle: [f32; 3], rest: f32| {
        let mut canvas = Canvas::new(160, 120);
        for (at, pixel) in canvas.pixels.iter_mut().enumerate() {
            let (x, y) = (at % 160, at / 160);
            *pixel = if x.abs_diff(80) < 22 && y.abs_diff(60) < 30 { middle } else { [rest; 3] };
        }
        let picture = Camera::new(&conditions).expose(&mut canvas, 0.0);
        (picture.get_pixel(80, 60).0, picture.get_pixel(4, 4).0)
    };
    let ((dim, _), (fair, _)) = (take([0.05; 3], 0.4), take([0.2; 3], 0.4));
    assert!(dim[1] > 48, "a dim face before a bright wall stays visible: {dim:?}");
    assert!(fair[1] > dim[1]);
    let (red, _) = take([2.0, 0.2, 0.2], 0.01);
    assert!(red[0] < 240, "bright red skin before a dark wall is not clipped: {red:?}");
    let wished = Conditions { exposure: 2.0, ..conditions };
    let mut canvas = Canvas::new(160, 120);
    canvas.pixels.fill([2.0, 0.2, 0.2]);
    let clipped = Camera::new(&wished).expose(&mut canvas, 0.0).get_pixel(80, 60).0;
    assert!(clipped[0] > 250, "who asks for two stops more gets them: {clipped:?}");
}
