//! Verification: who is accepted, which gate refuses whom, and what a challenge allows before it is spent.

use anyhow::{Context, Result};
use biometrics::Verdict;
use receipt::{Typ, authorize};
use std::time::Duration;
use support::{
    caller::{Caller, action, challenge, reason},
    captures,
    expect::{self, Decision, metadata, refused, undecided},
    scene::{Scene, now_s},
};
use tokio::{task::JoinSet, time::sleep};
use tonic::Code;
use tonic_types::StatusExt as _;
use wire::v1::{self, Gate, GateStatus, Purpose};

const USER: &str = "alice";

/// A scene in which [`USER`] is enrolled.
async fn enrolled(test: &str) -> Result<Option<Scene>> {
    let Some(mut scene) = Scene::open(test).await? else { return Ok(None) };
    let answer = scene.bank.enroll_user(USER, captures::portraits(&["obama.jpg", "obama3.jpg"])?).await?;
    assert_eq!(Decision::of_enroll(&answer)?, Decision::Accept);
    Ok(Some(scene))
}

fn owner() -> Result<Vec<v1::Frame>> {
    captures::portraits(&["obama2.jpg"])
}

fn stranger() -> Result<Vec<v1::Frame>> {
    captures::portraits(&["biden.jpg"])
}

fn non_match() -> Decision {
    Decision::refuse(Gate::Comparison, GateStatus::Fail, "COMPARISON_NON_MATCH")
}

