//! What is decided: accepted, refused at which gate, or not decidable at all.

use super::fixture::{Fixture, NONCE, OWNER, capture, refusing};
use crate::work::{Capture, Work};
use biometrics::Gate;
use receipt::{Action, Expected, Refused};
use std::time::Duration;
use wire::{Reason, convert, v1};

const NOT_RUN: [Gate; 2] = [Gate::PresentationAttack, Gate::ChallengeResponse];

fn action() -> Action {
    Action { kind: "withdrawal".into(), amount: "250.00".into(), ..Action::default() }
}

#[test]
fn the_owner_is_accepted_and_the_receipt_authorizes_this_action() {
    let Some(mut fixture) = Fixture::new("the_owner_is_accepted_and_the_receipt_authorizes_this_action") else {
        return;
    };
    let tenant = fixture.tenant(1);
    let reference = fixture.reference(&tenant, "alice");
    let context = fixture.context(&tenant, "alice");
    let decision = fixture.verify((context, &reference), capture(&OWNER[1..])).unwrap();
    assert_eq!(refusing(&decision), None);
    assert_eq!(decision.verdict(), v1::Verdict::Accept);

    let (keys, action, aud) = (fixture.trusted(), action(), tenant.id.to_string());
    let commitment = convert::fixed(&reference.commitment, "commitment").unwrap();
    let expected = Expected {
        reference_commitment: Some(commitment),
        accepted_not_run: &NOT_RUN,
        ..Expected::new(&aud, &NONCE, &action)
    };
    let now_s = fixture.clock.now_ms() / 1000;
    let receipt = receipt::authorize(&decision.receipt, &keys, &expected, now_s).unwrap().settle(true).unwrap();
    assert_eq!(
        receipt.claims().asserted,
        ["attempt", "max_attempts", "pol", "gates.CAPTURE_REPLAYED", "dsp", "status"]
    );
    assert_eq!(receipt.claims().amr, ["face"]);
    assert_eq!(receipt.claims().sub, decision.pseudonym);
    let strict = Expected { accepted_not_run: &[], ..expected };
    let refused = receipt::authorize(&decision.receipt, &keys, &strict, now_s).map(drop);
    assert_eq!(refused, Err(Refused::GateNotRun { gate: Gate::PresentationAttack }), "a gate that was not run is said");
}

#[test]
fn enrollment_answers_with_a_receipt_over_the_commitment() {
    let Some(mut fixture) = Fixture::new("enrollment_answers_with_a_receipt_over_the_commitment") else { return };
    let tenant = fixture.tenant(1);
    let answer = fixture.enroll(fixture.context(&tenant, "alice"), capture(&OWNER[..1])).unwrap();
    let (decision, reference) = (answer.decision.unwrap(), answer.reference.unwrap());
    let (keys, action, aud) = (fixture.trusted(), action(), tenant.id.to_string());
    let expected = Expected {
        reference_commitment: Some(convert::fixed(&reference.commitment, "commitment").unwrap()),
        accepted_not_run: &NOT_RUN,
        ..Expected::new(&aud, &NONCE, &action)
    };
    let now_s = fixture.clock.now_ms() / 1000;
    assert!(receipt::verify_enrollment(&decision.receipt, &keys, &expected, now_s).is_ok());
    assert!(receipt::authorize(&decision.receipt, &keys, &expected, now_s).is_err(), "it approves no action");
}

#[test]
fn another_face_passes_gates_one_and_two_and_fails_five() {
    let Some(mut fixture) = Fixture::new("another_face_passes_gates_one_and_two_and_fails_five") else { return };
    let tenant = fixture.tenant(1);
    let reference = fixture.reference_of_another(&tenant, "alice");
    let context = fixture.context(&tenant, "alice");
    let decision = fixture.verify((context, &reference), capture(&OWNER[..1])).unwrap();
    let expected = (Gate::Comparison, v1::GateStatus::Fail, "COMPARISON_NON_MATCH".to_owned());
    assert_eq!(refusing(&decision), Some(expected));
    assert_eq!(decision.verdict(), v1::Verdict::Refuse);
    let receipt = receipt::evidence(&decision.receipt, &fixture.trusted()).unwrap();
    assert!(receipt.claims().reference.is_some(), "the reference was opened");
}

