//! A cluster whose frames are known, and every path that they can take through it.

use anyhow::{Context, Result, ensure};
use std::{
    fs,
    io::Write as _,
    path::PathBuf,
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, SystemTime},
};
use support::{
    answering,
    caller::{self, Caller, Tenant},
    captures,
    cluster::Cluster,
    load::Faces,
    performer::{Performer, indoors},
    scan::{self, Needles},
};
use tokio::time::sleep;
use wire::v1;

/// No other test encodes at this quality, so that what others keep in the temporary folder is not taken for ours.
const QUALITY: u8 = 87;
/// Whose account it is.
pub(super) const USER: &str = "customer-1";

/// A cluster with an enrolled user, and the frames that went through it.
pub(super) struct Scene {
    pub(super) cluster: Cluster,
    pub(super) tenant: Tenant,
    pub(super) caller: Caller,
    pub(super) faces: Arc<Faces>,
    pub(super) blank: Vec<v1::Frame>,
    answer: Answer,
    began: SystemTime,
}

/// A production challenge that waits for its answer, and that answer.
struct Answer {
    bank: Caller,
    challenge: String,
    frames: Vec<v1::Frame>,
}

impl Answer {
    async fn prepare(cluster: &Cluster) -> Result<Self> {
        let tenant = cluster.make_tenant("answers", false)?;
        let mut bank = Caller::connect(cluster, &tenant.api_key).await?;
        let asked = v1::CreateChallengeRequest { ttl_seconds: 300, ..answering::asked(USER, v1::Purpose::Enroll) };
        let opened = bank.create_challenge(asked).await?;
        let [owner] = Performer::cast(&cluster.options.pack, ["obama.jpg"])?;
        let frames = owner.perform(&opened.script.context("a script")?, &indoors(871))?;
        Ok(Self { bank, challenge: opened.challenge_id, frames })
    }

    /// Through all five gates.
    async fn send(&mut self) -> Result<()> {
        let answer = self.bank.enroll(&self.challenge, self.frames.clone()).await?;
        let statuses: Vec<_> = answer.gates.iter().map(v1::GateResult::status).collect();
        ensure!(!statuses[2..4].contains(&v1::GateStatus::NotRun), "gates 3 and 4 were to be run: {statuses:?}");
        Ok(())
    }
}

impl Scene {
    pub(super) async fn open(cluster: Cluster) -> Result<Self> {
        let tenant = cluster.make_tenant("leaks", true)?;
        let caller = Caller::connect(&cluster, &tenant.api_key).await?;
        let (faces, blank) = (Arc::new(Faces::new(900, QUALITY)?), captures::frames(vec![noise()?]));
        let (answer, began) = (Answer::prepare(&cluster).await?, fs::metadata(cluster.ca())?.modified()?);
        Ok(Self { cluster, tenant, caller, faces, blank, answer, began })
    }

    /// Every frame that goes through the cluster.
    pub(super) fn frames(&self) -> [&v1::Frame; 6] {
        let answer = &self.answer.frames;
        let [first, middle] = [&answer[0], &answer[answer.len() / 2]];
        [&self.faces.enroll[0], &self.faces.owner[0], &self.faces.stranger[0], &self.blank[0], first, middle]
    }

    /// Pieces of every frame as it is sent.
    pub(super) fn jpegs(&self, each: usize) -> Result<Needles> {
        Needles::of_all(self.frames().iter().map(|frame| frame.image.as_slice()), each)
    }

    /// Pieces of every frame as it is decoded.
    pub(super) fn pixels(&self, each: usize) -> Result<Needles> {
        let decoded = self.frames().map(|frame| image::load_from_memory(&frame.image).map(|p| p.to_rgb8().into_raw()));
        let decoded: Vec<Vec<u8>> = decoded.into_iter().collect::<Result<_, _>>()?;
        Needles::of_all(decoded.iter().map(Vec::as_slice), each)
    }

    /// Success and every way to fail that has frames in it. At the end nothing is in flight.
    pub(super) async fn walk_every_path(&mut self) -> Result<()> {
        let faces = Arc::clone(&self.faces);
        let caller = &mut self.caller;
        let enrolled = caller.enroll_user(USER, faces.enroll.clone()).await?;
        ensure!(enrolled.verdict() == v1::Verdict::Accept, "the owner could not enroll");
        let (_, accepted) = caller.verify_user(USER, faces.owner.clone()).await?;
        ensure!(accepted.verdict() == v1::Verdict::Accept, "the owner was refused");
        for refused in [faces.stranger.clone(), self.blank.clone(), [faces.owner.clone(), faces.owner.clone()].concat()]
        {
            let (_, answer) = caller.verify_user(USER, refused).await?;
            ensure!(answer.verdict() == v1::Verdict::Refuse, "a wrong capture was accepted");
        }
        let half = faces.owner[0].image[..faces.owner[0].image.len() / 2].to_vec();
        let long = [faces.owner[0].image.clone(), vec![0; 2 << 20]].concat();
        for (bad, why) in [(half, "FRAME_UNDECODABLE"), (long, "FRAME_TOO_LARGE")] {
            let status = caller.verify_user(USER, captures::frames(vec![bad])).await.err();
            ensure!(status.as_deref().map(caller::reason).as_deref() == Some(why), "a bad frame: {status:?}");
        }
        self.answer.send().await?;
        let opened = caller.create_challenge(caller::challenge(USER, v1::Purpose::Verify)).await?;
        let other = v1::Action { payee: "GB33BUKB20201555555555".into(), ..caller::action() };
        let changed = caller.verify_action(&opened.challenge_id, faces.owner.clone(), other).await;
        ensure!(changed.is_err(), "a changed payee was accepted");
        self.hang_up().await?;
        self.lose_the_worker().await?;
        self.speak_json().await
    }