async fn attempt(
    bank: &mut Caller,
    challenge: &str,
    frames: &[v1::Frame],
    attempt: u32,
) -> Result<v1::VerifyResponse, Box<tonic::Status>> {
    let request = bank.request(v1::VerifyRequest {
        challenge_id: challenge.to_owned(),
        action: Some(action()),
        frames: frames.to_vec(),
        attempt,
        ..v1::VerifyRequest::default()
    });
    Ok(bank.client.verify(request).await.map_err(Box::new)?.into_inner())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_is_accepted_with_a_receipt_for_this_action_and_somebody_else_is_refused_at_gate_five() -> Result<()>
{
    let Some(mut scene) = enrolled("verification").await? else { return Ok(()) };
    let (keys, action) = (scene.receipt_keys()?, expect::action()?);
    let (txn, answer) = scene.bank.verify_user(USER, owner()?).await?;
    assert_eq!(Decision::of_verify(&answer)?, Decision::Accept);
    assert_eq!(answer.next.as_ref().map(v1::Next::directive), Some(v1::Directive::Done));
    let expected = receipt::Expected { txn: Some(txn.parse()?), ..expect::expected(&scene.tenant.id, &action) };
    let receipt = authorize(&answer.receipt, &keys, &expected, now_s())?.settle(true)?;
    assert_eq!((receipt.typ(), receipt.claims().attempt, receipt.claims().vrd), (Typ::Receipt, 1, Verdict::Accept));
    let strict = receipt::Expected { accepted_not_run: &[], ..expected };
    let strict = authorize(&answer.receipt, &keys, &strict, now_s());
    assert_eq!(strict.err().map(receipt::Refused::reason), Some("GATE_NOT_RUN"), "nobody takes NOT_RUN unasked");

    let (_, answer) = scene.bank.verify_user(USER, stranger()?).await?;
    assert_eq!(Decision::of_verify(&answer)?, non_match());
    assert_eq!(answer.gates[..2].iter().map(v1::GateResult::status).collect::<Vec<_>>(), [GateStatus::Pass; 2]);
    let refusal = authorize(&answer.receipt, &keys, &expect::expected(&scene.tenant.id, &action), now_s());
    let refusal = refusal.err().context("a refusal authorises")?;
    assert_eq!((refusal.reason(), refusal.gate()), ("VERDICT_REFUSE", Some(biometrics::Gate::Comparison)));
    let verdicts: Vec<_> =
        scene.audit("attempt.decided").await?.into_iter().map(|body| body["verdict"].clone()).collect();
    assert_eq!(verdicts, ["ACCEPT", "ACCEPT", "REFUSE"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decided_challenge_names_its_receipt_and_gives_no_second_one() -> Result<()> {
    let Some(mut scene) = enrolled("verification_decided").await? else { return Ok(()) };
    let (txn, answer) = scene.bank.verify_user(USER, owner()?).await?;
    let jti = receipt::evidence(&answer.receipt, &scene.receipt_keys()?)?.claims().jti.to_string();
    for asked in [0, 1] {
        let status = undecided(attempt(&mut scene.bank, &txn, &owner()?, asked).await)?;
        assert_eq!((status.code(), reason(&status).as_str()), (Code::FailedPrecondition, "ALREADY_DECIDED"));
        let told = metadata(&status);
        assert_eq!((told["jti"].as_str(), told["verdict"].as_str()), (jti.as_str(), "ACCEPT"));
    }
    let later = attempt(&mut scene.bank, &txn, &owner()?, 2).await;
    assert_eq!(refused(later)?, (Code::FailedPrecondition, "CHALLENGE_SPENT".into()));
    assert_eq!(scene.refusals().await?, ["ALREADY_DECIDED", "ALREADY_DECIDED", "CHALLENGE_SPENT"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_leaves_attempts_which_come_in_order_and_end() -> Result<()> {
    let Some(mut scene) = enrolled("verification_attempts").await? else { return Ok(()) };
    let txn = scene.bank.create_challenge(challenge(USER, Purpose::Verify)).await?.challenge_id;
    let answer = attempt(&mut scene.bank, &txn, &stranger()?, 0).await?;
    assert_eq!(Decision::of_verify(&answer)?, non_match());
    let next = answer.next.context("nothing is said of what comes next")?;
    assert_eq!((next.directive(), next.attempts_left), (v1::Directive::Retry, 2));
    assert_eq!(next.script.map(|script| script.attempt), Some(2), "the next script comes with the refusal");

    let again = undecided(attempt(&mut scene.bank, &txn, &owner()?, 1).await)?;
    assert_eq!((reason(&again).as_str(), metadata(&again)["verdict"].as_str()), ("ALREADY_DECIDED", "REFUSE"));
    let ahead = attempt(&mut scene.bank, &txn, &owner()?, 3).await;
    assert_eq!(refused(ahead)?, (Code::FailedPrecondition, "WRONG_ATTEMPT".into()));
    let answer = attempt(&mut scene.bank, &txn, &owner()?, 2).await?;
    assert_eq!(Decision::of_verify(&answer)?, Decision::Accept);
    let claims = receipt::evidence(&answer.receipt, &scene.receipt_keys()?)?;
    assert_eq!((claims.claims().attempt, claims.claims().max_attempts), (2, 3));

    let txn = scene.bank.create_challenge(challenge(USER, Purpose::Verify)).await?.challenge_id;
    for left in [2, 1, 0] {
        let answer = attempt(&mut scene.bank, &txn, &stranger()?, 0).await?;
        assert_eq!(Decision::of_verify(&answer)?, non_match());
        let next = answer.next.context("nothing is said of what comes next")?;
        let directive = if left == 0 { v1::Directive::Stop } else { v1::Directive::Retry };
        assert_eq!((next.directive(), next.attempts_left), (directive, left));
    }
    let fourth = attempt(&mut scene.bank, &txn, &owner()?, 0).await;
    assert_eq!(refused(fourth)?, (Code::FailedPrecondition, "NO_ATTEMPTS_LEFT".into()));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_challenge_that_is_expired_or_of_another_purpose_opens_nothing() -> Result<()> {
    let Some(mut scene) = enrolled("verification_challenges").await? else { return Ok(()) };
    let short = v1::CreateChallengeRequest { ttl_seconds: 1, ..challenge(USER, Purpose::Verify) };
    let short = scene.bank.create_challenge(short).await?.challenge_id;
    sleep(Duration::from_millis(1_100)).await;
    let late = scene.bank.verify(&short, owner()?).await;
    assert_eq!(refused(late)?, (Code::FailedPrecondition, "CHALLENGE_EXPIRED".into()));

    let verify = scene.bank.create_challenge(challenge(USER, Purpose::Verify)).await?.challenge_id;
    let swapped = scene.bank.enroll(&verify, owner()?).await;
    assert_eq!(refused(swapped)?, (Code::FailedPrecondition, "WRONG_PURPOSE".into()));
    let enroll = scene.bank.create_challenge(challenge(USER, Purpose::Enroll)).await?.challenge_id;
    let swapped = scene.bank.verify(&enroll, owner()?).await;
    assert_eq!(refused(swapped)?, (Code::FailedPrecondition, "WRONG_PURPOSE".into()));
    assert_eq!(scene.refusals().await?, ["CHALLENGE_EXPIRED", "WRONG_PURPOSE", "WRONG_PURPOSE"]);

    let nobody = scene.bank.verify_user("nobody", owner()?).await;
    assert_eq!(refused(nobody)?, (Code::NotFound, "NO_REFERENCE".into()));
    let unknown = scene.bank.verify(&format!("ch_{}", "0".repeat(32)), owner()?).await;
    assert_eq!(refused(unknown)?, (Code::NotFound, "UNKNOWN_CHALLENGE".into()));
    let malformed = undecided(scene.bank.verify("42", owner()?).await)?;
    assert_eq!((malformed.code(), metadata(&malformed)["field"].as_str()), (Code::InvalidArgument, "challenge_id"));
    assert_eq!(scene.audit("attempt.decided").await?.len(), 1, "only the enrollment was ever decided");
    let still = scene.bank.verify(&verify, owner()?).await?;
    assert_eq!(Decision::of_verify(&still)?, Decision::Accept, "the right call still finds the challenge unspent");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_that_differs_in_any_field_from_the_challenge_is_refused_and_audited() -> Result<()> {
    let Some(mut scene) = enrolled("verification_action").await? else { return Ok(()) };
    let txn = scene.bank.create_challenge(challenge(USER, Purpose::Verify)).await?.challenge_id;
    let with_field = |key: &str, value: &str| {
        let mut changed = action();
        changed.fields.insert(key.to_owned(), value.to_owned());
        changed
    };
    let changed = [
        v1::Action { r#type: "transfer".into(), ..action() },
        v1::Action { amount: "250.01".into(), ..action() },
        v1::Action { amount: "250.0".into(), ..action() },
        v1::Action { currency: "USD".into(), ..action() },
        v1::Action { payee: "DE02120300000000202052".into(), ..action() },
        v1::Action { fields: std::collections::BTreeMap::new(), ..action() },
        with_field("memo", "Rent"),
        with_field("extra", ""),
    ];
    for displayed in &changed {
        let answer = scene.bank.verify_action(&txn, owner()?, displayed.clone()).await;
        assert_eq!(refused(answer)?, (Code::FailedPrecondition, "ACTION_CHANGED".into()), "{displayed:?}");
    }
    assert_eq!(scene.refusals().await?, vec!["ACTION_CHANGED"; changed.len()]);
    let answer = scene.bank.verify(&txn, owner()?).await?;
    assert_eq!(Decision::of_verify(&answer)?, Decision::Accept, "no attempt was spent on them");
    let receipt = receipt::evidence(&answer.receipt, &scene.receipt_keys()?)?;
    assert_eq!(receipt.claims().attempt, 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn five_failures_in_a_row_lock_the_user_for_a_time_that_is_told() -> Result<()> {
    let Some(mut scene) = enrolled("verification_lock").await? else { return Ok(()) };
    for _ in 0..5 {
        let (_, answer) = scene.bank.verify_user(USER, stranger()?).await?;
        assert_eq!(Decision::of_verify(&answer)?, non_match());
    }
    let status = undecided(scene.bank.verify_user(USER, owner()?).await)?;
    assert_eq!((status.code(), reason(&status).as_str()), (Code::FailedPrecondition, "LOCKED"));
    let delay = status.get_details_retry_info().and_then(|info| info.retry_delay).context("no retry time")?;
    assert!((1..=30).contains(&delay.as_secs()), "{delay:?}");
    assert_eq!(scene.refusals().await?, ["LOCKED"]);

    let answer = scene.bank.enroll_user("bob", captures::portraits(&["biden.jpg"])?).await?;
    assert_eq!(Decision::of_enroll(&answer)?, Decision::Accept, "another user is not locked");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acceptance_and_an_unclear_picture_in_between_keep_the_user_unlocked() -> Result<()> {
    let Some(mut scene) = enrolled("verification_strikes").await? else { return Ok(()) };
    for _ in 0..2 {
        for _ in 0..3 {
            let (_, answer) = scene.bank.verify_user(USER, stranger()?).await?;
            assert_eq!(Decision::of_verify(&answer)?, non_match());
            let (_, answer) = scene.bank.verify_user(USER, captures::no_face()?).await?;
            let unclear = Decision::refuse(Gate::Quality, GateStatus::Inconclusive, "QUALITY_NO_FACE");
            assert_eq!(Decision::of_verify(&answer)?, unclear);
        }
        let (_, answer) = scene.bank.verify_user(USER, owner()?).await?;
        assert_eq!(Decision::of_verify(&answer)?, Decision::Accept);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_sixteen_captures_at_once_for_one_challenge_exactly_one_is_accepted() -> Result<()> {
    let Some(mut scene) = enrolled("verification_race").await? else { return Ok(()) };
    let txn = scene.bank.create_challenge(challenge(USER, Purpose::Verify)).await?.challenge_id;
    let frames = owner()?;
    let mut calls = JoinSet::new();
    for _ in 0..16 {
        let (mut bank, txn, frames) = (scene.bank.clone(), txn.clone(), frames.clone());
        calls.spawn(async move { bank.verify(&txn, frames).await });
    }
    let mut accepted = 0;
    for answer in calls.join_all().await {
        match answer {
            Ok(answer) => {
                assert_eq!(Decision::of_verify(&answer)?, Decision::Accept);
                accepted += 1;
            }
            Err(status) => {
                let expected = ["ATTEMPT_OPEN", "ALREADY_DECIDED"];
                assert!(expected.contains(&reason(&status).as_str()), "{status:?}");
                assert_eq!(status.code(), Code::FailedPrecondition);
            }
        }
    }
    assert_eq!(accepted, 1);
    let decided = scene.audit("attempt.decided").await?;
    assert_eq!(decided.len(), 2, "the enrollment and one verification");
    Ok(())
}