#[test]
fn a_frame_sent_twice_is_refused_and_the_reference_stays_sealed() {
    let Some(mut fixture) = Fixture::new("a_frame_sent_twice_is_refused_and_the_reference_stays_sealed") else {
        return;
    };
    let tenant = fixture.tenant(1);
    let mut reference = fixture.reference(&tenant, "alice");
    reference.ciphertext.clear();
    let context = fixture.context(&tenant, "alice");
    let decision = fixture.verify((context, &reference), capture(&[OWNER[0], OWNER[0]])).unwrap();
    let expected = (Gate::CaptureIntegrity, v1::GateStatus::Fail, "CAPTURE_DUPLICATE_FRAME".to_owned());
    assert_eq!(refusing(&decision), Some(expected));
    let receipt = receipt::evidence(&decision.receipt, &fixture.trusted()).unwrap();
    assert!(receipt.claims().reference.is_none());
}

#[test]
fn a_frame_that_the_gateway_has_seen_before_fails_gate_one_and_the_reference_stays_sealed() {
    let name = "a_frame_that_the_gateway_has_seen_before_fails_gate_one_and_the_reference_stays_sealed";
    let Some(mut fixture) = Fixture::new(name) else { return };
    let tenant = fixture.tenant(1);
    let mut reference = fixture.reference(&tenant, "alice");
    let context = fixture.context(&tenant, "alice");
    let fresh = fixture.verify((context.clone(), &reference), capture(&OWNER[1..])).unwrap();
    assert_eq!(refusing(&fresh), None, "positive control: the same capture, not seen before");
    reference.ciphertext.clear();
    let seen = v1::AttemptContext { asserted_replayed_frames: vec![0], ..context };
    let told = |decision: &v1::Decision| receipt::inspect_unverified(&decision.receipt).unwrap().claims;

    let decision = fixture.verify((seen.clone(), &reference), capture(&OWNER[1..])).unwrap();
    let expected = (Gate::CaptureIntegrity, v1::GateStatus::Fail, "CAPTURE_REPLAYED".to_owned());
    assert_eq!((refusing(&decision), decision.verdict()), (Some(expected), v1::Verdict::Refuse));
    let later: Vec<_> = decision.gates[2..].iter().map(|gate| (gate.status(), &gate.reasons[..])).collect();
    assert_eq!(later, [(v1::GateStatus::NotRun, &["EARLIER_GATE".to_owned()][..]); 3]);
    assert!(decision.instructions.is_empty(), "{:?}", decision.instructions);
    assert!(told(&decision)["asserted"].to_string().contains("gates.CAPTURE_REPLAYED"));

    let enrolled = fixture.enroll(seen.clone(), capture(&OWNER[..1])).unwrap();
    assert!(enrolled.reference.is_none(), "nor does it become a reference");

    // To a device it looks like every other refusal.
    let device = |context: &v1::AttemptContext| v1::AttemptContext { for_device: true, ..context.clone() };
    let replay = fixture.verify((device(&seen), &reference), capture(&OWNER[1..])).unwrap();
    let other = fixture.reference_of_another(&tenant, "alice");
    let context = device(&fixture.context(&tenant, "alice"));
    let non_match = fixture.verify((context, &other), capture(&OWNER[1..])).unwrap();
    assert_eq!(refusing(&non_match).unwrap().0, Gate::Comparison);
    assert_eq!(told(&replay), told(&non_match), "equal claims, times of the manual clock included");
    assert_eq!(replay.instructions, non_match.instructions);
}

#[test]
fn a_seen_frame_that_was_not_sent_is_malformed() {
    let Some(mut fixture) = Fixture::new("a_seen_frame_that_was_not_sent_is_malformed") else { return };
    let tenant = fixture.tenant(1);
    for (indices, within) in [(vec![0, 1], true), (vec![1, 1], true), (vec![2], false), (vec![0, u32::MAX], false)] {
        let context =
            v1::AttemptContext { asserted_replayed_frames: indices.clone(), ..fixture.context(&tenant, "alice") };
        let outcome = fixture.enroll(context, capture(&OWNER)).map(drop);
        let field = "asserted_replayed_frames";
        assert_eq!(outcome, if within { Ok(()) } else { Err(Reason::InvalidArgument { field }) }, "{indices:?}");
    }
}

#[test]
fn a_refusal_for_a_device_lists_no_gate() {
    let Some(mut fixture) = Fixture::new("a_refusal_for_a_device_lists_no_gate") else { return };
    let tenant = fixture.tenant(1);
    let reference = fixture.reference_of_another(&tenant, "alice");
    let context = v1::AttemptContext { for_device: true, ..fixture.context(&tenant, "alice") };
    let decision = fixture.verify((context, &reference), capture(&OWNER[..1])).unwrap();
    let receipt = receipt::evidence(&decision.receipt, &fixture.trusted()).unwrap();
    assert_eq!(receipt.claims().gates, None);
    assert_eq!(receipt.claims().nonce, receipt::withheld_nonce(&NONCE), "the device must not derive the next script");
    assert_eq!(decision.gates.len(), 5, "the gateway audits them");
}

