//! What a device with a capture token learns: done, retry or stop, what to do better, and nothing of gates or users.

use anyhow::{Context, Result};
use biometrics::Verdict;
use std::collections::BTreeSet;
use support::{
    caller::{Caller, challenge},
    captures,
    expect::{self, Decision, bytes, refused, undecided},
    scene::{Scene, now_s},
};
use tonic::{Code, Status};
use wire::v1::{self, Directive, Frame, Purpose};

/// A fresh VERIFY challenge and the device that answers it.
async fn device(scene: &mut Scene, user: &str) -> Result<(Caller, String)> {
    let opened = scene.bank.create_challenge(challenge(user, Purpose::Verify)).await?;
    Ok((scene.bank.with(&opened.capture_token), opened.challenge_id))
}

async fn turned_away(scene: &mut Scene, user: &str, frames: &[Frame]) -> Result<Status> {
    let (mut device, txn) = device(scene, user).await?;
    undecided(device.verify(&txn, frames.to_vec()).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_is_told_to_retry_and_to_stop_but_not_which_gate_refused() -> Result<()> {
    let Some(mut scene) = Scene::open("device_refusal").await? else { return Ok(()) };
    scene.bank.enroll_user("alice", captures::portraits(&["obama.jpg"])?).await?;
    let keys = scene.receipt_keys()?;
    let (mut device, txn) = device(&mut scene, "alice").await?;
    let steps = [
        (captures::portraits(&["biden.jpg"])?, Directive::Retry, &[][..]),
        (captures::no_face()?, Directive::Retry, &["SHOW_WHOLE_FACE"][..]),
        (captures::portraits(&["obama2.jpg", "biden.jpg"])?, Directive::Stop, &[][..]),
    ];
    let mut told = BTreeSet::new();
    for (number, (frames, directive, instructions)) in (1..).zip(steps) {
        let answer = device.verify(&txn, frames).await?;
        assert_eq!((answer.verdict(), answer.gates.len()), (v1::Verdict::Refuse, 0), "attempt {number}");
        let next = answer.next.context("nothing is said of what comes next")?;
        assert_eq!((next.directive(), next.attempts_left), (directive, 3 - number), "attempt {number}");
        assert_eq!(next.instructions, instructions, "attempt {number}");

        let shown = receipt::inspect_unverified(&answer.receipt)?;
        assert!(!shown.claims.contains_key("gates"), "attempt {number}: {:?}", shown.claims);
        told.insert(shown.claims.keys().cloned().collect::<Vec<_>>());
        let action = expect::action()?;
        let refusal = receipt::refusal(&answer.receipt, &keys, &expect::expected(&scene.tenant.id, &action), now_s())?;
        assert_eq!((refusal.claims().vrd, refusal.claims().attempt), (Verdict::Refuse, number));
    }
    assert_eq!(told.len(), 1, "a claim that only some refusals carry tells how far the gates came: {told:?}");
    let decided = scene.audit("attempt.decided").await?;
    let reasons = ["COMPARISON_NON_MATCH", "QUALITY_NO_FACE", "COMPARISON_FRAME_MISMATCH"];
    for (body, reason) in decided[1..].iter().zip(reasons) {
        assert!(body["gates"].to_string().contains(reason), "the tenant reads {reason} in the audit: {body}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_accepted_device_is_done_and_hands_on_a_receipt_that_authorises() -> Result<()> {
    let Some(mut scene) = Scene::open("device_acceptance").await? else { return Ok(()) };
    scene.bank.enroll_user("alice", captures::portraits(&["obama.jpg"])?).await?;
    let (mut device, txn) = device(&mut scene, "alice").await?;
    let answer = device.verify(&txn, captures::portraits(&["obama2.jpg"])?).await?;
    assert_eq!((answer.verdict(), answer.gates.len()), (v1::Verdict::Accept, 0));
    assert_eq!(answer.next.map(|next| next.directive()), Some(Directive::Done));
    let action = expect::action()?;
    let expected = receipt::Expected { txn: Some(txn.parse()?), ..expect::expected(&scene.tenant.id, &action) };
    let receipt = receipt::authorize(&answer.receipt, &scene.receipt_keys()?, &expected, now_s())?.settle(true)?;
    assert_eq!(
        receipt.claims().gates.as_ref().map(Vec::len),
        Some(5),
        "an acceptance lists the gates for the tenant to check"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_a_locked_and_an_already_enrolled_user_are_one_and_the_same_stop_to_a_device() -> Result<()> {
    let Some(mut scene) = Scene::open("device_users").await? else { return Ok(()) };
    let (face, stranger) = (captures::portraits(&["obama2.jpg"])?, captures::portraits(&["biden.jpg"])?);
    scene.bank.enroll_user("locked", captures::portraits(&["obama.jpg"])?).await?;
    for _ in 0..5 {
        let (_, answer) = scene.bank.verify_user("locked", stranger.clone()).await?;
        assert!(matches!(Decision::of_verify(&answer)?, Decision::Refuse(..)));
    }
    let tenant = scene.bank.verify_user("locked", face.clone()).await;
    assert_eq!(refused(tenant)?, (Code::FailedPrecondition, "LOCKED".into()), "the tenant is told");
    let locked = turned_away(&mut scene, "locked", &face).await?;
    let unknown = turned_away(&mut scene, "nobody", &face).await?;
    assert_eq!(refused::<()>(Err(Box::new(unknown.clone())))?, (Code::FailedPrecondition, "STOP".into()));
    assert_eq!(bytes(&locked), bytes(&unknown));

    let enroll = scene.bank.create_challenge(challenge("locked", Purpose::Enroll)).await?;
    let exists = scene.bank.with(&enroll.capture_token).enroll(&enroll.challenge_id, face).await;
    assert_eq!(bytes(&undecided(exists)?), bytes(&unknown), "nor one that has a reference already");
    Ok(())
}
