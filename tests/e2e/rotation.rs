//! Rotation of a tenant's KEK while serving, and a gateway that dies again and again in the middle of it: nothing lost,
//! nothing twice, finished by itself, the old key gone (TARGETS R1).

use anyhow::{Context, Result, ensure};
use biometrics::JobId;
use std::{fs, io::Write as _, path::Path, time::Duration};
use store::{Chain, Job, JobKind, JobState, NewJob, QueueResult, Step};
use support::{
    caller::{self, Caller, Tenant},
    cluster::{Cluster, Options},
    hoard::{Found, Hoard},
    load::Faces,
    skips, surgery,
    torture::{self, Report},
};
use tokio::time::{Instant, sleep};
use wire::v1;

const REFERENCES: &str = "COUNTERSIGN_ROTATION_REFERENCES";
/// Short, so that the next life goes on at once; small batches, so that there are many moments to die at.
const SETTINGS: &str = "[jobs]\nlease_ms = 300\nbatch = 16\n";
/// Most that a process may gain over a rotation, however many references there are.
const GAIN_MB: f64 = 32.0;
/// Somebody whose reference came from a camera.
const CAMERA: &str = "camera-user";

/// Failpoints in the order in which a rotation comes by, with the last step at which each is still ahead.
const POINTS: [(&str, Step); 13] = [
    ("rotate.made", Step::MakeKey),
    ("rotate.made.before_commit", Step::MakeKey),
    ("rotate.made.after_commit", Step::MakeKey),
    ("rotate.secrets.before_commit", Step::MakeKey),
    ("rotate.batch.before_commit", Step::Rewrap),
    ("rotate.batch.after_commit:3", Step::Rewrap),
    ("rotate.batch.before_commit:9", Step::Rewrap),
    ("rotate.batch.after_commit:14", Step::Rewrap),
    ("rotate.fence.before_commit", Step::Rewrap),
    ("rotate.fence.after_commit", Step::Rewrap),
    ("rotate.destroying", Step::Destroy),
    ("rotate.destroyed.before_commit", Step::Destroy),
    ("rotate.done.before_commit", Step::Destroy),
];

/// A cluster, a tenant with many references, and one of them from a camera.
struct Vault {
    cluster: Cluster,
    tenant: Tenant,
    hoard: Hoard,
    faces: Faces,
    /// Users who left, and others came.
    churned: usize,
    /// How long a gateway takes to come up here.
    boot: Duration,
}

/// How the gateway died.
#[derive(Debug, Default)]
struct Deaths {
    at_failpoints: usize,
    at_random: usize,
    between_rotations: usize,
    rotations: usize,
}

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

impl Vault {
    async fn open(options: Options, references: usize) -> Result<Self> {
        Self::open_with(options, references, SETTINGS).await
    }

    async fn open_with(options: Options, references: usize, settings: &str) -> Result<Self> {
        // The hoard seals with the worker's key files.
        let mut cluster = Cluster::start(Options { threads: 1, on_tokens: false, ..options })?;
        let tenant = cluster.make_tenant("vault", true)?;
        let faces = Faces::new(900, 90)?;
        let mut bank = Caller::connect(&cluster, &tenant.api_key).await?;
        let opened = bank.create_challenge(caller::challenge(CAMERA, v1::Purpose::Enroll)).await?;
        let answer = bank.enroll(&opened.challenge_id, faces.enroll.clone()).await?;
        ensure!(answer.verdict() == v1::Verdict::Accept, "the owner could not enroll");
        let mut hoard = Hoard::open(&cluster, &tenant).await?;
        for _ in 0..references {
            hoard.add().await?;
        }
        cluster.configure_gateway(settings)?;
        let begun = Instant::now();
        cluster.restart_gateway(&[])?;
        Ok(Self { cluster, tenant, hoard, faces, churned: 0, boot: begun.elapsed() })
    }

    async fn verifies(&self) -> Result<bool> {
        let mut bank = Caller::connect(&self.cluster, &self.tenant.api_key).await?;
        let opened = bank.create_challenge(caller::challenge(CAMERA, v1::Purpose::Verify)).await?;
        let answer = bank.verify(&opened.challenge_id, self.faces.owner.clone()).await?;
        Ok(answer.verdict() == v1::Verdict::Accept)
    }