#[test]
fn a_frame_that_does_not_decode_is_named() {
    let Some(mut fixture) = Fixture::new("a_frame_that_does_not_decode_is_named") else { return };
    let tenant = fixture.tenant(1);
    let mut frames = capture(&OWNER);
    let half = frames[1].image.len() / 2;
    frames[1].image.truncate(half);
    let outcome = fixture.enroll(fixture.context(&tenant, "alice"), frames).map(drop);
    assert_eq!(outcome, Err(Reason::FrameUndecodable { index: 1 }));
}

#[test]
fn a_changed_action_is_not_decided() {
    let Some(mut fixture) = Fixture::new("a_changed_action_is_not_decided") else { return };
    let tenant = fixture.tenant(1);
    let mut context = fixture.context(&tenant, "alice");
    context.displayed_action.as_mut().unwrap().payee = "someone else".into();
    assert_eq!(fixture.enroll(context, capture(&OWNER[..1])).map(drop), Err(Reason::ActionChanged));
}

#[test]
fn a_production_tenant_cannot_do_without_a_gate() {
    let Some(mut fixture) = Fixture::new("a_production_tenant_cannot_do_without_a_gate") else { return };
    let tenant = fixture.tenant(1);
    let mut context = fixture.context(&tenant, "alice");
    context.policy.as_mut().unwrap().test = false;
    let field = "required_gates";
    assert_eq!(fixture.enroll(context.clone(), capture(&OWNER[..1])).map(drop), Err(Reason::InvalidArgument { field }));
    context.policy.as_mut().unwrap().required_gates = convert::gates_to_wire(&Gate::ALL);
    let field = "default_mode";
    assert_eq!(fixture.enroll(context.clone(), capture(&OWNER[..1])).map(drop), Err(Reason::InvalidArgument { field }));
    context.mode = v1::CaptureMode::Light.into();
    let answered = fixture.enroll(context, capture(&OWNER[..1]));
    let verdict = answered.map(|answer| answer.decision.unwrap().verdict());
    assert_ne!(verdict, Ok(v1::Verdict::Accept), "one picture answers no script");
}

#[test]
fn a_false_match_rate_below_the_calibration_is_not_promised() {
    let Some(mut fixture) = Fixture::new("a_false_match_rate_below_the_calibration_is_not_promised") else { return };
    let tenant = fixture.tenant(1);
    let mut context = fixture.context(&tenant, "alice");
    context.policy.as_mut().unwrap().fmr = 1e-9;
    assert_eq!(fixture.enroll(context, capture(&OWNER[..1])).map(drop), Err(Reason::PolicyUnsupported));
}

#[test]
fn clocks_that_differ_by_more_than_five_seconds_stop_everything() {
    let Some(mut fixture) = Fixture::new("clocks_that_differ_by_more_than_five_seconds_stop_everything") else {
        return;
    };
    let tenant = fixture.tenant(1);
    for (off_ms, allowed) in [(5_000, true), (-5_000, true), (5_001, false), (-5_001, false)] {
        let time = convert::timestamp(fixture.clock.now_ms() + off_ms);
        let context = v1::AttemptContext { gateway_time: Some(time), ..fixture.context(&tenant, "alice") };
        let outcome = fixture.enroll(context, capture(&OWNER[..1])).map(drop);
        assert_eq!(outcome, if allowed { Ok(()) } else { Err(Reason::ClockSkew) }, "{off_ms} ms");
    }
}

#[test]
fn an_expired_deadline_runs_no_model() {
    let Some(mut fixture) = Fixture::new("an_expired_deadline_runs_no_model") else { return };
    let tenant = fixture.tenant(1);
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let counted = recorder.handle();
    let run = |fixture: &mut Fixture, deadline: Duration| {
        let work =
            Work::Enroll { context: fixture.context(&tenant, "alice"), capture: Capture::new(capture(&OWNER[..1])) };
        metrics::with_local_recorder(&recorder, || fixture.room.run(&mut fixture.engine, work, deadline).map(drop))
    };
    assert_eq!(run(&mut fixture, Duration::ZERO), Err(Reason::DeadlineExceeded));
    assert!(!counted.render().contains("inference_runs_total"), "{}", counted.render());
    assert_eq!(run(&mut fixture, Duration::MAX), Ok(()));
    assert!(counted.render().contains("inference_runs_total 1"), "positive control: {}", counted.render());
}
