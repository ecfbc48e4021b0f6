//! Renewal of a tenant's references without their users: while serving, through deaths of the gateway, beside a rotation, and
//! where a reference does not open.

use anyhow::{Context, Result, ensure};
use biometrics::{Features, JobId, KeyedTransform, TransformKey};
use std::time::Duration;
use store::{Chain, Job, JobKind, JobState, NewJob, QueueResult};
use support::{
    caller::{self, Caller, Tenant},
    cluster::{Cluster, Options, cli},
    hoard::Hoard,
    load::Faces,
    skips, surgery,
};
use tokio::time::{Instant, sleep};
use wire::v1;

/// Short, so that the next life goes on at once; small batches, so that there are many moments to die at.
const SETTINGS: &str = "[jobs]\nlease_ms = 300\nbatch = 8\n";
/// Somebody whose reference came from a camera.
const CAMERA: &str = "camera-user";
const REFERENCES: usize = 120;
const POINTS: [&str; 5] = [
    "renew.batch.before_commit",
    "renew.batch.after_commit:2",
    "renew.batch.before_commit:4",
    "renew.batch.after_commit",
    "renew.end.before_commit",
];

/// A cluster, a tenant with many references, and the transform key that they were laid out with.
struct House {
    cluster: Cluster,
    tenant: Tenant,
    hoard: Hoard,
    faces: Faces,
    former: TransformKey,
}

impl House {
    async fn open(test: &str) -> Result<Option<Self>> {
        if skips::or_skip(test, surgery::possible()).is_none() {
            return Ok(None);
        }
        let Some(options) = skips::options(test, "base") else { return Ok(None) };
        // The hoard seals with the worker's key files, and the damage is done to a file.
        let mut cluster = Cluster::start(Options { threads: 1, on_tokens: false, on_server: false, ..options })?;
        let tenant = cluster.make_tenant("renewed", true)?;
        let faces = Faces::new(900, 90)?;
        let mut bank = Caller::connect(&cluster, &tenant.api_key).await?;
        let opened = bank.create_challenge(caller::challenge(CAMERA, v1::Purpose::Enroll)).await?;
        let answer = bank.enroll(&opened.challenge_id, faces.enroll.clone()).await?;
        ensure!(answer.verdict() == v1::Verdict::Accept, "the owner could not enroll");
        let mut hoard = Hoard::open(&cluster, &tenant).await?;
        for _ in 0..REFERENCES {
            hoard.add().await?;
        }
        let row = hoard.store.tenant(hoard.tenant).await?.context("no tenant")?;
        let former = hoard.transform_key(&row.secrets.transform_key, row.secrets.kek_version)?;
        cluster.configure_gateway(SETTINGS)?;
        cluster.restart_gateway(&[])?;
        Ok(Some(Self { cluster, tenant, hoard, faces, former }))
    }

    async fn ask(&self, kind: JobKind) -> Result<JobId> {
        let new = NewJob { tenant: self.hoard.tenant, kind, cause: None, users: None, requested_by: "test" };
        match self.hoard.store.queue_job(new).await? {
            QueueResult::Queued(id) => Ok(id),
            other => anyhow::bail!("{other:?}"),
        }
    }

    async fn job(&self, id: JobId) -> Result<Job> {
        self.hoard.store.job(id).await?.context("no such job")
    }

    async fn ended(&self, id: JobId) -> Result<Job> {
        let late = Instant::now() + Duration::from_secs(60);
        loop {
            let job = self.job(id).await?;
            if !job.state.is_open() {
                return Ok(job);
            }
            ensure!(Instant::now() < late, "the renewal does not end by itself: {job:?}");
            sleep(Duration::from_millis(50)).await;
        }
    }

    async fn verifies(&self) -> Result<bool> {
        let mut bank = Caller::connect(&self.cluster, &self.tenant.api_key).await?;
        let opened = bank.create_challenge(caller::challenge(CAMERA, v1::Purpose::Verify)).await?;
        let answer = bank.verify(&opened.challenge_id, self.faces.owner.clone()).await?;
        Ok(answer.verdict() == v1::Verdict::Accept)
    }

