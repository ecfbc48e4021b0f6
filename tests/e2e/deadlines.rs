//! Deadlines: past it nothing is done any more; the worker's own count of model runs says so.

use anyhow::{Result, ensure};
use std::time::Duration;
use support::{
    caller::challenge,
    captures,
    cluster::Options,
    expect::Decision,
    json::{self, Curl},
    scene::Scene,
    skips,
};
use tokio::{task::JoinSet, time::sleep};
use wire::v1::Purpose;

/// Long captures before the one engine; so many that the hasty one behind them is late on any machine.
const BUSY: u32 = 4;

#[tokio::test(flavor = "multi_thread")]
async fn a_capture_whose_deadline_passed_is_not_looked_at() -> Result<()> {
    let Some(options) = skips::options("deadlines", "base") else { return Ok(()) };
    let mut scene = Scene::with(Options { threads: 1, ..options }).await?;
    let Some(curl) = Curl::find("deadlines", &scene.cluster, &scene.tenant.api_key) else { return Ok(()) };
    // Two users, because what one user has in flight counts against the lock.
    for user in ["alice", "bob"] {
        scene.bank.enroll_user(user, captures::portraits(&["obama.jpg"])?).await?;
    }
    let runs = |scene: &Scene| scene.cluster.workers[0].metric("inference_runs_total");
    let before = runs(&scene)?;
    assert_eq!(before, 2.0, "the enrollments were counted");
    let face = captures::portraits(&["obama2.jpg"])?;

    for deadline in ["0", "0.001"] {
        let txn = scene.bank.create_challenge(challenge("alice", Purpose::Verify)).await?.challenge_id;
        let late = Curl { deadline: deadline.to_owned(), ..curl.clone() };
        let answer = late.post("/v1/verifications", &json::capture(&txn, &face))?;
        assert_eq!(answer.refusal(), (504, "DEADLINE_EXCEEDED".into()), "{deadline}");
    }
    assert_eq!(runs(&scene)?, before, "what was late on arrival is not begun");

    // The one engine is busy with long captures while another waits for its turn until its time is up.
    let txn = scene.bank.create_challenge(challenge("alice", Purpose::Verify)).await?.challenge_id;
    let long = captures::jitter("obama2.jpg", 16)?;
    let mut busy = JoinSet::new();
    for _ in 0..BUSY {
        let txn = scene.bank.create_challenge(challenge("bob", Purpose::Verify)).await?.challenge_id;
        let (mut bank, long) = (scene.bank.clone(), long.clone());
        busy.spawn(async move { bank.verify(&txn, long).await });
    }
    let mut waited = 0;
    while scene.cluster.workers[0].metric("worker_queue_depth")? < f64::from(BUSY - 1) {
        waited += 1;
        ensure!(waited < 3_000, "the captures never waited in the queue together");
        sleep(Duration::from_millis(1)).await;
    }
    let hasty = Curl { deadline: "0.1".to_owned(), ..curl };
    let answer = hasty.post("/v1/verifications", &json::capture(&txn, &face))?;
    assert_eq!(answer.refusal(), (504, "DEADLINE_EXCEEDED".into()));
    for answer in busy.join_all().await {
        assert_eq!(Decision::of_verify(&answer?)?, Decision::Accept);
    }
    let after = runs(&scene)?;
    let (_, answer) = scene.bank.verify_user("alice", face).await?;
    assert_eq!(Decision::of_verify(&answer)?, Decision::Accept, "the engine has been through its queue by now");
    assert_eq!(
        (after, runs(&scene)?),
        (before + f64::from(BUSY), before + f64::from(BUSY + 1)),
        "the hasty one never reached it"
    );
    assert_eq!(scene.audit("attempt.decided").await?.len(), BUSY as usize + 3, "nor was it ever decided");
    Ok(())
}
