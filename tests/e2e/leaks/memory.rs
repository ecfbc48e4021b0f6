//! The memory of both processes after the reply, what stands in it while captures are judged, and what was planted there.

use super::{
    PLANT,
    scene::{Scene, USER},
};
use anyhow::{Context, Result, ensure};
use std::{process::Command, time::Duration};
use support::{
    caller::{self, Caller},
    captures, places,
    scan::{self, Needles},
    skips,
};
use tokio::time::sleep;
use vision::{Engine, EngineOptions, ExamineOptions, Frame, Pack, Runtime};
use wire::v1;

/// Pieces of each frame that are looked for where little is left.
const PIECES: usize = 24;
/// More than the read buffers of TLS and HTTP/2 of one connection hold.
const CONNECTION_KB: f64 = 64.0;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_frame_is_left_in_memory_after_the_reply_and_what_is_in_flight_is_seen() -> Result<()> {
    let test = "leaks/memory";
    let Some(cluster) = skips::cluster(test, "base")? else { return Ok(()) };
    let mut scene = Scene::open(cluster).await?;
    let (jpegs, pixels) = (scene.jpegs(3)?, scene.pixels(4)?);
    let readable = scan::memory(scene.cluster.workers[0].pid(), &jpegs);
    if skips::or_skip(test, readable).is_none() {
        return Ok(());
    }
    scene.walk_every_path().await?;
    let features = features_of(&scene.faces.owner[0].image)?;
    for (name, pid) in scene.processes() {
        for (what, needles) in [("pixels", &pixels), ("features", &features)] {
            let found = scan::memory(pid, needles)?;
            println!("{name} after the replies: {what} {found:?} of {} pieces", needles.len());
            assert_eq!(found, [], "{name} keeps {what}");
        }
    }
    nothing_but_open_connections(&mut scene).await?;
    see_what_is_in_flight(&scene, &jpegs, &pixels).await?;
    count_residue(&mut scene).await
}

/// An open connection keeps what came last in the buffers of TLS and HTTP/2, until something else comes or it ends: so much
/// and no more, and nothing once it has ended.
async fn nothing_but_open_connections(scene: &mut Scene) -> Result<()> {
    let (dense, total) = (scene.jpegs(PIECES)?, scene.frames().map(|frame| frame.image.len()).iter().sum::<usize>());
    let apart = total as f64 / (scene.frames().len() * PIECES) as f64;
    for (name, pid) in scene.processes() {
        let kept = hits(&scan::memory(pid, &dense)?) as f64 * apart / 1024.0;
        println!("{name} after the replies, one connection open: about {kept:.0} KB of JPEG in its buffers");
        ensure!(kept < CONNECTION_KB, "{name}: {kept:.0} KB of JPEG are more than a connection's buffers");
    }
    scene.caller = Caller::connect(&scene.cluster, &scene.tenant.api_key).await?;
    sleep(Duration::from_millis(300)).await;
    let left = scan::memory(scene.cluster.gateway.pid(), &dense)?;
    println!("gateway after the caller's connection ended: JPEG {left:?} of {} pieces", dense.len());
    assert_eq!(left, [], "the gateway keeps a JPEG without a connection");
    scene.cluster.restart_gateway(&[])?;
    scene.caller = Caller::connect(&scene.cluster, &scene.tenant.api_key).await?;
    let left = scan::memory(scene.cluster.workers[0].pid(), &dense)?;
    println!("worker after the gateway's connection ended: JPEG {left:?} of {} pieces", dense.len());
    assert_eq!(left, [], "the worker keeps a JPEG without a connection");
    Ok(())
}

/// Positive control: while captures are judged, their bytes and pixels stand in memory.
async fn see_what_is_in_flight(scene: &Scene, jpegs: &Needles, pixels: &Needles) -> Result<()> {
    let pid = scene.cluster.workers[0].pid();
    let (mut seen_jpegs, mut seen_pixels) = (0, 0);
    let mut caller = scene.caller.clone();
    for look in 0..40 {
        let opened = caller.create_challenge(caller::challenge(&format!("flight-{look}"), v1::Purpose::Enroll)).await?;
        let frames = captures::frames(vec![scene.faces.owner[0].image.clone(); 8]);
        let (mut own, challenge) = (caller.clone(), opened.challenge_id);
        let call = tokio::spawn(async move { own.enroll(&challenge, frames).await });
        sleep(Duration::from_millis(10 + 4 * look)).await;
        signal(pid, "-STOP")?;
        let found = scan::memory(pid, jpegs).and_then(|jpegs| Ok((jpegs, scan::memory(pid, pixels)?)));
        signal(pid, "-CONT")?;
        let (found_jpegs, found_pixels) = found?;
        seen_jpegs += found_jpegs.len();
        seen_pixels += found_pixels.len();
        // A worker that was stopped for long finds its clock behind the gateway's.
        let _either_way = call.await?;
        if seen_jpegs > 0 && seen_pixels > 0 {
            println!("in flight at look {look}: JPEG {found_jpegs:?}, pixels {found_pixels:?}");
            return Ok(());
        }
    }
    anyhow::bail!("in flight the scan saw JPEG {seen_jpegs} times, pixels {seen_pixels} times")
}