    /// Every reference is of the second epoch and holds, taken out of its space by the new key, what was put in.
    async fn check(&self, but: Option<&str>) -> Result<()> {
        let row = self.hoard.store.tenant(self.hoard.tenant).await?.context("no tenant")?;
        ensure!(row.transform_generation == 2, "generation {}", row.transform_generation);
        ensure!(row.former_transform_key.is_none() == but.is_none(), "the former key goes with the last that needs it");
        let new = self.hoard.transform_key(&row.secrets.transform_key, row.secrets.kek_version)?;
        ensure!(new.expose() != self.former.expose(), "the key is the former one");
        for user in self.hoard.users().filter(|user| Some(user.as_str()) != but) {
            let row = self.hoard.store.reference(self.hoard.tenant, user).await?.context("a reference is lost")?;
            ensure!((row.epoch, row.transform_generation) == (2, 2), "{user}: epoch {}", row.epoch);
            let put_in = self.hoard.content(user).context("nobody's reference")?;
            let found = self.hoard.unseal(user, &row)?;
            ensure!(found != put_in, "{user}: laid out as before");
            let out = |key: &TransformKey, epoch, bytes: &[u8]| -> Result<Features> {
                let features = Features::from_le_bytes(bytes)?;
                Ok(KeyedTransform::derive(key.expose(), self.hoard.tenant, row.id, epoch).invert(&features))
            };
            let (before, after) = (out(&self.former, 1, put_in)?, out(&new, 2, &found)?);
            let apart = before.as_slice().iter().zip(after.as_slice()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            ensure!(apart < 1e-4, "{user}: another's features, {apart} apart");
        }
        let chain = self.hoard.store.verify_audit(self.hoard.tenant).await?;
        ensure!(matches!(chain, Chain::Intact { .. }), "{chain:?}");
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_whose_gateway_is_killed_again_and_again_loses_and_repeats_nothing() -> Result<()> {
    let Some(mut house) = House::open("renewal/kills").await? else { return Ok(()) };
    let id = house.ask(JobKind::RenewReferences).await?;
    let mut deaths = 0;
    for point in POINTS.iter().cycle().take(15).filter(|_| cfg!(debug_assertions)) {
        house.cluster.launch_gateway(&[("COUNTERSIGN_FAILPOINT", point)])?;
        let end = Instant::now() + Duration::from_secs(15);
        while Instant::now() < end && house.cluster.gateway.runs()? && house.job(id).await?.state.is_open() {
            sleep(Duration::from_millis(20)).await;
        }
        deaths += usize::from(!house.cluster.gateway.runs()?);
        if !house.job(id).await?.state.is_open() {
            break;
        }
    }
    house.cluster.restart_gateway(&[])?;
    let job = house.ended(id).await?;
    ensure!(job.state == JobState::Done && job.done == REFERENCES as u64 + 1, "{job:?}");
    house.check(None).await?;
    ensure!(house.verifies().await?, "a renewed reference that came from a camera does not verify");
    let told = house.hoard.store.audit_count(house.hoard.tenant, "reference.renewed").await?;
    assert_eq!(told, REFERENCES as u64 + 1, "each renewal is audited once");
    ensure!(!cfg!(debug_assertions) || deaths >= 4, "it died {deaths} times only");
    println!("renewal: {told} references through {deaths} deaths of the gateway; 0 lost, 0 twice");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_beside_a_rotation_leaves_one_key_of_each() -> Result<()> {
    let Some(house) = House::open("renewal/rotation").await? else { return Ok(()) };
    let config = house.cluster.folder().join("gateway.toml");
    let said = cli(&["reference", "renew", &house.tenant.id, "--config", &config.to_string_lossy()])?;
    let rotation = house.ask(JobKind::RotateKek).await?;
    let (renewal, rotation) = (house.ended(said.trim().parse()?).await?, house.ended(rotation).await?);
    ensure!((renewal.state, rotation.state) == (JobState::Done, JobState::Done), "{renewal:?} {rotation:?}");
    house.check(None).await.context("after both")?;
    assert_eq!(house.hoard.keks()?, (2, vec![]), "the old KEK version is gone");
    ensure!(house.verifies().await?, "a reference does not verify after both");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reference_that_does_not_open_is_named_and_keeps_the_former_key_alone() -> Result<()> {
    let Some(house) = House::open("renewal/damage").await? else { return Ok(()) };
    let victim = house.hoard.any(3).context("nobody")?;
    let damage =
        format!("UPDATE sealed_references SET ciphertext = zeroblob(length(ciphertext)) WHERE user_id = '{victim}'");
    surgery::operate(&house.cluster.database, &[&damage])?;
    let job = house.ended(house.ask(JobKind::RenewReferences).await?).await?;
    assert_eq!((job.state, job.error.as_deref()), (JobState::Failed, Some("DATA_LOSS")));
    assert_eq!(house.hoard.store.audit_count(house.hoard.tenant, "envelope.not_authentic").await?, 1);
    house.check(Some(victim.as_str())).await?;
    ensure!(house.check(None).await.is_err(), "the check of the kill test is blind");
    ensure!(house.verifies().await?, "one bad row took the others with it");
    Ok(())
}