    async fn job(&self, id: JobId) -> Result<Job> {
        self.hoard.store.job(id).await?.context("no such job")
    }

    async fn ask(&self) -> Result<Job> {
        let tenant = self.hoard.tenant;
        let new = NewJob { tenant, kind: JobKind::RotateKek, cause: None, users: None, requested_by: "test" };
        match self.hoard.store.queue_job(new).await? {
            QueueResult::Queued(id) => self.job(id).await,
            other => anyhow::bail!("{other:?}"),
        }
    }

    /// Waits until the job has ended.
    async fn ended(&self, id: JobId) -> Result<Job> {
        let late = Instant::now() + Duration::from_secs(120);
        loop {
            let job = self.job(id).await?;
            if !job.state.is_open() {
                return Ok(job);
            }
            ensure!(Instant::now() < late, "the rotation does not end by itself: {job:?}");
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// One life of the gateway, ended at a failpoint, when the job has ended without coming by it, or after `most`; users come
    /// and go meanwhile where `churn` says so. Answers whether it died by itself.
    async fn live(&mut self, job: JobId, point: Option<&str>, (most, churn): (Duration, bool)) -> Result<bool> {
        let env: Vec<_> = point.map(|point| ("COUNTERSIGN_FAILPOINT", point)).into_iter().collect();
        self.cluster.launch_gateway(&env)?;
        let end = Instant::now() + most;
        while Instant::now() < end {
            if !self.cluster.gateway.runs()? {
                return Ok(true);
            }
            if point.is_some() && !self.job(job).await?.state.is_open() {
                break;
            }
            if churn {
                let leaves = self.hoard.any(self.churned).context("nobody is left")?;
                self.hoard.erase(&leaves).await?;
                self.hoard.add().await?;
                self.churned += 1;
            }
            sleep(Duration::from_millis(10)).await;
        }
        self.cluster.gateway.kill()?;
        Ok(false)
    }

    /// Every reference opens under the newest version alone, and no older key could be used.
    async fn check(&self, job: &Job) -> Result<()> {
        let found = self.hoard.look(job, &[CAMERA]).await?;
        let (newest, alive) = self.hoard.keks()?;
        let whole = Found { opened: self.hoard.len(), versions: [newest].into(), ..Found::default() };
        ensure!(found == whole, "{found:?}");
        ensure!(alive.is_empty(), "old KEK versions {alive:?} could still be used");
        let gone = self.hoard.store.kek_destructions(self.hoard.tenant).await?;
        ensure!(gone.iter().map(|gone| gone.kek_version).eq(1..newest), "not every destruction is recorded once");
        let chain = self.hoard.store.verify_audit(self.hoard.tenant).await?;
        ensure!(matches!(chain, Chain::Intact { .. }), "{chain:?}");
        Ok(())
    }
}

/// Kills the gateway `kills` times, every second time at a failpoint where one is ahead, and lets the last rotation end by itself.
async fn kill_again_and_again(vault: &mut Vault, report: &mut Report, kills: usize) -> Result<Deaths> {
    // In CI as many as fit; what was asked for is kept to.
    let asked = torture::full() || torture::asked().is_some();
    let patience = if asked { Duration::MAX } else { Duration::from_secs(90) };
    let (mut deaths, mut random) = (Deaths::default(), torture::Moments(0x9e37_79b9_7f4a_7c15));
    let begun = Instant::now();
    let mut job = vault.ask().await?;
    deaths.rotations = 1;
    while report.trials < kills && begun.elapsed() < patience {
        let kill = report.trials;
        let ahead: Vec<_> = POINTS.iter().filter(|(_, last)| order(*last) >= order(job.step)).collect();
        let at_point = cfg!(debug_assertions) && kill.is_multiple_of(2) && !ahead.is_empty();
        let point = at_point.then(|| ahead[(kill / 2) % ahead.len()].0);
        let most = if at_point {
            Duration::from_secs(15)
        } else {
            vault.boot / 2 + random.next_within(Duration::from_millis(900))
        };
        let by_itself = vault.live(job.id, point, (most, kill % 4 == 3)).await?;
        job = vault.job(job.id).await?;
        ensure!(job.state != JobState::Failed, "{job:?}");
        match (by_itself, job.state.is_open()) {
            (true, _) => deaths.at_failpoints += 1,
            (false, true) => deaths.at_random += 1,
            (false, false) => deaths.between_rotations += 1,
        }
        if !job.state.is_open() {
            vault.check(&job).await.with_context(|| format!("after kill {kill}"))?;
            job = vault.ask().await?;
            deaths.rotations += 1;
        }
        report.count(Ok(()));
        report.progress(kills);
    }
    vault.cluster.launch_gateway(&[])?;
    let last = vault.ended(job.id).await?;
    ensure!(last.state == JobState::Done, "{last:?}");
    vault.check(&last).await?;
    println!(
        "R1: {} of {kills} kills of the gateway over {} rotations of {} references in {:.0?}, {} users left and came: {deaths:?}; 0 lost, 0 twice",
        report.trials,
        deaths.rotations,
        vault.hoard.len() + 1,
        begun.elapsed(),
        vault.churned
    );
    Ok(deaths)
}

/// What an update without its compare-and-set would leave: a row as it was before the rotation.
fn sabotage(vault: &Vault) -> Result<()> {
    let victim = vault.hoard.any(0).context("nobody")?;
    surgery::operate(
        &vault.cluster.database,
        &[&format!("UPDATE sealed_references SET kek_version = 1 WHERE user_id = '{victim}'")],
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn r1_a_rotation_whose_gateway_is_killed_again_and_again_loses_and_repeats_nothing() -> Result<()> {
    let test = "rotation/kills";
    if skips::or_skip(test, surgery::possible()).is_none() {
        return Ok(());
    }
    let Some(options) = skips::options(test, "base") else { return Ok(()) };
    let references = if torture::full() { 10_000 } else { number(REFERENCES, 500) };
    let mut vault = Vault::open(options, references).await?;
    let mut report = Report::of("R1");
    match kill_again_and_again(&mut vault, &mut report, torture::trials(100, 2_000)).await {
        Err(error) => report.failures.push(format!("{error:#}")),
        Ok(deaths) => {
            let (kills, mid_rotation) = (report.trials, deaths.at_failpoints + deaths.at_random);
            ensure!(kills >= 20, "this machine is too slow: {kills} kills");
            ensure!(mid_rotation * 2 > kills, "most kills met no rotation: {deaths:?}");
            ensure!(
                !cfg!(debug_assertions) || deaths.at_failpoints * 4 > kills,
                "too few died at failpoints: {deaths:?}"
            );
            ensure!(vault.churned > 0, "nobody came or left while the gateway lived");
            vault.cluster.restart_gateway(&[])?;
            ensure!(vault.verifies().await?, "a reference that came from a camera does not verify any more");
            sabotage(&vault)?;
            let job = vault.hoard.store.jobs(Some(vault.hoard.tenant), 1).await?.pop().context("no job")?;
            report.control_triggered = vault.check(&job).await.is_err();
        }
    }
    report.close()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_under_a_destroyed_key_is_noticed_and_keeps_no_rotation_from_saying_so() -> Result<()> {
    let test = "rotation/sabotage";
    if skips::or_skip(test, surgery::possible()).is_none() {
        return Ok(());
    }
    let Some(options) = skips::options(test, "base") else { return Ok(()) };
    let vault = Vault::open(options, 40).await?;
    let said = vault.cluster.gateway_command(&["key", "rotate", &vault.tenant.id, "--wait"])?;
    ensure!(said.contains("DONE"), "{said}");
    let job: JobId = said.lines().next().context("no job")?.parse()?;
    let job = vault.job(job).await?;
    vault.check(&job).await?;
    ensure!(vault.verifies().await?, "a rotated reference does not verify");

    sabotage(&vault)?;
    let found = vault.hoard.look(&job, &[CAMERA]).await?;
    assert_eq!((found.opened, found.lost.len()), (39, 1), "the control is triggered");
    ensure!(vault.check(&job).await.is_err(), "the check of the kill test is blind");

    let again = vault.ask().await?;
    let again = vault.ended(again.id).await?;
    assert_eq!((again.state, again.error.as_deref()), (JobState::Failed, Some("DATA_LOSS")));
    let (newest, alive) = vault.hoard.keks()?;
    assert_eq!((newest, alive), (3, vec![2]), "no key is destroyed while something does not open");
    assert_eq!(vault.hoard.store.audit_count(vault.hoard.tenant, "envelope.not_authentic").await?, 1);
    ensure!(vault.verifies().await?, "one bad row took the others with it");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_is_rotated_once_at_a_time_and_whoever_asks_again_is_told_so() -> Result<()> {
    let Some(options) = skips::options("rotation/once", "base") else { return Ok(()) };
    let mut vault = Vault::open(options, 3).await?;
    vault.cluster.gateway.kill()?;
    let first = vault.cluster.gateway_command(&["key", "rotate", &vault.tenant.id])?;
    let second = vault.cluster.gateway_command(&["key", "rotate", &vault.tenant.id]);
    let said = format!("{:#}", second.err().context("a second rotation was taken")?);
    ensure!(said.contains("runs already") && said.contains(first.trim()), "{said}");
    let listed = vault.cluster.gateway_command(&["job", "list", "--json"])?;
    let listed: serde_json::Value = serde_json::from_str(listed.trim())?;
    assert_eq!((&listed["job"], &listed["state"]), (&first.trim().into(), &"QUEUED".into()));
    vault.cluster.restart_gateway(&[])?;
    let done = vault.cluster.gateway_command(&["job", "wait", first.trim()])?;
    ensure!(done.contains("DONE"), "{done}");
    vault.check(&vault.job(first.trim().parse()?).await?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_of_many_references_says_its_rate_beside_that_of_fsync() -> Result<()> {
    let Some(options) = skips::options("rotation/rate", "base") else { return Ok(()) };
    let references = number(REFERENCES, 1_000);
    let vault = Vault::open_with(options, references, "[jobs]\nbatch = 256\n").await?;
    let processes = [&vault.cluster.gateway, &vault.cluster.workers[0]];
    let before: Vec<f64> = processes.iter().map(|process| process.memory("VmRSS")).collect::<Result<_>>()?;
    let job = vault.ended(vault.ask().await?.id).await?;
    let gained: Vec<f64> =
        processes.iter().zip(before).map(|(process, was)| Ok(process.memory("VmHWM")? - was)).collect::<Result<_>>()?;
    vault.check(&job).await?;
    let took = job.finished_at_ms.zip(job.started_at_ms).context("not ended")?;
    let seconds = Duration::from_millis((took.0 - took.1).max(1).unsigned_abs()).as_secs_f64();
    println!(
        "rotation: {} references in {seconds:.2} s from beginning to the end of the old key: {:.0} rewraps/s beside {:.0} fsync/s",
        job.done,
        job.done as f64 / seconds,
        fsyncs(vault.cluster.folder())?
    );
    println!("rotation: at most {:.1} MB more in the gateway and {:.1} MB in the worker", gained[0], gained[1]);
    assert_eq!(job.done, references as u64 + 1);
    ensure!(gained.iter().all(|gained| *gained < GAIN_MB), "memory grew by {gained:.1?} MB");
    Ok(())
}

/// How often this disk makes 4 KiB durable in a second.
fn fsyncs(folder: &Path) -> Result<f64> {
    let mut file = fs::File::create(folder.join("fsync"))?;
    let (rounds, begun) = (200, Instant::now());
    for _ in 0..rounds {
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
    }
    Ok(f64::from(rounds) / begun.elapsed().as_secs_f64())
}

const fn order(step: Step) -> u8 {
    match step {
        Step::MakeKey => 0,
        Step::Rewrap => 1,
        Step::Drain => 2,
        _ => 3,
    }
}
