//! No frame leaves memory, and none stays in it: files, shared memory and the memory of both processes are searched for
//! pieces of frames after every path that a call can take (TARGETS R8). Every search is seen to find what was planted.

mod memory;
mod scene;
mod traced;

use anyhow::{Context, Result, ensure};
use scene::{Scene, USER};
use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
};
use support::{
    caller, captures, places,
    scan::{self, Needles},
    skips,
};
use wire::v1;

/// Leaks on purpose in a debug worker.
const PLANT: &str = "COUNTERSIGN_PLANT";

#[tokio::test(flavor = "multi_thread")]
async fn no_file_holds_a_piece_of_a_frame_after_any_path_and_planted_pieces_are_found() -> Result<()> {
    let Some(cluster) = skips::cluster("leaks/files", "base")? else { return Ok(()) };
    let mut scene = Scene::open(cluster).await?;
    scene.walk_every_path().await?;
    let needles = scene.jpegs(10)?;
    assert_eq!(scene.files_with(&needles)?, Vec::<PathBuf>::new());

    let frame = scene.faces.owner[0].image.clone();
    let left = tempfile::Builder::new().prefix("upload").tempfile()?;
    fs::write(left.path(), &frame)?;
    assert_eq!(scene.files_with(&needles)?, [left.path()], "a copy in the temporary folder");
    drop(left);
    let log = scene.cluster.folder().join("gateway.log");
    let line = format!("{{\"frame\":\"{}\"}}\n", base64_of(&frame));
    OpenOptions::new().append(true).open(&log)?.write_all(line.as_bytes())?;
    assert_eq!(scene.files_with(&needles)?, [log], "a copy in a log, in Base64");
    // 64 bytes go into a column of the database through the front door, as a nonce.
    let nonce = frame[frame.len() / 2..][..64].to_vec();
    let piece = Needles::these(vec![nonce[20..44].to_vec()]);
    let request = v1::CreateChallengeRequest { rp_nonce: nonce, ..caller::challenge(USER, v1::Purpose::Verify) };
    scene.caller.create_challenge(request).await?;
    let found = scan::files(&[&scene.cluster.folder().join("data")], &piece)?;
    ensure!(!found.is_empty(), "a copy in the database was not found");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_writes_to_no_file_while_it_verifies() -> Result<()> {
    let test = "leaks/system calls";
    let Some(cluster) = skips::cluster(test, "base")? else { return Ok(()) };
    let mut scene = Scene::open(cluster).await?;
    let folder = tempfile::tempdir()?;
    let worker = traced::Trace::attach(scene.cluster.workers[0].pid(), &folder.path().join("worker"));
    let Some(worker) = skips::or_skip(test, worker) else { return Ok(()) };
    let gateway = traced::Trace::attach(scene.cluster.gateway.pid(), &folder.path().join("gateway"))?;
    scene.caller.enroll_user(USER, scene.faces.enroll.clone()).await?;
    for frames in [scene.faces.owner.clone(), scene.faces.stranger.clone(), scene.blank.clone()] {
        scene.caller.verify_user(USER, frames).await?;
    }
    let bad = captures::frames(vec![scene.faces.owner[0].image[..5000].to_vec()]);
    ensure!(scene.caller.verify_user(USER, bad).await.is_err(), "half a JPEG was judged");
    let (worker, gateway) = (worker.end()?, gateway.end()?);
    let log = scene.cluster.folder().join("worker-0.log");
    println!("the worker made {} calls that could write; the gateway {}", worker.calls, gateway.calls);
    ensure!(worker.calls > 0, "the trace saw nothing");
    let elsewhere: Vec<_> = worker.files.iter().filter(|path| Path::new(path) != log).collect();
    ensure!(elsewhere.is_empty(), "the worker wrote to {elsewhere:?}");
    // Positive control: the gateway writes to its database, and to nothing else but its log.
    let data = scene.cluster.folder().join("data").to_string_lossy().into_owned();
    ensure!(gateway.files.iter().any(|path| path.starts_with(&data)), "the trace missed the gateway's database");
    let log = scene.cluster.folder().join("gateway.log");
    let elsewhere: Vec<_> =
        gateway.files.iter().filter(|path| Path::new(path) != log && !path.starts_with(&data)).collect();
    ensure!(elsewhere.is_empty(), "the gateway wrote to {elsewhere:?}");
    Ok(())
}

#[test]
fn release_programs_hold_no_failpoint_and_no_plant() -> Result<()> {
    let test = "leaks/release programs";
    let names = Needles::these(vec![b"COUNTERSIGN_FAILPOINT".to_vec(), PLANT.as_bytes().to_vec()]);
    let programs = ["countersign-gateway", "countersign-worker"];
    if cfg!(debug_assertions) {
        for program in programs {
            let Some(path) = skips::or_skip(test, places::program(program)) else { return Ok(()) };
            ensure!(!scan::files(&[&path], &names)?.is_empty(), "positive control: a debug build holds them");
        }
    }
    let release = programs.map(|program| places::root().join("target/release").join(program));
    let built = release.iter().all(|path| path.is_file());
    let built = built.then_some(()).context("there is no release build in target/release");
    if skips::or_skip(test, built).is_some() {
        assert_eq!(scan::files(&release.each_ref().map(PathBuf::as_path), &names)?, Vec::<PathBuf>::new());
    }
    Ok(())
}

fn base64_of(bytes: &[u8]) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    STANDARD.encode(bytes)
}
