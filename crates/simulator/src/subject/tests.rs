//! How heads and sheets of paper move and catch light.

use super::Subject;
use crate::{
    Conditions, Script, Slot, Target,
    layout::Layout,
    light::arrival,
    motion::{Motion, Pose},
    portrait::OVAL,
    stage::Live,
    tests::drawn,
    vector::Rotation,
};
use rand::{SeedableRng, rngs::StdRng};

const NOSE: usize = 1;
const EARS: [usize; 2] = [234, 454];

fn live() -> Live {
    let script = Script::default();
    Live::new(&drawn([200, 150, 125]), &script, &script, &Conditions::default())
}

/// Where points of the mesh are on the frame in a pose.
fn seen(live: &Live, rotation: Rotation, scale: f32) -> Vec<[f32; 2]> {
    let pose = Pose { rotation, scale, ..Pose::default() };
    live.subject.pose(&pose, live.rest).iter().map(|placed| live.stage.project(placed.place)).collect()
}

#[test]
fn turning_the_head_moves_the_nose_more_than_the_ears() {
    let live = live();
    let straight = seen(&live, Rotation::default(), 1.0);
    let turned = seen(&live, Rotation { yaw: 15.0, ..Rotation::default() }, 1.0);
    let shift = |i: usize| turned[i][0] - straight[i][0];
    assert!(shift(NOSE) > 10.0, "{}", shift(NOSE));
    assert!(EARS.iter().all(|&ear| shift(ear).abs() < 0.7 * shift(NOSE)));
}

#[test]
fn looking_up_lifts_the_nose_and_coming_closer_spreads_the_eyes() {
    let live = live();
    let straight = seen(&live, Rotation::default(), 1.0);
    let up = seen(&live, Rotation { pitch: 12.0, ..Rotation::default() }, 1.0);
    assert!(up[NOSE][1] < straight[NOSE][1] - 5.0);
    let apart = |points: &[[f32; 2]]| points[263][0] - points[33][0];
    let closer = seen(&live, Rotation::default(), 1.25);
    let ratio = apart(&closer) / apart(&straight);
    assert!((1.2..1.35).contains(&ratio), "{ratio}");
}

#[test]
fn a_head_at_rest_is_where_the_portrait_shows_it() {
    let portrait = drawn([200, 150, 125]);
    let conditions = Conditions::default();
    let layout = Layout::new(&portrait, &conditions);
    let (live, points) = (live(), seen(&live(), Rotation::default(), 1.0));
    let middle = |axis: usize| OVAL.iter().map(|&i| points[i][axis]).sum::<f32>() / OVAL.len() as f32;
    assert!((middle(0) - layout.face_at[0]).abs() < 3.0 && (middle(1) - layout.face_at[1]).abs() < 3.0);
    assert!(live.subject.anchors.len() > 600);
}

#[test]
fn parts_that_face_the_screen_catch_more_of_its_light() {
    let live = live();
    let placed = live.subject.pose(&Pose { scale: 1.0, ..Pose::default() }, live.rest);
    let caught = |i: usize| arrival(placed[i].place, placed[i].normal).diffuse;
    assert!(EARS.iter().all(|&ear| caught(ear) < 0.7 * caught(NOSE)));
}

#[test]
fn the_matte_holds_the_person_and_not_the_wall() {
    let portrait = drawn([200, 150, 125]);
    let layout = Layout::new(&portrait, &Conditions::default());
    let (_, matte) = Subject::new(&portrait, &layout);
    assert!(matte.at([0.0, 0.0]) > 0.9 && matte.at([0.0, 16.0]) > 0.9);
    assert!(matte.at([-16.0, -10.0]) < 0.1 && matte.at([16.0, -10.0]) < 0.1);
}

#[test]
fn a_person_follows_late_and_about_as_far_as_asked() {
    let target = Target::Head { yaw_deg: 20.0, pitch_deg: 0.0, scale: 1.0 };
    let script = Script { slots: vec![Slot { at_ms: 400, duration_ms: 1200, target }], frame_times_ms: vec![0] };
    for seed in 0..50 {
        let motion = Motion::following(&script, &mut StdRng::seed_from_u64(seed));
        let yaw = |ms: f32| motion.at(ms).rotation.yaw;
        assert!(yaw(0.0).abs() < 1e-3 && yaw(550.0).abs() < 4.0);
        assert!((13.0..27.0).contains(&yaw(1500.0)), "{}", yaw(1500.0));
        assert!(yaw(3000.0).abs() < 4.0);
    }
}