/// What ONNX Runtime leaves of a tensor, counted and printed: a frame of one colour makes planes of one number.
async fn count_residue(scene: &mut Scene) -> Result<()> {
    let colour = image::Rgb([201_u8, 77, 31]);
    let flat = captures::jpeg(&image::RgbImage::from_pixel(512, 512, colour), 100)?;
    let decoded = image::load_from_memory(&flat)?.to_rgb8();
    scene.caller.verify_user(USER, captures::frames(vec![flat])).await?;
    // The detector's input is (pixel - 127.5) / 127.5 in planes; the residue is six equal numbers in a row.
    let planes = decoded.get_pixel(256, 256).0.map(|value| (f32::from(value) - 127.5) / 127.5);
    let needles = Needles::these(planes.iter().map(|value| value.to_le_bytes().repeat(6)).collect());
    for (name, pid) in scene.processes() {
        println!("{name}: tensor residue of a flat frame {:?}", scan::memory(pid, &needles)?);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_planted_feature_vector_and_a_planted_frame_are_found_in_memory() -> Result<()> {
    let test = "leaks/planted";
    let Some(cluster) = skips::cluster(test, "base")? else { return Ok(()) };
    let mut scene = Scene::open(cluster).await?;
    let frame = scene.faces.enroll[0].image.clone();
    let features = features_of(&frame)?;
    let readable = scan::memory(scene.cluster.workers[0].pid(), &features);
    if skips::or_skip(test, readable).is_none() {
        return Ok(());
    }
    // In our own memory: copies of the vector lie here beside the pieces that are looked for.
    let before = hits(&scan::memory(std::process::id(), &features)?);
    let planted = std::hint::black_box(raw_features_of(&frame)?.repeat(3));
    let after = hits(&scan::memory(std::process::id(), &features)?);
    ensure!(after > before, "a planted feature vector was not found: {before} before, {after} after");
    drop(planted);
    if !cfg!(debug_assertions) {
        println!("a release build plants nothing: the worker was not looked at");
        return Ok(());
    }
    let jpeg = Needles::of(&frame, 4)?;
    for (what, needles) in [("features", &features), ("frame", &jpeg)] {
        scene.cluster.options.worker_env = vec![(PLANT.to_owned(), what.to_owned())];
        scene.cluster.restart_worker(0)?;
        let pid = scene.cluster.workers[0].pid();
        assert_eq!(scan::memory(pid, needles)?, [], "{what} before it came");
        let user = format!("planted-{what}");
        for _ in 0..50 {
            if scene.caller.enroll_user(&user, scene.faces.enroll.clone()).await.is_ok() {
                break;
            }
            sleep(Duration::from_millis(100)).await;
        }
        let found = scan::memory(pid, needles)?;
        println!("{what} planted in the worker: {found:?}");
        ensure!(hits(&found) > 0, "planted {what} were not found in the worker's memory");
    }
    Ok(())
}

fn hits(found: &[(String, usize)]) -> usize {
    found.iter().map(|(_, hits)| hits).sum()
}

/// Features as the worker computes them: the same pack, code and options.
fn raw_features_of(jpeg: &[u8]) -> Result<Vec<u8>> {
    let (pack, runtime) = (Pack::open(&places::pack("base")?)?, Runtime::load(&places::onnxruntime()?)?);
    let mut engine = Engine::new(&runtime, &pack, EngineOptions::default())?;
    let evidence = engine.examine(
        &[Frame { jpeg, offset_ms: 0 }],
        ExamineOptions { min_inter_eye_px: 60, presentation_attack: false, previous: false },
    )?;
    Ok(evidence.features.context("the portrait passes gate 2")?.to_le_bytes().to_vec())
}

fn features_of(jpeg: &[u8]) -> Result<Needles> {
    Needles::of(&raw_features_of(jpeg)?, 6)
}

fn signal(pid: u32, signal: &str) -> Result<()> {
    let status = Command::new("kill").args([signal, &pid.to_string()]).status()?;
    ensure!(status.success(), "kill {signal} failed");
    Ok(())
}
