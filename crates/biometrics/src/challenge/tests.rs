//! Scripts follow every input, stay inside the flash limit, and are as hard to guess as is claimed.

use super::bound::{scripts_within, sequences};
use super::*;
use proptest::prelude::*;
use serde::Deserialize;
use std::collections::HashMap;
use std::{fs, path::PathBuf};
use uuid::Uuid;

const MODES: [CaptureMode; 4] =
    [CaptureMode::Passive, CaptureMode::Motion, CaptureMode::Light, CaptureMode::LightAndMotion];

#[derive(Debug, Clone)]
struct Owned {
    nonce: Vec<u8>,
    tenant: u128,
    action: [u8; 32],
    mode: CaptureMode,
    attempt: u32,
}

impl Owned {
    fn with<T>(&self, f: impl FnOnce(&ScriptInputs<'_>) -> T) -> T {
        f(&ScriptInputs {
            nonce: &self.nonce,
            tenant: TenantId::new(Uuid::from_u128(self.tenant)),
            action_sha256: &self.action,
            mode: self.mode,
            attempt: self.attempt,
        })
    }
    fn script(&self) -> CaptureScript {
        self.with(CaptureScript::derive)
    }
    fn seed(&self) -> Vec<u8> {
        self.with(|inputs| stream::seed(inputs).as_ref().to_vec())
    }
}

fn inputs() -> impl Strategy<Value = Owned> {
    let nonce = prop::collection::vec(any::<u8>(), 16..65);
    (nonce, any::<u128>(), any::<[u8; 32]>(), prop::sample::select(MODES.to_vec()), 1..1000_u32)
        .prop_map(|(nonce, tenant, action, mode, attempt)| Owned { nonce, tenant, action, mode, attempt })
}

proptest! {
    #[test]
    fn the_script_changes_with_every_input(base in inputs(), at in 0..16_usize, bit in 0..8_u32) {
        let base = Owned { mode: CaptureMode::LightAndMotion, ..base };
        let mut nonce = base.nonce.clone();
        nonce[at] ^= 1 << bit;
        let mut action = base.action;
        action[at] ^= 1 << bit;
        let changed = [
            Owned { nonce, ..base.clone() },
            Owned { nonce: [&base.nonce[..], &[1]].concat(), ..base.clone() },
            Owned { tenant: base.tenant ^ (1 << (at as u32 * 8 + bit)), ..base.clone() },
            Owned { action, ..base.clone() },
            Owned { attempt: base.attempt + 1, ..base.clone() },
            Owned { mode: CaptureMode::Light, ..base.clone() },
        ];
        prop_assert_eq!(base.script(), base.clone().script());
        for other in changed {
            prop_assert_ne!(base.seed(), other.seed());
            // 468,750 colour sequences times 6^8 timings: equal ones are not met in any test's lifetime.
            let light = |script: CaptureScript| script.light_steps().map(|(s, _)| *s).collect::<Vec<_>>();
            prop_assert_ne!(light(base.script()), light(other.script()));
        }
        for mode in MODES {
            let seed = Owned { mode, ..base.clone() }.seed();
            prop_assert_eq!(seed == base.seed(), mode == base.mode);
        }
    }

    #[test]
    fn neighbours_differ_and_light_changes_at_most_three_times_in_any_second(input in inputs()) {
        let script = input.script();
        let light: Vec<_> = script.light_steps().collect();
        let head: Vec<_> = script.head_steps().collect();
        prop_assert!(light.windows(2).all(|w| w[0].1 != w[1].1 && w[0].0.end_ms() == w[1].0.at_ms));
        prop_assert!(head.windows(2).all(|w| w[0].1 != w[1].1 && w[0].0.end_ms() == w[1].0.at_ms));
        // Every change of the screen, to the first colour and back to none included.
        let mut changes: Vec<u32> = light.iter().map(|(step, _)| step.at_ms).collect();
        changes.extend(light.last().map(|(step, _)| step.end_ms()));
        for first in &changes {
            prop_assert!(changes.iter().filter(|c| (*first..=first + 1000).contains(c)).count() <= 3);
        }
        let (lights, heads) = match script.mode {
            CaptureMode::Passive => (0, 0),
            CaptureMode::Motion => (0, HEAD_STEPS_ALONE),
            CaptureMode::Light => (LIGHT_SLOTS, 0),
            CaptureMode::LightAndMotion => (LIGHT_SLOTS, HEAD_STEPS_WITH_LIGHT),
        };
        prop_assert_eq!((light.len(), head.len()), (lights, heads));
    }

    #[test]
    fn frames_rise_in_time_fit_a_request_and_meet_every_step(input in inputs()) {
        let script = input.script();
        let times = script.frame_times_ms();
        prop_assert_eq!(times.len(), script.frames as usize);
        prop_assert!(times.len() <= 12 && times[0] == 0 && times.last() == Some(&script.duration_ms));
        prop_assert!(times.windows(2).all(|w| w[0] + 100 <= w[1]));
        for step in &script.steps {
            prop_assert!(times.iter().any(|t| (step.at_ms..step.end_ms()).contains(t)));
        }
        prop_assert_eq!(script.light_at(0), None);
        prop_assert_eq!(script.light_at(script.duration_ms), None);
        prop_assert!(script.duration_ms <= 6000);
    }
}

#[test]
fn every_choice_is_met_about_equally_often() {
    let (mut colours, mut durations, mut targets) = (HashMap::new(), HashMap::new(), HashMap::new());
    for attempt in 0..3000 {
        let input =
            Owned { nonce: vec![9; 16], tenant: 1, action: [3; 32], mode: CaptureMode::LightAndMotion, attempt };
        let script = input.script();
        for (step, rgb) in script.light_steps() {
            *colours.entry(rgb).or_insert(0_u32) += 1;
            *durations.entry(step.duration_ms).or_insert(0_u32) += 1;
        }
        for (_, head) in script.head_steps() {
            *targets.entry(head).or_insert(0_u32) += 1;
        }
    }
    let even = |counts: Vec<u32>, expected: u32| counts.iter().all(|c| c.abs_diff(expected) < expected / 10);
    assert!(colours.len() == 6 && even(colours.values().copied().collect(), 4000), "{colours:?}");
    assert!(durations.len() == 6 && even(durations.values().copied().collect(), 4000), "{durations:?}");
    assert!(targets.len() == 5 && even(targets.values().copied().collect(), 1200), "{targets:?}");
}

/// Calls `f` with every answer of `slots` colours whose first colour is 0; the others follow by renaming colours.
fn every_answer(slots: usize, mut f: impl FnMut(&[usize])) {
    let mut answer = vec![0; slots];
    for code in 0..6_usize.pow(slots as u32 - 1) {
        let mut rest = code;
        for colour in &mut answer[1..] {
            *colour = rest % 6;
            rest /= 6;
        }
        f(&answer);
    }
}

#[test]
fn scripts_within_a_distance_are_counted_as_by_listing_them() {
    let mut scripts = Vec::new();
    for first in 0..6 {
        every_answer(4, |rest| {
            let script: Vec<usize> = rest.iter().map(|c| (c + first) % 6).collect();
            if script.windows(2).all(|w| w[0] != w[1]) {
                scripts.push(script);
            }
        });
    }
    assert_eq!(scripts.len() as u64, sequences(6, 4));
    every_answer(4, |answer| {
        for errors in 0..=4 {
            let near = |s: &&Vec<usize>| s.iter().zip(answer).filter(|(a, b)| a != b).count() <= errors;
            assert_eq!(scripts_within(answer, errors), scripts.iter().filter(near).count() as u64, "{answer:?}");
        }
    });
}

#[test]
fn no_answer_meets_more_scripts_than_the_bound_says() {
    let mut most = 0;
    every_answer(LIGHT_SLOTS, |answer| most = most.max(scripts_within(answer, LIGHT_ERRORS)));
    assert_eq!(most, 33);
    let light = most as f64 / sequences(6, LIGHT_SLOTS) as f64;
    assert_eq!(blind_guess_bound(CaptureMode::Light, 1), light);
    let both = light / sequences(5, HEAD_STEPS_WITH_LIGHT) as f64;
    assert!((blind_guess_bound(CaptureMode::LightAndMotion, 1) - both).abs() < 1e-18);
    assert_eq!(blind_guess_bound(CaptureMode::Motion, 1), 1.0 / 320.0);
    assert_eq!(blind_guess_bound(CaptureMode::Passive, 1), 1.0);
}

#[test]
fn light_and_motion_stays_below_one_in_ten_thousand_for_every_policy() {
    // A policy allows 10 attempts at most.
    assert!(blind_guess_bound(CaptureMode::LightAndMotion, 10) <= 1e-4);
    assert!(blind_guess_bound(CaptureMode::Motion, u32::MAX) <= 1.0);
    // The positive control: one more error allowed would break the promise even for the default of three.
    let mut answer = [0; LIGHT_SLOTS];
    answer.iter_mut().enumerate().for_each(|(i, c)| *c = i % 2);
    let looser = scripts_within(&answer, LIGHT_ERRORS + 1) as f64 / sequences(6, LIGHT_SLOTS) as f64 / 20.0;
    assert!(3.0 * looser > 1e-4, "{looser}");
}

/// One script under `tests/vectors`: a device and a worker of different releases must agree on it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    version: u32,
    nonce: String,
    tenant: TenantId,
    action_sha256: String,
    mode: CaptureMode,
    attempt: u32,
    seed: String,
    script: serde_json::Value,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn make_vectors() -> Vec<Vector> {
    let numbered = MODES.into_iter().chain([CaptureMode::LightAndMotion, CaptureMode::LightAndMotion]).zip(1_u8..);
    let vector = |(mode, number): (CaptureMode, u8)| {
        let nonce = (0..15 + number).map(|i| i.wrapping_mul(number)).collect();
        let action = std::array::from_fn(|i| i as u8 ^ number);
        let attempt = if number == 6 { 2 } else { 1 };
        let input = Owned { nonce, tenant: u128::from(number), action, mode, attempt };
        Vector {
            version: VERSION,
            nonce: hex(&input.nonce),
            tenant: TenantId::new(Uuid::from_u128(input.tenant)),
            action_sha256: hex(&action),
            mode,
            attempt,
            seed: hex(&input.seed()),
            script: serde_json::to_value(input.script()).unwrap(),
        }
    };
    numbered.map(vector).collect()
}

#[test]
fn committed_scripts_are_derived_again() {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "..", "..", "tests", "vectors", "script.json"].iter().collect();
    let made = serde_json::to_string_pretty(&make_vectors()).unwrap() + "\n";
    if std::env::var_os("COUNTERSIGN_WRITE_VECTORS").is_some_and(|v| v == "1") {
        fs::write(&path, &made).unwrap();
    }
    let committed: Vec<Vector> = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    assert!(committed.len() >= 6);
    let bytes = |text: &str| -> Vec<u8> {
        (0..text.len() / 2).map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap()).collect()
    };
    for v in committed {
        assert_eq!(v.version, VERSION);
        let script = CaptureScript::derive(&ScriptInputs {
            nonce: &bytes(&v.nonce),
            tenant: v.tenant,
            action_sha256: &bytes(&v.action_sha256).try_into().unwrap(),
            mode: v.mode,
            attempt: v.attempt,
        });
        assert_eq!(serde_json::to_value(script).unwrap(), v.script);
    }
}
