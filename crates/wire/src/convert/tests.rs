//! Round trips of every value, refusal of every other, and garbage.

use super::*;
use crate::timestamp::Timestamp;
use proptest::prelude::*;
use prost::Message as _;

#[test]
fn every_enum_value_reads_back_and_every_other_is_refused() {
    for value in Gate::ALL {
        assert_eq!(gate(gate_to_wire(value).into()), Ok(value));
    }
    for value in [GateStatus::Pass, GateStatus::Fail, GateStatus::Inconclusive, GateStatus::NotRun] {
        assert_eq!(gate_status(gate_status_to_wire(value).into()), Ok(value));
    }
    for value in [CaptureMode::Passive, CaptureMode::Motion, CaptureMode::Light, CaptureMode::LightAndMotion] {
        assert_eq!(capture_mode(capture_mode_to_wire(value).into()), Ok(value));
    }
    for value in [Purpose::Enroll, Purpose::Verify] {
        assert_eq!(purpose(purpose_to_wire(value).into()), Ok(value));
    }
    for value in [Verdict::Accept, Verdict::Refuse] {
        assert_eq!(verdict(verdict_to_wire(value).into()), Ok(value));
    }
    for value in [0, -1, 99] {
        assert_eq!(gate(value), Err(Reason::InvalidArgument { field: "gate" }));
        assert_eq!(purpose(value), Err(Reason::InvalidArgument { field: "purpose" }));
        assert!(verdict(value).is_err() && gate_status(value).is_err() && capture_mode(value).is_err());
    }
    assert_eq!(capture_mode_or(0, CaptureMode::Motion), Ok(CaptureMode::Motion));
    assert!(capture_mode_or(99, CaptureMode::Motion).is_err());
}

#[test]
fn a_gate_result_reads_back_and_an_unknown_reason_is_refused() {
    let result = GateResult {
        gate: Gate::Quality,
        status: GateStatus::Inconclusive,
        reasons: vec![GateReason::QualitySharpness, GateReason::QualityNoFace],
        version: "quality/1".into(),
    };
    let mut wire = gate_result_to_wire(&result);
    assert_eq!(wire.reasons, ["QUALITY_SHARPNESS", "QUALITY_NO_FACE"]);
    assert_eq!(gate_result(&wire), Ok(result));
    wire.reasons.push("QUALITY_MOOD".into());
    assert_eq!(gate_result(&wire), Err(Reason::InvalidArgument { field: "reasons" }));
}

#[test]
fn only_all_five_gates_in_order_are_results() {
    let result = |gate| v1::GateResult { gate: gate_to_wire(gate).into(), status: 1, ..Default::default() };
    let mut five: Vec<_> = Gate::ALL.into_iter().map(result).collect();
    assert!(gate_results(&five).is_ok());
    five.swap(0, 1);
    assert_eq!(gate_results(&five), Err(Reason::InvalidArgument { field: "gates" }));
    assert!(gate_results(&five[..4]).is_err());
}

#[test]
fn a_repeated_gate_is_refused() {
    assert_eq!(gates(&[5, 1]), Ok(vec![Gate::CaptureIntegrity, Gate::Comparison]));
    assert!(gates(&[5, 1, 5]).is_err());
    assert_eq!(gates(&gates_to_wire(&Gate::ALL)), Ok(Gate::ALL.to_vec()));
}

#[test]
fn an_action_reads_back_and_names_the_field_that_is_wrong() {
    let wire = v1::Action {
        r#type: "withdrawal".into(),
        amount: "250.00".into(),
        currency: "EUR".into(),
        payee: "ACME".into(),
        fields: [("iban".to_owned(), "DE02".to_owned())].into(),
    };
    let read = action(Some(wire.clone())).unwrap();
    assert_eq!(action_to_wire(&read), wire);
    let refused = |wire| match action(wire) {
        Err(Reason::InvalidArgument { field }) => field,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(None), "action");
    assert!(refused(Some(v1::Action { amount: "a lot".into(), ..wire.clone() })).contains("amount"));
    assert!(refused(Some(v1::Action { currency: "euros".into(), ..wire })).contains("currency"));
}

#[test]
fn timestamps_are_milliseconds_before_and_after_the_epoch() {
    for ms in [0, 1, 999, 1_700_000_000_123, -1, -1_001] {
        assert_eq!(timestamp_ms(Some(&timestamp(ms)), "at"), Ok(ms));
    }
    assert_eq!(timestamp(-1), Timestamp { seconds: -1, nanos: 999_000_000 });
    for bad in [
        Timestamp { seconds: 0, nanos: -1 },
        Timestamp { seconds: 0, nanos: 1_000_000_000 },
        Timestamp { seconds: i64::MAX, nanos: 0 },
        Timestamp { seconds: 253_402_300_800, nanos: 0 },
    ] {
        assert_eq!(timestamp_ms(Some(&bad), "at"), Err(Reason::InvalidArgument { field: "at" }));
    }
    assert!(timestamp_ms(None, "at").is_err());
}

#[test]
fn the_served_descriptors_hold_every_service() {
    let set = prost_types::FileDescriptorSet::decode(crate::FILE_DESCRIPTOR_SET).unwrap();
    let services: Vec<_> = set.file.iter().flat_map(|file| &file.service).filter_map(|s| s.name.as_deref()).collect();
    for name in ["VerificationService", "InferenceService", "AdminService"] {
        assert!(services.contains(&name), "{services:?}");
    }
}

proptest! {
    #[test]
    fn instants_are_written_for_any_number(ms: i64) {
        let written = timestamp(ms);
        prop_assert!(timestamp_ms(Some(&written), "at").is_ok());
        prop_assert!(serde_json::to_string(&written).is_ok());
    }

    #[test]
    fn garbage_never_panics(
        bytes in prop::collection::vec(any::<u8>(), 0..256), number: i32, seconds: i64, nanos: i32, text in ".{0,40}",
    ) {
        if let Ok(request) = v1::VerifyRequest::decode(&bytes[..]) {
            let _ = action(request.action);
        }
        if let Ok(response) = v1::VerifyResponse::decode(&bytes[..]) {
            let _ = gate_results(&response.gates);
        }
        let _ = (gate(number), gates(&[number, number]), capture_mode_or(number, CaptureMode::Passive));
        let _ = timestamp_ms(Some(&Timestamp { seconds, nanos }), "at");
        let _ = (gate_reason(&text), parsed::<biometrics::UserId>(&text, "user_id"), fixed::<32>(&bytes, "sha256"));
        let fields = [(text.clone(), text.clone())].into();
        let wire = v1::Action { r#type: text.clone(), amount: text.clone(), currency: text.clone(), payee: text, fields };
        let _ = action(Some(wire));
    }
}
