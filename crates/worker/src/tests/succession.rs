//! A new recogniser beside the one before: which reference decides, when a successor is made, and what may stand beside what.

use super::fixture::{Fixture, OWNER, Tenant, capture, refusing};
use crate::{StartError, renewal, room::Room, work::Given};
use biometrics::Gate;
use receipt::TrustedKeys;
use std::{fs, path::Path};
use wire::{Reason, v1};

const BEFORE: &str = "dlib-resnet-v1/dlib-mesh-150";

/// A room on the new recogniser with the one before, a tenant, and the owner's reference that the one before made.
struct Scene {
    fixture: Fixture,
    tenant: Tenant,
    reference: v1::SealedReference,
    /// Somebody else's, made by the one before.
    foreign: v1::SealedReference,
    keys: TrustedKeys,
}

impl Scene {
    fn open(test: &str) -> Option<Self> {
        let mut fixture = Fixture::new(test)?;
        let tenant = fixture.tenant(1);
        let reference = fixture.reference(&tenant, "alice");
        let foreign = fixture.reference_of_another(&tenant, "alice");
        assert_eq!(reference.feature_space, BEFORE);
        let keys = fixture.trusted();
        fixture.succeed(test).then_some(Self { fixture, tenant, reference, foreign, keys })
    }

    fn verify(
        &mut self,
        (reference, successor): (&v1::SealedReference, Option<&v1::SealedReference>),
        picture: usize,
    ) -> Result<v1::InferenceServiceVerifyResponse, Reason> {
        let secrets = &self.tenant.secrets;
        let given = Given {
            reference: reference.clone(),
            successor: successor.map(|row| (row.clone(), secrets.clone())),
            present_secrets: Some(secrets.clone()),
        };
        let context = self.fixture.context(&self.tenant, "alice");
        self.fixture.verify_with((context, given), capture(&OWNER[picture..=picture]))
    }

    /// The successor that the owner's second picture makes.
    fn successor(&mut self) -> v1::SealedReference {
        let reference = self.reference.clone();
        self.verify((&reference, None), 1).unwrap().successor.expect("an accepted capture makes one")
    }

    fn claims(&self, decision: &v1::Decision) -> receipt::ReceiptClaims {
        receipt::evidence(&decision.receipt, &self.keys).unwrap().claims().clone()
    }
}

fn claimed(row: &v1::SealedReference) -> String {
    receipt::base64url(&row.commitment)
}

#[test]
fn the_recogniser_before_decides_and_the_accepted_frames_make_a_successor() {
    let Some(mut scene) = Scene::open("succession/begins") else { return };
    let reference = scene.reference.clone();
    let answer = scene.verify((&reference, None), 1).unwrap();
    let decision = answer.decision.unwrap();
    assert_eq!((decision.verdict(), refusing(&decision)), (v1::Verdict::Accept, None));
    let successor = answer.successor.unwrap();
    assert!(!answer.succeeded && successor.reference_id != reference.reference_id);
    assert_eq!(successor.feature_space, scene.fixture.room.pack.feature_space());
    assert_ne!(successor.commitment, reference.commitment, "a data key of its own");
    let claims = scene.claims(&decision);
    assert_eq!(claims.reference.unwrap().commitment, claimed(&reference));
    assert!(claims.fmr.calibration.starts_with("base/"), "{}", claims.fmr.calibration);
    let previous = scene.fixture.room.previous.as_ref().unwrap();
    assert_eq!(claims.model["previous_recogniser"], previous.pack.recogniser_digest());

    // On its own it is a reference like any other, and the recogniser before has no part in it.
    let answer = scene.verify((&successor, None), 0).unwrap();
    let decision = answer.decision.unwrap();
    assert_eq!((decision.verdict(), answer.successor, answer.succeeded), (v1::Verdict::Accept, None, false));
    assert!(!scene.claims(&decision).model.contains_key("previous_recogniser"));
}

