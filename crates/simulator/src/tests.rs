//! The simulation as a whole, on a drawn face whose mesh is known.

use crate::{
    AttackInputs, Background, Capture, Conditions, MESH_POINTS, Portrait, Script, SimulatorError, Slot, Species,
    Target, portrait::OVAL, render, render_attack, texture::linear_rgb,
};
use image::{Rgb, RgbImage};
use std::collections::HashSet;

/// Middle and half axes of the drawn face in pixels.
const FACE: [f32; 4] = [150.0, 140.0, 48.0, 64.0];

/// A face of one skin colour with eyes and mouth, dark hair, clothes, and a plain wall.
pub(crate) fn drawn(skin: [u8; 3]) -> Portrait {
    let [x, y, across, down] = FACE;
    let radius = |u: f32, v: f32, grow: f32| ((u - x) / across / grow).hypot((v - y) / down / grow);
    let pixels = RgbImage::from_fn(300, 300, |u, v| {
        let (u, v) = (u as f32, v as f32);
        let eye = [-20.0, 20.0].iter().any(|dx| ((u - x - dx) / 9.0).hypot((v - y + 12.0) / 4.0) < 1.0);
        let mouth = ((u - x) / 16.0).hypot((v - y - 32.0) / 4.0) < 1.0;
        let colour = if eye {
            [30, 25, 25]
        } else if mouth {
            [150, 70, 70]
        } else if radius(u, v, 1.0) < 1.0 || ((u - x).abs() < 28.0 && v > y && v < y + 90.0) {
            skin
        } else if v > y + 80.0 + 0.003 * (u - x).powi(2) {
            [60, 70, 110]
        } else if radius(u, v + 12.0, 1.18) < 1.0 {
            [50, 40, 35]
        } else {
            [150, 160, 150]
        };
        let grain = ((u as u32 * 31 + v as u32 * 17) % 7) as u8;
        Rgb(colour.map(|level: u8| level.saturating_add(grain)))
    });
    Portrait::new(pixels, mesh()).unwrap()
}

/// An ellipsoid with a nose; outline and eyes have their places in the numbering.
fn mesh() -> Vec<[f32; 3]> {
    let [x, y, across, down] = FACE;
    let bowl = |u: f32, v: f32| (1.0 - u * u - v * v).max(0.0).sqrt();
    // The last part leans the chin back by five degrees, as a face does that looks straight on.
    let depth = |u: f32, v: f32| -38.0 * bowl(u, v) - 14.0 * (-(u * u + v * v) * 30.0).exp() + 5.6 * v;
    let point = |u: f32, v: f32| [x + u * across, y + v * down, depth(u, v)];
    let mut points: Vec<[f32; 3]> = (0..MESH_POINTS)
        .map(|i| {
            let (r, angle) = ((i as f32 / MESH_POINTS as f32).sqrt() * 0.93, i as f32 * 2.399_963);
            point(r * angle.cos(), r * angle.sin())
        })
        .collect();
    for (i, &at) in OVAL.iter().enumerate() {
        let angle = std::f32::consts::TAU * i as f32 / OVAL.len() as f32;
        points[at] = point(angle.sin(), -angle.cos());
    }
    for (at, u) in [(33, -0.56), (133, -0.27), (362, 0.27), (263, 0.56)] {
        points[at] = point(u, -0.19);
    }
    points[1] = point(0.0, 0.0);
    points
}

/// A script of light slots of half a second after half a second without light.
pub(crate) fn lights(colours: &[[u8; 3]]) -> Script {
    let slot = |(i, &rgb): (usize, &[u8; 3])| Slot {
        at_ms: 500 + 500 * i as u32,
        duration_ms: 500,
        target: Target::Light { rgb },
    };
    let slots: Vec<Slot> = colours.iter().enumerate().map(slot).collect();
    let times = slots.iter().map(|slot| slot.at_ms + 350);
    let frame_times_ms = std::iter::once(0).chain(times).chain([500 * colours.len() as u32 + 900]).collect();
    Script { slots, frame_times_ms }
}

fn with_head(mut script: Script, yaw_deg: f32) -> Script {
    let target = Target::Head { yaw_deg, pitch_deg: 0.0, scale: 1.0 };
    script.slots.push(Slot { at_ms: 500, duration_ms: 1500, target });
    script
}