    /// Callers that give up while their capture is on its way, in the queue or being judged.
    async fn hang_up(&mut self) -> Result<()> {
        for after_ms in [1, 4, 12, 25, 40] {
            let opened = self.caller.create_challenge(caller::challenge(USER, v1::Purpose::Verify)).await?;
            let (mut caller, frames) = (self.caller.clone(), self.faces.owner.clone());
            let call = tokio::spawn(async move { caller.verify(&opened.challenge_id, frames).await });
            sleep(Duration::from_millis(after_ms)).await;
            call.abort();
        }
        // Strikes of cancelled calls stay; an acceptance ends the row.
        sleep(Duration::from_millis(300)).await;
        let (_, answer) = self.caller.verify_user(USER, self.faces.owner.clone()).await?;
        ensure!(answer.verdict() == v1::Verdict::Accept, "the owner was refused");
        Ok(())
    }

    async fn lose_the_worker(&mut self) -> Result<()> {
        let opened = self.caller.create_challenge(caller::challenge(USER, v1::Purpose::Verify)).await?;
        let (mut caller, frames) = (self.caller.clone(), self.faces.owner.clone());
        let call = tokio::spawn(async move { caller.verify(&opened.challenge_id, frames).await });
        sleep(Duration::from_millis(15)).await;
        self.cluster.restart_worker(0)?;
        let _either_way = call.await?;
        for _ in 0..100 {
            if self.caller.verify_user(USER, self.faces.owner.clone()).await.is_ok() {
                return Ok(());
            }
            sleep(Duration::from_millis(100)).await;
        }
        anyhow::bail!("no verification after the worker came back")
    }

    /// The same over JSON, where frames are Base64, with `curl` where it is installed.
    async fn speak_json(&mut self) -> Result<()> {
        let opened = self.caller.create_challenge(caller::challenge(USER, v1::Purpose::Verify)).await?;
        let request = v1::VerifyRequest {
            challenge_id: opened.challenge_id,
            action: Some(caller::action()),
            frames: self.faces.owner.clone(),
            ..v1::VerifyRequest::default()
        };
        let url = format!("{}/v1/verifications", self.cluster.url());
        let (ca, credential) = (self.cluster.ca(), format!("authorization: Bearer {}", self.tenant.api_key));
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--fail-with-body", "--data-binary", "@-", "--header", &credential, "--cacert"])
            .arg(ca)
            .args(["--header", "content-type: application/json", "--header", "request-timeout: 20", &url]);
        let child = curl.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let Ok(mut child) = child else {
            println!("curl is not installed: the path over JSON was not walked");
            return Ok(());
        };
        child.stdin.take().context("no stdin")?.write_all(&serde_json::to_vec(&request)?)?;
        let output = child.wait_with_output()?;
        let answer = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(output.status.success() && answer.contains("ACCEPT"), "JSON was answered {answer}");
        Ok(())
    }

    /// Everywhere that a process of the cluster could have written to.
    pub(super) fn files_with(&self, needles: &Needles) -> Result<Vec<PathBuf>> {
        let mut found = scan::files(&[self.cluster.folder()], needles)?;
        let shared = [std::env::temp_dir(), "/var/tmp".into(), "/dev/shm".into()];
        found.extend(scan::files_since(&shared.each_ref().map(|path| path.as_path()), needles, self.began)?);
        found.retain(|path| path.is_file());
        found.dedup();
        Ok(found)
    }

    pub(super) fn processes(&self) -> [(&'static str, u32); 2] {
        [("worker", self.cluster.workers[0].pid()), ("gateway", self.cluster.gateway.pid())]
    }
}

/// A frame without a face in which no two places look alike.
fn noise() -> Result<Vec<u8>> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let picture = image::RgbImage::from_fn(320, 240, |_, _| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        image::Rgb([(state >> 8) as u8, (state >> 24) as u8, (state >> 40) as u8])
    });
    captures::jpeg(&picture, QUALITY)
}
