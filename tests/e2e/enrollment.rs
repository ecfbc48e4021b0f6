//! Enrollment: what becomes a reference, what its receipt says, and what is refused at which gate.

use anyhow::{Context, Result};
use receipt::{Typ, verify_enrollment};
use support::{
    caller::challenge,
    captures,
    expect::{self, Decision, refused},
    scene::{Scene, now_s},
};
use tonic::Code;
use wire::v1::{self, Gate, GateStatus};

#[tokio::test(flavor = "multi_thread")]
async fn an_accepted_enrollment_gives_a_receipt_over_the_reference_that_verifies_under_the_pinned_root() -> Result<()> {
    let Some(mut scene) = Scene::open("enrollment_receipt").await? else { return Ok(()) };
    let opened = scene.bank.create_challenge(challenge("alice", v1::Purpose::Enroll)).await?;
    let answer = scene.bank.enroll(&opened.challenge_id, captures::portraits(&["obama.jpg", "obama3.jpg"])?).await?;
    assert_eq!(Decision::of_enroll(&answer)?, Decision::Accept);
    assert_eq!(answer.gates[4].reasons, ["COMPARISON_ENROLLMENT"], "there was nothing else to compare with");
    let reference = answer.reference.as_ref().context("no reference")?;
    assert_eq!((reference.epoch, reference.commitment.len()), (1, 32));

    let (keys, action) = (scene.receipt_keys()?, expect::action()?);
    let expected =
        receipt::Expected { txn: Some(opened.challenge_id.parse()?), ..expect::expected(&scene.tenant.id, &action) };
    let receipt = verify_enrollment(&answer.receipt, &keys, &expected, now_s())?;
    assert_eq!(receipt.typ(), Typ::EnrollmentReceipt);
    let claim = receipt.claims().reference.as_ref().context("the receipt names no reference")?;
    assert_eq!(claim.id.to_string(), reference.reference_id);
    assert_eq!(claim.commitment, receipt::base64url(&reference.commitment));
    let confused = receipt::authorize(&answer.receipt, &keys, &expected, now_s());
    assert_eq!(confused.err().map(receipt::Refused::reason), Some("TYPE"), "an enrollment approves no action");

    let decided = scene.audit("attempt.decided").await?;
    assert_eq!(decided.len(), 1);
    assert_eq!(
        (decided[0]["verdict"].as_str(), decided[0]["jti"].as_str()),
        (Some("ACCEPT"), Some(&*receipt.claims().jti.to_string()))
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_enrollment_needs_a_challenge_that_replaces_and_then_the_old_reference_is_gone() -> Result<()> {
    let Some(mut scene) = Scene::open("enrollment_replace").await? else { return Ok(()) };
    let (first, second) = (captures::portraits(&["obama.jpg"])?, captures::portraits(&["biden.jpg"])?);
    let old = scene.bank.enroll_user("alice", first.clone()).await?.reference.context("no reference")?;

    let again = scene.bank.enroll_user("alice", second.clone()).await;
    assert_eq!(refused(again)?, (Code::AlreadyExists, "REFERENCE_EXISTS".into()));
    assert_eq!(described(&mut scene, "alice").await?.commitment, old.commitment, "nothing changed");

    let replacing = v1::CreateChallengeRequest { replace: true, ..challenge("alice", v1::Purpose::Enroll) };
    let opened = scene.bank.create_challenge(replacing).await?;
    let answer = scene.bank.enroll(&opened.challenge_id, second.clone()).await?;
    assert_eq!(Decision::of_enroll(&answer)?, Decision::Accept);
    let new = answer.reference.context("no reference")?;
    assert_ne!((&new.reference_id, &new.commitment), (&old.reference_id, &old.commitment));
    let now = described(&mut scene, "alice").await?;
    assert_eq!((now.reference_id, now.commitment), (new.reference_id, new.commitment));
    let erased = scene.audit("reference.erased").await?;
    assert_eq!(erased.len(), 1);
    assert_eq!(
        (erased[0]["cause"].as_str(), erased[0]["commitment"].as_str()),
        (Some("replaced"), Some(&*hex::encode(&old.commitment)))
    );

    let (_, owner_before) = scene.bank.verify_user("alice", captures::portraits(&["obama2.jpg"])?).await?;
    assert_eq!(
        Decision::of_verify(&owner_before)?,
        Decision::refuse(Gate::Comparison, GateStatus::Fail, "COMPARISON_NON_MATCH")
    );
    let (_, owner_now) = scene.bank.verify_user("alice", second).await?;
    assert_eq!(Decision::of_verify(&owner_now)?, Decision::Accept);
    Ok(())
}

async fn described(scene: &mut Scene, user: &str) -> Result<v1::Reference> {
    let request = scene.bank.request(v1::GetReferenceRequest { user_id: user.to_owned() });
    scene.bank.client.get_reference(request).await?.into_inner().reference.context("no reference")
}

#[tokio::test(flavor = "multi_thread")]
async fn captures_outside_the_quality_envelope_are_refused_at_gate_two_with_what_to_do() -> Result<()> {
    let Some(mut scene) = Scene::open("enrollment_quality").await? else { return Ok(()) };
    let cases = [
        ("blank", captures::no_face()?, "QUALITY_NO_FACE", "SHOW_WHOLE_FACE"),
        ("two", captures::two_people("obama2.jpg", "biden.jpg")?, "QUALITY_SEVERAL_FACES", "ONE_PERSON_ONLY"),
        ("tiny", captures::tiny_face("obama.jpg", 20)?, "QUALITY_INTER_EYE_DISTANCE", "MOVE_CLOSER"),
        ("far", captures::far_away("obama.jpg")?, "QUALITY_NO_FACE", "SHOW_WHOLE_FACE"),
        ("dark", captures::exposed("obama.jpg", 0.12)?, "QUALITY_UNDER_EXPOSURE", "MORE_LIGHT"),
        ("blurred", captures::blurred("obama.jpg")?, "QUALITY_SHARPNESS", "FOCUS_CAMERA"),
    ];
    for (user, frames, reason, instruction) in cases {
        let answer = scene.bank.enroll_user(user, frames).await?;
        let Decision::Refuse(gate, status, reasons) = Decision::of_enroll(&answer)? else {
            panic!("{user} was accepted")
        };
        assert_eq!((gate, status), (Gate::Quality, GateStatus::Inconclusive), "{user}");
        assert!(reasons.iter().any(|found| found == reason), "{user}: {reasons:?}");
        assert_eq!(answer.gates[4].status(), GateStatus::NotRun, "{user}: nothing is compared outside the envelope");
        let next = answer.next.context("nothing is said of what comes next")?;
        assert_eq!((next.directive(), next.attempts_left), (v1::Directive::Retry, 2), "{user}");
        assert!(next.instructions.iter().any(|found| found == instruction), "{user}: {:?}", next.instructions);
        assert!(answer.reference.is_none(), "{user}");
        let keys = scene.receipt_keys()?;
        let action = expect::action()?;
        let signed = receipt::refusal(&answer.receipt, &keys, &expect::expected(&scene.tenant.id, &action), now_s())?;
        assert!(signed.claims().reference.is_none(), "{user}");
        let request = scene.bank.request(v1::GetReferenceRequest { user_id: user.to_owned() });
        let described = scene.bank.client.get_reference(request).await.map_err(Box::new);
        assert_eq!(refused(described)?, (Code::NotFound, "NO_REFERENCE".into()), "{user}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_of_two_people_do_not_become_one_reference() -> Result<()> {
    let Some(mut scene) = Scene::open("enrollment_two_people_in_turn").await? else { return Ok(()) };
    let mixed = captures::portraits(&["obama.jpg", "biden.jpg"])?;
    let answer = scene.bank.enroll_user("alice", mixed.clone()).await?;
    let mismatch = Decision::refuse(Gate::Comparison, GateStatus::Fail, "COMPARISON_FRAME_MISMATCH");
    assert_eq!(Decision::of_enroll(&answer)?, mismatch);
    assert!(answer.reference.is_none());
    let next = answer.next.context("nothing is said of what comes next")?;
    assert!(next.instructions.is_empty(), "instructions tell nothing of a security gate");

    let owner = captures::portraits(&["obama.jpg"])?;
    assert_eq!(Decision::of_enroll(&scene.bank.enroll_user("alice", owner).await?)?, Decision::Accept);
    let (_, answer) = scene.bank.verify_user("alice", mixed).await?;
    assert_eq!(Decision::of_verify(&answer)?, mismatch, "nor do they verify, though the owner is among them");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_order_of_the_frames_does_not_matter_to_the_reference() -> Result<()> {
    let Some(mut scene) = Scene::open("enrollment_order").await? else { return Ok(()) };
    for (user, order) in [("ab", ["obama.jpg", "obama3.jpg"]), ("ba", ["obama3.jpg", "obama.jpg"])] {
        let answer = scene.bank.enroll_user(user, captures::portraits(&order)?).await?;
        assert_eq!(Decision::of_enroll(&answer)?, Decision::Accept, "{user}");
        let (_, answer) = scene.bank.verify_user(user, captures::portraits(&["obama2.jpg"])?).await?;
        assert_eq!(Decision::of_verify(&answer)?, Decision::Accept, "{user}");
        let (_, answer) = scene.bank.verify_user(user, captures::portraits(&["biden.jpg"])?).await?;
        let stranger = Decision::refuse(Gate::Comparison, GateStatus::Fail, "COMPARISON_NON_MATCH");
        assert_eq!(Decision::of_verify(&answer)?, stranger, "{user}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_sent_twice_or_against_the_clock_are_refused_at_gate_one() -> Result<()> {
    let Some(mut scene) = Scene::open("enrollment_integrity").await? else { return Ok(()) };
    let frames = captures::portraits(&["obama.jpg", "obama3.jpg"])?;
    let twice = vec![frames[0].clone(), v1::Frame { offset_ms: 200, ..frames[0].clone() }];
    let backwards = vec![v1::Frame { offset_ms: 400, ..frames[0].clone() }, frames[1].clone()];
    let together = vec![frames[0].clone(), v1::Frame { offset_ms: 0, ..frames[1].clone() }];
    let cases = [
        ("twice", twice, "CAPTURE_DUPLICATE_FRAME"),
        ("backwards", backwards, "CAPTURE_OFFSET_ORDER"),
        ("together", together, "CAPTURE_OFFSET_ORDER"),
    ];
    for (user, frames, reason) in cases {
        let answer = scene.bank.enroll_user(user, frames).await?;
        let refusal = Decision::refuse(Gate::CaptureIntegrity, GateStatus::Fail, reason);
        assert_eq!(Decision::of_enroll(&answer)?, refusal, "{user}");
        assert_eq!(answer.gates[4].status(), GateStatus::NotRun, "{user}");
    }
    Ok(())
}
