//! Frames that are wrong: each is refused by its documented code naming the frame, nobody is charged, and the service goes on.

use anyhow::Result;
use support::{
    captures,
    damage::{claiming, padded, scans, scrambled},
    expect::{Decision, metadata, undecided},
    scene::Scene,
};
use tonic::Code;
use wire::v1::{Frame, FrameFormat};

const MIB: usize = 1 << 20;

/// What is sent, and what the refusal says.
struct Case {
    name: &'static str,
    frames: Vec<Frame>,
    reason: &'static str,
    metadata: Option<(&'static str, &'static str)>,
}

/// A bad picture in second place behind a good one.
fn second(name: &'static str, good: &[u8], bad: Vec<u8>, reason: &'static str) -> Case {
    Case { name, frames: captures::frames(vec![good.to_vec(), bad]), reason, metadata: Some(("index", "1")) }
}

fn cases(good: &[u8]) -> Result<Vec<Case>> {
    let png = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x40\0\0\0\x40\x08\x02\0\0\0".to_vec();
    let mut said_png = captures::frames(vec![png.clone()]);
    said_png[0].format = FrameFormat::Png.into();
    let count = |n: usize| captures::frames(vec![good.to_vec(); n]);
    let full = || padded(good, 2 * MIB);
    let mut too_much: Vec<Vec<u8>> = (0..6).map(|_| full()).collect::<Result<_>>()?;
    too_much.push(vec![0xff]);
    Ok(vec![
        second("text", good, b"this is not a picture".to_vec(), "FRAME_FORMAT"),
        second("nothing", good, Vec::new(), "FRAME_FORMAT"),
        second("a PNG where policy allows none", good, png, "FRAME_FORMAT"),
        Case { name: "a PNG that says so", frames: said_png, reason: "FRAME_FORMAT", metadata: Some(("index", "0")) },
        second("a header cut short", good, good[..20].to_vec(), "FRAME_FORMAT"),
        second("half a JPEG", good, good[..good.len() / 2].to_vec(), "FRAME_UNDECODABLE"),
        second("all but the last byte", good, good[..good.len() - 1].to_vec(), "FRAME_UNDECODABLE"),
        second("trailing data", good, [good, b"trailing"].concat(), "FRAME_UNDECODABLE"),
        second("two pictures in one", good, [good, good].concat(), "FRAME_UNDECODABLE"),
        second("scrambled data", good, scrambled(good), "FRAME_UNDECODABLE"),
        second("33 scans", good, scans(&captures::no_face()?[0].image, 33)?, "FRAME_UNDECODABLE"),
        second("a header of 16384x16384", good, claiming(good, (16_384, 16_384))?, "FRAME_DIMENSIONS"),
        second("a header of 65535x1", good, claiming(good, (65_535, 1))?, "FRAME_DIMENSIONS"),
        second("a header of 2049x64", good, claiming(good, (2_049, 64))?, "FRAME_DIMENSIONS"),
        second("a header of 64x2049", good, claiming(good, (64, 2_049))?, "FRAME_DIMENSIONS"),
        second("a header of 0x64", good, claiming(good, (0, 64))?, "FRAME_DIMENSIONS"),
        second("a header larger than its data", good, claiming(good, (2_048, 2_048))?, "FRAME_UNDECODABLE"),
        second("2 MiB and one byte", good, padded(good, 2 * MIB + 1)?, "FRAME_TOO_LARGE"),
        Case { name: "no frame", frames: Vec::new(), reason: "FRAME_COUNT", metadata: Some(("count", "0")) },
        Case { name: "17 frames", frames: count(17), reason: "FRAME_COUNT", metadata: Some(("count", "17")) },
        Case {
            name: "12 MiB and one byte",
            frames: captures::frames(too_much),
            reason: "FRAMES_TOO_LARGE",
            metadata: None,
        },
    ])
}

#[tokio::test(flavor = "multi_thread")]
async fn each_wrong_frame_is_named_and_the_service_goes_on_unharmed() -> Result<()> {
    let Some(mut scene) = Scene::open("bad_frames").await? else { return Ok(()) };
    let (face, again) = (captures::portraits(&["obama.jpg"])?, captures::portraits(&["obama2.jpg"])?);
    scene.bank.enroll_user("alice", face.clone()).await?;
    let worker = scene.cluster.workers[0].pid();
    for case in cases(&again[0].image)? {
        let opened = support::caller::challenge("alice", wire::v1::Purpose::Verify);
        let txn = scene.bank.create_challenge(opened).await?.challenge_id;
        let status = undecided(scene.bank.verify(&txn, case.frames).await)?;
        let found = (status.code(), support::caller::reason(&status));
        assert_eq!(found, (Code::InvalidArgument, case.reason.to_owned()), "{}", case.name);
        if let Some((key, value)) = case.metadata {
            assert_eq!(metadata(&status).get(key).map(String::as_str), Some(value), "{}", case.name);
        }
        let answer = scene.bank.verify(&txn, again.clone()).await?;
        assert_eq!(Decision::of_verify(&answer)?, Decision::Accept, "after {}", case.name);
        let receipt = receipt::evidence(&answer.receipt, &scene.receipt_keys()?)?;
        assert_eq!(receipt.claims().attempt, 1, "{} spent no attempt", case.name);
        scene.worker_is_unharmed()?;
    }
    assert_eq!(scene.cluster.workers[0].pid(), worker);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_at_the_very_limits_are_taken() -> Result<()> {
    let Some(mut scene) = Scene::open("bad_frames_limits").await? else { return Ok(()) };
    let face = captures::portraits(&["obama.jpg"])?.remove(0).image;
    let enrolled = scene.bank.enroll_user("alice", captures::frames(vec![padded(&face, 2 * MIB)?])).await?;
    assert_eq!(Decision::of_enroll(&enrolled)?, Decision::Accept, "2 MiB to the byte");
    let (_, answer) = scene.bank.verify_user("alice", captures::square("obama2.jpg", 2_048)?).await?;
    assert_eq!(Decision::of_verify(&answer)?, Decision::Accept, "2048 pixels a side");
    let sixteen = captures::jitter("obama2.jpg", 16)?;
    let whole = sixteen.len();
    let (_, answer) = scene.bank.verify_user("alice", sixteen).await?;
    assert_eq!((whole, Decision::of_verify(&answer)?), (16, Decision::Accept), "16 frames");
    let six: Vec<Vec<u8>> =
        captures::jitter("obama2.jpg", 6)?.iter().map(|frame| padded(&frame.image, 2 * MIB)).collect::<Result<_>>()?;
    let (_, answer) = scene.bank.verify_user("alice", captures::frames(six)).await?;
    assert_eq!(Decision::of_verify(&answer)?, Decision::Accept, "12 MiB to the byte");
    Ok(())
}
