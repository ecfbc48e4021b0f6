//! SIGTERM under load: what was accepted is answered, the process ends with status 0 (TARGETS R16).
//!
//! A verification counts as accepted when it opened an attempt: the database says which did.

use anyhow::{Result, ensure};
use std::{sync::Arc, time::Duration};
use support::{
    books::Books,
    caller::Caller,
    cluster::{Cluster, Options},
    load::{Crew, Faces, Load, Seen},
    skips,
};
use tokio::time::sleep;

const ROUNDS: usize = 5;

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_told_to_stop_under_load_answers_every_call_it_had_accepted() -> Result<()> {
    let Some(mut cluster) = skips::cluster("drain/gateway", "base")? else { return Ok(()) };
    let tenant = cluster.make_tenant("drain", true)?;
    let books = Books::open(&cluster, &tenant).await?;
    let faces = Arc::new(Faces::new(900, 90)?);
    let mut all = Seen::default();
    for round in 0..ROUNDS {
        let caller = Caller::connect(&cluster, &tenant.api_key).await?;
        let load = Load::start(&caller, Crew { name: &format!("g{round}"), users: 6 }, &faces);
        sleep(Duration::from_millis(500)).await;
        let ended_well = tokio::task::block_in_place(|| cluster.gateway.terminate())?;
        let seen = load.stop().await;
        ensure!(ended_well, "the gateway did not end with status 0");
        let standing = books.standing(&seen.challenges).await?;
        ensure!(!seen.answers.is_empty(), "the signal met no load");
        assert_eq!((standing.open, standing.released, standing.abandoned), (0, 0, 0), "an accepted call was dropped");
        assert_eq!(standing.decided, seen.answers.len(), "a decision whose answer never came");
        all.join(seen);
        cluster.restart_gateway(&[])?;
    }
    println!("{ROUNDS} drains of a gateway: {} answers, not accepted {:?}", all.answers.len(), all.failed);
    // The listener is gone; or the client had the call in hand when the connection said goodbye, and never sent it.
    let never_sent =
        ["Unavailable Connection refused (os error 111)", "Cancelled connection closed", "Unavailable DRAINING"];
    ensure!(
        all.failed.keys().all(|why| never_sent.contains(&why.as_str())),
        "a call failed otherwise: {:?}",
        all.failed
    );
    books.check(&all).await
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_restarted_in_turn_under_load_fail_no_call() -> Result<()> {
    let Some(options) = skips::options("drain/workers", "base") else { return Ok(()) };
    let mut cluster = Cluster::start(Options { workers: 2, threads: 1, ..options })?;
    let tenant = cluster.make_tenant("rolling", true)?;
    let books = Books::open(&cluster, &tenant).await?;
    let faces = Arc::new(Faces::new(900, 90)?);
    let caller = Caller::connect(&cluster, &tenant.api_key).await?;
    let load = Load::start(&caller, Crew { name: "rolling", users: 4 }, &faces);
    for number in [0, 1, 0, 1] {
        sleep(Duration::from_millis(500)).await;
        let ended_well = tokio::task::block_in_place(|| cluster.workers[number].terminate())?;
        ensure!(ended_well, "worker {number} did not end with status 0");
        tokio::task::block_in_place(|| cluster.restart_worker(number))?;
    }
    let seen = load.stop().await;
    println!(
        "4 workers restarted: {} answers, failed {:?}, slowest {:?}",
        seen.answers.len(),
        seen.failed,
        seen.slowest
    );
    ensure!(seen.failed.is_empty(), "calls failed: {:?}", seen.failed);
    assert_eq!(books.standing(&seen.challenges).await?.decided, seen.answers.len());
    books.check(&seen).await
}