#[test]
fn a_successor_is_confirmed_by_a_capture_that_both_match_and_the_receipt_names_it() {
    let Some(mut scene) = Scene::open("succession/ends") else { return };
    let (reference, successor) = (scene.reference.clone(), scene.successor());
    let answer = scene.verify((&reference, Some(&successor)), 0).unwrap();
    let decision = answer.decision.unwrap();
    assert_eq!((decision.verdict(), answer.succeeded), (v1::Verdict::Accept, true));
    assert!(answer.successor.is_none(), "none is made beside it");
    let claims = scene.claims(&decision);
    assert_eq!(claims.reference.unwrap().commitment, claimed(&successor));
    assert!(claims.fmr.calibration.starts_with("standard/"), "{}", claims.fmr.calibration);
    assert!(claims.model.contains_key("previous_recogniser"), "it took part");
}

#[test]
fn a_matching_successor_accepts_nobody_whom_the_reference_refuses() {
    let Some(mut scene) = Scene::open("succession/takeover") else { return };
    let (foreign, successor) = (scene.foreign.clone(), scene.successor());
    let refused = (Gate::Comparison, v1::GateStatus::Fail, "COMPARISON_NON_MATCH".to_owned());
    for successor in [Some(&successor), None] {
        let answer = scene.verify((&foreign, successor), 0).unwrap();
        let decision = answer.decision.unwrap();
        assert_eq!((decision.verdict(), refusing(&decision)), (v1::Verdict::Refuse, Some(refused.clone())));
        assert_eq!((answer.successor, answer.succeeded), (None, false), "nor is one made of a refused capture");
        assert_eq!(scene.claims(&decision).reference.unwrap().commitment, claimed(&foreign));
    }
}

#[test]
fn a_successor_that_does_not_match_or_open_is_made_anew() {
    let Some(mut scene) = Scene::open("succession/anew") else { return };
    let (reference, good) = (scene.reference.clone(), scene.successor());
    let another = scene.fixture.reference_of_another(&scene.tenant, "alice");
    assert_eq!(another.feature_space, good.feature_space);
    let damaged = v1::SealedReference { ciphertext: vec![0; good.ciphertext.len()], ..good };
    let third = v1::SealedReference { feature_space: "a third".into(), ..another.clone() };
    let later = v1::SealedReference { transform_version: 99, ..another.clone() };
    for useless in [another, damaged, third, later] {
        let answer = scene.verify((&reference, Some(&useless)), 0).unwrap();
        assert_eq!((answer.decision.unwrap().verdict(), answer.succeeded), (v1::Verdict::Accept, false));
        assert_ne!(answer.successor.unwrap().reference_id, useless.reference_id);
    }
}

#[test]
fn without_being_asked_no_successor_is_made() {
    let Some(mut scene) = Scene::open("succession/not_asked") else { return };
    let given = Given { reference: scene.reference.clone(), successor: None, present_secrets: None };
    let context = scene.fixture.context(&scene.tenant, "alice");
    let answer = scene.fixture.verify_with((context, given), capture(&OWNER[1..])).unwrap();
    assert_eq!((answer.decision.unwrap().verdict(), answer.successor), (v1::Verdict::Accept, None));
}

