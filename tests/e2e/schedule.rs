//! Rotations that nobody asked for: of a KEK that is too old, of one that has wrapped too often, and of one whose end a deletion
//! proof promises.

use anyhow::{Context, Result, ensure};
use std::{
    fs,
    time::{Duration, SystemTime},
};
use store::{Job, JobState};
use support::{captures, hoard::Hoard, scene::Scene, surgery};
use tokio::time::sleep;

/// Uses at which a version is due.
const WORN: u64 = 1 << 28;

/// The tenant's newest job once it has ended and is not one of `known`.
async fn next(hoard: &Hoard, known: usize) -> Result<Job> {
    for _ in 0..240 {
        let jobs = hoard.store.jobs(Some(hoard.tenant), 10).await?;
        if let Some(job) = jobs.first().filter(|job| jobs.len() > known && !job.state.is_open()) {
            return Ok(job.clone());
        }
        sleep(Duration::from_millis(250)).await;
    }
    anyhow::bail!("nobody asked for a rotation")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_old_worn_or_promised_to_end_is_rotated_by_itself_and_the_next_one_left_alone() -> Result<()> {
    let Some(mut scene) = Scene::on_files("schedule").await? else { return Ok(()) };
    let mut hoard = Hoard::open(&scene.cluster, &scene.tenant).await?;
    hoard.add().await?;
    scene.bank.enroll_user("alice", captures::portraits(&["obama.jpg"])?).await?;
    scene.bank.delete("alice").await?;
    scene.cluster.configure_gateway("[jobs]\nrotate_after_days = 30\nlease_ms = 300\n")?;
    let keks = scene.cluster.folder().join("keys/worker/keks").join(&scene.tenant.id);

    let month_ago = u64::try_from(support::scene::now_s())? - 31 * 86_400;
    let month_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(month_ago);
    fs::File::options().write(true).open(keks.join("1.kek"))?.set_modified(month_ago)?;
    scene.cluster.restart_gateway(&[])?;
    let job = next(&hoard, 0).await?;
    assert_eq!((job.state, job.requested_by.as_str(), job.kek_to), (JobState::Done, "schedule", Some(2)));

    fs::write(keks.join("2.uses"), WORN.to_be_bytes()).context("the count of uses is elsewhere")?;
    scene.cluster.restart_gateway(&[])?;
    let job = next(&hoard, 1).await?;
    assert_eq!((job.state, job.requested_by.as_str(), job.kek_to), (JobState::Done, "wear", Some(3)));

    scene.cluster.restart_gateway(&[])?;
    // It looks once more where the lease of the one that died stood in its way.
    sleep(Duration::from_secs(18)).await;
    let jobs = hoard.store.jobs(Some(hoard.tenant), 10).await?;
    ensure!(jobs.len() == 2, "a new key is rotated too: {jobs:?}");

    // As if alice had been deleted 26 days ago, after the last rotation that was done; one that failed just now holds the next back.
    let ages =
        |table: &str, column: &str, days: u64| format!("UPDATE {table} SET {column} = {column} - {days} * 86400000");
    let (jobs, deletions) = (ages("jobs", "created_at_ms", 27), ages("deletions", "deleted_at_ms", 26));
    surgery::operate(scene.database(), &[&jobs, &deletions])?;
    let recently =
        "UPDATE jobs SET state = 'FAILED', created_at_ms = created_at_ms + 27 * 86400000 WHERE requested_by = 'wear'";
    surgery::operate(scene.database(), &[recently])?;
    scene.cluster.restart_gateway(&[])?;
    sleep(Duration::from_secs(18)).await;
    ensure!(
        hoard.store.jobs(Some(hoard.tenant), 10).await?.len() == 2,
        "a rotation that fails is asked for again at once"
    );
    surgery::operate(scene.database(), &["UPDATE jobs SET created_at_ms = created_at_ms - 2 * 86400000"])?;
    scene.cluster.restart_gateway(&[])?;
    let job = next(&hoard, 2).await?;
    assert_eq!((job.state, job.requested_by.as_str(), job.kek_to), (JobState::Done, "deletions", Some(4)));
    let bodies = scene.audit("job.requested").await?;
    let by: Vec<_> = bodies.iter().map(|body| body["by"].as_str()).collect();
    assert_eq!(by, [Some("schedule"), Some("wear"), Some("deletions")]);
    Ok(())
}