fn conditions() -> Conditions {
    Conditions { auto_exposure: 0.0, auto_white_balance: 0.0, background: Background::Room(3), ..Conditions::default() }
}

fn decode(jpeg: &[u8]) -> RgbImage {
    image::load_from_memory(jpeg).unwrap().to_rgb8()
}

/// Mean linear colour of a part of a frame, given in shares of its size.
fn mean(frame: &RgbImage, [left, top, right, bottom]: [f32; 4]) -> [f32; 3] {
    let at = |share: f32, side: u32| (share * side as f32) as u32;
    let (mut sum, mut count) = ([0.0; 3], 0.0);
    for y in at(top, frame.height())..at(bottom, frame.height()) {
        for x in at(left, frame.width())..at(right, frame.width()) {
            let rgb = linear_rgb(frame.get_pixel(x, y).0);
            sum = [sum[0] + rgb[0], sum[1] + rgb[1], sum[2] + rgb[2]];
            count += 1.0;
        }
    }
    sum.map(|v| v / count)
}

const CHEEKS: [f32; 4] = [0.42, 0.48, 0.58, 0.56];
const WALL: [f32; 4] = [0.03, 0.05, 0.2, 0.5];

/// Greatest change of green against red and blue from the first frame, relative to its level.
fn answer(capture: &Capture, part: [f32; 4]) -> f32 {
    let green = |jpeg: &[u8]| {
        let [r, g, b] = mean(&decode(jpeg), part);
        g / ((r + b) / 2.0)
    };
    let levels: Vec<f32> = capture.frames.iter().map(|frame| green(&frame.jpeg)).collect();
    levels.iter().map(|level| (level / levels[0] - 1.0).abs()).fold(0.0, f32::max)
}

#[test]
fn equal_inputs_give_equal_bytes() {
    let (portrait, script) = (drawn([200, 150, 125]), lights(&[[0, 255, 0]]));
    let capture = render(&portrait, &script, &conditions()).unwrap();
    assert_eq!(capture, render(&portrait, &script, &conditions()).unwrap());
    assert_ne!(capture, render(&portrait, &script, &Conditions { seed: 1, ..conditions() }).unwrap());
}

#[test]
fn skin_answers_the_screen_and_the_wall_hardly() {
    for skin in [[215, 170, 145], [95, 65, 50]] {
        let capture = render(&drawn(skin), &lights(&[[0, 255, 0]]), &conditions()).unwrap();
        let (face, wall) = (answer(&capture, CHEEKS), answer(&capture, WALL));
        assert!(face > 0.15, "{face}");
        assert!(wall < 0.3 * face, "{wall} against {face}");
    }
}

#[test]
fn each_colour_shows_in_its_own_channels() {
    let colours = [[255, 0, 0], [0, 255, 0], [0, 0, 255]];
    let capture = render(&drawn([200, 150, 125]), &lights(&colours), &conditions()).unwrap();
    let levels: Vec<[f32; 3]> = capture.frames.iter().map(|frame| mean(&decode(&frame.jpeg), CHEEKS)).collect();
    for channel in 0..3 {
        let gain = |other: usize| levels[channel + 1][other] / levels[0][other];
        for other in (0..3).filter(|&other| other != channel) {
            assert!(gain(channel) > gain(other) + 0.1, "{levels:?}");
        }
    }
}

#[test]
fn sunlight_drowns_the_screen() {
    let outdoors = Conditions { ambient: 60.0, ..conditions() };
    let capture = render(&drawn([200, 150, 125]), &lights(&[[0, 255, 0]]), &outdoors).unwrap();
    assert!(answer(&capture, CHEEKS) < 0.02);
}

#[test]
fn automatic_exposure_darkens_what_is_not_lit() {
    let adapting = Conditions { auto_exposure: 1.0, screen_strength: 2.0, ..conditions() };
    let capture = render(&drawn([200, 150, 125]), &lights(&[[255, 255, 255]]), &adapting).unwrap();
    let wall = |i: usize| mean(&decode(&capture.frames[i].jpeg), WALL)[1];
    assert!(wall(1) < 0.95 * wall(0), "{} {}", wall(1), wall(0));
}

#[test]
fn injected_still_does_not_answer() {
    let (victim, script) = (drawn([200, 150, 125]), lights(&[[0, 255, 0], [255, 0, 255]]));
    for seed in 0..6 {
        let conditions = Conditions { seed, ..conditions() };
        let inputs = AttackInputs {
            victim: &victim,
            attacker: None,
            script: &script,
            older_script: &script,
            conditions: &conditions,
        };
        let capture = render_attack(Species::InjectedStill, &inputs).unwrap();
        assert!(answer(&capture, CHEEKS) < 0.03);
    }
}

