//! Frames of an earlier capture, sent again to live tenants. Captures are simulated, all else is real.
//!
//! All challenges here have one nonce and one action, so that their scripts are equal too: what is sent again answers them, and
//! nothing but the memory of frames stands in its way.

use anyhow::{Context, Result};
use biometrics::Policy;
use std::collections::BTreeSet;
use support::{
    answering::{asked, settle},
    caller::Caller,
    expect::Decision,
    performer::{Performer, indoors},
    scene::Scene,
    skips,
};
use wire::v1::{self, Directive, Frame, GateStatus, Purpose, Verdict};

const USER: &str = "alice";
const REPLAYED: &str = "CAPTURE_REPLAYED";

/// Enrolls the owner and answers the frames of the capture that was accepted.
async fn enrolled(bank: &mut Caller, owner: &Performer) -> Result<Vec<Frame>> {
    let live = |script: &v1::CaptureScript| owner.perform(script, &indoors(script.attempt.into()));
    let settled = settle(bank, asked(USER, Purpose::Enroll), live).await?;
    assert_eq!(settled.decision, Decision::AcceptAll);
    Ok(settled.last)
}

/// The frames under a fresh challenge of the enrolled user.
async fn again(bank: &mut Caller, frames: &[Frame]) -> Result<v1::VerifyResponse> {
    let opened = bank.create_challenge(asked(USER, Purpose::Verify)).await?;
    Ok(bank.verify(&opened.challenge_id, frames.to_vec()).await?)
}

/// What gate 1 says of the frames under a fresh challenge of somebody who has no reference yet.
async fn shown(bank: &mut Caller, frames: &[Frame]) -> Result<Vec<String>> {
    let opened = bank.create_challenge(asked("somebody", Purpose::Enroll)).await?;
    let answer = bank.enroll(&opened.challenge_id, frames.to_vec()).await?;
    Ok(answer.gates.first().context("gate 1")?.reasons.clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_accepted_capture_sent_again_is_refused_by_gate_one_alone_and_by_no_other_tenant() -> Result<()> {
    let Some(options) = skips::options("replay", "base") else { return Ok(()) };
    let [owner] = Performer::cast(&options.pack, ["obama.jpg"])?;
    let scene = Scene::with(options).await?;
    let cluster = &scene.cluster;
    let [exchange, other] = [cluster.make_tenant("exchange", false)?, cluster.make_tenant("other", false)?];
    let forgetful = Policy { frame_memory_seconds: 0, ..Policy::production() };
    let forgetful = cluster.make_live_tenant_under("forgetful", &forgetful)?;
    let [mut exchange, mut other, mut forgetful] =
        [exchange, other, forgetful].map(|tenant| scene.bank.with(&tenant.api_key));

    let frames = enrolled(&mut exchange, &owner).await?;
    let answer = again(&mut exchange, &frames).await?;
    assert_eq!(answer.verdict(), Verdict::Refuse);
    let gates: Vec<_> = answer.gates.iter().map(|gate| (gate.status(), gate.reasons.join(" "))).collect();
    let earlier = (GateStatus::NotRun, "EARLIER_GATE".to_owned());
    let failed = (GateStatus::Fail, REPLAYED.to_owned());
    assert_eq!(gates, [failed, (GateStatus::Pass, String::new()), earlier.clone(), earlier.clone(), earlier]);

    // One frame is enough, in the middle of a capture that is otherwise new.
    let opened = exchange.create_challenge(asked(USER, Purpose::Verify)).await?;
    let mut fresh = owner.perform(opened.script.as_ref().context("a script")?, &indoors(21))?;
    let middle = fresh.len() / 2;
    fresh[middle].image.clone_from(&frames[middle].image);
    let mixed = exchange.verify(&opened.challenge_id, fresh).await?;
    assert!(mixed.gates[0].reasons.iter().any(|reason| reason == REPLAYED), "{:?}", mixed.gates);

    assert!(!shown(&mut other, &frames).await?.contains(&REPLAYED.to_owned()), "another tenant's captures");
    assert!(shown(&mut other, &frames).await?.contains(&REPLAYED.to_owned()), "control: now they are its own");

    // Control: the same, by a tenant that wants no memory.
    let frames = enrolled(&mut forgetful, &owner).await?;
    assert_eq!(Decision::of_verify(&again(&mut forgetful, &frames).await?)?, Decision::AcceptAll);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_sends_an_accepted_capture_again_learns_what_every_refused_device_learns() -> Result<()> {
    let Some(options) = skips::options("replay/device", "base") else { return Ok(()) };
    let [owner, stranger] = Performer::cast(&options.pack, ["obama.jpg", "biden.jpg"])?;
    let scene = Scene::with(options).await?;
    let tenant = scene.cluster.make_tenant("exchange", false)?;
    let mut bank = scene.bank.with(&tenant.api_key);
    let frames = enrolled(&mut bank, &owner).await?;

    let opened = bank.create_challenge(asked(USER, Purpose::Verify)).await?;
    let other = stranger.perform(opened.script.as_ref().context("a script")?, &indoors(31))?;
    let mut told = BTreeSet::new();
    for sent in [other, frames] {
        let opened = bank.create_challenge(asked(USER, Purpose::Verify)).await?;
        let answer = bank.with(&opened.capture_token).verify(&opened.challenge_id, sent).await?;
        let next = answer.next.clone().context("what comes next")?;
        let shown = receipt::inspect_unverified(&answer.receipt)?.claims;
        assert_eq!((answer.verdict(), answer.gates.len(), next.attempts_left), (Verdict::Refuse, 0, 2));
        assert!(!format!("{shown:?}").contains("REPLAY"), "{shown:?}");
        let claims: Vec<_> = shown.keys().cloned().chain([shown["asserted"].to_string()]).collect();
        told.insert((next.directive() == Directive::Retry, next.instructions, claims));
    }
    assert_eq!(told.len(), 1, "a refusal that differs tells which gate it was: {told:?}");
    let audited = scene.audit_of(&tenant, "attempt.decided").await?;
    let last = audited.last().context("an entry")?["gates"].to_string();
    assert!(last.contains(REPLAYED), "the tenant reads it in the audit: {last}");
    assert!(!audited[audited.len() - 2]["gates"].to_string().contains(REPLAYED), "control");
    Ok(())
}
