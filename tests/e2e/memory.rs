//! What a worker weighs: idle, and after many verifications.

use anyhow::{Result, ensure};
use std::{fs, sync::Arc};
use support::{
    caller::{Caller, Tenant},
    cluster::{Cluster, Options},
    load::Faces,
    places, skips,
};
use tokio::task::JoinSet;
use wire::v1;

/// Most that an idle worker with the `standard` pack may hold.
const IDLE_MB: f64 = 250.0;
/// Verifications of the soak; the full size is 10,000.
const SOAK: &str = "COUNTERSIGN_SOAK";
/// Most that the worker may gain per verification once it is warm: less than the smallest tensor.
const GAIN_KB: f64 = 8.0;
/// Verifications before the first look: every buffer has then been as large as it gets.
const WARM: usize = 200;
/// Callers at once.
const CALLERS: usize = 4;

fn descriptors(pid: u32) -> Result<usize> {
    Ok(fs::read_dir(format!("/proc/{pid}/fd"))?.count())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_worker_with_the_standard_pack_stays_below_its_bound() -> Result<()> {
    let test = "memory/idle";
    let Some(options) = skips::options(test, "standard") else { return Ok(()) };
    let cluster = Cluster::start(Options { threads: 2, ..options })?;
    let megabytes = cluster.workers[0].memory("VmRSS")?;
    println!("idle worker, standard pack, 2 engines: {megabytes:.1} MB resident");
    ensure!(megabytes < IDLE_MB, "an idle worker holds {megabytes:.1} MB");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_gains_no_memory_over_many_verifications() -> Result<()> {
    let test = "memory/soak";
    let pack = if places::pack("standard").is_ok() { "standard" } else { "base" };
    let Some(options) = skips::options(test, pack) else { return Ok(()) };
    let wanted: usize = std::env::var(SOAK).ok().and_then(|text| text.parse().ok()).unwrap_or(300);
    let cluster = Cluster::start(options)?;
    let tenant = cluster.make_tenant("soak", true)?;
    let faces = Arc::new(Faces::new(900, 90)?);
    let pids = [cluster.workers[0].pid(), cluster.gateway.pid()];
    let batch = (wanted / 10).max(10);
    verify(&cluster, &tenant, &faces, WARM).await?;
    let (mut points, mut done) = (Vec::new(), 0);
    let before = pids.map(|pid| descriptors(pid).unwrap_or(0));
    while done < wanted {
        points.push((done as f64, [cluster.workers[0].memory("VmRSS")?, cluster.gateway.memory("VmRSS")?]));
        verify(&cluster, &tenant, &faces, batch).await?;
        done += batch;
    }
    points.push((done as f64, [cluster.workers[0].memory("VmRSS")?, cluster.gateway.memory("VmRSS")?]));
    let after = pids.map(|pid| descriptors(pid).unwrap_or(0));
    for (which, name) in ["worker", "gateway"].into_iter().enumerate() {
        let own: Vec<(f64, f64)> = points.iter().map(|(n, mb)| (*n, mb[which] * 1024.0)).collect();
        let (first, last) = (own[0].1 / 1024.0, own[own.len() - 1].1 / 1024.0);
        let slope = slope(&own);
        println!(
            "{name}: {done} verifications, {first:.1} MB to {last:.1} MB, {slope:+.3} KB each, descriptors {} to {}",
            before[which], after[which]
        );
        ensure!(slope < GAIN_KB, "the {name} gains {slope:.1} KB with each verification");
        ensure!(after[which] <= before[which] + CALLERS, "the {name} keeps file descriptors");
    }
    Ok(())
}

/// Verifies `count` times, over connections of their own, several at once.
async fn verify(cluster: &Cluster, tenant: &Tenant, faces: &Arc<Faces>, count: usize) -> Result<()> {
    let mut callers = JoinSet::new();
    for number in 0..CALLERS {
        let mut caller = Caller::connect(cluster, &tenant.api_key).await?;
        let (faces, user) = (Arc::clone(faces), format!("soak-{number}"));
        callers.spawn(async move {
            // The user is there after the first batch.
            let _there = caller.enroll_user(&user, faces.enroll.clone()).await;
            for _ in 0..count / CALLERS + 1 {
                let (_, answer) = caller.verify_user(&user, faces.owner.clone()).await?;
                ensure!(answer.verdict() == v1::Verdict::Accept, "the owner was refused");
            }
            Ok(())
        });
    }
    while let Some(ended) = callers.join_next().await {
        ended??;
    }
    Ok(())
}

/// Least squares.
fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let (x, y) = points.iter().fold((0.0, 0.0), |(x, y), point| (x + point.0, y + point.1));
    let (x, y) = (x / count, y / count);
    let both: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    let square: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    both / square
}

#[test]
fn a_growth_would_be_seen() {
    let growing: Vec<(f64, f64)> = (0..10).map(|n| (f64::from(n) * 30.0, 1000.0 + f64::from(n) * 30.0 * 9.0)).collect();
    assert!((slope(&growing) - 9.0).abs() < 1e-9 && slope(&growing) > GAIN_KB);
}