#[test]
fn animation_tinted_all_over_answers_on_the_wall_too() {
    let (victim, script) = (drawn([200, 150, 125]), lights(&[[0, 255, 0], [255, 0, 255]]));
    let conditions = conditions();
    let inputs = AttackInputs {
        victim: &victim,
        attacker: None,
        script: &script,
        older_script: &script,
        conditions: &conditions,
    };
    let answers = |species| {
        let capture = render_attack(species, &inputs).unwrap();
        [answer(&capture, CHEEKS), answer(&capture, WALL)]
    };
    let [face, wall] = answers(Species::TintedAnimation);
    assert!(face > 0.08 && wall > 0.6 * face, "{face} {wall}");
    assert!(answers(Species::InjectedAnimation).iter().all(|&v| v < 0.05));
}

#[test]
fn every_species_renders_frames_of_the_right_size_and_order() {
    let (victim, attacker) = (drawn([200, 150, 125]), drawn([120, 85, 65]));
    let script = with_head(lights(&[[255, 0, 0], [0, 0, 255], [0, 255, 0]]), 18.0);
    let older_script = with_head(lights(&[[0, 255, 0], [255, 0, 0], [0, 0, 255]]), -18.0);
    for (seed, attacker) in [(0, None), (1, Some(&attacker))] {
        let conditions = Conditions { width: 320, height: 240, ..Conditions::typical(seed) };
        let inputs = AttackInputs {
            victim: &victim,
            attacker,
            script: &script,
            older_script: &older_script,
            conditions: &conditions,
        };
        for species in Species::ALL {
            let capture = render_attack(species, &inputs).unwrap();
            assert_eq!(capture.frames.len(), script.frame_times_ms.len(), "{species:?}");
            assert_eq!(capture.frames[0].offset_ms, 0, "{species:?}");
            assert!(capture.frames.windows(2).all(|w| w[0].offset_ms < w[1].offset_ms), "{species:?}");
            for frame in &capture.frames {
                assert_eq!(decode(&frame.jpeg).dimensions(), (320, 240), "{species:?}");
            }
            assert_eq!(capture, render_attack(species, &inputs).unwrap(), "{species:?}");
        }
    }
}

#[test]
fn frames_put_in_order_by_colour_match_the_live_script() {
    let victim = drawn([200, 150, 125]);
    let (script, older_script) = (lights(&[[0, 255, 0], [255, 0, 255]]), lights(&[[255, 0, 255], [0, 255, 0]]));
    let conditions = conditions();
    let inputs = AttackInputs {
        victim: &victim,
        attacker: None,
        script: &script,
        older_script: &older_script,
        conditions: &conditions,
    };
    let green = |species| {
        let capture = render_attack(species, &inputs).unwrap();
        let [r, g, b] = mean(&decode(&capture.frames[1].jpeg), CHEEKS);
        let [r0, g0, b0] = mean(&decode(&capture.frames[0].jpeg), CHEEKS);
        g / g0 > (r + b) / (r0 + b0)
    };
    assert!(green(Species::Reordered) && green(Species::Assembled));
    assert!(!green(Species::WrongNonce));
}

#[test]
fn names_of_species_differ() {
    let names: HashSet<&str> = Species::ALL.into_iter().map(Species::name).collect();
    assert_eq!(names.len(), Species::ALL.len());
}

#[test]
fn unusable_portraits_and_sizes_are_refused() {
    let pixels = RgbImage::new(100, 100);
    assert!(matches!(Portrait::new(pixels.clone(), vec![[0.0; 3]; 12]), Err(SimulatorError::Points { found: 12 })));
    assert!(matches!(Portrait::new(pixels.clone(), vec![[5.0; 3]; 468]), Err(SimulatorError::Geometry)));
    assert!(matches!(Portrait::new(pixels, vec![[f32::NAN; 3]; 468]), Err(SimulatorError::Geometry)));
    let huge = Conditions { width: 4000, ..conditions() };
    let refused = render(&drawn([200, 150, 125]), &lights(&[]), &huge);
    assert!(matches!(refused, Err(SimulatorError::Size { width: 4000, .. })));
}
