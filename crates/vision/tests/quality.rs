//! Gate 2 on portraits with one defect injected at a time. The portrait without a defect is the control.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use biometrics::{GateReason, GateStatus, Instruction};
use image::{Rgb, RgbImage, imageops};
use support::{engine, jpeg, or_skip, portrait};
use vision::{Engine, Evidence, ExamineOptions, Frame, FrameEvidence};

const PORTRAITS: [&str; 2] = ["obama.jpg", "obama2.jpg"];

fn examine(engine: &mut Engine, picture: &RgbImage) -> Evidence {
    let file = jpeg(picture);
    let frames = [Frame { jpeg: &file, offset_ms: 0 }];
    engine
        .examine(&frames, ExamineOptions { min_inter_eye_px: 60, presentation_attack: false, previous: false })
        .unwrap()
}

/// An engine and the portraits by name.
fn prepared(test: &str) -> Option<(Engine, Vec<(&'static str, RgbImage)>)> {
    let found = || {
        let portraits: Result<_, String> = PORTRAITS.into_iter().map(|name| Ok((name, portrait(name)?))).collect();
        Ok((engine()?.0, portraits?))
    };
    or_skip(test, found())
}

/// Injects a defect into every portrait and expects exactly its reason, and no PASS.
fn expect(test: &str, reason: GateReason, inject: impl Fn(&RgbImage, &FrameEvidence) -> RgbImage) {
    let Some((mut engine, portraits)) = prepared(test) else { return };
    for (name, sound) in portraits {
        let control = examine(&mut engine, &sound);
        assert_eq!(control.quality.status, GateStatus::Pass, "{name}: {:?}", control.quality.reasons);
        let evidence = examine(&mut engine, &inject(&sound, &control.per_frame[0]));
        assert_eq!(evidence.quality.status, GateStatus::Inconclusive, "{name}");
        assert!(evidence.quality.reasons.contains(&reason), "{name}: {:?}", evidence.quality.reasons);
        assert!(evidence.features.is_none());
        assert_eq!(evidence.instructions, Instruction::for_reasons(&evidence.quality.reasons));
    }
}

fn each(picture: &RgbImage, change: impl Fn(u32, u32, f32) -> f32) -> RgbImage {
    RgbImage::from_fn(picture.width(), picture.height(), |x, y| {
        Rgb(picture.get_pixel(x, y).0.map(|v| change(x, y, v.into()).clamp(0.0, 255.0) as u8))
    })
}

#[test]
fn blur_is_noticed() {
    expect("blur_is_noticed", GateReason::QualitySharpness, |picture, face| {
        imageops::blur(picture, face.inter_eye_px * 0.06)
    });
}

#[test]
fn blur_under_noise_is_noticed() {
    expect("blur_under_noise_is_noticed", GateReason::QualitySharpness, |picture, face| {
        let blurred = imageops::blur(picture, face.inter_eye_px * 0.08);
        each(&blurred, |x, y, v| v + ((x.wrapping_mul(73_856_093) ^ y.wrapping_mul(19_349_663)) % 13) as f32 - 6.0)
    });
}

#[test]
fn darkness_is_noticed() {
    expect("darkness_is_noticed", GateReason::QualityUnderExposure, |picture, _| each(picture, |_, _, v| v * 0.2));
}

#[test]
fn glare_is_noticed() {
    expect("glare_is_noticed", GateReason::QualityOverExposure, |picture, _| each(picture, |_, _, v| v * 2.5 + 20.0));
}

#[test]
fn light_from_one_side_is_noticed() {
    expect("light_from_one_side_is_noticed", GateReason::QualityIlluminationUniformity, |picture, face| {
        let (middle, eyes) = (face.rectangle.unwrap().centre().x, face.inter_eye_px);
        each(picture, |x, _, v| v * (1.0 - 0.8 * ((x as f32 - middle) / eyes + 0.5).clamp(0.0, 1.0)))
    });
}

#[test]
fn second_face_is_noticed() {
    expect("second_face_is_noticed", GateReason::QualitySeveralFaces, |picture, _| {
        let (w, h) = picture.dimensions();
        let mut both = RgbImage::new(2 * w, h);
        imageops::replace(&mut both, picture, 0, 0);
        imageops::replace(&mut both, &imageops::flip_horizontal(picture), w.into(), 0);
        both
    });
}

#[test]
fn covered_eyes_are_noticed() {
    expect("covered_eyes_are_noticed", GateReason::QualityEyesVisible, |picture, face| {
        let (r, eyes) = (face.rectangle.unwrap(), face.inter_eye_px);
        let line = r.top + 0.27 * r.height();
        let covered =
            |x: u32, y: u32| (r.left..r.right).contains(&(x as f32)) && ((y as f32) - line).abs() < 0.35 * eyes;
        each(picture, |x, y, v| if covered(x, y) { 20.0 } else { v })
    });
}

#[test]
fn motion_is_noticed() {
    for (x, y) in [(1, 0), (1, -1)] {
        expect("motion_is_noticed", GateReason::QualityMotionBlur, |picture, face| {
            let way = (face.inter_eye_px / 8.0 / f32::hypot(x as f32, y as f32)) as i32;
            let (width, height) = picture.dimensions();
            RgbImage::from_fn(width, height, |u, v| {
                let at = |from: u32, way: i32, side: u32| from.saturating_add_signed(way).min(side - 1);
                let along = |step| picture.get_pixel(at(u, step * x, width), at(v, step * y, height)).0;
                let sum = |channel: usize| (-way..=way).map(|step| u32::from(along(step)[channel])).sum::<u32>();
                Rgb([0, 1, 2].map(|channel| (sum(channel) / (2 * way as u32 + 1)) as u8))
            })
        });
    }
}

#[test]
fn a_veil_is_noticed() {
    expect("a_veil_is_noticed", GateReason::QualityDynamicRange, |picture, _| {
        each(picture, |_, _, v| 135.0 + v * 0.13)
    });
}

#[test]
fn hard_compression_is_noticed_even_where_the_file_no_longer_says_so() {
    let test = "hard_compression_is_noticed_even_where_the_file_no_longer_says_so";
    expect(test, GateReason::QualityCompression, |picture, _| {
        let mut hard = Vec::new();
        image::codecs::jpeg::JpegEncoder::new_with_quality(&mut hard, 10).encode_image(picture).unwrap();
        image::load_from_memory(&hard).unwrap().to_rgb8()
    });
}

#[test]
fn a_cloth_over_the_mouth_is_noticed() {
    for cloth in [[150, 190, 212], [225, 226, 222], [36, 36, 40]] {
        expect("a_cloth_over_the_mouth_is_noticed", GateReason::QualityMouthOcclusion, |picture, face| {
            let r = face.rectangle.unwrap();
            RgbImage::from_fn(picture.width(), picture.height(), |x, y| {
                let across = (r.left..r.right).contains(&(x as f32));
                let down = (r.top + 0.58 * r.height()..r.bottom + 0.1 * r.height()).contains(&(y as f32));
                if across && down { Rgb(cloth) } else { *picture.get_pixel(x, y) }
            })
        });
    }
}

#[test]
fn small_face_is_noticed() {
    expect("small_face_is_noticed", GateReason::QualityInterEyeDistance, |picture, face| {
        let share = 45.0 / face.inter_eye_px;
        let side = |v: u32| (v as f32 * share) as u32;
        imageops::resize(picture, side(picture.width()), side(picture.height()), imageops::FilterType::Triangle)
    });
}

#[test]
fn twenty_pixel_face_is_below_the_floor_of_any_policy() {
    let Some((mut engine, portraits)) = prepared("twenty_pixel_face_is_below_the_floor_of_any_policy") else { return };
    let picture = &portraits[0].1;
    let inter_eye = examine(&mut engine, picture).per_frame[0].inter_eye_px;
    let share = 20.0 / inter_eye;
    let side = |v: u32| (v as f32 * share) as u32;
    let small =
        imageops::resize(picture, side(picture.width()), side(picture.height()), imageops::FilterType::Triangle);
    let file = jpeg(&small);
    let evidence = engine
        .examine(
            &[Frame { jpeg: &file, offset_ms: 0 }],
            ExamineOptions { min_inter_eye_px: 0, presentation_attack: false, previous: false },
        )
        .unwrap();
    assert!(evidence.quality.reasons.contains(&GateReason::QualityInterEyeDistance));
}

#[test]
fn tilted_head_is_noticed() {
    expect("tilted_head_is_noticed", GateReason::QualityHeadPose, |picture, face| {
        let (centre, (sin, cos)) = (face.rectangle.unwrap().centre(), 40_f32.to_radians().sin_cos());
        RgbImage::from_fn(picture.width(), picture.height(), |x, y| {
            let (dx, dy) = (x as f32 - centre.x, y as f32 - centre.y);
            let (u, v) = (cos * dx + sin * dy + centre.x, cos * dy - sin * dx + centre.y);
            let inside = u >= 0.0 && v >= 0.0 && u < picture.width() as f32 && v < picture.height() as f32;
            if inside { *picture.get_pixel(u as u32, v as u32) } else { Rgb([0; 3]) }
        })
    });
}

#[test]
fn face_over_the_edge_is_noticed() {
    expect("face_over_the_edge_is_noticed", GateReason::QualityFaceCropped, |picture, face| {
        let below = (face.rectangle.unwrap().top + 0.62 * face.rectangle.unwrap().height()) as u32;
        imageops::crop_imm(picture, 0, 0, picture.width(), below).to_image()
    });
}

#[test]
fn mirrored_head_turns_the_other_way() {
    let Some((mut engine, portraits)) = prepared("mirrored_head_turns_the_other_way") else { return };
    for (_, picture) in portraits {
        let pose = examine(&mut engine, &picture).per_frame[0].pose;
        let mirrored = examine(&mut engine, &imageops::flip_horizontal(&picture)).per_frame[0].pose;
        assert!(
            (pose.yaw + mirrored.yaw).abs() < 4.0 && (pose.roll + mirrored.roll).abs() < 4.0,
            "{pose:?} {mirrored:?}"
        );
        assert!((pose.pitch - mirrored.pitch).abs() < 4.0, "{pose:?} {mirrored:?}");
    }
}

#[test]
fn minority_of_bad_frames_is_left_out() {
    let Some((mut engine, portraits)) = prepared("minority_of_bad_frames_is_left_out") else { return };
    let picture = &portraits[0].1;
    let dark = jpeg(&each(picture, |_, _, v| v * 0.2));
    let brighter = jpeg(&each(picture, |_, _, v| v + 4.0));
    let sound = jpeg(picture);
    let mut status = |files: &[&Vec<u8>]| {
        let frames: Vec<_> = files.iter().zip(0..).map(|(jpeg, offset_ms)| Frame { jpeg, offset_ms }).collect();
        let evidence = engine
            .examine(&frames, ExamineOptions { min_inter_eye_px: 60, presentation_attack: false, previous: false })
            .unwrap();
        (evidence.quality.status, evidence.quality.reasons)
    };
    let darker = jpeg(&each(picture, |_, _, v| v * 0.18));
    assert_eq!(status(&[&sound, &dark]), (GateStatus::Pass, vec![]));
    assert_eq!(status(&[&sound, &dark, &brighter]), (GateStatus::Pass, vec![]));
    let (bad, reasons) = status(&[&sound, &dark, &darker]);
    assert_eq!((bad, reasons), (GateStatus::Inconclusive, vec![GateReason::QualityUnderExposure]));
}