#[test]
fn a_rate_that_the_recogniser_before_was_not_calibrated_for_is_not_promised() {
    let Some(mut scene) = Scene::open("succession/rates") else { return };
    let at = |fmr: f64, scene: &mut Scene| {
        let given = Given { reference: scene.reference.clone(), successor: None, present_secrets: None };
        let mut context = scene.fixture.context(&scene.tenant, "alice");
        context.policy.as_mut().unwrap().fmr = fmr;
        scene
            .fixture
            .verify_with((context, given), capture(&OWNER[1..]))
            .map(|answer| answer.decision.unwrap().verdict())
    };
    assert_eq!(at(1e-4, &mut scene), Ok(v1::Verdict::Accept), "both tables reach it");
    let (config, folder) = (&mut scene.fixture.config, tempfile::tempdir().unwrap());
    let before = config.models.previous_pack.replace(folder.path().to_owned()).unwrap();
    let recogniser = scene.fixture.room.previous.as_ref().unwrap().pack.recogniser_digest();
    let table = format!(
        r#"{{"feature_space": "{BEFORE}", "recogniser_sha256": "{recogniser}",
            "operating_points": [{{"fmr": 0.001, "threshold": 0.93, "fnmr": 0.1}}]}}"#
    );
    let digest = |bytes: &[u8]| hex::encode(ring::digest::digest(&ring::digest::SHA256, bytes));
    let told = digest(&fs::read(before.join("calibration.json")).unwrap());
    let manifest = fs::read_to_string(before.join("pack.toml")).unwrap();
    assert!(manifest.contains(&told));
    fs::write(folder.path().join("pack.toml"), manifest.replace(&told, &digest(table.as_bytes()))).unwrap();
    fs::write(folder.path().join("calibration.json"), table).unwrap();
    fs::copy(before.join("dlib_resnet_v1.onnx"), folder.path().join("dlib_resnet_v1.onnx")).unwrap();
    scene.fixture.room = Room::open(config, scene.fixture.clock.clone()).unwrap();
    scene.fixture.engine = scene.fixture.room.make_engine().unwrap();
    assert_eq!(at(1e-4, &mut scene), Err(Reason::PolicyUnsupported));
    assert_eq!(at(1e-3, &mut scene), Ok(v1::Verdict::Accept));
}

#[test]
fn references_of_either_recogniser_are_renewed_and_of_no_other() {
    let Some(scene) = Scene::open("succession/renewal") else { return };
    let request = |reference: &v1::SealedReference| v1::RenewRequest {
        tenant_id: scene.tenant.id.to_string(),
        user_id: "alice".into(),
        reference: Some(reference.clone()),
        secrets: Some(scene.tenant.secrets.clone()),
        new_secrets: None,
    };
    let room = &scene.fixture.room;
    let renewed = renewal::renew(room, request(&scene.reference)).unwrap();
    assert_eq!((renewed.epoch, renewed.feature_space.as_str()), (2, BEFORE));
    let third = v1::SealedReference { feature_space: "a third".into(), ..scene.reference.clone() };
    assert_eq!(renewal::renew(room, request(&third)), Err(Reason::FeatureSpace));
    assert_eq!(room.describe().comparable_feature_spaces, [room.pack.feature_space(), BEFORE]);
}

#[test]
fn of_the_pack_before_only_the_recogniser_and_its_calibration_are_read_and_they_must_fit() {
    let Some(scene) = Scene::open("succession/packs") else { return };
    let (mut config, clock) = (scene.fixture.config.clone(), scene.fixture.clock.clone());
    let before = config.models.previous_pack.clone().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let lay = |name: &str| fs::copy(before.join(name), folder.path().join(name)).unwrap();
    for name in ["pack.toml", "dlib_resnet_v1.onnx", "calibration.json"] {
        lay(name);
    }
    let mut opened = |path: &Path| {
        config.models.previous_pack = Some(path.to_owned());
        Room::open(&config, clock.clone()).err()
    };
    assert!(opened(folder.path()).is_none(), "its other files are not missed");
    let manifest = fs::read_to_string(before.join("pack.toml")).unwrap();
    let other = manifest.replacen("crop_scale = 1.5", "crop_scale = 1.25", 1);
    assert_ne!(other, manifest);
    fs::write(folder.path().join("pack.toml"), other).unwrap();
    assert!(matches!(opened(folder.path()), Some(StartError::OtherLandmarks { .. })));
    lay("pack.toml");
    fs::write(folder.path().join("calibration.json"), b"{}").unwrap();
    assert!(matches!(opened(folder.path()), Some(StartError::Pack { .. })));
    let same = scene.fixture.config.models.pack.clone();
    let error = opened(&same).unwrap();
    assert!(matches!(error, StartError::SameFeatureSpace { .. }));
    assert!(error.to_string().contains("previous_pack"), "{error}");
}
